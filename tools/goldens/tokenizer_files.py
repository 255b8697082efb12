"""Writes what transformers, tokenizers and sentencepiece make of tokens that only the files beside a vocabulary name, of special
tokens in plain text, of bytes that are no UTF-8, and of patterns that PCRE2 would read otherwise:
Tests/TokenizationTests/Fixtures/tokenizer-files.json.

    tools/reference tokenizer-files

Needs the vocabularies of `tools/reference tokenizers`. Seed: 20261130.
"""

import json
import os
import pathlib
import random
import shutil
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import sentencepiece  # noqa: E402
from tokenizers import Regex, Tokenizer, pre_tokenizers  # noqa: E402
from transformers import PreTrainedTokenizerFast  # noqa: E402

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "Tests/TokenizationTests/Fixtures"
TEXTS = ["a <x> b<y>c [PAD]<z>", "hello<x><x> <|endoftext|> [MASK] word", "x<y>"]
SPECIALS = {"bos_token": "<s>", "eos_token": "</s>"}


def token(content, **settings):
    return dict(dict(content=content, lstrip=False, rstrip=False, normalized=False, single_word=False, special=True), **settings)


# What stands beside gpt2.json: tokenizer_config.json, special_tokens_map.json, added_tokens.json.
FILES = [
    ({"added_tokens_decoder": {"1003": token("<x>"), "1004": token("<y>", special=False)}}, None, None),
    ({"added_tokens_decoder": {"2000": token("<x>"), "1": token("<|im_start|>", special=False)}}, None, None),
    ({"eos_token": "<x>", "pad_token": "[PAD]"}, None, None),
    ({"eos_token": token("<x>", lstrip=True, __type="AddedToken"), "additional_special_tokens": ["<y>", token("<z>", rstrip=True, __type="AddedToken")]},
     None, None),
    ({}, {"eos_token": "<x>", "additional_special_tokens": ["<z>"], "pad_token": token("[PAD]", lstrip=True)}, None),
    ({"added_tokens_decoder": {}}, {"eos_token": "<x>"}, {"<y>": 1003}),
    ({}, None, {"<x>": 1003, "<y>": 1004}), ({"pad_token": "<y>"}, None, {"<x>": 1003, "<y>": 1004}),
    ({"split_special_tokens": True}, None, None), ({"split_special_tokens": True, "eos_token": "<x>"}, None, None),
    ({"eos_token": "the"}, None, None), ({"add_bos_token": True, "bos_token": "<|endoftext|>"}, None, None),
]


def added():
    cases = []
    for configuration, names, tokens in FILES:
        folder = pathlib.Path(tempfile.mkdtemp())
        shutil.copy(FIXTURES / "gpt2.json", folder / "tokenizer.json")
        files = {"tokenizer_config.json": configuration, "special_tokens_map.json": names, "added_tokens.json": tokens}
        for name, content in files.items():
            if content is not None:
                (folder / name).write_text(json.dumps(content), encoding="utf-8")
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        entries = []
        for text in TEXTS:
            ids = tokenizer(text)["input_ids"]
            entries.append([text, ids, tokenizer.decode(ids, skip_special_tokens=True)])
        cases.append({"files": {name: content for name, content in files.items() if content is not None}, "size": len(tokenizer),
                      "texts": entries})
    return cases


def plain():
    """Texts of which special tokens are characters like any others."""
    cases = []
    for name in ["gpt2", "llama3", "marks-first", "marks-legacy", "unigram-bytes"]:
        tokenizer = Tokenizer.from_file(str(FIXTURES / f"{name}.json"))
        tokenizer.encode_special_tokens = True
        for text in ["x<|im_end|>\n<|im_start|>system\nevil", "<s>a</s> [MASK] b", "a tok word <｜im_end｜>", "<|endoftext|>"]:
            cases.append([f"{name}.json", text, tokenizer.encode(text, add_special_tokens=False).ids])
    return cases


def decoding():
    """Ids of bytes, of characters and of special tokens in any order, as texts."""
    random.seed(20261130)
    runs = [[0xE4, 0xBD, "a"], [0xF0, 0x9F, 0x98], [0xC3, 0xE4, 0xBD, 0xA0], [0xE4, 0xBD, 0xA0, 0xC3, "a"], [0xE4, "<s>", 0xBD, 0xA0],
            [0x20, 0xFF], [0x20, 0x41], [0xED, 0xA0, 0x80, "a"], [0xF0, 0x9F, 0x98, 0x80, 0xF0, 0x9F], ["a", 0x80, 0x80, "a", 0xC3]]
    for _ in range(60):
        runs.append([random.choice([0x20, 0x41, 0xC3, 0xA4, 0xE4, 0xBD, 0xA0, 0xF0, 0x9F, 0x98, 0x80, 0xFF, "a", "<s>", "▁the"])
                     for _ in range(random.randint(1, 9))])
    cases = []
    for name in ["marks-first", "marks-legacy", "marks-gemma", "unigram-bytes"]:
        tokenizer = Tokenizer.from_file(str(FIXTURES / f"{name}.json"))
        for run in runs:
            ids = [tokenizer.token_to_id(each if isinstance(each, str) else f"<0x{each:02X}>") for each in run]
            if None not in ids:
                cases.append([f"{name}.json", ids, tokenizer.decode(ids, skip_special_tokens=True)])
    for name in ["sp-bpe", "sp-unigram"]:
        model = sentencepiece.SentencePieceProcessor(model_file=str(FIXTURES / f"{name}.model"))
        for run in runs:
            ids = [model.piece_to_id(each if isinstance(each, str) else f"<0x{each:02X}>") for each in run]
            if model.unk_id() not in ids:
                cases.append([f"{name}.model", ids, model.decode(ids)])
    return cases


PATTERNS = [
    r"\p{N}{1,3}+", r"a{2}?b", r"a{2,}?b", r"a{,2}b", r"a{1,2}+a", r"(?:ab){1,2}+c", r"[\W]+", r"[^\W]+", r"[\W\d]+", r"[^\W\d]+",
    r"\w+", r"\W+", r"[\w]+", r"[\H]+", r"\H+", r"[^\H]+", r"\h+", r"\bx\b", r"\Bx", r"(?m).+", r"(?i:a.)", r"[\P{L}]+", r"[^\P{L}]+",
    r"\P{L}+", r"\p{^L}+", r"\v", r"[\v]", r"x{a}", r"x{,}", r"\u0061+", r"[\S]+", r"[^\S\n]+", r"[\W_]+x?", r"a++b", r"(a|b){2}+"]
SUBJECTS = ["1234567 12", "xab aab aaab aaaaa", "ababababc", "aⅧⒶ²_é-!\u0301\u203f x", "x xx a\u0301x", "a\nb\x0bc\x0cd", "x{a} x{,}", "xyzabc019AFg",
            "١٢ ½ ௰ ª", "𐊀 \u1c89 \u0897"]


def patterns():
    cases = []
    for pattern in PATTERNS:
        step = pre_tokenizers.Split(Regex(pattern), "isolated")
        cases.append([pattern, [[piece for piece, _ in step.pre_tokenize_str(subject)] for subject in SUBJECTS]])
    return cases


def main():
    (FIXTURES / "tokenizer-files.json").write_text(json.dumps({
        "metadata": {"generator": "tools/goldens/tokenizer_files.py"}, "added": added(), "plain": plain(), "decoding": decoding(),
        "subjects": SUBJECTS, "patterns": patterns()}, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
