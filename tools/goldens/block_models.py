"""Writes a model with tensors of most types that GGUF has blocks of, under Tests/Goldens/blocks.

    tools/reference block-models

mixed.gguf is a small Llama with random blocks, whose scales give weights of a usual size, its norms in F64,
BF16, F16 and blocks, rows of Q and K in llama.cpp's order. adapter/ is a LoRA of PEFT for it. mixed.safetensors holds
    logprobs, merged        log-probabilities of `tokens` by transformers, in f32 arithmetic over the values
                            that gguf-py gives the blocks, [tokens, vocabulary]; with the adapter, by PEFT
    rounded, merged-rounded the same with matrices rounded to Q8_0 by gguf-py, as far as that changes them
Needs the environment of tools/python/requirements.txt.
"""

import importlib.metadata
import pathlib
import shutil
import sys

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type, quants
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import block_types as types  # noqa: E402
from merging import permuted, restored  # noqa: E402

OUT = pathlib.Path(__file__).resolve().parents[2] / "Tests/Goldens/blocks"
SEED = 20261201
HIDDEN, VOCABULARY, LAYERS, HEADS, SHARED_HEADS, HEAD = 256, 64, 3, 4, 2, 16
TOKENS = list(range(1, 33))
# The types of each layer's matrices; rows of the output projection have 64 elements.
NAMES = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
LAYER_TYPES = [
    ["Q4_K", "IQ2_XXS", "Q6_K", "Q5_0", "Q2_K", "IQ3_S", "Q3_K"],
    ["Q5_K", "Q1_0", "Q8_K", "NVFP4", "IQ1_S", "Q4_K", "IQ4_XS"],
    ["IQ2_S", "IQ2_XS", "TQ1_0", "IQ4_NL", "IQ3_XXS", "TQ2_0", "IQ1_M"],
]
OUTER_TYPES = {"token_embd": "Q5_1", "output": "Q6_K"}
# More matrices than there are types, so that these come in the places of others of one block size.
INSTEAD = {"blk.1.attn_k": "MXFP4", "blk.2.attn_k": "F64"}
NORM_TYPES = ["F64", "BF16", "Q5_1", "F16", "Q8_0", "F32"]
MODULES = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
           "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
           "ffn_down": "mlp.down_proj"}
# The mean of levels over that of minima's, so that values lie around zero.
MINIMA = {"Q4_1": 7.5, "Q5_1": 15.5, "Q2_K": 1.5, "Q4_K": 7.5, "Q5_K": 15.5}
SPREAD = 0.06


def put_scale(name, blocks, factor):
    """Scales near `factor`, f16 where the type has them."""
    words = np.full(len(blocks), factor, "<f2").view("<u2")
    if name == "IQ1_M":
        for i in range(4):
            blocks[:, 49 + 2 * i] = (blocks[:, 49 + 2 * i] & 15) | ((words >> (4 * i) & 15) << 4).astype(np.uint8)
    elif name == "Q8_K":
        blocks[:, :4] = np.full(len(blocks), factor, "<f4").reshape(-1, 1).view(np.uint8)
    else:
        offsets = types.SCALES.get(name, [0])
        types.put_words(blocks, offsets[0], words)
        if name in MINIMA:
            sign = -1 if name in ("Q4_1", "Q5_1") else 1
            types.put_words(blocks, offsets[1],
                            np.full(len(blocks), sign * MINIMA[name] * factor, "<f2").view("<u2"))


