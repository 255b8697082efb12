"""Writes what llama.cpp and tokenizers make of texts under the names of `tokenizer.ggml.pre`:
Tests/TokenizationTests/Fixtures/gguf-pre.json.

    tools/reference gguf-vocabularies XLLAMACPP

XLLAMACPP is the library of the PyPI package xllamacpp (xllamacpp.abi3.so), which has llama.cpp's C functions. It opens a
GGUF with the vocabulary of Fixtures/llama3.json under each name. Where the name is a model's, `tokenizers` cuts texts
with that model's own steps, and only texts on which both agree are kept: llama.cpp has simpler tables of letters.
"""

import ctypes
import json
import pathlib
import sys
import tempfile

import gguf
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers as pre

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "Tests/TokenizationTests/Fixtures"
TEXTS = [
    "x = (a+b);  // ok", "don't  stop", "Pay 1234567 now!!", "Hello, World's END.", "a\n\n  b\t\tc \n", "100,000.50 $5 + 3=8",
    "HelloWorld helloWORLD aBcD", "C++/C# <tag>/path/to", "'LL 'll I'M we'Ve", "  leading and trailing  ", "12 34567 8", "!!!???...",
    "été naïve Ünder", "日本語 text 中文123", "x\r\ny\r\n\r\nz", "𝟘𝟙 ²³ ½", "e\u0301 o\u0302"]
GPT2 = pre.ByteLevel(add_prefix_space=False, use_regex=True)
BYTES = pre.ByteLevel(add_prefix_space=False, use_regex=False)
SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
HEAD, TAIL = r"[^\r\n\p{L}\p{N}]?", r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def split(*patterns):
    return pre.Sequence([pre.Split(Regex(pattern), "isolated") for pattern in patterns] + [BYTES])


def words(number):
    return split(SHORT + r"|[^\r\n\p{L}\p{N}]?\p{L}+|" + number + REST)


def cased(ending, number):
    return split(f"{HEAD}{UPPER}*{LOWER}+{ending}|{HEAD}{UPPER}+{LOWER}*{ending}|{number}{TAIL}")


