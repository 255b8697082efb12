"""Bases in the older transformers that some libraries are pinned to, and what it makes of them."""

import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import load_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
PROMPT = [1, 247, 16, 372, 483, 176, 443, 237]
GREEDY_COUNT = 6


def check_versions(pinned, *packages):
    """Ends where what is installed isn't `pinned`, {name: version}: goldens say what made them."""
    found = {package.__name__: package.__version__.split("+")[0] for package in packages}
    if found != pinned:
        sys.exit(f"goldens: needs {pinned}, found {found}: run tools/reference, which makes the environment")


def load_base(name, attention="sdpa", dtype=torch.float32):
    """The base, in f32 unless told. This transformers reads rotary settings from other keys than its
    successor wrote."""
    config = transformers.AutoConfig.from_pretrained(MODELS / name)
    rope = dict(getattr(config, "rope_parameters", None) or {})
    config.rope_theta = rope.pop("rope_theta", 10000.0)
    config.rope_scaling = rope if rope.get("rope_type", "default") != "default" else None
    return transformers.AutoModelForCausalLM.from_pretrained(
        MODELS / name, config=config, dtype=dtype, attn_implementation=attention).eval()


@torch.no_grad()
def logits_of(model, tokens):
    return model(torch.tensor([tokens])).logits[0].float()


def check_base(name, model):
    """The other transformers' logits of the same base, from the other goldens."""
    stored = load_file(ROOT / "Tests/Goldens/logits.safetensors")
    cases = json.loads((ROOT / "Tests/Goldens/manifest.json").read_text(encoding="utf-8"))["cases"]
    prompt = next(case for case in cases if case["id"] == f"{name}/base")["prompts"][1]
    off = float((logits_of(model, prompt) - stored[f"{name}/base.1"]).abs().max())
    if off > 1e-3:
        sys.exit(f"goldens: {name} gives other logits here, {off} off")


def greedy(model, prompt):
    tokens, margins = list(prompt), []
    for _ in range(GREEDY_COUNT):
        top = torch.topk(logits_of(model, tokens)[-1], 2)
        tokens.append(int(top.indices[0]))
        margins.append(round(float(top.values[0] - top.values[1]), 6))
    return {"tokens": tokens[len(prompt):], "margins": margins}
