"""Makes the base and the adapters, once, below the cache."""

import hashlib
import json
import pathlib
import shutil
import subprocess

from . import building, settings

SEED = 20261121


def key(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:10]


def base(cache, graft):
    """The base's directory and its packed form, `model.bin`."""
    place = pathlib.Path(cache) / f"base-{key(settings.BASE)}"
    directory, packed = place / "checkpoint", place / "model.bin"
    if not (directory / "config.json").exists():
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM

        torch.manual_seed(SEED)
        model = LlamaForCausalLM(LlamaConfig(**settings.BASE)).to(torch.bfloat16)
        shutil.rmtree(place, ignore_errors=True)
        model.save_pretrained(place / "unfinished")
        (place / "unfinished").rename(directory)
    if not packed.exists():
        subprocess.run([graft, "pack", "--base", directory, "--out", packed], check=True)
    return directory, packed


def adapter(setting, cache, directory):
    """The adapter's directory. Raises what PEFT raises where it can't make it."""
    import peft

    identity = [setting.config, setting.arguments(), peft.__version__, SEED]
    place = pathlib.Path(cache) / f"{setting.name}-{key(identity)}"
    if not place.exists():
        unfinished = place.with_name(place.name + "-unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        build = building.BUILDERS.get(setting.config)
        if build:
            build(unfinished, lambda: load(directory))
        else:
            make(setting, directory).save_pretrained(unfinished)
        shutil.rmtree(place, ignore_errors=True)
        unfinished.rename(place)
    return place


def load(directory):
    """The base in f32."""
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)


def make(setting, directory):
    """PEFT's model with the adapter, its values random."""
    import peft
    import torch

    torch.manual_seed(SEED)
    return building.moved(
        peft.get_peft_model(load(directory), getattr(peft, setting.config)(**setting.arguments())))
