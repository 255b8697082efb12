"""Writes a LoRA of the AdapterHub library as it saves it, and what merging it adds to the weights.

Runs in the environment of tools/python/adapterhub-requirements.txt; everything goes to
Tests/Goldens/conversion/adapterhub/. The base is the tiny random Llama of tools/goldens/combining.py.
"""

import json
import pathlib
import shutil
import warnings

import adapters
import torch
import transformers
from safetensors.torch import save_file

SEED = 20261121
OUT = pathlib.Path(__file__).resolve().parents[2] / "Tests/Goldens/conversion/adapterhub"
BASE = dict(
    vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=False)


def main():
    warnings.filterwarnings("ignore")
    torch.manual_seed(SEED)
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**BASE))
    adapters.init(model)
    model.add_adapter("law", config=adapters.LoRAConfig(
        r=2, alpha=6, attn_matrices=["q", "v"], intermediate_lora=True))
    model.set_active_adapters("law")
    for name, parameter in model.named_parameters():
        if ".loras.law." in name:
            parameter.data = torch.randn(parameter.shape) * 0.3
    model.save_adapter(str(OUT), "law", with_head=False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.eval()
    model.merge_adapter("law")
    changes = {name: value - before[name] for name, value in model.state_dict().items()
               if name.endswith("weight") and not torch.equal(value, before[name])}
    save_file(changes, OUT / "expected.safetensors")
    for name in OUT.glob("*head*"):
        name.unlink()
    path = OUT / "adapter_config.json"
    config = json.loads(path.read_text())
    config["model_name"] = ""
    path.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
