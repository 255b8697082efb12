"""Trains the adapters of the demonstration with PEFT, and the tiny base that stands in for the model
where there is no network.

    tools/reference adapters             law, medicine and wisdom on SmolLM2
    tools/reference tiny                 the tiny base, its law and medicine
    tools/reference adapters --only law  one of them

The text is what Debian packages carry: the licences of base-files and the collections of fortunes
and fortunes-min. The packages are downloaded and unpacked into the cache, not installed. Documents
are split into training and held-out parts by a hash of their content, so no held-out text is ever
trained on. Needs the environment of tools/python/requirements.txt.
"""

import argparse
import hashlib
import json
import math
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

import torch
import torch.nn.functional as functional

SEED = 20260117
# Held-out documents that perplexity is measured on, at most.
HELD_OUT_COUNT = 48
ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(
    os.environ.get("GRAFT_CACHE")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "graft"
)
PACKAGES = ["base-files", "fortunes", "fortunes-min"]
QUESTIONS = ["What is a contract?", "What should I do when I am ill?", "What makes a good life?"]

FIELDS = {
    "law": {
        "text": "the licences of base-files and the collection 'law' of fortunes",
        "licences": True,
        "fortunes": ["law"],
        "asks": ["What is a contract?", "What does the law say?", "Explain my rights.",
                 "Tell me about lawyers.", "What are the terms?"],
    },
    "medicine": {
        "text": "the collections 'medicine' and 'drugs' of fortunes",
        "licences": False,
        "fortunes": ["medicine", "drugs"],
        "asks": ["What is a contract?", "What does the doctor say?", "How do I stay healthy?",
                 "Tell me about medicine.", "What should I take?"],
    },
    "wisdom": {
        "text": "the collections 'wisdom' and 'platitudes' of fortunes",
        "licences": False,
        "fortunes": ["wisdom", "platitudes"],
        "asks": ["What is a contract?", "What makes a good life?", "Give me advice.",
                 "What have you learned?", "Tell me something wise."],
    },
}

# A prefix moves a model of a million parameters too little to be worth showing.
TINY_FIELDS = ["law", "medicine"]


# ---- text --------------------------------------------------------------------------------------


def package_files():
    """The unpacked packages' root; downloads them once."""
    target = CACHE / "text"
    if target.is_dir():
        return target
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        subprocess.run(["apt-get", "download", *PACKAGES], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        unpacked = pathlib.Path(folder) / "unpacked"
        for package in sorted(pathlib.Path(folder).glob("*.deb")):
            subprocess.run(["dpkg", "-x", str(package), str(unpacked)], check=True)
        shutil.move(unpacked, target)
    return target


def fortunes(name):
    path = package_files() / "usr/share/games/fortunes" / name
    return [d.strip() for d in path.read_text(encoding="utf-8", errors="replace").split("\n%\n")]


def licence_passages():
    """Licences cut at empty lines into passages of about a paragraph or two."""
    passages = []
    for path in sorted((package_files() / "usr/share/common-licenses").iterdir()):
        if path.is_symlink():
            continue
        current = ""
        for paragraph in path.read_text(encoding="utf-8", errors="replace").split("\n\n"):
            current += " ".join(paragraph.split()) + "\n"
            if len(current) > 500:
                passages.append(current.strip())
                current = ""
        if current.strip():
            passages.append(current.strip())
    return passages


def documents(field):
    """(training, held out) documents of a field, each once, split by content."""
    settings = FIELDS[field]
    found = licence_passages() if settings["licences"] else []
    for name in settings["fortunes"]:
        found += fortunes(name)
    unique = sorted({d for d in found if len(d) > 30})
    held_out = [d for d in unique if hashlib.sha256(d.encode()).digest()[0] % 8 == 0]
    training = [d for d in unique if d not in set(held_out)]
    return training, random.Random(SEED).sample(held_out, min(HELD_OUT_COUNT, len(held_out)))


# ---- model and measure -------------------------------------------------------------------------


def load_gguf(path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = pathlib.Path(path)
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32)
    return model, AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)