def matrix(name, shape, random):
    """Bytes as stored, [rows, bytes of a row], and their values."""
    if name == "F64":
        values = random.standard_normal(shape) * SPREAD
        return values, values.astype(np.float32)
    elements, size = types.size(name)
    blocks = random.integers(0, 256, (shape[0] * shape[1] // elements, size), np.uint8)
    if name == "MXFP4":
        blocks[:, 0] = random.integers(119, 123, len(blocks))
    elif name == "NVFP4":
        blocks[:, :4] = random.integers(0x08, 0x18, (len(blocks), 4))
    else:
        put_scale(name, blocks, 1.0)
        put_scale(name, blocks, SPREAD / types.dequantized(name, blocks).std())
    values = types.dequantized(name, blocks).reshape(shape).astype(np.float32)
    return blocks.reshape(shape[0], -1), values


def norm(name, random):
    values = (1 + 0.1 * random.standard_normal(HIDDEN)).astype(np.float32)
    if name == "F64":
        return values.astype(np.float64) + 1e-9, values
    stored = quants.quantize(values.reshape(1, -1), Type[name])[0]
    return stored, quants.dequantize(stored.reshape(1, -1), Type[name])[0]


def rounded(name, values):
    """The values that Q8_0 keeps of them, where it doesn't keep them all."""
    if name == "F64" or name in ("Q5_0", "Q1_0", "IQ4_NL", "TQ1_0", "TQ2_0", "MXFP4"):
        return values
    return quants.dequantize(quants.quantize(values, Type.Q8_0), Type.Q8_0)


def write(path, stored):
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in {"block_count": LAYERS, "context_length": 64, "embedding_length": HIDDEN,
                       "feed_forward_length": HIDDEN, "attention.head_count": HEADS,
                       "attention.head_count_kv": SHARED_HEADS, "attention.key_length": HEAD,
                       "attention.value_length": HEAD, "rope.dimension_count": HEAD,
                       "vocab_size": VOCABULARY}.items():
        writer.add_uint32(f"llama.{key}", value)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-6)
    for name, (kind, data) in stored.items():
        if data.dtype == np.uint8:
            writer.add_tensor(name, np.ascontiguousarray(data), raw_dtype=Type[kind])
        else:
            writer.add_tensor(name, np.ascontiguousarray(data))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tensors():
    """GGUF's name -> (type, bytes as stored), and Hugging Face's name -> (type, values)."""
    stored, values = {}, {}
    shapes = {"attn_q": (HEADS * HEAD, HIDDEN), "attn_k": (SHARED_HEADS * HEAD, HIDDEN),
              "attn_v": (SHARED_HEADS * HEAD, HIDDEN), "attn_output": (HIDDEN, HEADS * HEAD)}
    heads = {"attn_q": HEADS, "attn_k": SHARED_HEADS}

    def add(name, full, kind, shape):
        random = np.random.default_rng([SEED, len(stored)])
        data, own = matrix(kind, shape, random)
        count = heads.get(name.split(".")[-1])
        stored[name + ".weight"] = (kind, data)
        values[full + ".weight"] = (kind, restored(own, count) if count else own)

    def add_norm(name, full):
        kind = NORM_TYPES[len(stored) % len(NORM_TYPES)]
        data, own = norm(kind, np.random.default_rng([SEED, len(stored)]))
        stored[name + ".weight"] = (kind, data)
        values[full + ".weight"] = (None, own)

    add("token_embd", "model.embed_tokens", OUTER_TYPES["token_embd"], (VOCABULARY, HIDDEN))
    for layer, kinds in enumerate(LAYER_TYPES):
        add_norm(f"blk.{layer}.attn_norm", f"model.layers.{layer}.input_layernorm")
        add_norm(f"blk.{layer}.ffn_norm", f"model.layers.{layer}.post_attention_layernorm")
        for name, kind in zip(NAMES, kinds):
            add(f"blk.{layer}.{name}", f"model.layers.{layer}.{MODULES[name]}",
                INSTEAD.get(f"blk.{layer}.{name}", kind), shapes.get(name, (HIDDEN, HIDDEN)))
    add_norm("output_norm", "model.norm")
    add("output", "lm_head", OUTER_TYPES["output"], (VOCABULARY, HIDDEN))
    return stored, values


def model(values, change):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=HIDDEN, intermediate_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        num_key_value_heads=SHARED_HEADS, head_dim=HEAD, vocab_size=VOCABULARY, rms_norm_eps=1e-6,
        max_position_embeddings=64, tie_word_embeddings=False)
    result = LlamaForCausalLM(config).eval()
    state = {name: torch.from_numpy(np.array(change(kind, own) if kind else own))
             for name, (kind, own) in values.items()}
    result.load_state_dict(state, strict=True)
    return result


@torch.no_grad()
def logprobs(model):
    return torch.log_softmax(model(torch.tensor([TOKENS])).logits[0].float(), -1).contiguous()


def write_adapter(base):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(SEED)
    adapted = get_peft_model(base, LoraConfig(
        r=2, lora_alpha=8, target_modules=["q_proj", "down_proj"], layers_to_transform=[1]))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    adapted.save_pretrained(OUT / "adapter")
    (OUT / "adapter/README.md").unlink(missing_ok=True)


def main():
    from peft import PeftModel

    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(OUT / "adapter", ignore_errors=True)
    stored, values = tensors()
    write(OUT / "mixed.gguf", stored)
    expected = {}
    write_adapter(model(values, lambda kind, own: own))
    for suffix, change in {"": lambda kind, own: own, "-rounded": rounded}.items():
        expected["rounded" if suffix else "logprobs"] = logprobs(model(values, change))
        expected["merged" + suffix] = logprobs(PeftModel.from_pretrained(model(values, change), OUT / "adapter"))
    for name in ("rounded", "merged-rounded"):
        exact = expected["logprobs" if name == "rounded" else "merged"]
        print(name, float((expected[name] - exact).abs().max()))
    print("effect", float((expected["merged"] - expected["logprobs"]).abs().max()))
    expected["tokens"] = torch.tensor(TOKENS)
    facts = {package: importlib.metadata.version(package)
             for package in ("gguf", "numpy", "peft", "torch", "transformers")}
    save_file(expected, OUT / "mixed.safetensors",
              {"generator": "tools/goldens/block_models.py", "seed": str(SEED), **facts})


if __name__ == "__main__":
    main()
