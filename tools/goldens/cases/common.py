"""What the situations of users share: small bases, a plain adapter, and what PEFT answers.

A situation is a folder below Tests/Goldens/cases: adapters as people have them, and `case.json`, which says
of each what is right: served like PEFT, or refused with words that name the reason. Bases lie in
Tests/Goldens/cases/bases. Everything is random with a seed taken from its own name.

Needs the environment of tools/python/requirements.txt.
"""

import hashlib
import json
import os
import pathlib
import shutil
import sys

import torch
from safetensors.torch import save_file

os.environ["HF_HUB_OFFLINE"] = "1"
ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))
from references import checkpoints, make_goldens as shared  # noqa: E402

FOLDER = ROOT / "Tests/Goldens/cases"
TOKENS = list(range(1, 17))
SHAPE = dict(
    vocab_size=96, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=None,
    tie_word_embeddings=False)

# name: (family, type of the saved weights, settings)
BASES = {
    "L3": ("Llama", "float32", SHAPE),
    "L3t": ("Llama", "float32", dict(SHAPE, tie_word_embeddings=True)),
    "L12": ("Llama", "float32", dict(SHAPE, num_hidden_layers=12)),
    "L3h": ("Llama", "float32", dict(SHAPE, head_dim=16)),
    "L3b": ("Llama", "bfloat16", SHAPE),
    "Q3": ("Qwen2", "float32", SHAPE),
    # Rows for more tokens than its vocabulary has, as many checkpoints are padded.
    "L3p": ("Llama", "float32", dict(SHAPE, vocab_size=128)),
}
# name: the base whose weights llama.cpp's format holds, with its order of the rows of q and k
GGUF_BASES = {"L3g": "L3"}
PADDED_TOKEN_COUNT = 93

PLAIN = {
    "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8,
    "target_modules": ["q_proj", "v_proj"], "lora_dropout": 0.0, "bias": "none", "inference_mode": True,
    "base_model_name_or_path": "x"}


def seed(name):
    """A generator that depends on the name alone, so that one case made alone is the same."""
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big"))


def normal(generator, *shape, spread=0.2):
    return spread * torch.randn(*shape, generator=generator)


def make_base(name):
    """Weights N(0, 0.15), norms 1, biases N(0, 0.15)."""
    family, dtype, settings = BASES[name]
    Model, Config = checkpoints.model_class(family)
    model = Model(Config(**settings))
    generator = seed(f"base {name.rstrip('bt')}" if name in ("L3b", "L3t") else f"base {name}")
    for key, parameter in sorted(model.named_parameters()):
        parameter.data = (
            torch.ones_like(parameter) if "norm" in key else normal(generator, *parameter.shape, spread=0.15))
    folder = FOLDER / "bases" / name
    checkpoints.save_checkpoint(model.to(getattr(torch, dtype)), folder)
    if name == "L3p":
        make_small_vocabulary(folder)


def make_small_vocabulary(folder):
    """A vocabulary of 93 pieces in the manner of Llama's, over small letters."""
    import tokenizers
    from tokenizers import decoders, models, normalizers, processors, trainers

    words = pathlib.Path("/usr/share/common-licenses/GPL-3").read_text(encoding="utf-8").lower().split()
    words = [word for word in words if word.isascii() and word.isalpha()]
    specials = ["<unk>", "<s>", "</s>"]
    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("\u2581", " "), decoders.Fuse(), decoders.Strip(content=" ", left=1)])
    tokenizer.train_from_iterator(words, trainers.BpeTrainer(
        vocab_size=PADDED_TOKEN_COUNT, special_tokens=specials, show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
        "tokenizer_class": "PreTrainedTokenizerFast"}, indent=1) + "\n", encoding="utf-8")


def make_gguf_base(name):
    """The weights of a base in F32, in a GGUF file alone in its folder."""
    import gguf

    model = load_base(GGUF_BASES[name])
    config, folder = model.config, FOLDER / "bases" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    writer = gguf.GGUFWriter(folder / f"{name}.gguf", "llama")
    writer.add_name(name)
    checkpoints.add_configuration(writer, config)
    pieces = ["<unk>", "<s>", "</s>", *(f"\u2581t{number}" for number in range(3, config.vocab_size))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([piece.encode() for piece in pieces])
    writer.add_token_scores([-float(number) for number in range(len(pieces))])
    writer.add_token_types([2, 3, 3] + [1] * (len(pieces) - 3))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    checkpoints.add_tensors(writer, model, "F32")


def load_base(name):
    """The base's stored weights, in f32 arithmetic."""
    Model, _ = checkpoints.model_class(BASES[name][0])
    return Model.from_pretrained(FOLDER / "bases" / name, dtype=torch.float32).eval()


def plain_tensors(base="L3", rank=4, name="plain", targets=("q_proj", "v_proj")):
    """A and B of every layer's query and value projection, N(0, 0.2)."""
    generator = seed(f"{base} {name}")
    tensors = {}
    model = load_base(base)
    for key, module in model.named_modules():
        if key.rsplit(".", 1)[-1] in targets and hasattr(module, "weight"):
            rows, columns = module.weight.shape
            tensors[f"base_model.model.{key}.lora_A.weight"] = normal(generator, rank, columns)
            tensors[f"base_model.model.{key}.lora_B.weight"] = normal(generator, rows, rank)
    return tensors


def renamed(tensors, change):
    """Tensors under other names; `change` takes a name and returns one."""
    return {change(key): value for key, value in tensors.items()}


def save(folder, settings, tensors, file="adapter_model.safetensors", metadata=True):
    """An adapter's directory as its owner has it; `settings` None leaves the configuration out."""
    folder.mkdir(parents=True, exist_ok=True)
    if settings is not None:
        (folder / "adapter_config.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    if tensors is not None:
        save_file({key: value.contiguous() for key, value in tensors.items()}, folder / file,
                  {"format": "pt"} if metadata else None)


def logprobs(model, tokens=None):
    """**Shape** [tokens, vocabulary]."""
    return checkpoints.log_probabilities(model, tokens or TOKENS)


def with_peft(base, folder):
    """What PEFT answers with the adapter of `folder`."""
    from peft import PeftModel

    return logprobs(PeftModel.from_pretrained(load_base(base), folder).eval())


class Case:
    """One situation: `add` an adapter, say what is right, `write`."""

    def __init__(self, name):
        self.name, self.folder = name, FOLDER / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.variants, self.expected = [], {}
        self.tokens = TOKENS

    def add(self, variant, settings, tensors, base="L3", **options):
        """Saves an adapter and returns its folder."""
        save(self.folder / variant, settings, tensors, **options)
        return self.folder / variant

    def served(self, variant, base="L3", expected=None, warns=(), path=None):
        """It answers like PEFT on these files, or as `expected` says; `warns`: words of its warnings."""
        answer = with_peft(base, self.folder / (path or variant)) if expected is None else expected
        self.expected[variant] = answer.contiguous()
        self.variants.append({
            "name": variant, "path": path or variant, "base": base, "verdict": "served", "warns": list(warns)})

    def refused(self, variant, *words, base="L3", path=None):
        """It is refused in a sentence that has all of the words."""
        self.variants.append({
            "name": variant, "path": path or variant, "base": base, "verdict": "refused",
            "words": list(words)})

    def write(self):
        (self.folder / "case.json").write_text(json.dumps({
            "metadata": {"generator": "tools/goldens/cases", **shared.PINNED}, "tokens": self.tokens,
            "variants": self.variants}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if self.expected:
            save_file(self.expected, self.folder / "expected.safetensors")