# name: the model's own steps, ignore_merges, whether it normalises; None where there is no such model
NAMES = {
    None: None, "default": None,
    "gpt-2": (GPT2, False, False), "smollm": (pre.Sequence([pre.Digits(True), GPT2]), False, False),
    "starcoder": (pre.Sequence([pre.Digits(True), GPT2]), False, False),
    "llama-bpe": (words(r"\p{N}{1,3}"), True, False), "llama3": (words(r"\p{N}{1,3}"), True, False),
    "llama-v3": (words(r"\p{N}{1,3}"), True, False), "falcon3": (words(r"\p{N}{1,3}"), True, False),
    "dbrx": (words(r"\p{N}{1,3}"), False, False),
    "qwen2": (words(r"\p{N}"), False, True), "deepseek-r1-qwen": (words(r"\p{N}"), False, True),
    "stablelm2": (words(r"\p{N}"), False, False),
    "tekken": (cased("", r"\p{N}"), True, False), "gpt-4o": (cased(SHORT + "?", r"\p{N}{1,3}"), False, False),
    "deepseek-coder": (pre.Sequence([
        pre.Split(Regex(pattern), "isolated") for pattern in [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+"]] + [
        pre.Digits(True), BYTES]), False, False),
}


class LlamaCPP:
    """Vocabularies alone, through the C functions of llama.h."""

    class Parameters(ctypes.Structure):
        # Larger than llama_model_params; the flag `vocab_only` stands behind nine words.
        _fields_ = [("head", ctypes.c_ubyte * 72), ("vocab_only", ctypes.c_bool), ("rest", ctypes.c_ubyte * 183)]

    def __init__(self, path):
        self.library = ctypes.CDLL(path)
        self.library.llama_model_default_params.restype = self.Parameters
        self.library.llama_model_load_from_file.restype = ctypes.c_void_p
        self.library.llama_model_load_from_file.argtypes = [ctypes.c_char_p, self.Parameters]
        self.library.llama_model_get_vocab.restype = ctypes.c_void_p
        self.library.llama_model_get_vocab.argtypes = [ctypes.c_void_p]
        self.library.llama_tokenize.argtypes = [
            ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32, ctypes.POINTER(ctypes.c_int32), ctypes.c_int32, ctypes.c_bool,
            ctypes.c_bool]
        self.library.llama_vocab_is_eog.argtypes = [ctypes.c_void_p, ctypes.c_int32]
        self.library.llama_vocab_is_eog.restype = ctypes.c_bool

    def vocabulary(self, path):
        parameters = self.library.llama_model_default_params()
        parameters.vocab_only = True
        model = self.library.llama_model_load_from_file(str(path).encode(), parameters)
        if not model:
            raise SystemExit(f"llama.cpp can't open {path}")
        return self.library.llama_model_get_vocab(model)

    def tokens(self, vocabulary, text):
        data, output = text.encode(), (ctypes.c_int32 * 4096)()
        count = self.library.llama_tokenize(vocabulary, data, len(data), output, 4096, False, False)
        return list(output[:count])


def write_gguf(path, tokens, types, merges, name, end=0):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_block_count(1)
    writer.add_feed_forward_length(32)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    if name is not None:
        writer.add_tokenizer_pre(name)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(end)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    library = LlamaCPP(sys.argv[1])
    source = json.loads((FIXTURES / "llama3.json").read_text(encoding="utf-8"))
    vocabulary = source["model"]["vocab"]
    special = {token["content"] for token in source["added_tokens"] if token["special"]}
    tokens = sorted(vocabulary, key=vocabulary.get)
    assert [vocabulary[token] for token in tokens] == list(range(len(tokens)))
    types = [3 if token in special else 1 for token in tokens]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in source["model"]["merges"]]
    folder = pathlib.Path(tempfile.mkdtemp())
    entries = []
    for name, own in NAMES.items():
        path = folder / f"{name}.gguf"
        write_gguf(path, tokens, types, merges, name)
        loaded = library.vocabulary(path)
        cases = []
        for text in TEXTS:
            ids = library.tokens(loaded, text)
            if own:
                steps, ignores, normalises = own
                model = json.loads(json.dumps(source))
                model["model"]["ignore_merges"], model["post_processor"], model["normalizer"] = ignores, None, None
                model["added_tokens"] = []
                tokenizer = Tokenizer.from_str(json.dumps(model))
                tokenizer.pre_tokenizer = steps
                if normalises:
                    tokenizer.normalizer = normalizers.NFC()
                reference = tokenizer.encode(text).ids
                if reference != ids and not normalises:
                    print(f"{name}: llama.cpp cuts {text!r} otherwise")
                    continue
                ids = reference
            cases.append([text, ids])
        entries.append({"pre": name, "cases": cases})

    spellings = ["<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "</s>", "<end_of_turn>", "<|endoftext|>",
                 "<|fim_pad|>", "<|file_sep|>", "<|im_start|>", "<eos>", "<|tool_response>"]
    ends = []
    for left_out in [["<|call|>", "<|tool_response>"], ["<|tool_response>"], ["<|call|>"]]:
        names = [spelling for spelling in spellings if spelling not in left_out]
        path = folder / f"ends{len(ends)}.gguf"
        write_gguf(path, ["a", "b"] + names, [1, 1] + [3] * len(names), ["a b"], "gpt-2", end=1)
        loaded = library.vocabulary(path)
        ends.append({"controls": names, "ends": [
            index for index in range(2 + len(names)) if library.library.llama_vocab_is_eog(loaded, index)]})
    (FIXTURES / "gguf-pre.json").write_text(json.dumps(
        {"metadata": {"generator": "tools/goldens/gguf_vocabularies.py"}, "names": entries, "ends": ends},
        ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
