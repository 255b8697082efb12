"""Adapters that PEFT's `save_pretrained` alone doesn't make: mixtures of LoRAs, AdapterHub's bottlenecks."""

import json

from . import settings

EXPERT_COUNT = 4


def moved(model):
    """The model, what is trained of it moved at random."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter), alpha=0.1 / max(parameter.shape) ** 0.5)
    return model


def lora(folder, load, seed):
    """An expert: a LoRA of rank 8 on all linear layers."""
    import peft
    import torch

    torch.manual_seed(seed)
    model = peft.get_peft_model(load(), peft.LoraConfig(
        task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules=settings.LINEAR))
    moved(model).save_pretrained(folder)


def experts(folder, load):
    names = [f"expert{number}" for number in range(EXPERT_COUNT)]
    for number, name in enumerate(names):
        lora(folder / name, load, number)
    return names


def arrow(folder, load):
    names = experts(folder, load)
    words = {"format": "arrow", "experts": names, "rng_seed": 7, "top_k": 2, "router_temperature": 1.0,
             "use_gks": False}
    (folder / "arrow_config.json").write_text(json.dumps(words, indent=2) + "\n", encoding="utf-8")


def xlora(folder, load):
    """PEFT saves neither the classifier's numbered layers nor relative paths: both are put in afterwards."""
    import peft
    from safetensors.torch import save_file

    names = experts(folder, load)
    model = load()
    model.config.use_cache = False
    adapted = peft.get_peft_model(model, peft.XLoraConfig(
        task_type="CAUSAL_LM", hidden_size=settings.BASE["hidden_size"], layerwise_scalings=True,
        adapters={str(number): str(folder / name) for number, name in enumerate(names)}))
    adapted.save_pretrained(folder)
    save_file({name: tensor.clone() for name, tensor in adapted.state_dict().items()
               if "internal_xlora_classifier" in name}, folder / "adapter_model.safetensors")
    file = folder / "adapter_config.json"
    words = json.loads(file.read_text(encoding="utf-8"))
    words["adapters"] = {str(number): name for number, name in enumerate(names)}
    file.write_text(json.dumps(words), encoding="utf-8")


def bottlenecks(attention, parallel=False):
    """As the AdapterHub library saves them: swish, a 16th of the width, behind or beside the sublayers."""
    def build(folder, _):
        import torch
        from safetensors.torch import save_file

        torch.manual_seed(7)
        hidden = settings.BASE["hidden_size"]
        width = hidden // 16
        tensors = {}
        for layer in range(settings.BASE["num_hidden_layers"]):
            for place in ["attention_adapters"] * attention + ["output_adapters"]:
                prefix = f"model.layers.{layer}.{place}.adapters.law."
                for part, shape in [("adapter_down.0", (width, hidden)), ("adapter_up", (hidden, width))]:
                    tensors[f"{prefix}{part}.weight"] = 0.01 * torch.randn(shape)
                    tensors[f"{prefix}{part}.bias"] = 0.01 * torch.randn(shape[0])
        words = {
            "config": {
                "adapter_residual_before_ln": False, "cross_adapter": False, "dropout": 0.0,
                "init_weights": "bert", "inv_adapter": None, "inv_adapter_reduction_factor": None,
                "is_parallel": parallel, "leave_out": [], "ln_after": False, "ln_before": False,
                "mh_adapter": attention, "non_linearity": "swish", "original_ln_after": True,
                "original_ln_before": False, "output_adapter": True, "phm_layer": False,
                "reduction_factor": 16, "residual_before_ln": True, "scaling": 1.0, "use_gating": False},
            "hidden_size": hidden, "model_class": "LlamaForCausalLM", "model_name": "",
            "model_type": "llama", "name": "law", "version": "adapters.1.3.0"}
        folder.mkdir(parents=True)
        save_file(tensors, folder / "adapter.safetensors")
        (folder / "adapter_config.json").write_text(json.dumps(words, indent=2) + "\n", encoding="utf-8")
    return build


BUILDERS = {"Arrow": arrow, "X-LoRA": xlora, "Houlsby": bottlenecks(attention=True),
            "Pfeiffer": bottlenecks(attention=False), "Parallel": bottlenecks(False, parallel=True)}
