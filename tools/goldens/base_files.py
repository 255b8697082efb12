"""Writes what transformers makes of a base's files, under Tests/Goldens/base-files.

    tools/reference base-files

manifest.json lists variants of the bases of Tests/Goldens/cases/bases: changed keys of config.json (null
removes one) and changed tensors, made anew by the tests. expected.safetensors holds each variant's
log-probabilities of `tokens`, [tokens, vocabulary]; `context` is how many tokens every layer attends to in
full, and `rows` how many of the rows are so.
L3-F32.gguf, L3t-F32.gguf and the files in split/ are the bases L3 and L3t in llama.cpp's form, written by
gguf-py. sixteen-bit/ holds bases and adapters whose merges are rounded, and the merged matrices by numpy.
Needs the environment of tools/python/requirements.txt.
"""

import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from references import checkpoints, make_goldens as shared  # noqa: E402
from cases import common  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASES = ROOT / "Tests/Goldens/cases/bases"
OUT = ROOT / "Tests/Goldens/base-files"
TOKENS = list(range(1, 41))
HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
LLAMA3 = {"factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}

QWEN = {"sliding_window": 8, "layer_types": None}
# name: (base, changes of config.json, changes of tensors)
VARIANTS = {
    "qwen2-window-not-used": ("Q3", {**QWEN, "use_sliding_window": None}, {}),
    "qwen2-no-layer-windowed": ("Q3", {**QWEN, "use_sliding_window": True, "max_window_layers": 3}, {}),
    "qwen2-every-layer-windowed": ("Q3", {**QWEN, "use_sliding_window": True, "max_window_layers": 0}, {}),
    "qwen2-window-by-default-from-layer-28": (
        "Q3", {**QWEN, "use_sliding_window": True, "max_window_layers": None}, {}),
    "qwen2-window-by-default-4096": ("Q3", {
        "sliding_window": None, "layer_types": None, "use_sliding_window": True, "max_window_layers": 1,
        "max_position_embeddings": 8192}, {}),
    "qwen2-mixed-layers": ("Q3", {
        "sliding_window": 8, "use_sliding_window": True,
        "layer_types": ["full_attention", "sliding_attention", "full_attention"]}, {}),
    "mistral-window": ("L3", {"model_type": "mistral", "sliding_window": 8}, {}),
    "mistral-window-null": ("L3", {"model_type": "mistral", "sliding_window": "NULL"}, {}),
    "mistral-window-absent": ("L3", {"model_type": "mistral", "max_position_embeddings": 8192}, {}),
    "mistral-window-not-used": (
        "L3", {"model_type": "mistral", "sliding_window": 8, "use_sliding_window": False}, {}),
    "mistral-positions-absent": (
        "L3", {"model_type": "mistral", "sliding_window": "NULL", "max_position_embeddings": None}, {}),
    "llama-window": ("L3", {
        "sliding_window": 8, "use_sliding_window": True, "layer_types": ["sliding_attention"] * 3}, {}),
    "rotary-settings-twice": ("L3", {
        "rope_scaling": {"type": "linear", "factor": 4.0}, "rope_theta": 500.0,
        "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 50.0}}, {}),
    "rotary-settings-empty": ("L3", {
        "rope_scaling": {}, "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 50.0}},
        {}),
    "rotary-factor-without-type": (
        "L3", {"rope_scaling": {"factor": 4.0}, "rope_parameters": None}, {}),
    "rotary-two-types": ("L3", {
        "rope_scaling": {"rope_type": "linear", "type": "dynamic", "factor": 4.0},
        "rope_parameters": None}, {}),
    "rotary-llama3-without-positions": (
        "L3", {"rope_scaling": {"type": "llama3", **LLAMA3}, "rope_parameters": None}, {}),
    "rotary-llama3-positions-outside": ("L3", {
        "rope_scaling": {"type": "llama3", **LLAMA3}, "rope_parameters": None,
        "original_max_position_embeddings": 16}, {}),
    "rotary-llama3-positions-twice": ("L3", {
        "rope_scaling": {"type": "llama3", **LLAMA3, "original_max_position_embeddings": 32},
        "rope_parameters": None, "original_max_position_embeddings": 16}, {}),
    "rotary-linear": (
        "L3", {"rope_scaling": {"type": "linear", "factor": 4.0}, "rope_parameters": None}, {}),
    "tied-head-differs": ("L3t", {}, {"set": {HEAD: [EMBEDDING, -0.5]}}),
    "tied-head-is-the-same": ("L3t", {}, {"set": {HEAD: [EMBEDDING, 1.0]}}),
    "tied-head-alone": ("L3t", {}, {"set": {HEAD: [EMBEDDING, 1.0]}, "drop": [EMBEDDING]}),
    "bare-decoder": ("L3t", {}, {"strip": "model."}),
    "one-prefix-too-many": ("L3", {}, {"prefix": "model."}),
    "unknown-keys": ("L3", {"future_flag": True, "logits_scaling": 8.0}, {}),
}
# Divisors of the 4 frequencies of a head of L3, and a factor beside them.
DIVISORS, FACTOR = [1.0, 2.0, 4.0, 8.0], 2.0


def changed(config, changes):
    result = dict(config)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = None if value == "NULL" else value
    return result


def changed_tensors(tensors, changes):
    tensors = dict(tensors)
    for name, (source, factor) in changes.get("set", {}).items():
        tensors[name] = factor * tensors[source]
    for name in changes.get("drop", []):
        del tensors[name]
    strip, prefix = changes.get("strip", ""), changes.get("prefix", "")
    return {prefix + name.removeprefix(strip): value.contiguous() for name, value in tensors.items()}


def context(config):
    """Tokens that every layer attends to in full."""
    windows = "sliding_attention" in (getattr(config, "layer_types", None) or [])
    if config.model_type == "mistral":
        windows = config.sliding_window is not None
    if config.model_type == "llama":
        windows = False
    positions = config.max_position_embeddings
    return min(positions, config.sliding_window) if windows else positions


def write_variant(name, expected):
    base, settings, tensors = VARIANTS[name]
    config = json.loads((BASES / base / "config.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "config.json").write_text(json.dumps(changed(config, settings)), encoding="utf-8")
        stored = changed_tensors(load_file(BASES / base / "model.safetensors"), tensors)
        save_file(stored, folder / "model.safetensors", {"format": "pt"})
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        expected[name] = checkpoints.log_probabilities(model, TOKENS)
        full = context(model.config)
        return {"name": name, "base": base, "config": settings, "tensors": tensors, "context": full,
                "rows": min(len(TOKENS), full)}


def divisors(expected):
    """As llama.cpp turns heads with `rope_freqs` beside a factor: both divide each frequency."""
    model = AutoModelForCausalLM.from_pretrained(BASES / "L3", dtype=torch.float32).eval()
    rotary = model.model.rotary_emb
    rotary.inv_freq = rotary.inv_freq / (torch.tensor(DIVISORS) * FACTOR)
    expected["divisors"] = checkpoints.log_probabilities(model, TOKENS)


def write_gguf(path, base=BASES / "L3", kind="F32", **options):
    import gguf

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    writer = gguf.GGUFWriter(path, "llama", **options)
    checkpoints.add_configuration(writer, model.config)
    checkpoints.add_tensors(writer, model, kind)


def sixteen_bit():
    """Merges into bases of 16 bits: every weight is the nearest to base + s B A, which is computed in f32."""
    folder = OUT / "sixteen-bit"
    base = folder / "L3-F16"
    model = AutoModelForCausalLM.from_pretrained(BASES / "L3", dtype=torch.float32)
    model.model.layers[0].self_attn.v_proj.weight.data[0, 0] = 60000
    checkpoints.save_checkpoint(model.to(torch.float16), base)
    write_gguf(folder / "L3-F16.gguf", base, "F16")
    small = {name: value * (0.02 if "lora_B" in name else 1.0)
             for name, value in common.plain_tensors(name="sixteen-bit").items()}
    common.save(folder / "small", common.PLAIN, small)
    large = dict(small)
    value = "base_model.model.model.layers.0.self_attn.v_proj.lora_"
    large[value + "A.weight"] = torch.zeros_like(large[value + "A.weight"])
    large[value + "B.weight"] = torch.zeros_like(large[value + "B.weight"])
    # Twice their product is 10,000.
    large[value + "A.weight"][0, 0], large[value + "B.weight"][0, 0] = 50, 100
    common.save(folder / "large", common.PLAIN, large)
    scaling = np.float32(common.PLAIN["lora_alpha"] / common.PLAIN["r"])
    merged = {}
    for label, path, dtype in (("bf16", BASES / "L3b", torch.bfloat16), ("f16", base, torch.float16)):
        for name, weights in load_file(path / "model.safetensors").items():
            stem = "base_model.model." + name.removesuffix(".weight")
            if stem + ".lora_A.weight" in small:
                a, b = (small[f"{stem}.lora_{part}.weight"].numpy() for part in "AB")
                values = weights.float().numpy() + scaling * (b @ a)
                merged[f"{label}/{name}"] = torch.from_numpy(values).to(dtype)
    save_file(merged, folder / "merged.safetensors")


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    for folder in ("split", "split-empty-first"):
        (OUT / folder).mkdir(parents=True)
    expected = {}
    variants = [write_variant(name, expected) for name in VARIANTS]
    divisors(expected)
    plain = AutoModelForCausalLM.from_pretrained(BASES / "L3", dtype=torch.float32).eval()
    expected["L3"] = checkpoints.log_probabilities(plain, TOKENS)
    save_file(expected, OUT / "expected.safetensors")
    write_gguf(OUT / "L3-F32.gguf")
    write_gguf(OUT / "L3t-F32.gguf", BASES / "L3t")
    sixteen_bit()
    write_gguf(OUT / "split/L3.gguf", split_max_tensors=12)
    write_gguf(OUT / "split-empty-first/L3.gguf", split_max_tensors=16, small_first_shard=True)
    (OUT / "manifest.json").write_text(json.dumps({
        "metadata": {"generator": "tools/goldens/base_files.py", **shared.PINNED}, "tokens": TOKENS,
        "divisors": DIVISORS, "factor": FACTOR, "variants": variants}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
