"""Small checkpoints as transformers and as gguf-py write them."""

import shutil

import numpy as np
import torch

HEAD = "lm_head.weight"
GGUF_NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}


def model_class(family):
    import transformers

    return (getattr(transformers, f"{family}ForCausalLM"), getattr(transformers, f"{family}Config"))


def save_checkpoint(model, folder, **options):
    """Writes a model's directory anew, without settings for generation."""
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, **options)
    (folder / "generation_config.json").unlink(missing_ok=True)


def log_probabilities(model, tokens):
    """**Shape** [tokens, vocabulary]."""
    with torch.no_grad():
        return torch.log_softmax(model(torch.tensor([tokens])).logits[0].float(), -1).contiguous()


def gguf_name(name):
    name, kind = name.rsplit(".", 1)
    tops = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    if name in tops:
        return f"{tops[name]}.{kind}"
    _, _, layer, module = name.split(".", 3)
    return f"blk.{layer}.{GGUF_NAMES[module]}.{kind}"


def interleave(values, heads):
    """Rows in the order of llama.cpp's rotary pairs: (head, half, pair) becomes (head, pair, half)."""
    shape = values.shape
    return values.reshape(heads, 2, -1, *shape[1:]).swapaxes(1, 2).reshape(shape)


def add_configuration(writer, config):
    """A base's shape, as keys of a GGUF file."""
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)


def add_tensors(writer, model, quantization):
    """Adds the weights, matrices in a GGUF type, writes the file, and returns what the values became:
    {name: values after rounding}."""
    import gguf

    config, rounded = model.config, {}
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, parameter in model.state_dict().items():
        if name == HEAD and config.tie_word_embeddings:
            continue
        values = parameter.numpy().astype(np.float32)
        kind = gguf.GGMLQuantizationType[quantization if values.ndim == 2 else "F32"]
        data = gguf.quantize(values, kind)
        rounded[name] = torch.from_numpy(gguf.dequantize(data, kind).astype(np.float32).copy())
        if writer.arch == "llama":
            for module, count in heads.items():
                if module in name:
                    data = interleave(data, count)
        writer.add_tensor(gguf_name(name), np.ascontiguousarray(data), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return rounded
