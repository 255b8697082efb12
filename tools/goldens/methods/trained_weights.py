"""AdaLoRA, LN tuning, BEFT and trained tokens."""

import torch

from .case import ATTENTION, BF16, BIASED, LLAMA, MIXED, QWEN, Case, spread
from .peft_config import peft


def adalora(**options):
    return peft("AdaLoraConfig", **{
        "init_r": 6, "target_r": 3, "lora_alpha": 16, "total_step": 10, "target_modules": MIXED, **options})


def large(name, parameter):
    """AdaLoRA starts with deviation 0.02 and divides by the rank again."""
    return spread(parameter, 2.0)


def pruned(case, base):
    """AdaLoRA after its budget is spent: some ranks cut, one matrix to nothing."""
    from peft import get_peft_model

    model = get_peft_model(base, case.config(base.config))
    kept = {}
    for number, (name, parameter) in enumerate(model.named_parameters()):
        if not parameter.requires_grad:
            continue
        parameter.data = large(name, parameter)
        if "lora_E" in name:
            mask = [(index + number) % 3 != 0 for index in range(len(parameter))]
            if "layers.1.self_attn.k_proj" in name:
                mask = [False] * len(parameter)
            parameter.data[~torch.tensor(mask)] = 0
            kept[name.removeprefix("base_model.model.")] = mask
    model.peft_config["default"].rank_pattern = kept
    return model


CASES = [
    Case("adalora/full", LLAMA, adalora(), large),
    Case("adalora/pruned", LLAMA, adalora(), build=pruned),
    Case("adalora/qwen", QWEN, adalora(init_r=4, bias="all"), large),
    Case("ln_tuning/all", LLAMA, peft("LNTuningConfig")),
    Case("ln_tuning/input-only", QWEN, peft("LNTuningConfig", target_modules=["input_layernorm", "norm"])),
    Case("ln_tuning/bf16", BF16, peft("LNTuningConfig"), dtype="bfloat16"),
    Case("beft/biased", BIASED, peft("BeftConfig", target_modules=["v_proj", "down_proj"])),
    Case("beft/without-bias", LLAMA, peft("BeftConfig", target_modules=ATTENTION)),
    Case("beft/qwen", QWEN, peft("BeftConfig", target_modules=["k_proj", "v_proj", "up_proj"])),
    Case("trainable_tokens/tied", LLAMA, peft(
        "TrainableTokensConfig", token_indices=[16, 237, 5, 511])),
    Case("trainable_tokens/untied", BF16, peft(
        "TrainableTokensConfig", token_indices=[372, 1, 443], target_modules=["embed_tokens"])),
    Case("trainable_tokens/qwen", QWEN, peft("TrainableTokensConfig", token_indices=[483])),
]
