"""Writes SmolLM2 as a Hugging Face directory: config.json, model.safetensors, tokenizer.json."""

import json

import numpy as np
from loads.adapters import bf16_header

from .gguf_files import halved, hugging_face_name


def write_hugging_face(path, keys, tensors):
    """`keys` are GGUF metadata, `tensors` f32 arrays that bf16 holds exactly."""
    path.mkdir()
    (path / "config.json").write_text(json.dumps(configuration(keys), indent=2) + "\n")
    (path / "tokenizer.json").write_text(json.dumps(tokenizer(keys), ensure_ascii=False))
    (path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>"}))
    heads = {"attn_q": keys["llama.attention.head_count"],
             "attn_k": keys["llama.attention.head_count_kv"]}
    named = {}
    for name, values in tensors.items():
        part = name.split(".")[2] if name.startswith("blk.") else ""
        if part in heads:
            values = halved(values, heads[part])
        named[hugging_face_name(name)] = values
    write_bf16(path / "model.safetensors", named)


def configuration(keys):
    heads = keys["llama.attention.head_count"]
    hidden = keys["llama.embedding_length"]
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "dtype": "bfloat16",
        "hidden_size": hidden, "intermediate_size": keys["llama.feed_forward_length"],
        "num_hidden_layers": keys["llama.block_count"], "num_attention_heads": heads,
        "num_key_value_heads": keys["llama.attention.head_count_kv"], "head_dim": hidden // heads,
        "max_position_embeddings": keys["llama.context_length"],
        "rms_norm_eps": keys["llama.attention.layer_norm_rms_epsilon"],
        "rope_theta": keys["llama.rope.freq_base"], "hidden_act": "silu",
        "vocab_size": keys["llama.vocab_size"], "tie_word_embeddings": True,
        "attention_bias": False, "mlp_bias": False,
        "bos_token_id": keys["tokenizer.ggml.bos_token_id"],
        "eos_token_id": keys["tokenizer.ggml.eos_token_id"],
    }


def tokenizer(keys):
    """Byte-level BPE with the vocabulary of the GGUF file; the measurements send token ids."""
    pieces, types = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"]
    special = [
        {"id": i, "content": pieces[i], "special": True, "single_word": False, "lstrip": False,
         "rstrip": False, "normalized": False} for i in range(len(pieces)) if types[i] == 3]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": None, "post_processor": None, "decoder": level,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": True}, level]},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "fuse_unk": False,
                  "byte_fallback": False, "vocab": {p: i for i, p in enumerate(pieces)},
                  "merges": keys["tokenizer.ggml.merges"]},
    }


def write_bf16(path, tensors):
    """A safetensors file of bf16 tensors: numpy has no bf16, so its upper halves are written."""
    header, _ = bf16_header(
        {name: values.shape for name, values in tensors.items()}, {"format": "pt"})
    with open(path, "wb") as file:
        file.write(header)
        for values in tensors.values():
            bits = np.ascontiguousarray(values, np.float32).view(np.uint32) >> 16
            file.write(bits.astype("<u2").tobytes())
