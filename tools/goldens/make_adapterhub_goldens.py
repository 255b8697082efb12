"""Makes Tests/Goldens/adapterhub: adapters of the AdapterHub library, as it saves them.

Runs in an environment of its own, tools/python/adapterhub-requirements.txt: the library is pinned to an
older transformers than PEFT's goldens. References are the library's own logits, in f32 arithmetic.

    tools/reference adapterhub
"""

import json
import pathlib
import shutil
import sys
import warnings
import zlib

import adapters
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from goldens.methods.files import save_sorted  # noqa: E402
from goldens.older_transformers import (  # noqa: E402
    MODELS, PROMPT, check_base, check_versions, greedy, load_base, logits_of)

SEED = 20260119
FOLDER = ROOT / "Tests/Goldens/adapterhub"
PINNED = {"adapters": "1.3.0", "transformers": "4.57.6", "torch": "2.13.0"}

# name: (base, class of the configuration, its options)
CASES = {
    "houlsby": ("tiny-llama", "DoubleSeqBnConfig", dict(reduction_factor=8)),
    "houlsby-mistral": ("tiny-mistral", "DoubleSeqBnConfig", dict(reduction_factor=4, non_linearity="gelu")),
    "pfeiffer": ("tiny-llama", "SeqBnConfig", dict(reduction_factor=16)),
    "pfeiffer-residual-before": ("tiny-llama-bias", "SeqBnConfig", dict(
        reduction_factor=8, residual_before_ln=False, original_ln_before=True, original_ln_after=False)),
    "parallel": ("tiny-llama", "ParBnConfig", dict(reduction_factor=8)),
    "parallel-both": ("tiny-mistral", "ParBnConfig", dict(
        reduction_factor=16, mh_adapter=True, scaling="learned", non_linearity="tanh")),
    "norms": ("tiny-llama", "DoubleSeqBnConfig", dict(
        reduction_factor=8, ln_before=True, ln_after=True, non_linearity="leakyrelu")),
    "norms-inside": ("tiny-llama", "SeqBnConfig", dict(
        reduction_factor=8, ln_after=True, adapter_residual_before_ln=True, scaling="channel")),
    "some-layers": ("tiny-llama-bf16", "DoubleSeqBnConfig", dict(
        reduction_factor={"0": 4, "default": 16}, leave_out=[1], non_linearity="silu")),
    "houlsby-qwen2": ("tiny-qwen2", "DoubleSeqBnConfig", dict(reduction_factor=8)),
    "residual-twice-qwen2": ("tiny-qwen2", "SeqBnConfig", dict(
        reduction_factor=8, residual_before_ln=False, non_linearity="gelu_new")),
    "parallel-norms": ("tiny-llama", "ParBnConfig", dict(
        reduction_factor=0.5, ln_before=True, ln_after=True, original_ln_after=True, non_linearity="mish")),
    "with-head": ("tiny-mistral", "SeqBnConfig", dict(reduction_factor=16)),
    "compacter": ("tiny-llama", "CompacterConfig", dict(reduction_factor=8)),
    "compacter-shared": ("tiny-mistral", "CompacterPlusPlusConfig", dict(
        reduction_factor=4, shared_W_phm=True, factorized_phm_rule=True, phm_dim=2, phm_rank=3)),
    "compacter-own": ("tiny-qwen2", "CompacterConfig", dict(
        reduction_factor=4, shared_phm_rule=False, factorized_phm_W=False, phm_bias=False, ln_before=True,
        non_linearity="relu", scaling="learned")),
    "lora": ("tiny-llama", "LoRAConfig", dict(r=3, alpha=6, attn_matrices=["q", "k", "v"], intermediate_lora=True)),
    "infused": ("tiny-llama-bias", "IA3Config", dict(alpha=2, output_lora=True)),
    "prefix": ("tiny-llama", "PrefixTuningConfig", dict(prefix_length=5, bottleneck_size=8)),
    "prefix-flat": ("tiny-llama-bias", "PrefixTuningConfig", dict(prefix_length=19, flat=True)),
    "prefix-with-head": ("tiny-llama-bias", "PrefixTuningConfig", dict(prefix_length=4, bottleneck_size=8)),
    "mam": ("tiny-llama-bias", "MAMConfig", dict(
        prefix_tuning=adapters.PrefixTuningConfig(prefix_length=6, bottleneck_size=8),
        adapter=adapters.ParBnConfig(reduction_factor=8))),
    "union": ("tiny-qwen2", "ConfigUnion", [
        adapters.LoRAConfig(r=2, alpha=4, attn_matrices=["q", "v"]), adapters.SeqBnConfig(reduction_factor=8)]),
    "tied-head": ("tiny-llama", "SeqBnConfig", dict(reduction_factor=16)),
}
# name: (base, cases that are stacked)
STACKS = {"lora-and-houlsby": ("tiny-llama", ["lora", "houlsby"])}
# Bases of another type than f32.
NARROW = {"tiny-qwen2", "tiny-llama-bf16"}
# With scaled dot-product attention the library's prefixes lose their places in the causal mask.
EAGER = {"prefix", "prefix-flat", "prefix-with-head", "mam"}
# What Graft merges: whatever changes weights.
MERGES = {"LoRAConfig", "IA3Config"}
# Saved with the head, trained, and left in the form of torch.save.
WITH_HEAD = {"with-head", "prefix-with-head", "tied-head"}