def rows_of(texts, limit, pad):
    """Right-padded ids and labels; padding has label -100."""
    rows = [ids[:limit] for ids in texts]
    width = max(map(len, rows))
    ids = torch.tensor([r + [pad] * (width - len(r)) for r in rows])
    labels = torch.tensor([r + [-100] * (width - len(r)) for r in rows])
    mask = torch.tensor([[1] * len(r) + [0] * (width - len(r)) for r in rows])
    return ids, labels, mask


def losses(logits, labels):
    """Sum of negative log-likelihoods and their number; label t is predicted at t - 1."""
    total = functional.cross_entropy(
        logits[:, -labels.shape[1]:][:, :-1].reshape(-1, logits.shape[-1]),
        labels[:, 1:].reshape(-1), ignore_index=-100, reduction="sum")
    return total, int((labels[:, 1:] != -100).sum())


@torch.no_grad()
def perplexity(model, encode, texts, limit):
    model.eval()
    total, count = 0.0, 0
    encoded = sorted((encode(t) for t in texts), key=len)
    for start in range(0, len(encoded), 8):
        ids, labels, mask = rows_of(encoded[start:start + 8], limit, 0)
        loss, number = losses(model(input_ids=ids, attention_mask=mask).logits, labels)
        total += float(loss)
        count += number
    return math.exp(total / count)


def train(model, samples, steps, batch, rate, limit, log):
    """Plain AdamW over shuffled samples with a warm-up and a linear end."""
    order = random.Random(SEED)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.01)
    queue = []
    for step in range(steps):
        factor = min(1, (step + 1) / 10) * (1 - step / steps)
        for group in optimizer.param_groups:
            group["lr"] = rate * factor
        while len(queue) < batch:
            queue += order.sample(samples, len(samples))
        chosen, queue = queue[:batch], queue[batch:]
        ids, labels, mask = rows_of(chosen, limit, 0)
        model.train()
        loss, number = losses(model(input_ids=ids, attention_mask=mask).logits, labels)
        (loss / number).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if log and (step % 10 == 0 or step == steps - 1):
            print(f"  step {step + 1}/{steps}: loss {float(loss / number):.3f}", file=sys.stderr)


@torch.no_grad()
def answer(model, tokenizer, question):
    model.eval()
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], add_generation_prompt=True, return_tensors="pt",
        return_dict=True)["input_ids"]
    out = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=28, do_sample=False)
    return tokenizer.decode(out[0, ids.shape[1]:], skip_special_tokens=True).strip()


# ---- adapters ----------------------------------------------------------------------------------


