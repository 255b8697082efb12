"""Files that are not PEFT's: loralib's state dicts (arXiv 2106.09685), BitFit's biases (arXiv 2106.10199) and
P-Tuning v2's prefix encoders (arXiv 2110.07602). Their own libraries have no such bases, so that the reference is their formula."""

import json

import torch

from .case import BIASED, LLAMA, MISTRAL, QWEN, Case, spread
from .files import save_sorted
from .loading import attach

PREFIX_LENGTH = 5


def write(folder, file, tensors, settings_file, settings):
    from .generate import metadata

    save_sorted(tensors, folder / file, {"format": "pt", **metadata()})
    (folder / settings_file).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def loralib(targets, rank=4, alpha=8, bias="none", embedding=False):
    """`<module>.lora_A`, `<module>.lora_B`, and trained biases under the base's own names."""
    def build(case, base):
        tensors = {}
        for name, module in base.named_modules():
            short = name.split(".")[-1]
            if short not in targets and not (embedding and short == "embed_tokens"):
                continue
            out, inner = module.weight.shape
            if short == "embed_tokens":
                out, inner = inner, out
            tensors[f"{name}.lora_A"] = spread(torch.empty(rank, inner))
            tensors[f"{name}.lora_B"] = spread(torch.empty(out, rank))
        for name, parameter in base.named_parameters():
            targeted = name.split(".")[-2] in targets
            if name.endswith("bias") and (bias == "all" or bias == "lora_only" and targeted):
                tensors[name] = parameter.data + spread(parameter)
        folder = case.folder
        write(folder, "lora.safetensors", tensors, "lora_config.json",
              {"format": "loralib", "r": rank, "lora_alpha": alpha, "bias": bias})
        return attach(base, folder)
    return build


def biases_alone(case, base):
    """BitFit: every bias of the base, trained, and nothing else."""
    tensors = {name: parameter.data + spread(parameter)
               for name, parameter in base.named_parameters() if name.endswith("bias")}
    write(case.folder, "lora.safetensors", tensors, "lora_config.json", {"format": "loralib"})
    return attach(base, case.folder)


def prefix_encoder(projection, key=""):
    """`prefix_encoder.embedding.weight`, and with a projection `trans.0` and `trans.2`."""
    def build(case, base):
        config = base.config
        head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        width = config.num_hidden_layers * 2 * config.num_key_value_heads * head
        hidden, inner, prefix = config.hidden_size, 24, f"{key}prefix_encoder."
        tensors = {f"{prefix}embedding.weight": torch.randn(PREFIX_LENGTH, hidden if projection else width)}
        if projection:
            tensors |= {
                f"{prefix}trans.0.weight": spread(torch.empty(inner, hidden)),
                f"{prefix}trans.0.bias": spread(torch.empty(inner)),
                f"{prefix}trans.2.weight": spread(torch.empty(width, inner), 10.0),
                f"{prefix}trans.2.bias": spread(torch.empty(width))}
        folder = case.folder
        write(folder, "prefix_encoder.safetensors", tensors, "config.json", {
            "format": "ptuning-v2", "pre_seq_len": PREFIX_LENGTH, "prefix_projection": projection,
            "num_layers": config.num_hidden_layers, "kv_heads": config.num_key_value_heads, "head_dim": head,
            "layout": "[pre_seq_len, layers, 2 (key, value), kv_heads, head_dim]",
            "rotary_on_prefix_keys": False, "prompt_position_offset": PREFIX_LENGTH})
        return attach(base, folder)
    return build


def saved(model, folder):
    """`build` has written the folder already."""


CASES = [
    Case("loralib/plain", LLAMA, build=loralib(["q_proj", "v_proj"]), save=saved, group="formats"),
    Case("loralib/biases", BIASED, build=loralib(["k_proj", "down_proj"], 3, 2, "all"), save=saved, group="formats"),
    Case("loralib/target-biases", QWEN, build=loralib(["q_proj", "v_proj"], 2, 4, "lora_only"), save=saved, group="formats"),
    Case("loralib/embedding", MISTRAL, build=loralib(["o_proj"], 4, 4, embedding=True), save=saved, group="formats"),
    Case("bitfit/biased", BIASED, build=biases_alone, save=saved, group="formats"),
    Case("bitfit/qwen", QWEN, build=biases_alone, save=saved, group="formats"),
    Case("ptuning_v2/plain", LLAMA, build=prefix_encoder(False), save=saved, group="formats"),
    Case("ptuning_v2/projection", LLAMA, build=prefix_encoder(True), save=saved, group="formats"),
    Case("ptuning_v2/projection-qwen", QWEN, build=prefix_encoder(True, "transformer."), save=saved, group="formats"),
]
