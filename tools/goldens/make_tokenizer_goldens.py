"""Writes the fixtures of Tests/TokenizationTests: small vocabularies and what the reference libraries do with them.

Versions: transformers 5.23.0, tokenizers 0.23.3, sentencepiece 0.2.3, jinja2 3.1.6. Seed: 20261121.
Training text: this script's sentences and /usr/share/common-licenses of Debian (base-files).

    python tools/goldens/make_tokenizer_goldens.py
"""

import io
import json
import pathlib
import random
import re
import tempfile

import sentencepiece as spm
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers as pre
from tokenizers import processors, trainers
from transformers import PreTrainedTokenizerFast

SEED = 20261121
OUT = pathlib.Path(__file__).resolve().parents[2] / "Tests/TokenizationTests/Fixtures"
LICENCES = ["Apache-2.0", "BSD", "GPL-3", "MPL-2.0", "Artistic"]
SENTENCES = [
    "The court heard the case in 2019 and again in 2023, at 10:45.",
    "def area(radius):\n    return 3.14159 * radius ** 2\n",
    "für Größe, naïve façade, señor, Ångström", "日本語の文章と中文的句子。", "👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈",
    "שלום עולם, مرحبا بالعالم", "a  b   c\t\td\r\n\r\ne", "don't I'll we've they're it's HE'LL",
]
AWKWARD = [
    "", " ", "   ", "Hello world", "  leading", "trailing  ", "a  b   c    d", "\ttab\t\ttabs", "a\r\nb\r\n\r\nc\rd\n\n e",
    "👨‍👩‍👧‍👦 family 🏳️‍🌈🇩🇪 👍🏽", "日本語のテキスト、漢字。中文测试 한국어", "e\u0301 cafe\u0301 a\u0308\u0323 \u212b \u1ac9\u0334",
    "def f(x):\n    return x**2  # ok\n\tif (a!=b) {c+=1;}", "1234567890 3.14 1,000,000 ٣٤٥ ½ Ⅷ ²", "שלום עולם مرحبا بالعالم",
    "a\u00a0b\u2028c\u2029d\u202fe\u3000f\u180eg\u200bh\u0085i\u000bj", "I'm you're he'LL 'S 'ſ 'Ve don't", "x" * 600,
    "licence" * 60 + "42" * 30, " " * 60 + "x" + " " * 9, "K\u212a ſ ß ﬁ İı", "▁▁ a ▁b", "\ufeffBOM", "ก็ไทย हिन्दी", "!!!???...---===>>>",
    "ＡＢ　ＺＯＯ １２ ﬁn", "\U0003231f\u1c89 \U00010d40", "𝟘𝟙 𝒜𝓑 𐍈",
]
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
WITH_SPECIALS = ["<|im_start|>user\nhi<|im_end|>\n", " <|endoftext|> x", "<|im_start", "a [MASK] b", "the cat word wordy  tok  x"]
GPT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|NUMBER| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def training_lines():
    lines = list(SENTENCES) * 20
    for name in LICENCES:
        lines += pathlib.Path("/usr/share/common-licenses", name).read_text(encoding="utf-8").splitlines()
    return lines


def random_texts(count):
    parts = list("abcthe 1'\n\t.é日👍\u200d\u0301ש<|>_") + ["  ", "\r\n", "the", "'s", "ing", "\u00a0", "licence "]
    return ["".join(random.choices(parts, k=random.randint(1, 30))) for _ in range(count)]