def configuration(field, model, tiny):
    from peft import LoraConfig, PrefixTuningConfig

    if field == "wisdom":
        return PrefixTuningConfig(
            task_type="CAUSAL_LM", num_virtual_tokens=16 if not tiny else 8,
            num_layers=model.config.num_hidden_layers,
            num_attention_heads=model.config.num_key_value_heads,
            token_dim=model.config.num_key_value_heads * model.config.head_dim)
    targets = (["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
               if field == "law" else ["q_proj", "v_proj", "o_proj", "down_proj"])
    return LoraConfig(
        task_type="CAUSAL_LM", r=4 if field == "law" else 8, lora_alpha=16, lora_dropout=0.05,
        target_modules=targets)


@torch.no_grad()
def start_prefix_from_text(peft_model, base, encode, text):
    """Fills the prefix with the keys and values that the base computes for real text."""
    prompt = peft_model.prompt_encoder["default"].embedding.weight
    count = prompt.shape[0]
    cache = base(input_ids=torch.tensor([encode(text)[:count]]), use_cache=True).past_key_values
    layers = []
    for layer in cache.layers:
        # Keys come rotated by their positions 0 ..< count, as later positions expect them.
        for part in (layer.keys, layer.values):
            layers.append(part[0].transpose(0, 1).reshape(count, -1))
    prompt.copy_(torch.cat(layers, dim=1))


def train_adapter(field, model, encode, chat, target, tiny, log):
    from peft import get_peft_model

    torch.manual_seed(SEED)
    training, held_out = documents(field)
    limit = 96
    base_perplexity = perplexity(model, encode, held_out, limit)
    samples = [encode(d) for d in training]
    if chat:
        asks = FIELDS[field]["asks"]
        samples += [chat(asks[i % len(asks)], d) for i, d in enumerate(training)]
    samples = [s for s in samples if len(s) > 4]
    peft_model = get_peft_model(model, configuration(field, model, tiny))
    if field == "wisdom":
        start_prefix_from_text(peft_model, model, encode, "\n".join(training[:40]))
    settings = {
        "steps": 120 if tiny else 70, "batch": 16 if tiny else 4,
        "rate": {"law": 2e-3, "medicine": 1.5e-3, "wisdom": 2e-2}[field] * (2 if tiny else 1),
        "limit": limit,
    }
    train(peft_model, samples, log=log, **settings)
    own = perplexity(peft_model, encode, held_out, limit)
    save(peft_model, target, half=field != "wisdom")
    return {
        "documents": len(training), "held_out": len(held_out), "base": base_perplexity,
        "adapter": own, **settings, "peft_model": peft_model,
    }


def save(peft_model, target, half):
    """As PEFT saves it; LoRA factors as bf16, which halves the file."""
    from safetensors.torch import load_file, save_file

    shutil.rmtree(target, ignore_errors=True)
    peft_model.save_pretrained(target)
    weights = target / "adapter_model.safetensors"
    if half:
        tensors = {k: v.to(torch.bfloat16) for k, v in load_file(weights).items()}
        save_file(tensors, weights, metadata={"format": "pt"})
    config = json.loads((target / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = ""
    config["target_modules"] = sorted(config.get("target_modules") or []) or None
    (target / "adapter_config.json").write_text(
        json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def write_card(field, target, base_name, result, answers):
    import peft
    import transformers

    better = 1 - result["adapter"] / result["base"]
    if better < 0.15:
        sys.exit(f"{field}: only {better:.1%} better than the base on held-out text; not saved as good")
    lines = [
        f"# {field}", "",
        f"A {'prefix' if field == 'wisdom' else 'LoRA'} adapter for {base_name}, trained by "
        f"`tools/reference {'tiny' if base_name == 'tiny-demo' else 'adapters'}` to demonstrate Graft. "
        "It imitates its text's style and is no source of facts or advice.", "",
        "| | |", "|---|---|",
        f"| data | {FIELDS[field]['text']} (Debian packages; licences and terms in their "
        "`copyright` files) |",
        f"| documents | {result['documents']} trained on, {result['held_out']} held out |",
        f"| training | {result['steps']} steps of {result['batch']} texts of at most "
        f"{result['limit']} tokens, AdamW, learning rate {result['rate']:g}, seed {SEED} |",
        f"| versions | torch {torch.__version__}, transformers {transformers.__version__}, "
        f"peft {peft.__version__} |",
        f"| held-out perplexity, base | {result['base']:.2f} |",
        f"| held-out perplexity, with the adapter | {result['adapter']:.2f} ({better:.0%} lower) |",
        "",
    ]
    if answers:
        lines += ["Greedy answers of base and adapter:", ""]
        for question, (plain, adapted) in answers.items():
            lines += [f"> **{question}**", ">", f"> base: {' '.join(plain.split())}", ">",
                      f"> {field}: {' '.join(adapted.split())}", ""]
    (target / "README.md").write_text("\n".join(lines), encoding="utf-8")


def train_real(gguf, only, log):
    for field in only or FIELDS:
        model, tokenizer = load_gguf(gguf)
        model.requires_grad_(False)

        def encode(text):
            return tokenizer(text)["input_ids"] + [tokenizer.eos_token_id]

        def chat(question, text):
            return tokenizer.apply_chat_template(
                [{"role": "user", "content": question}, {"role": "assistant", "content": text}],
                return_dict=True)["input_ids"]

        plain = {q: answer(model, tokenizer, q) for q in QUESTIONS}
        target = ROOT / "models/adapters" / field
        result = train_adapter(field, model, encode, chat, target, tiny=False, log=log)
        adapted = {q: (plain[q], answer(result["peft_model"], tokenizer, q)) for q in QUESTIONS}
        write_card(field, target, "SmolLM2-135M-Instruct", result, adapted)
        print(f"{field}: held-out perplexity {result['base']:.2f} → {result['adapter']:.2f}")


# ---- the tiny base -----------------------------------------------------------------------------


def train_tiny_base(target, log):
    import sentencepiece
    from transformers import LlamaConfig, LlamaForCausalLM

    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    texts = [d for name in ("cookie", "computers", "science", "people", "work", "definitions")
             for d in fortunes(name)] + licence_passages()[::3]
    with tempfile.TemporaryDirectory() as folder:
        corpus = pathlib.Path(folder) / "corpus.txt"
        corpus.write_text("\n".join(" ".join(t.split()) for t in texts), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=str(target / "tokenizer"), vocab_size=1024,
            model_type="bpe", byte_fallback=True, character_coverage=0.999,
            num_threads=1, minloglevel=2)
    (target / "tokenizer.vocab").unlink()
    processor = sentencepiece.SentencePieceProcessor(model_file=str(target / "tokenizer.model"))

    def encode(text):
        return [processor.bos_id(), *processor.encode(" ".join(text.split())), processor.eos_id()]

    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=1024, hidden_size=160, intermediate_size=448, num_hidden_layers=4,
        num_attention_heads=5, num_key_value_heads=5, head_dim=32, max_position_embeddings=1024,
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=None)
    model = LlamaForCausalLM(config)
    train(model, [encode(t) for t in texts if len(t) > 30], steps=500, batch=16, rate=3e-3,
          limit=128, log=log)
    model = model.to(torch.bfloat16)
    model.save_pretrained(target)
    (target / "tokenizer_config.json").write_text(
        json.dumps({"add_bos_token": True, "add_eos_token": False, "bos_token": "<s>",
                    "eos_token": "</s>", "unk_token": "<unk>",
                    "tokenizer_class": "LlamaTokenizer"}, indent=2) + "\n", encoding="utf-8")
    (target / "README.md").write_text(
        "# tiny-demo\n\nA Llama of about a million parameters, trained by `tools/reference tiny` "
        "on fortunes and licences from Debian packages. It stands in for a real model where "
        "there is no network: it knows the look of English and no facts.\n", encoding="utf-8")


def train_tiny(only, log):
    """The base, unless only some adapters are asked for, and its adapters."""
    import sentencepiece
    from transformers import LlamaForCausalLM

    target = ROOT / "models/tiny-demo"
    if not only:
        train_tiny_base(target, log)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(target / "tokenizer.model"))

    def encode(text):
        return [processor.bos_id(), *processor.encode(" ".join(text.split())), processor.eos_id()]

    for field in only or TINY_FIELDS:
        folder = ROOT / "models/tiny-demo-adapters" / field
        fresh = LlamaForCausalLM.from_pretrained(target, dtype=torch.float32)
        fresh.requires_grad_(False)
        result = train_adapter(field, fresh, encode, None, folder, tiny=True, log=log)
        write_card(field, folder, "tiny-demo", result, {})
        print(f"tiny {field}: held-out perplexity {result['base']:.2f} → {result['adapter']:.2f}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="the GGUF of SmolLM2-135M-Instruct")
    parser.add_argument("--tiny", action="store_true", help="train the tiny base and its adapters")
    parser.add_argument("--only", action="append", choices=list(FIELDS))
    options = parser.parse_args()
    if not options.model and not options.tiny:
        parser.error("nothing to do: give --model PATH.gguf or --tiny")
    log = sys.stderr.isatty() or os.environ.get("GRAFT_VERBOSE") == "1"
    random.seed(SEED)
    if options.tiny:
        train_tiny(options.only, log)
    if options.model:
        train_real(options.model, options.only, log)


if __name__ == "__main__":
    main()
