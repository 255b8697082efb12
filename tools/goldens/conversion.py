"""Writes adapters in the formats of other libraries, made by those libraries, and what they mean.

    tools/goldens/conversion.py --llama-cpp DIR     everything under Tests/Goldens/conversion/

loralib's own layers write the state dicts, llama.cpp's own converter (of the source tree DIR) the GGUF
files, and a prefix encoder as THUDM's P-tuning v2 defines it the prefixes. expected.safetensors has the
changes of weights, and the finished prefixes. Needs the environment of
tools/python/requirements.txt.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

import loralib
import peft
import torch
import transformers
from safetensors.torch import save_file

SEED = 20261121
ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "Tests/Goldens/conversion"


def fill(module):
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape) * 0.3
    return module


def change(layer):
    """What merging adds to the weight."""
    before = layer.weight.data.clone()
    layer.eval()
    return layer.weight.data - before


def write_loralib(expected):
    attention = torch.nn.ModuleDict({
        "q_proj": fill(loralib.Linear(16, 16, r=2, lora_alpha=6)),
        "v_proj": fill(loralib.Linear(16, 8, r=2, lora_alpha=6)),
    })
    layer = torch.nn.ModuleDict({"self_attn": attention})
    embedding = fill(loralib.Embedding(32, 16, r=2, lora_alpha=6))
    model = torch.nn.ModuleDict({"model": torch.nn.ModuleDict({
        "embed_tokens": embedding, "layers": torch.nn.ModuleList([layer])})})
    state = {key: value.contiguous() for key, value in loralib.lora_state_dict(model).items()}
    folder = OUT / "loralib"
    folder.mkdir()
    save_file(state, folder / "lora.safetensors")
    settings = {"format": "loralib", "r": 2, "lora_alpha": 6, "bias": "none"}
    (folder / "lora_config.json").write_text(json.dumps(settings) + "\n")
    # Views of one storage, and a transposed one, as training scripts leave them behind.
    torch.save({key: value.T.contiguous().T for key, value in state.items()}, OUT / "lora.pt")
    for name, module in model.named_modules():
        if hasattr(module, "lora_A"):
            expected[f"loralib/{name}"] = change(module)


def write_merged(expected):
    layer = fill(loralib.MergedLinear(
        16, 48, r=2, lora_alpha=6, enable_lora=[True, False, True], bias=False))
    model = torch.nn.ModuleDict({"model": torch.nn.ModuleDict({"layers": torch.nn.ModuleList([
        torch.nn.ModuleDict({"self_attn": torch.nn.ModuleDict({"qkv_proj": layer})})])})})
    state = {"module." + key: value for key, value in loralib.lora_state_dict(model).items()}
    torch.save({"model_state_dict": state}, OUT / "merged.pt")
    expected["merged"] = change(layer)


class PrefixEncoder(torch.nn.Module):
    """A table of prefixes, or a table and a network of two layers with tanh between them."""

    def __init__(self, width, inner=None):
        super().__init__()
        self.embedding = torch.nn.Embedding(5, inner[0] if inner else width)
        if inner:
            self.trans = torch.nn.Sequential(
                torch.nn.Linear(inner[0], inner[1]), torch.nn.Tanh(), torch.nn.Linear(inner[1], width))

    def forward(self):
        rows = self.embedding(torch.arange(5))
        return self.trans(rows) if hasattr(self, "trans") else rows


def write_prefixes(expected):
    settings = {
        "format": "ptuning-v2", "pre_seq_len": 5, "prefix_projection": False, "num_layers": 2,
        "kv_heads": 2, "head_dim": 4, "layout": "[pre_seq_len, layers, 2 (key, value), kv_heads, head_dim]",
        "rotary_on_prefix_keys": False, "prompt_position_offset": 5}
    for name, inner, prefix in [("prefix", None, ""), ("prefix-projected", (16, 12), "transformer.")]:
        encoder = fill(PrefixEncoder(32, inner))
        folder = OUT / name
        folder.mkdir()
        state = {f"{prefix}prefix_encoder.{key}": value for key, value in encoder.state_dict().items()}
        save_file(state, folder / "prefix_encoder.safetensors")
        settings["prefix_projection"] = inner is not None
        (folder / "config.json").write_text(json.dumps(settings) + "\n")
        expected[name] = encoder().detach()


def write_gguf(llama_cpp):
    base = transformers.AutoModelForCausalLM.from_pretrained(ROOT / "models/tiny-llama")
    model = peft.get_peft_model(base, peft.LoraConfig(
        r=2, lora_alpha=6, target_modules=["q_proj", "k_proj", "down_proj", "embed_tokens"],
        layers_to_transform=None, task_type="CAUSAL_LM"))
    for key, parameter in model.named_parameters():
        if "lora_" in key:
            parameter.data = torch.randn(parameter.shape) * 0.1
    folder = OUT / "llama-cpp"
    model.peft_config["default"].base_model_name_or_path = "tiny-llama"
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    for kind in ["f32", "q8_0"]:
        subprocess.run(
            [sys.executable, llama_cpp / "convert_lora_to_gguf.py", folder, "--base",
             ROOT / "models/tiny-llama", "--outtype", kind, "--outfile", OUT / f"llama-cpp-{kind}.gguf"],
            check=True, env={"PYTHONPATH": str(llama_cpp / "gguf-py")})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--llama-cpp", type=pathlib.Path, required=True)
    llama_cpp = parser.parse_args().llama_cpp
    OUT.mkdir(parents=True, exist_ok=True)
    # The AdapterHub library's folder has a generator of its own.
    for path in [path for path in OUT.iterdir() if path.name != "adapterhub"]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    torch.manual_seed(SEED)
    expected = {}
    write_loralib(expected)
    write_merged(expected)
    write_prefixes(expected)
    save_file({key: value.contiguous() for key, value in expected.items()}, OUT / "expected.safetensors")
    write_gguf(llama_cpp)
    versions = {"torch": torch.__version__, "peft": peft.__version__, "loralib": "0.1.2"}
    (OUT / "manifest.json").write_text(json.dumps({"versions": versions, "seed": SEED}) + "\n")


if __name__ == "__main__":
    main()
