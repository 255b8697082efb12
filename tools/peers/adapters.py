"""Random LoRAs of SmolLM2 with the same values in PEFT's form and in llama.cpp's."""

import json

import numpy as np
from safetensors.numpy import save_file

from loads.places import replacing

from .gguf_files import LINEAR_NAMES, interleaved, write_adapter

SEED = 20261122
# Size of the change: large enough to change the answers, small enough to leave them language.
STRENGTH = 0.06


def write_adapters(count, rank, keys, tensors, directory_of, gguf_of):
    """Writes `count` adapters; `directory_of` and `gguf_of` say where adapter i lies."""
    heads = {"attn_q": keys["llama.attention.head_count"],
             "attn_k": keys["llama.attention.head_count_kv"]}
    for index in range(count):
        pairs = adapter_pairs(index, rank, tensors)
        with replacing(directory_of(index)) as path:
            write_peft(path, rank, pairs)
        with replacing(gguf_of(index)) as path:
            write_adapter(path, float(rank), gguf_tensors(pairs, heads))


def adapter_pairs(index, rank, tensors):
    """{GGUF layer name: (A, shape [rank, in]; B, shape [out, rank])} in Hugging Face's row order."""
    generator = np.random.default_rng([SEED, index])
    pairs = {}
    for name, weight in tensors.items():
        if name.count(".") != 3 or name.split(".")[2] not in LINEAR_NAMES:
            continue
        outputs, inputs = weight.shape
        size = STRENGTH * float(np.sqrt(np.mean(np.square(weight))))
        first = generator.standard_normal((rank, inputs), dtype=np.float32) / np.sqrt(rank)
        second = generator.standard_normal((outputs, rank), dtype=np.float32) * size
        pairs[name.removesuffix(".weight")] = (half_precision(first), half_precision(second))
    return pairs


def half_precision(values):
    """Rounds to values that f16 and bf16 both hold exactly: 8 bits, and nothing below 2⁻¹⁴."""
    mantissa, exponent = np.frexp(values)
    rounded = np.ldexp(np.round(mantissa * 256) / 256, exponent).astype(np.float32)
    return np.where(np.abs(rounded) < 2.0**-14, np.float32(0), rounded)


def write_peft(path, rank, pairs):
    path.mkdir()
    configuration = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": rank,
        "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": False, "inference_mode": True,
        "base_model_name_or_path": "", "modules_to_save": None,
        "target_modules": sorted(name.split(".")[1] for name in LINEAR_NAMES.values()),
    }
    (path / "adapter_config.json").write_text(json.dumps(configuration, indent=2) + "\n")
    tensors = {}
    for name, (first, second) in pairs.items():
        _, layer, part = name.split(".")
        module = f"base_model.model.model.layers.{layer}.{LINEAR_NAMES[part]}"
        tensors[f"{module}.lora_A.weight"] = first
        tensors[f"{module}.lora_B.weight"] = second
    save_file(tensors, path / "adapter_model.safetensors", metadata={"format": "pt"})


def gguf_tensors(pairs, heads):
    for name, (first, second) in pairs.items():
        part = name.split(".")[2]
        yield f"{name}.weight.lora_a", first
        rows = interleaved(second, heads[part]) if part in heads else second
        yield f"{name}.weight.lora_b", rows
