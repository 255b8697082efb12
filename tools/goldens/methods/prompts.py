"""Learned prompts and prefixes, and LLaMA-Adapter (adaption prompt)."""

import torch

from .case import BF16, BIASED, LLAMA, QWEN, Case, spread
from .loading import always_first_task


def prompt(name, tokens=3, **options):
    """A configuration of one of PEFT's prompt learning methods."""
    def config(_):
        import peft

        return getattr(peft, name)(task_type="CAUSAL_LM", num_virtual_tokens=tokens, **options)
    return config


def prefix(name, tokens=3, **options):
    """Keys and values of every layer, at the width of the base's grouped heads."""
    def config(base):
        import peft

        head = getattr(base, "head_dim", None) or base.hidden_size // base.num_attention_heads
        return getattr(peft, name)(
            task_type="CAUSAL_LM", num_virtual_tokens=tokens, num_layers=base.num_hidden_layers,
            num_attention_heads=base.num_key_value_heads, token_dim=base.num_key_value_heads * head, **options)
    return config


def context_aware(**options):
    def config(_):
        from peft import CPTConfig

        return CPTConfig(task_type="CAUSAL_LM", cpt_token_ids=[1, 79, 305, 5, 23], cpt_mask=[1, 1, 1, 1, 1],
                         cpt_tokens_type_mask=[1, 1, 2, 3, 4], opt_projection_epsilon=4.0,
                         opt_projection_format_epsilon=2.0, **options)
    return config


def adaption(length, layers):
    def config(_):
        from peft import AdaptionPromptConfig

        return AdaptionPromptConfig(task_type="CAUSAL_LM", adapter_len=length, adapter_layers=layers)
    return config


def wide(name, parameter):
    """Large changes, for what starts near zero or is projected."""
    return parameter.data + 0.7 * torch.randn_like(parameter)


def gates(name, parameter):
    return torch.full_like(parameter, 0.8) + spread(parameter) if "gate" in name else parameter.data


def multitask(case, base):
    from peft import get_peft_model

    model = get_peft_model(base, case.config(base.config))
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.data = 0.7 * torch.randn_like(parameter)
    return always_first_task(model)


CASES = [
    Case("prompt_tuning/random", LLAMA, prompt("PromptTuningConfig", 5), wide),
    Case("prompt_tuning/vocabulary", QWEN,
         prompt("PromptTuningConfig", prompt_tuning_init="SAMPLE_VOCAB")),
    Case("prompt_tuning/long", BF16, prompt("PromptTuningConfig", 20), dtype="bfloat16"),
    Case("p_tuning/mlp", LLAMA, prompt("PromptEncoderConfig", encoder_hidden_size=24), wide),
    Case("p_tuning/lstm", LLAMA, prompt(
        "PromptEncoderConfig", 4, encoder_reparameterization_type="LSTM", encoder_hidden_size=16,
        encoder_num_layers=2), wide),
    Case("p_tuning/lstm-qwen", QWEN, prompt(
        "PromptEncoderConfig", encoder_reparameterization_type="LSTM", encoder_hidden_size=8,
        encoder_num_layers=1), wide),
    Case("prefix_tuning/plain", LLAMA, prefix("PrefixTuningConfig", 4)),
    Case("prefix_tuning/projection", LLAMA, prefix(
        "PrefixTuningConfig", prefix_projection=True, encoder_hidden_size=24), wide),
    Case("prefix_tuning/qwen", QWEN, prefix(
        "PrefixTuningConfig", 5, prefix_projection=True, encoder_hidden_size=16), wide),
    Case("multitask_prompt_tuning/two-tasks", LLAMA, prompt(
        "MultitaskPromptTuningConfig", 4, num_tasks=2, num_ranks=2), build=multitask,
        note="task 0"),
    Case("multitask_prompt_tuning/qwen", QWEN, prompt("MultitaskPromptTuningConfig", 3),
         build=multitask, note="task 0"),
    Case("cpt/llama", LLAMA, context_aware(), wide),
    Case("cpt/qwen", QWEN, context_aware(), wide),
    Case("cartridge/frozen-first", LLAMA, prefix("CartridgeConfig", 4, num_frozen_tokens=1)),
    Case("cartridge/qwen", QWEN, prefix("CartridgeConfig", 3, num_frozen_tokens=0)),
    Case("prompt_tuning/saved", QWEN, prompt(
        "PromptTuningConfig", 4, modules_to_save=["lm_head", "norm", "layers.1.mlp.down_proj"])),
    Case("p_tuning/saved-embedding", LLAMA, prompt(
        "PromptEncoderConfig", encoder_hidden_size=16, modules_to_save=["embed_tokens", "q_proj"]), wide),
    Case("prompt_tuning/resized", LLAMA, prompt("PromptTuningConfig", 4), vocabulary=519),
    Case("prefix_tuning/saved", QWEN, prefix(
        "PrefixTuningConfig", 4, modules_to_save=["embed_tokens", "v_proj"])),
    Case("prefix_tuning/saved-tied", LLAMA, prefix(
        "PrefixTuningConfig", 3, modules_to_save=["lm_head"])),
    Case("multitask_prompt_tuning/saved", QWEN, prompt(
        "MultitaskPromptTuningConfig", 3, modules_to_save=["lm_head"]), build=multitask, note="task 0"),
    Case("cartridge/saved", LLAMA, prefix(
        "CartridgeConfig", 3, num_frozen_tokens=1, modules_to_save=["input_layernorm"])),
    Case("cpt/saved", QWEN, context_aware(modules_to_save=["gate_proj"]), wide),
    Case("adaption_prompt/two-layers", LLAMA, adaption(4, 2), gates),
    Case("adaption_prompt/all-layers", BIASED, adaption(6, 3), gates),
    Case("adaption_prompt/bf16", BF16, adaption(5, 2), gates),
]
