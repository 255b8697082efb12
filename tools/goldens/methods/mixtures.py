"""Mixtures whose gates are computed at run time: X-LoRA, Arrow, Poly, Lily, Shadow."""

import json
import shutil

import torch

from .case import LLAMA, MIXED, QWEN, Case, randomize, spread
from .deltas import at
from .loading import always_first_task, attach_arrow, without_cache
from .peft_config import peft

ATTENTION_OUT = ["q_proj", "o_proj"]
EXPERT_COUNT = 3
OF_A_CALL = "the gates are a mean over all tokens of a call: greedy tokens are those of generate with its cache"


def experts(folder, make_base, count, targets, prefix="expert"):
    """Saves LoRA experts of one shape below `folder`; returns their folders."""
    from peft import LoraConfig, get_peft_model

    paths = []
    for number in range(count):
        model = get_peft_model(make_base(), LoraConfig(
            task_type="CAUSAL_LM", r=3, lora_alpha=6, target_modules=list(targets)))
        randomize(model, None)
        paths.append(folder / f"{prefix}{number}")
        model.save_pretrained(paths[-1])
    return paths


# ---- X-LoRA -----------------------------------------------------------------------------------


def xlora(**options):
    """X-LoRA over experts that are saved beside it; PEFT names them by their numbers."""
    def build(case, base):
        from references.make_goldens import load_base
        from peft import XLoraConfig, get_peft_model

        paths = experts(case.folder, lambda: load_base(case.base), EXPERT_COUNT, MIXED)
        model = get_peft_model(without_cache(base), XLoraConfig(
            task_type="CAUSAL_LM", hidden_size=base.config.hidden_size,
            adapters={str(i): str(path) for i, path in enumerate(paths)}, xlora_dropout_p=0.2, **options))
        for name, parameter in model.named_parameters():
            if "classifier" in name:
                parameter.data = spread(parameter, 3.0)
        return model
    return build


def save_xlora(model, folder):
    """PEFT takes the classifier's layer numbers for names of experts and drops those tensors: they are
    put back. Paths become relative."""
    from safetensors.torch import load_file, save_file

    model.save_pretrained(folder)
    for number in range(EXPERT_COUNT):
        shutil.rmtree(folder / str(number), ignore_errors=True)
    file = folder / "adapter_model.safetensors"
    tensors = load_file(file)
    for name, tensor in model.state_dict().items():
        if "internal_xlora_classifier" in name:
            tensors.setdefault(name, tensor.clone())
    save_file(tensors, file)
    config = folder / "adapter_config.json"
    settings = json.loads(config.read_text(encoding="utf-8"))
    settings["adapters"] = {str(i): f"expert{i}" for i in range(EXPERT_COUNT)}
    config.write_text(json.dumps(settings), encoding="utf-8")


# ---- Arrow ------------------------------------------------------------------------------------


def arrow(**options):
    """Arrow has no file of its own: `arrow_config.json` says what the experts' folders leave open."""
    def build(case, base):
        from references.make_goldens import load_base

        folder = case.folder
        paths = experts(folder, lambda: load_base(case.base), EXPERT_COUNT, ATTENTION_OUT, "task")
        general = []
        if options.get("use_gks"):
            general = experts(folder, lambda: load_base(case.base), 2, ATTENTION_OUT, "general")
        settings = {"format": "arrow", "experts": [path.name for path in paths], "rng_seed": 7, **options}
        if general:
            settings["general"] = [path.name for path in general]
        (folder / "arrow_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        return attach_arrow(base, folder)
    return build


# ---- Poly, Lily, Shadow -----------------------------------------------------------------------


def poly(case, base):
    from peft import get_peft_model

    model = get_peft_model(base, case.config(base.config))
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.data = torch.randn_like(parameter) if "logits" in name else spread(parameter, 2.0)
    return always_first_task(model)


def mirror(**options):
    return peft("ShadowConfig", **{
        "r": 4, "shadow_alpha": 0.5, "shadow_num_hidden_layers": 1, "shadow_intermediate_size": 32, **options})


CASES = [
    Case("poly/two-tasks", LLAMA, peft(
        "PolyConfig", r=3, n_tasks=2, n_skills=3, n_splits=1, target_modules=MIXED), build=poly,
        note="task 0"),
    Case("poly/splits", QWEN, peft(
        "PolyConfig", r=2, n_tasks=1, n_skills=2, n_splits=4, target_modules=MIXED), build=poly,
        note="task 0"),
    Case("lily/llama", LLAMA, peft("LilyConfig", r=4, num_B=3, target_modules=MIXED), at(0.3),
         by_call=True, note=OF_A_CALL),
    Case("lily/strided", QWEN, peft(
        "LilyConfig", r=4, num_B=2, stride_A=2, scaling=0.7, target_modules=MIXED), at(0.3),
        by_call=True, note=OF_A_CALL),
    Case("xlora/layerwise", LLAMA, build=xlora(layerwise_scalings=True), save=save_xlora, mergeable=False),
    Case("xlora/top-two", LLAMA, build=xlora(top_k_lora=2, xlora_depth=3, xlora_size=12,
                                             softmax_temperature=0.7, global_scaling_weight=1.3),
         save=save_xlora, mergeable=False),
    Case("xlora/top-softmax", QWEN, build=xlora(
        top_k_lora=2, enable_softmax=False, enable_softmax_topk=True, xlora_depth=2, xlora_size=8,
        scaling_pass_value=0.5), save=save_xlora, mergeable=False),
    Case("arrow/llama", LLAMA, build=arrow(top_k=2, router_temperature=0.5, use_gks=False),
         save=lambda model, folder: None),
    Case("arrow/general-knowledge", QWEN, build=arrow(top_k=3, router_temperature=1.0, use_gks=True),
         save=lambda model, folder: None),
    Case("shadow/llama", LLAMA, mirror(), at(0.2)),
    Case("shadow/narrow", QWEN, mirror(
        shadow_hidden_size=32, shadow_num_attention_heads=2, shadow_num_hidden_layers=2), at(0.2)),
]
