"""Attaches a saved adapter of any method to a model, by PEFT.

Where PEFT wants more than the folder holds, what is meant is filled in: task 0 for the methods with
tasks, X-LoRA's experts by paths relative to the folder, and Arrow's experts from its `arrow_config.json`.
loralib's and P-Tuning v2's files are attached by their formulas.
"""

import json
import pathlib

import torch


def attach(model, folder):
    """`model` with the adapter of `folder`, in evaluation mode."""
    folder = pathlib.Path(folder)
    if (folder / "arrow_config.json").exists():
        return attach_arrow(model, folder).eval()
    if (folder / "lora_config.json").exists():
        return merge_loralib(model, folder).eval()
    if (folder / "prefix_encoder.safetensors").exists():
        return attach_prefix_encoder(model, folder).eval()
    from peft import PeftModel

    method = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["peft_type"]
    if method == "XLORA":
        return attach_xlora(model, folder).eval()
    adapted = PeftModel.from_pretrained(model, folder).eval()
    return always_first_task(adapted) if method in ("MULTITASK_PROMPT_TUNING", "POLY") else adapted


def always_first_task(model):
    """PEFT wants the task with each call; here it is always the first."""
    def add(module, arguments, keywords):
        return arguments, {**keywords, "task_ids": torch.tensor([0])}
    model.register_forward_pre_hook(add, with_kwargs=True)
    return model


def without_cache(model):
    """X-LoRA refuses models that keep keys and values."""
    model.config.use_cache = False
    return model


def attach_xlora(model, folder):
    """PEFT takes the classifier's layer numbers for names of experts and drops those tensors in
    loading: they are put back."""
    from peft import PeftModel, XLoraConfig
    from safetensors.torch import load_file

    config = XLoraConfig.from_pretrained(folder)
    config.adapters = {name: str(folder / path) for name, path in config.adapters.items()}
    adapted = PeftModel.from_pretrained(without_cache(model), folder, config=config)
    result = adapted.load_state_dict(load_file(folder / "adapter_model.safetensors"), strict=False)
    if result.unexpected_keys:
        raise ValueError(f"{folder}: tensors that X-LoRA has no place for: {result.unexpected_keys}")
    return adapted


def attach_arrow(model, folder):
    from peft import ArrowConfig
    from peft.tuners.lora.arrow import create_arrow_model

    settings = json.loads((folder / "arrow_config.json").read_text(encoding="utf-8"))
    general = [str(folder / name) for name in settings.get("general", [])]
    return create_arrow_model(
        model, [str(folder / name) for name in settings["experts"]],
        ArrowConfig(top_k=settings["top_k"], router_temperature=settings["router_temperature"],
                    rng_seed=settings["rng_seed"], use_gks=settings["use_gks"]),
        general_adapter_paths=general or None)


def merge_loralib(model, folder):
    """W + B·A·alpha/r, transposed for the embedding; trained biases, also alone, replace the base's."""
    from safetensors.torch import load_file

    settings = json.loads((folder / "lora_config.json").read_text(encoding="utf-8"))
    tensors = load_file(folder / "lora.safetensors")
    for name, tensor in tensors.items():
        owner, kind = name.rsplit(".", 1)
        module = model.get_submodule(owner)
        if kind == "bias":
            module.bias.data = tensor.to(module.bias.dtype)
        if kind != "lora_A":
            continue
        delta = tensors[f"{owner}.lora_B"] @ tensor * (settings["lora_alpha"] / settings["r"])
        if isinstance(module, torch.nn.Embedding):
            delta = delta.T
        module.weight.data = module.weight.data + delta.to(module.weight.dtype)
    return model


def attach_prefix_encoder(model, folder):
    """The encoder's output in the place of prefix tuning's tensor, which has the same layout."""
    from peft import PrefixTuningConfig, get_peft_model
    from safetensors.torch import load_file

    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tensors = {name.split("prefix_encoder.")[1]: tensor
               for name, tensor in load_file(folder / "prefix_encoder.safetensors").items()}
    rows = tensors["embedding.weight"]
    if settings["prefix_projection"]:
        inner = torch.tanh(rows @ tensors["trans.0.weight"].T + tensors["trans.0.bias"])
        rows = inner @ tensors["trans.2.weight"].T + tensors["trans.2.bias"]
    adapted = get_peft_model(model, PrefixTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=settings["pre_seq_len"], num_layers=settings["num_layers"],
        num_attention_heads=settings["kv_heads"], token_dim=settings["kv_heads"] * settings["head_dim"]))
    adapted.prompt_encoder["default"].embedding.weight.data = rows
    return adapted
