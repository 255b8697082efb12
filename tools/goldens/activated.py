"""Writes activated adapters and PEFT's logits for them: Tests/Goldens/activated.

    python3 tools/goldens/activated.py

An activated LoRA acts from the last occurrence of its invocation tokens on. Prompts have them in the
middle, twice, at either end, cut off, overlapping with themselves, and not at all; greedy tokens come
from PEFT's own generate. Needs the bases of tools/references/make_goldens.py and its environment.
"""

import json
import pathlib
import shutil
import sys

import numpy as np
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from references import make_goldens as shared  # noqa: E402

FOLDER = shared.GOLDENS / "activated"
SEED = shared.SEED + 300
GREEDY_COUNT = 24

# name: (base, PEFT configuration)
ADAPTERS = {
    "words": ("tiny-llama", dict(
        r=8, lora_alpha=16, target_modules=shared.ALL_LINEAR, alora_invocation_tokens=[7, 300, 41])),
    "repeats": ("tiny-llama", dict(
        r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "lm_head"], use_rslora=True,
        alora_invocation_tokens=[9, 9])),
    "qwen": ("tiny-qwen2", dict(
        r=8, lora_alpha=16, target_modules=shared.ALL_LINEAR, lora_bias=True,
        alora_invocation_tokens=[77])),
}


def prompts(invocation):
    """Token ids around the invocation; none of the others is part of it."""
    generator = np.random.default_rng(SEED)
    others = [t for t in range(3, shared.VOCABULARY) if t not in invocation]

    def some(count):
        return [int(t) for t in generator.choice(others, count)]

    return {
        "middle": [1, *some(19), *invocation, *some(8)],
        "late": [1, *some(50), *invocation, *some(3)],
        "twice": [1, *some(5), *invocation, *some(14), *invocation, *some(6)],
        "first": [*invocation, *some(10)],
        "last": [1, *some(20), *invocation],
        "overlapping": [1, *some(12), *invocation, invocation[-1], *some(4)],
        "cut off": [1, *some(20), *invocation[:-1]],
        "absent": [1, *some(25)],
    }


def make_adapter(name, number):
    from peft import LoraConfig, get_peft_model

    base, settings = ADAPTERS[name]
    torch.manual_seed(SEED + number)
    model = get_peft_model(shared.load_base(base), LoraConfig(task_type="CAUSAL_LM", **settings))
    for key, parameter in model.named_parameters():
        if "lora_" in key:
            scale = 0.3 if "bias" in key else 0.9 / max(parameter.shape) ** 0.5
            parameter.data = scale * torch.randn_like(parameter)
    shared.save_adapter(model, FOLDER / name, "float32")


def generated(model, tokens):
    """Greedy tokens by PEFT's generate, and how far each was ahead of the second."""
    out = model.generate(
        input_ids=torch.tensor([tokens]), attention_mask=torch.ones(1, len(tokens), dtype=torch.long),
        max_new_tokens=GREEDY_COUNT, min_new_tokens=GREEDY_COUNT, do_sample=False, eos_token_id=None,
        pad_token_id=0, output_logits=True, return_dict_in_generate=True)
    tops = [torch.topk(row[0].float(), 2).values for row in out.logits]
    return {"tokens": [int(t) for t in out.sequences[0][len(tokens):]],
            "margins": [round(float(top[0] - top[1]), 6) for top in tops]}


def load(name, load_base=shared.load_base):
    from peft import PeftModel

    return PeftModel.from_pretrained(load_base(ADAPTERS[name][0]), FOLDER / name).eval()


def case(name, label, tokens, tensors):
    identifier = f"{name}/{label}"
    model = load(name)
    logits = shared.logits_of(model, tokens)
    tensors[identifier] = logits.contiguous()
    entry = {"id": identifier, "base": ADAPTERS[name][0], "adapter": name, "prompt": tokens,
             "greedy": generated(model, tokens)}
    if shared.BASES[entry["base"]][1] == "bfloat16":
        own = shared.logits_of(load(name, shared.load_own_type), tokens)
        entry["reference_distance"] = float(
            (torch.log_softmax(own, -1) - torch.log_softmax(logits, -1)).abs().max())
    return entry


def make_cases(name, tensors):
    invocation = ADAPTERS[name][1]["alora_invocation_tokens"]
    cases = []
    for label, tokens in prompts(invocation).items():
        if label == "cut off" and len(invocation) == 1:
            continue
        cases.append(case(name, label, tokens, tensors))
    return cases


def make_generated_case(tensors):
    """An adapter whose invocation the base generates by itself after a prompt without it."""
    name, base_name = "generated", "tiny-llama"
    generator = np.random.default_rng(SEED + 1)
    tokens = [1, *(int(t) for t in generator.integers(3, shared.VOCABULARY, 11))]
    base = shared.load_base(base_name)
    invocation = next(t for t in shared.greedy(base, tokens)["tokens"][2:] if t not in tokens)
    ADAPTERS[name] = (base_name, dict(
        r=8, lora_alpha=16, target_modules=shared.ALL_LINEAR, alora_invocation_tokens=[invocation]))
    make_adapter(name, len(ADAPTERS))
    return case(name, "by the base", tokens, tensors)


def main():
    shared.check_versions()
    torch.set_num_threads(1)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    cases, tensors = [], {}
    for number, name in enumerate(list(ADAPTERS)):
        make_adapter(name, number)
        cases += make_cases(name, tensors)
    cases.append(make_generated_case(tensors))
    metadata = {**shared.metadata(), "generator": "tools/goldens/activated.py", "seed": str(SEED)}
    save_file(tensors, FOLDER / "logits.safetensors", metadata=metadata)
    (FOLDER / "manifest.json").write_text(
        json.dumps({"metadata": metadata, "cases": cases}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
