"""Writes adapters with tokenizers of their own, and what PEFT answers to text: Tests/Goldens/tokenizers.

    tools/goldens/own_tokenizers.py

`added` has three tokens more than its base, another end token and another chat template; its embedding
was resized for them. `template` has a chat template alone. Their base has a vocabulary that leaves spaces as
they are, as Llama's does, and the weights of tiny-llama. Ids come from transformers' tokenizers, greedy
tokens from PEFT. Needs the bases of tools/references/make_goldens.py, the adapters of `--methods`, and its environment.
"""

import json
import pathlib
import shutil
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from references import make_goldens as shared  # noqa: E402

FOLDER = shared.GOLDENS / "tokenizers"
BASE = "tiny-llama"
TEXTS = ["A contract is", "A §§ contract<|law|> is", "<|law|>", "two  spaces §§§§ and <|end|>more"]
MESSAGES = [{"role": "system", "content": "Be brief §§."}, {"role": "user", "content": " What is law?"}]
ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\n' + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""
GREEDY_COUNT = 8


def added(tokenizer):
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|law|>", "<|end|>"]})
    tokenizer.add_tokens(["§§"])
    tokenizer.eos_token = "<|end|>"
    tokenizer.chat_template = ZEPHYR


def template(tokenizer):
    tokenizer.chat_template = ZEPHYR


# name: (adapter of Tests/Goldens/methods, tokens of its vocabulary, change, files that are kept)
CASES = {
    "added": ("lora/grown-tied", 515, added,
              ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]),
    "template": ("lora/plain", None, template, ["chat_template.jinja"]),
}


def greedy(model, tokens):
    margins, start = [], len(tokens)
    for _ in range(GREEDY_COUNT):
        top = torch.topk(shared.logits_of(model, tokens)[-1], 2)
        tokens = [*tokens, int(top.indices[0])]
        margins.append(round(float(top.values[0] - top.values[1]), 6))
    return tokens[start:], margins


def make_base():
    folder = FOLDER / "base"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shared.train_tokenizer(folder, normalization_rule_name="identity", remove_extra_whitespaces=False)
    weights = pathlib.Path("../../../../models") / BASE
    for name in ("config.json", "model.safetensors"):
        (folder / name).symlink_to(weights / name)


def make(name):
    from peft import PeftModel
    from transformers import AutoTokenizer

    source, count, change, kept = CASES[name]
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = AutoTokenizer.from_pretrained(FOLDER / "base")
    change(tokenizer)
    tokenizer.save_pretrained(folder)
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink()
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(shared.GOLDENS / "methods" / source / file, folder / file)
    base = shared.load_base(BASE)
    if count:
        base.resize_token_embeddings(count, mean_resizing=False)
    model = PeftModel.from_pretrained(base, folder).eval()
    requests = [{"prompt": text, "tokens": tokenizer(text)["input_ids"]} for text in TEXTS]
    conversation = tokenizer.apply_chat_template(MESSAGES, add_generation_prompt=True, tokenize=False)
    requests.append({"messages": MESSAGES,
                     "tokens": tokenizer(conversation, add_special_tokens=False)["input_ids"]})
    for request in requests:
        answer, margins = greedy(model, request["tokens"])
        request |= {"answer": answer, "margins": margins,
                    "text": tokenizer.decode(answer, skip_special_tokens=True)}
    return {"name": name, "end_token": tokenizer.eos_token_id, "requests": requests}


def main():
    make_base()
    cases = [make(name) for name in CASES]
    (FOLDER / "manifest.json").write_text(json.dumps(
        {"metadata": {"generator": "tools/goldens/own_tokenizers.py", **shared.PINNED}, "cases": cases},
        indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
