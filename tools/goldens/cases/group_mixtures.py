"""Mixtures as people have them: Arrow and X-LoRA with experts where PEFT saves them, elsewhere, or not at all."""

import json

import torch
from methods.loading import attach_arrow, without_cache
from safetensors.torch import save_file

from cases.common import PLAIN, load_base, logprobs, normal, plain_tensors, save, seed

EXPERT = {**PLAIN, "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"]}
ARROW = {"format": "arrow", "experts": ["task0", "task1"], "rng_seed": 7, "top_k": 1,
         "router_temperature": 0.5, "use_gks": False}
XLORA = {"peft_type": "XLORA", "task_type": "CAUSAL_LM", "hidden_size": 32, "xlora_depth": 1,
         "adapters": {"0": "task0", "1": "task1"}}


def expert(folder, number, **settings):
    save(folder, {**EXPERT, **settings},
         plain_tensors(rank=2, name=f"mixture {number}", targets=("q_proj",)))


def arrow(case, variant, settings=(), experts=({}, {})):
    folder = case.folder / variant
    for number, changed in enumerate(experts):
        expert(folder / f"task{number}", number, **changed)
    (folder / "arrow_config.json").write_text(
        json.dumps({**ARROW, **dict(settings)}, indent=1) + "\n", encoding="utf-8")
    return folder


def classifier():
    generator = seed("mixtures classifier")
    prefix = "base_model.internal_xlora_classifier.layers.0"
    return {f"{prefix}.weight": normal(generator, 2, 32), f"{prefix}.bias": normal(generator, 2)}


def xlora(case, variant, places, names):
    folder = case.folder / variant
    for number, name in enumerate(names):
        expert(folder / name, number)
    save(folder, {**XLORA, "adapters": dict(zip("01", places))}, classifier())
    return folder


def with_xlora(folder, names):
    """PEFT takes the classifier's layer numbers for names of experts and drops those tensors in loading: they
    are put back."""
    from peft import PeftModel, XLoraConfig

    config = XLoraConfig.from_pretrained(folder)
    config.adapters = {str(number): str(folder / name) for number, name in enumerate(names)}
    model = PeftModel.from_pretrained(without_cache(load_base("L3")), folder, config=config)
    result = model.load_state_dict(classifier(), strict=False)
    assert not result.unexpected_keys, result.unexpected_keys
    return logprobs(model.eval())


def case_mixtures(case):
    folder = arrow(case, "arrow")
    case.served("arrow", expected=logprobs(attach_arrow(load_base("L3"), folder).eval()))
    # Scalings are each expert's own.
    folder = arrow(case, "arrow-scalings", experts=({"lora_alpha": 1}, {"use_rslora": True}))
    case.served("arrow-scalings", expected=logprobs(attach_arrow(load_base("L3"), folder).eval()))
    folder = xlora(case, "xlora", ["task0", "task1"], ["task0", "task1"])
    case.served("xlora", expected=with_xlora(folder, ["task0", "task1"]))
    # As PEFT saves them: below, by their names, whatever directories they came from.
    folder = xlora(case, "xlora-saved", ["../runs/a", "/runs/b"], ["0", "1"])
    case.served("xlora-saved", expected=with_xlora(folder, ["0", "1"]))

    expert(case.folder / "outside", 1)
    arrow(case, "arrow-outside", {"experts": ["task0", "../outside"]})
    case.refused("arrow-outside", "../outside", "not inside the directory of the mixture")
    xlora(case, "xlora-outside", ["task0", "../outside"], ["task0"])
    case.refused("xlora-outside", "../outside", "not inside the directory of the mixture")
    arrow(case, "arrow-none", {"experts": []})
    case.refused("arrow-none", "'experts' is missing")
    save_file({"unused": torch.zeros(1)}, arrow(case, "arrow-beside") / "adapter_model.safetensors")
    case.refused("arrow-beside", "adapter_model.safetensors", "would be left out")
    save(arrow(case, "arrow-twice"), EXPERT, None)
    case.refused("arrow-twice", "arrow_config.json", "adapter_config.json stands beside it")
    arrow(case, "arrow-initializer", experts=({}, {"init_lora_weights": "milora"}))
    case.refused("arrow-initializer", "task1/adapter_config.json", "'init_lora_weights' is \"milora\"")
    arrow(case, "arrow-untargeted", experts=({}, {"target_modules": ["v_proj"]}))
    case.refused("arrow-untargeted", "task1/adapter_model.safetensors", "v_proj.lora_A.weight")
    save_file({"unused": torch.zeros(1)}, case.folder / "one.lora", {
        "graft.adapter_config": json.dumps({**ARROW, "peft_type": "ARROW"})})
    case.refused("one", "its experts lie in directories beside it", path="one.lora")
