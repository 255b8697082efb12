"""Writes what merged checkpoints are compared with, under Tests/Goldens/merging/.

    tools/goldens/merging.py

expected.safetensors holds
    values, <type>                   f32 rows and gguf-py's blocks of them, for Q8_0, Q4_0 and Q4_1
    <type>/<tensor of the GGUF>      a matrix of models/gguf/tiny-llama-<type>.gguf with the adapter `law`
                                     merged into it by PEFT, in blocks again by gguf-py
    <mix>.logits                     logits of the prompt with the changes that PEFT's merges of several
                                     methods make, each times its weight, added up; manifest.json names them,
                                     with the distance of a run in the base's own type, where that isn't f32
Needs the environment of tools/python/requirements.txt.
"""

import importlib.metadata
import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
OUT = ROOT / "Tests/Goldens/merging"
SEED = 20261121
PROMPT = [1, 247, 16, 372, 483, 176, 443, 237]
TYPES = ["Q8_0", "Q4_0", "Q4_1"]
MATRICES = {"blk.0.attn_q.weight": "model.layers.0.self_attn.q_proj",
            "blk.1.attn_k.weight": "model.layers.1.self_attn.k_proj",
            "blk.1.attn_v.weight": "model.layers.1.self_attn.v_proj",
            "blk.0.ffn_down.weight": "model.layers.0.mlp.down_proj"}
# name: (base, cases of Tests/Goldens/methods with their weights)
MIXES = {
    "factors": ("tiny-llama", {"lora/plain": 0.5, "lokr/both-full": -0.75, "loha/llama": 0.25}),
    "infused": ("tiny-llama", {"ia3/classic": 0.5, "c3a/llama": 1.0}),
    "rotated": ("tiny-qwen2", {"oft/shared": 0.5, "hra/qwen": 0.5, "vera/drawn-again": -1.5}),
}


def sample():
    """Rows with what is special: zeros, one value, ties, values far apart, the ends of f16."""
    values = np.random.default_rng(SEED).standard_normal((24, 96)).astype(np.float32)
    values[1] = 0
    values[2] = -0.0
    values[3] = 0.375
    values[4, :32] = np.arange(-16, 16)
    values[4, 32:64] = np.arange(32) / 2 - 8
    values[5] *= 1e-6
    values[6] *= 1e-3
    values[7] *= 1e3
    values[8, 0] = 40.0
    values[9, 33] = -40.0
    values[10] = np.abs(values[10])
    values[11] = -np.abs(values[11])
    values[12] = np.round(values[12] * 4) / 8
    return values


def blocks(values, name):
    import gguf

    made = gguf.quants.quantize(np.ascontiguousarray(values, np.float32), gguf.GGMLQuantizationType[name])
    return torch.from_numpy(np.ascontiguousarray(made).view(np.uint8))


def permuted(matrix, head_count):
    """The order of rows in which llama.cpp's converter writes Q and K."""
    rows, columns = matrix.shape
    return (matrix.reshape(head_count, 2, rows // head_count // 2, columns)
            .swapaxes(1, 2).reshape(rows, columns))


def restored(matrix, head_count):
    rows, columns = matrix.shape
    return (matrix.reshape(head_count, rows // head_count // 2, 2, columns)
            .swapaxes(1, 2).reshape(rows, columns))


def requantized(name):
    """The matrices of a quantised base with an adapter merged into them, in blocks again."""
    import gguf
    from peft import PeftModel
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(ROOT / "models/tiny-llama")
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    reader = gguf.GGUFReader(ROOT / f"models/gguf/tiny-llama-{name}.gguf")
    stored = {tensor.name: tensor for tensor in reader.tensors}
    model = AutoModelForCausalLM.from_pretrained(ROOT / "models/tiny-llama", dtype=torch.float32)
    types = {}
    for source, module in MATRICES.items():
        tensor = stored[source]
        types[source] = tensor.tensor_type.name
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        count = heads.get(source.split(".")[2])
        values = restored(values, count) if count else values
        model.get_submodule(module).weight.data = torch.from_numpy(values.astype(np.float32).copy())
    merged = PeftModel.from_pretrained(model, ROOT / "Tests/Goldens/adapters/law").merge_and_unload()
    result = {}
    for source, module in MATRICES.items():
        values = merged.get_submodule(module).weight.data.numpy()
        count = heads.get(source.split(".")[2])
        result[f"{name}/{source}"] = blocks(permuted(values, count) if count else values, types[source])
    return result


def load(base):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(ROOT / "models" / base, dtype=torch.float32).eval()


@torch.no_grad()
def mixed(base, weights):
    """The logits in f32, and how far those are that the base's own type gives."""
    from goldens.methods.loading import attach
    from transformers import AutoConfig

    model = load(base)
    own = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for case, weight in weights.items():
        merged = attach(load(base), ROOT / "Tests/Goldens/methods" / case).merge_and_unload()
        for name, tensor in merged.state_dict().items():
            model.state_dict()[name] += weight * (tensor - own[name])
    logits = model(input_ids=torch.tensor([PROMPT])).logits[0].float()
    rounded = model.to(AutoConfig.from_pretrained(ROOT / "models" / base).dtype)(
        input_ids=torch.tensor([PROMPT])).logits[0].float()
    return logits, float((rounded.log_softmax(-1) - logits.log_softmax(-1)).abs().max())


def main():
    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    values = sample()
    tensors = {"values": torch.from_numpy(values)}
    for name in TYPES:
        tensors[name] = blocks(values, name)
        tensors |= requantized(name)
    distances = {}
    for name, (base, weights) in MIXES.items():
        logits, distances[name] = mixed(base, weights)
        tensors[f"{name}.logits"] = logits.contiguous()
    versions = {package: importlib.metadata.version(package)
                for package in ("gguf", "numpy", "peft", "torch", "transformers")}
    facts = {"generator": "tools/goldens/merging.py", "seed": str(SEED), **versions}
    save_file(dict(sorted(tensors.items())), OUT / "expected.safetensors", facts)
    mixes = [{"name": name, "base": base, "adapters": weights, "prompt": PROMPT,
              "reference_distance": distances[name]}
             for name, (base, weights) in MIXES.items()]
    (OUT / "manifest.json").write_text(
        json.dumps({"metadata": facts, "mixes": mixes}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
