"""Writes the adapters and PEFT's combinations of them that `graft combine` is compared with.

    tools/goldens/combining.py      everything under Tests/Goldens/combining/

Each case seeds torch's generator and calls `add_weighted_adapter` of PEFT on a tiny random Llama. What
PEFT then saves stands in cases.safetensors under `<case>/<tensor>`; manifest.json has the arguments.
Needs the environment of tools/python/requirements.txt.
"""

import json
import pathlib
import shutil

import peft
import torch
import transformers
from safetensors.torch import save_file

SEED = 20261121
OUT = pathlib.Path(__file__).resolve().parents[2] / "Tests/Goldens/combining"
PINNED = {"torch": "2.13.0", "transformers": "5.23.0", "peft": "0.21.2"}

BASE = dict(
    vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=False)

# name: (PEFT configuration, dtype, whether values lie on a coarse grid with many equal magnitudes)
ADAPTERS = {
    "a": (dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "up_proj"]), "float32", False),
    "b": (dict(r=4, lora_alpha=2, target_modules=["q_proj", "o_proj", "embed_tokens"]), "float32", False),
    "c": (dict(r=6, lora_alpha=12, rank_pattern={"layers.1.self_attn.q_proj": 3},
               alpha_pattern={"q_proj": 5}, target_modules=["q_proj", "lm_head"]), "float32", False),
    "grid": (dict(r=4, lora_alpha=4, target_modules=["q_proj", "embed_tokens"]), "bfloat16", True),
    "gaussian": (dict(r=4, lora_alpha=4, init_lora_weights="gaussian",
                      target_modules=r".*\.(q_proj|down_proj)"), "float32", False),
    "pattern": (dict(r=4, lora_alpha=6, target_modules=r".*layers\.0.*\.(q_proj|gate_proj)"),
                "float32", False),
}

# name: (adapters with weights, other arguments of add_weighted_adapter)
CASES = {
    "cat": ({"a": 0.7, "b": -0.3, "c": 0.5}, dict(combination_type="cat")),
    "linear": ({"a": 0.7, "b": -0.3}, dict(combination_type="linear")),
    "alone": ({"a": -0.5}, dict(combination_type="svd")),
    "expressions": ({"gaussian": 1.0, "pattern": 0.5}, dict(combination_type="linear")),
    "svd": ({"a": 0.7, "b": -0.3, "c": 0.5}, dict(combination_type="svd")),
    "svd-rank": ({"a": 0.7, "b": 0.6}, dict(combination_type="svd", svd_rank=3)),
    "ties": ({"a": 0.7, "b": -0.3}, dict(combination_type="ties", density=0.4)),
    "ties-frequency": ({"a": 1.0, "b": 0.8, "grid": 0.5}, dict(
        combination_type="ties", density=0.6, majority_sign_method="frequency")),
    "ties-grid": ({"grid": 1.0, "b": 0.5}, dict(combination_type="ties", density=0.3)),
    "few-grid": ({"grid": 1.0, "b": 0.5}, dict(combination_type="magnitude_prune", density=0.02)),
    "magnitude": ({"a": 0.7, "b": -0.3}, dict(combination_type="magnitude_prune", density=0.5)),
    "whole": ({"a": 0.7, "b": -0.3}, dict(combination_type="ties", density=1.0)),
    "dare-linear": ({"a": 0.7, "b": -0.3}, dict(combination_type="dare_linear", density=0.6)),
    "dare-ties": ({"b": 0.9, "grid": 0.4}, dict(combination_type="dare_ties", density=0.5)),
    "dare-gaussian": ({"gaussian": 0.9, "pattern": 0.4}, dict(
        combination_type="dare_linear", density=0.7)),
    "ties-svd": ({"a": 0.7, "b": -0.3, "c": 0.5}, dict(combination_type="ties_svd", density=0.5)),
    "magnitude-svd": ({"a": 0.7, "b": 0.3}, dict(
        combination_type="magnitude_prune_svd", density=0.4, svd_rank=8)),
    "dare-linear-svd": ({"a": 0.7, "b": -0.3}, dict(
        combination_type="dare_linear_svd", density=0.6, svd_rank=16)),
    "dare-ties-svd": ({"b": 0.7, "c": 0.4}, dict(
        combination_type="dare_ties_svd", density=0.6, majority_sign_method="frequency")),
}


def check_versions():
    found = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__,
             "peft": peft.__version__}
    assert found == PINNED, f"found {found}, need {PINNED}"


def make_base():
    torch.manual_seed(SEED)
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**BASE))


def make_adapter(name):
    """Trains nothing: every factor gets random values, so that no update is zero."""
    settings, dtype, grid = ADAPTERS[name]
    model = peft.get_peft_model(make_base(), peft.LoraConfig(task_type="CAUSAL_LM", **settings))
    torch.manual_seed(SEED + sum(map(ord, name)))
    for key, parameter in model.named_parameters():
        if "lora_" in key:
            values = torch.randn(parameter.shape) * 0.5
            values = torch.round(values * 4) / 4 if grid else values
            parameter.data = values.to(getattr(torch, dtype))
    model.save_pretrained(OUT / name, save_embedding_layers=False)
    (OUT / name / "README.md").unlink(missing_ok=True)


def combine(name, seed):
    weights, arguments = CASES[name]
    names = list(weights)
    model = peft.PeftModel.from_pretrained(make_base(), OUT / names[0], adapter_name=names[0])
    for other in names[1:]:
        model.load_adapter(OUT / other, adapter_name=other)
    torch.manual_seed(seed)
    model.add_weighted_adapter(names, list(weights.values()), "mix", **arguments)
    state = peft.get_peft_model_state_dict(model, adapter_name="mix", save_embedding_layers=False)
    scaling = {layer.scaling["mix"] for layer in model.modules()
               if isinstance(getattr(layer, "scaling", None), dict) and "mix" in layer.scaling}
    assert scaling == {1.0}
    return {f"{name}/{key}": value.contiguous() for key, value in state.items()}


def main():
    check_versions()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    for name in ADAPTERS:
        make_adapter(name)
    tensors, cases = {}, {}
    for index, (name, (weights, arguments)) in enumerate(CASES.items()):
        seed = SEED + 17 * index
        tensors |= combine(name, seed)
        cases[name] = {"weights": weights, "seed": seed, **arguments}
    save_file(tensors, OUT / "cases.safetensors")
    manifest = {"versions": PINNED, "seed": SEED, "cases": cases}
    (OUT / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
