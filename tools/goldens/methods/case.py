"""What one golden of a method is, and how its random weights are made."""

import dataclasses
import os
import pathlib
import random
import tempfile
import zlib
from typing import Any, Callable

import numpy as np
import torch

SEED = 20260118
LLAMA, QWEN, BF16, BIASED, MISTRAL = (
    "tiny-llama", "tiny-qwen2", "tiny-llama-bf16", "tiny-llama-bias", "tiny-mistral")
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
MIXED = ["k_proj", "o_proj", "down_proj"]
STAGE = pathlib.Path(tempfile.gettempdir()) / f"graft-goldens-{os.getpid()}"
PROMPT = [1, 247, 16, 372, 483, 176, 443, 237]


@dataclasses.dataclass(frozen=True)
class Case:
    """One adapter and the logits that PEFT computes with it.

    `config` makes the PEFT configuration from the base's own. `build`, where given, makes the model
    with the adapter instead of `get_peft_model`, and `save` writes it instead of `save_pretrained`.
    `mergeable` is false where what PEFT's `merge_and_unload` returns is not the adapted model.
    `vocabulary` resizes the base's embedding and head to so many tokens first. `by_call` is true where a
    token's numbers depend on what is computed with it, so that greedy tokens come as in `generate`, from
    the cache. `group` is the folder of Tests/Goldens that holds it, and a manifest of its own.
    """

    name: str
    base: str
    config: Callable[[Any], Any] | None = None
    randomize: Callable[[str, torch.nn.Parameter], torch.Tensor] | None = None
    build: Callable[["Case", torch.nn.Module], torch.nn.Module] | None = None
    save: Callable[[torch.nn.Module, Any], None] | None = None
    prompts: tuple = (tuple(PROMPT),)
    dtype: str | None = "float32"
    mergeable: bool = True
    by_call: bool = False
    vocabulary: int | None = None
    group: str = "methods"
    note: str = ""

    @property
    def id(self):
        return f"{self.group}/{self.name}"

    @property
    def method(self):
        return self.name.split("/")[0]

    @property
    def folder(self):
        """Where the case is made, before it takes its place among the goldens."""
        return STAGE / self.group / self.name


def seed(name):
    """Starts every generator from the case's name, so that one case can be made again alone."""
    value = (SEED + zlib.crc32(name.encode())) % (1 << 31)
    random.seed(value)
    np.random.seed(value)
    torch.manual_seed(value)


def spread(parameter, scale=0.7):
    """Random values of a size that lets a matrix keep the size of what it multiplies."""
    size = scale / max(parameter.shape) ** 0.5 if parameter.ndim > 1 else 0.3 * scale
    return size * torch.randn_like(parameter)


def randomize(model, rule):
    """Moves every trained parameter away from its first value, zeros included."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            # In place: tied adapters are views of one storage.
            parameter.data.copy_(rule(name, parameter) if rule else parameter.data + spread(parameter))
