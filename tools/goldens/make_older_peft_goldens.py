"""Makes Tests/Goldens/older-peft: adapters of methods that PEFT had once and dropped, as it saved them.

Runs in an environment of its own, tools/python/older-peft-requirements.txt. References are that PEFT's own
logits, in f32 arithmetic.

    tools/reference older-peft
"""

import json
import pathlib
import shutil
import sys
import warnings
import zlib

import peft
import torch
import transformers
from safetensors.torch import load_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from goldens.methods.files import save_sorted  # noqa: E402
from goldens.older_transformers import PROMPT, check_base, check_versions, greedy, load_base, logits_of  # noqa: E402

SEED = 20261122
FOLDER = ROOT / "Tests/Goldens/older-peft"
PINNED = {"peft": "0.17.1", "transformers": "4.57.6", "torch": "2.13.0"}
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

# name: (base, class of the configuration, its options)
CASES = {
    "bone/all": ("tiny-llama", "BoneConfig", dict(r=8, target_modules=ALL)),
    "bone/uneven": ("tiny-mistral", "BoneConfig", dict(r=7, target_modules=["q_proj", "up_proj", "down_proj"])),
    "bone/bat": ("tiny-llama", "BoneConfig", dict(r=4, init_weights="bat", target_modules=["v_proj", "o_proj"])),
    "bone/bf16": ("tiny-llama-bf16", "BoneConfig", dict(
        r=4, target_modules=ALL, layers_to_transform=[1], exclude_modules=["o_proj"], modules_to_save=["norm"])),
}
# Bases of another type than f32.
NARROW = {"tiny-llama-bf16"}


def metadata():
    return {"generator": "tools/goldens/make_older_peft_goldens.py", "seed": str(SEED), **PINNED}


def save(model, folder):
    """As PEFT saves it, but for the base's folder, which is no part of the golden."""
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"base_model_name_or_path": ""}
    for key in ("target_modules", "exclude_modules"):
        if isinstance(config.get(key), list):
            config[key] = sorted(config[key])
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    file = folder / "adapter_model.safetensors"
    save_sorted(load_file(file), file, {"format": "pt", **metadata()})


def attach(base, folder, dtype=torch.float32):
    return peft.PeftModel.from_pretrained(load_base(base, dtype=dtype), str(folder)).to(dtype).eval()


def make(name, base, kind, options):
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    torch.manual_seed((SEED + zlib.crc32(name.encode())) % (1 << 31))
    model = load_base(base)
    check_base(base, model)
    plain = logits_of(model, PROMPT)
    model = peft.get_peft_model(model, getattr(peft, kind)(task_type="CAUSAL_LM", **options))
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.08 / parameter.shape[-1] ** 0.5 * torch.randn_like(parameter)
    trained = logits_of(model.eval(), PROMPT)
    save(model, folder)
    model = attach(base, folder)
    logits = logits_of(model, PROMPT)
    off, effect = float((logits - trained).abs().max()), float((logits - plain).abs().max())
    if off > 1e-5 or effect < 0.1:
        sys.exit(f"make_older_peft_goldens: {name}: {off} off after loading, effect {effect}")
    print(f"{name}: effect {effect:.2f}", flush=True)
    save_sorted({"tokens.0": torch.tensor(PROMPT), "logits.0": logits.contiguous()},
                folder / "expected.safetensors", {**metadata(), "base": base, "dtype": "float32"})
    entry = {"id": f"older-peft/{name}", "method": kind, "base": base, "adapters": {name: 1.0},
             "prompts": [PROMPT], "greedy": [greedy(model, PROMPT)], "effect": effect, "merges": True}
    if base in NARROW:
        own = logits_of(attach(base, folder, torch.bfloat16), PROMPT)
        entry["reference_distance"] = float((own.log_softmax(-1) - logits.log_softmax(-1)).abs().max())
    return entry


def main():
    check_versions(PINNED, peft, transformers, torch)
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    cases = [make(name, *settings) for name, settings in CASES.items()]
    (FOLDER / "manifest.json").write_text(
        json.dumps({"metadata": metadata(), "cases": cases}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