def byte_level(name):
    tokenizer = Tokenizer(models.BPE(ignore_merges=name == "llama3"))
    split = lambda number: pre.Split(Regex(GPT.replace("NUMBER", number)), "isolated")
    steps = {
        "gpt2": [pre.ByteLevel(add_prefix_space=False)],
        "smollm": [pre.Digits(individual_digits=True), pre.ByteLevel(add_prefix_space=False)],
        "llama3": [split(r"\p{N}{1,3}"), pre.ByteLevel(add_prefix_space=False, use_regex=False)],
        "qwen2": [split(r"\p{N}"), pre.ByteLevel(add_prefix_space=False, use_regex=False)],
        "prefix": [pre.ByteLevel(add_prefix_space=True)],
    }[name]
    tokenizer.pre_tokenizer = steps[0] if len(steps) == 1 else pre.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    if name == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    trainer = trainers.BpeTrainer(vocab_size=1000, special_tokens=SPECIALS, show_progress=False,
                                  initial_alphabet=pre.ByteLevel.alphabet())
    tokenizer.train_from_iterator(training_lines(), trainer)
    tokenizer.add_special_tokens([AddedToken("[MASK]", lstrip=True, rstrip=True, normalized=False, special=True)])
    tokenizer.add_tokens([AddedToken("word", single_word=True, normalized=True),
                          AddedToken("tok", lstrip=True, normalized=False)])
    if name == "llama3":
        begin = ("<|endoftext|>", tokenizer.token_to_id("<|endoftext|>"))
        tokenizer.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single="<|endoftext|> $A", pair="$A $B", special_tokens=[begin])])
    (OUT / f"{name}.json").write_text(tokenizer.to_str(pretty=False), encoding="utf-8")
    return fast_cases(name, AWKWARD + WITH_SPECIALS + random_texts(120))


def fast_cases(name, texts, **settings):
    fast = PreTrainedTokenizerFast(tokenizer_file=str(OUT / f"{name}.json"), clean_up_tokenization_spaces=False, **settings)
    cases = []
    for text in texts:
        ids = fast.encode(text, add_special_tokens=False)
        cases.append({"text": text, "ids": ids, "with_specials": fast.encode(text),
                      "decoded": fast.decode(ids, skip_special_tokens=True)})
    return cases