def metadata():
    return {"generator": "tools/goldens/make_adapterhub_goldens.py", "seed": str(SEED), **PINNED}


def randomize(model):
    for name, parameter in model.named_parameters():
        if ".law." not in name:
            continue
        scale = 0.7 / max(parameter.shape) ** 0.5 if parameter.ndim > 1 else 0.2
        parameter.data += scale * torch.randn_like(parameter)


def attach(name, folder, attention, dtype=torch.float32):
    model = load_base(name, attention, dtype)
    adapters.init(model)
    model.load_adapter(str(folder), set_active=True, use_safetensors=True)
    return model.to(dtype).eval()


def own_type_distance(name, folder, attention, reference):
    """How far the library's run in the base's own element type is from f32 arithmetic: what a processor
    that multiplies in that type may differ by."""
    dtype = transformers.AutoConfig.from_pretrained(MODELS / name).dtype
    own = logits_of(attach(name, folder, attention, dtype), PROMPT)
    return float((own.log_softmax(-1) - reference.log_softmax(-1)).abs().max())


def save(model, folder):
    """As the library saves it, its pickle turned to safetensors: with `ln_before` the norm has two names,
    which its own safetensors refuse."""
    with_head = folder.name in WITH_HEAD
    model.save_adapter(str(folder), "law", with_head=with_head)
    clear_name(folder / "adapter_config.json")
    if with_head:
        return clear_name(folder / "head_config.json")
    pickle = folder / "pytorch_adapter.bin"
    (folder / "adapter_interface.json").unlink(missing_ok=True)
    tensors = {name: tensor.clone() for name, tensor in torch.load(pickle).items()}
    pickle.unlink()
    save_sorted(tensors, folder / "adapter.safetensors", {"format": "pt", **metadata()})


def clear_name(path):
    """The base's folder is no part of the golden."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config["model_name"] = ""
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def make(name, base, kind, options):
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    torch.manual_seed((SEED + zlib.crc32(name.encode())) % (1 << 31))
    attention = "eager" if name in EAGER else "sdpa"
    model = load_base(base, attention)
    check_base(base, model)
    plain = logits_of(model, PROMPT)
    adapters.init(model)
    kind_of_config = getattr(adapters, kind)
    config = kind_of_config(**options) if isinstance(options, dict) else kind_of_config(*options)
    model.add_adapter("law", config=config)
    model.set_active_adapters("law")
    randomize(model)
    if name in WITH_HEAD:
        model.lm_head.weight.data += 0.05 * torch.randn_like(model.lm_head.weight)
    trained = logits_of(model.eval(), PROMPT)
    save(model, folder)
    model = attach(base, folder, attention)
    logits = logits_of(model, PROMPT)
    off, effect = float((logits - trained).abs().max()), float((logits - plain).abs().max())
    if off > 1e-5 or effect < 0.1:
        sys.exit(f"make_adapterhub_goldens: {name}: {off} off after loading, effect {effect}")
    print(f"{name}: effect {effect:.2f}", flush=True)
    entry = case(name, kind, base, [name], model, effect)
    if base in NARROW:
        entry["reference_distance"] = own_type_distance(base, folder, attention, logits)
    return entry


def case(name, kind, base, parts, model, effect):
    logits = logits_of(model, PROMPT)
    save_sorted({"tokens.0": torch.tensor(PROMPT), "logits.0": logits.contiguous()},
                FOLDER / name / "expected.safetensors", {**metadata(), "base": base, "dtype": "float32"})
    return {"id": f"adapterhub/{name}", "method": kind, "base": base, "adapters": dict.fromkeys(parts, 1.0),
            "prompts": [PROMPT], "greedy": [greedy(model, PROMPT)], "effect": effect,
            "merges": kind in MERGES}


def make_stack(name, base, parts):
    """Several adapters at once, each in its own places, one behind the other where they meet."""
    (FOLDER / name).mkdir(exist_ok=True)
    model = load_base(base)
    plain = logits_of(model, PROMPT)
    adapters.init(model)
    for part in parts:
        model.load_adapter(str(FOLDER / part), load_as=part, use_safetensors=True)
    model.set_active_adapters(adapters.composition.Stack(*parts))
    effect = float((logits_of(model.eval(), PROMPT) - plain).abs().max())
    print(f"{name}: effect {effect:.2f}", flush=True)
    return case(name, "Stack", base, parts, model, effect)


def main():
    check_versions(PINNED, adapters, transformers, torch)
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    cases = [make(name, *settings) for name, settings in CASES.items()]
    cases += [make_stack(name, *settings) for name, settings in STACKS.items()]
    (FOLDER / "manifest.json").write_text(
        json.dumps({"metadata": metadata(), "cases": cases}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