def character_pairs(name):
    """What SentencePiece's vocabularies become in a tokenizer.json: as transformers 5 writes Llama's ("marks-first") and Gemma's
    ("marks-gemma"), as transformers 4 wrote Llama's ("marks-legacy"), and as older ones are ("marks-words")."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre.Metaspace()
    trained.train_from_iterator(training_lines(), trainers.BpeTrainer(vocab_size=500, show_progress=False))
    model = json.loads(trained.to_str())["model"]
    has_bytes = name != "marks-words"
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256) if has_bytes] + sorted(model["vocab"], key=model["vocab"].get)
    tokenizer = Tokenizer(models.BPE(
        {piece: index for index, piece in enumerate(pieces)}, [tuple(pair) for pair in model["merges"]],
        unk_token=None if name == "marks-first" else "<unk>", fuse_unk=has_bytes, byte_fallback=has_bytes,
        ignore_merges=name == "marks-gemma"))
    spaces = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence(spaces + [decoders.Strip(" ", 1, 0)])
    if name == "marks-first":
        tokenizer.pre_tokenizer = pre.Metaspace(prepend_scheme="first", split=False)
    elif name == "marks-legacy":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="$A $B", special_tokens=[("<s>", 1)])
    elif name == "marks-gemma":
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre.Split(" ", "merged_with_previous")
        tokenizer.decoder = decoders.Sequence(spaces)
    else:
        tokenizer.pre_tokenizer, tokenizer.decoder = pre.Metaspace(), decoders.Metaspace()
    tokenizer.add_special_tokens(["<s>", "</s>", AddedToken("[MASK]", lstrip=True, rstrip=True, normalized=False, special=True)])
    tokenizer.add_tokens([AddedToken("word", single_word=True, normalized=True), AddedToken("§§", normalized=False)])
    (OUT / f"{name}.json").write_text(tokenizer.to_str(pretty=False), encoding="utf-8")
    texts = AWKWARD + WITH_SPECIALS + ["<s>hello</s> x", "<s> hello", "a§§ b", " §§b", "§§", "▁a", "ж жж a ж"]
    return fast_cases(name, texts + random_texts(120))


def unigram(name):
    """A model of SentencePiece's as Llama's tokenizers were converted ("unigram-bytes"), and as others are ("unigram-words")."""
    has_bytes = name == "unigram-bytes"
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(training_lines()), model_writer=model, vocab_size=600 if has_bytes else 400, model_type="unigram",
        byte_fallback=has_bytes, num_threads=1, normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2)
    trained = spm.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [(trained.id_to_piece(index), trained.get_score(index)) for index in range(trained.get_piece_size())]
    tokenizer = Tokenizer(models.Unigram(pieces, 0, has_bytes))
    if has_bytes:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.decoder = decoders.Sequence([
            decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="$A $B", special_tokens=[("<s>", 1)])
    else:
        tokenizer.pre_tokenizer, tokenizer.decoder = pre.Metaspace(), decoders.Metaspace()
    tokenizer.add_special_tokens(["<s>", "</s>", AddedToken("[MASK]", lstrip=True, rstrip=True, normalized=False, special=True)])
    tokenizer.add_tokens([AddedToken("word", single_word=True, normalized=True), AddedToken("§§", normalized=False)])
    (OUT / f"{name}.json").write_text(tokenizer.to_str(pretty=False), encoding="utf-8")
    return fast_cases(name, AWKWARD + WITH_SPECIALS + ["<s>hello</s> x", "a§§ b", "ж жж a ж"] + random_texts(120))


def sentence_piece(name):
    model = io.BytesIO()
    rules = None
    if name == "sp-unigram":
        # A small character map: full-width letters and digits, the ideographic space, a ligature.
        pairs = [(0xFEE0 + c, f"{c:X}") for c in range(0x30, 0x5B)] + [(0x3000, "20"), (0xFB01, "66 69")]
        rules = pathlib.Path(tempfile.mkdtemp(), "rules.tsv")
        rules.write_text("".join(f"{source:X}\t{target}\n" for source, target in pairs))
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(training_lines()), model_writer=model, vocab_size=1000, byte_fallback=True,
        model_type="unigram" if name == "sp-unigram" else "bpe", user_defined_symbols=["<sep>"], num_threads=1,
        **({"normalization_rule_tsv": str(rules)} if rules else {"normalization_rule_name": "identity"}),
        remove_extra_whitespaces=name == "sp-unigram", minloglevel=2)
    (OUT / f"{name}.model").write_bytes(model.getvalue())
    first = spm.SentencePieceProcessor(model_proto=model.getvalue())
    # An appended normaliser setting overrides the model's: no space in front of a text.
    rest = spm.SentencePieceProcessor(model_proto=model.getvalue() + bytes([0x1A, 2, 0x18, 0]))
    cases = []
    for text in AWKWARD + ["<s>hello</s> x", "a<s> b", "a <sep>b"] + random_texts(120):
        ids, position = [], 0
        for part in re.split("(<s>|</s>|<unk>)", text):
            if part in ("<s>", "</s>", "<unk>"):
                ids.append(first.piece_to_id(part))
            elif part:
                ids += (first if position == 0 else rest).encode(part)
            position += len(part)
        cases.append({"text": text, "ids": ids, "with_specials": [first.bos_id()] + ids,
                      "decoded": first.decode(ids)})
    return cases


SYSTEM = [{"role": "system", "content": " Be brief. "}]
USER = [{"role": "user", "content": " Hello, who\nare you? "}]
TURNS = USER + [{"role": "assistant", "content": " A model. "}, {"role": "user", "content": "And now?"}]
ALTERNATE = "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
TEMPLATES = {
    "ChatML": "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
              "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "ChatML with a default": "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
              "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role']"
              " + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "Llama 2": "{% if messages[0]['role'] == 'system' %}{% set turns = messages[1:] %}{% set system = messages[0]['content'] %}{% else %}"
              "{% set turns = messages %}{% set system = false %}{% endif %}{% for message in turns %}" + ALTERNATE +
              "{% if loop.index0 == 0 and system != false %}{% set content = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + message['content'] %}"
              "{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}"
              "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% else %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
    "Llama 3": "{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + "
              "message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}"
              "{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
    "Llama 3 with dates": "{{- bos_token }}{%- if not date_string is defined %}{%- set date_string = \"26 Jul 2024\" %}{%- endif %}"
              "{%- if messages[0]['role'] == 'system' %}{%- set system_message = messages[0]['content']|trim %}{%- set messages = messages[1:] %}"
              "{%- else %}{%- set system_message = \"\" %}{%- endif %}{{- \"<|start_header_id|>system<|end_header_id|>\\n\\n\" }}"
              "{{- \"Cutting Knowledge Date: December 2023\\n\" }}{{- \"Today Date: \" + date_string + \"\\n\\n\" }}{{- system_message }}"
              "{{- \"<|eot_id|>\" }}{%- for message in messages %}{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'"
              " + message['content'] | trim + '<|eot_id|>' }}{%- endfor %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}",
    "Gemma": "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
              "{% for message in messages %}" + ALTERNATE + "{% if message['role'] == 'assistant' %}{% set role = 'model' %}{% else %}"
              "{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}"
              "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}",
    "Gemma 3": "{{ bos_token }}{%- if messages[0]['role'] == 'system' -%}{%- set first_user_prefix = messages[0]['content'] + '\\n\\n' -%}"
              "{%- set turns = messages[1:] -%}{%- else -%}{%- set first_user_prefix = '' -%}{%- set turns = messages -%}{%- endif -%}"
              "{%- for message in turns -%}" + ALTERNATE + "{%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}"
              "{{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else '') }}{{ message['content'] | trim }}"
              "{{ '<end_of_turn>\\n' }}{%- endfor -%}{{ '<start_of_turn>model\\n' }}",
    "Mistral 7B 0.1": "{{ bos_token }}{% for message in messages %}" + ALTERNATE + "{% if message['role'] == 'user' %}"
              "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token + ' ' }}"
              "{% else %}{{ raise_exception('unknown role') }}{% endif %}{% endfor %}",
    "Mistral 7B 0.2": "{%- if messages[0]['role'] == 'system' %}{%- set system_message = messages[0]['content'] %}{%- set turns = messages[1:] %}"
              "{%- else %}{%- set turns = messages %}{%- endif %}{{- bos_token }}{%- for message in turns %}" + ALTERNATE +
              "{%- if message['role'] == 'user' %}{%- if loop.first and system_message is defined %}{{- ' [INST] ' + system_message + '\\n\\n'"
              " + message['content'] + ' [/INST]' }}{%- else %}{{- ' [INST] ' + message['content'] + ' [/INST]' }}{%- endif %}"
              "{%- elif message['role'] == 'assistant' %}{{- ' ' + message['content'] + eos_token }}{%- endif %}{%- endfor %}",
    "Mistral 7B 0.3": "{%- if messages[0][\"role\"] == \"system\" %}{%- set system_message = messages[0][\"content\"] %}{%- set turns = messages[1:] %}"
              "{%- else %}{%- set turns = messages %}{%- endif %}{{- bos_token }}{%- for message in turns %}" + ALTERNATE +
              "{%- if message[\"role\"] == \"user\" %}{%- if loop.last and system_message is defined %}{{- \"[INST] \" + system_message + \"\\n\\n\""
              " + message[\"content\"] + \"[/INST]\" }}{%- else %}{{- \"[INST] \" + message[\"content\"] + \"[/INST]\" }}{%- endif %}"
              "{%- elif message[\"role\"] == \"assistant\" %}{{- \" \" + message[\"content\"]|trim + eos_token }}{%- endif %}{%- endfor %}",
    "Zephyr": "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\\n' + message['content'] + eos_token }}\n"
              "{% elif message['role'] == 'system' %}\n{{ '<|system|>\\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n"
              "{{ '<|assistant|>\\n' + message['content'] + eos_token }}\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n"
              "{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}",
}


def conversations():
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(OUT / "gpt2.json"), bos_token="<s>", eos_token="</s>")
    cases = []
    for name, template in TEMPLATES.items():
        for messages in [USER, TURNS, SYSTEM + USER, SYSTEM + TURNS, TURNS + USER, TURNS[1:]]:
            case = {"name": name, "template": template, "messages": messages, "rendered": None}
            try:
                case["rendered"] = tokenizer.apply_chat_template(
                    messages, chat_template=template, tokenize=False, add_generation_prompt=True)
            except Exception:  # The template refuses the conversation.
                pass
            cases.append(case)
    return cases


def write(name, value):
    (OUT / name).write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    random.seed(SEED)
    for name in ["gpt2", "smollm", "llama3", "qwen2", "prefix"]:
        write(f"{name}.cases.json", byte_level(name))
    for name in ["sp-bpe", "sp-unigram"]:
        write(f"{name}.cases.json", sentence_piece(name))
    write("conversations.json", conversations())
    for name in ["marks-first", "marks-legacy", "marks-gemma", "marks-words"]:
        write(f"{name}.cases.json", character_pairs(name))
    for name in ["unigram-bytes", "unigram-words"]:
        write(f"{name}.cases.json", unigram(name))


if __name__ == "__main__":
    main()
