"""Writes what Python's `re` says of many patterns: Tests/Goldens/python-expressions.json.

    tools/reference python-expressions

Each pattern is matched as PEFT matches target_modules (`fullmatch`) and keys of rank_pattern (`match` of
`(.*\\.)?(KEY)$`) against names of modules and some odd texts. A row holds the pattern, the numbers of the texts
that match in both ways, and the error in their place where Python refuses the pattern. Patterns are written by
hand, and drawn from a grammar with a fixed seed.
"""

import json
import pathlib
import platform
import random
import re
import warnings

warnings.simplefilter("ignore")
ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXTS = [
    "model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.k_proj", "model.layers.1.self_attn.v_proj",
    "model.layers.10.mlp.down_proj", "model.layers.2.input_layernorm", "model.norm", "model.embed_tokens", "lm_head",
    "q_proj", "Q_PROJ", "layers.1", "aab", "abab", "aa", "", "a\n", "a\nb", "\n", "a-b c", "é1", "ſ", "K", "k", "½", "٣", "\x1d",
    "\xa0", "a]b", "a{1}", "\\", "#a", "x y", "0", "\x08", "\x07", "\x00", "Ab", "aXb",
]
HAND = r"""
.*q_proj | .*\.(q|v)_proj | model\.layers\.\d+\.self_attn\.(q_proj|k_proj) | (?i).*Q_PROJ | (?i:Q)_proj | q_proj\Z | q_proj\z
q_proj$ | ^q_proj$ | a$ | a$\n | a\Z\n? | (?m)a$ | (?m)^b | (?m)a$\nb | (?m)^ | a\n^ | (?m)a\n^ | (?s).* | .* | (?s:.)+ | .+
(?P<n>a)(?P=n)b | (?P<n>a)\1b | (?P<n>a)(?P<n>b) | (?<n>a) | (?P>n) | (?P=n) | (a)\2 | (a\1) | (?:a)(?=b) | (?=a)*a | (?!a).*
(?<=a)b | a(?<=a)b | a(?<=a|ab)b | (?<=a+)b | (?<=(a)b)c | a(?<!b)b | (?<!a|b)a | (?<=(a)\1)b | (?<=\Aa)b | (?>a+)b | a++b | a*+a
a{2}b | a{,2}b | a{0,}b | a{2,1} | a{,} | a{1}{2} | a** | a*? | a*+ | a?? | *a | +a | a|*b | {1}a | a{1 | a{x} | a\{1\} | a{1} | ^* | $* | \b*
\d+ | \D+ | \w+ | \W+ | \s | \S+ | [\d] | [\w]+ | [\W]+ | [^\W]+ | [\s] | [\S]+ | [^\s]+ | (?a)\w+ | (?a)\d | (?a)\s | (?a)[\W]+ | (?a:\w)+ | (?u)\w+
\bq_proj\b | .*\bproj | .*\Bproj | \B | \b | a\B.* | \B.* | (?a)\bé1 | \h+ | \R | \K | a\Kb | \X | \G | \Q | \E | \p{L} | \N | \N{DIGIT ONE} | \C
\0 | \00 | \07 | \010 | \012 | \x41b | \x4 | \u0041b | \u004 | \U00000041b | \U00110000 | \101b | \377 | \400 | \8 | \07a | [\101]b | [\8] | [\400] | \a | [\b] | \e | \cA | \-
[[] | [[:alpha:]] | [[:alpha:]]+ | []a]+ | [^]]+ | a[]]b | [a-] | [-a] | [a-\d] | [\d-a] | [z-a] | [a | [] | [^] | [a&&b]+ | [a--b] | [a||b] | [a~~b] | [\]] | [a\-b]+ | a-b[ ]c
(?#comment)a+b | (?#open | (?x) a a b # all | (?x:a\ a)b | (?x)[ #]a | (?x)a {2} b | (?x: a ) b | x(?i)y | (?i)a|(?i)b | (a)(?i) | (?i)(?s)a.* | (?is)A.* | (?L)a | (?au)a | (?z)a | (?i-s:A)ab | (?-i:a)ab | (?i-i:a) | (?-a:a) | (?-:a) | (?i-:a) | (?^a) | (?i
(?|a|b) | (?R) | (?1) | (?&n) | (?C) | (?'n'a) | (*ACCEPT) | (*UTF)a | (?(1)a|b) | (a)?(?(1)ab|b) | (?P<n>a)?(?(n)ab|b) | (?(n)a|b) | (?(2)a|b)(a) | (a)(?(1)a|b|c) | (?()a) | (?(x y)a) | (?(0)a) | ((?(1)a|b))
(a | a) | (a)) | (?:a | () | (|a)ab | (a|)ab | a||b | (?P<1a>a) | (?P<a b>a) | (?P<>a) | (?P<é>é)1 | (?P<n | (?Pn) | (?P | (? | \ | (a)|b\1 | (?:a|ab)(?:b|ab) | (a|ab)(c|bab)? | (a*)*b | (a*)+b | (?:a?){3}b | (.)\1b | (?i)(a)\1B
(?i)ſ | (?i)s | (?i)k | (?ai)k | (?i)[k] | (?i)É1 | ½ | [½] | \½ | é\d | .\n | a\
b | model\.(?!layers).* | .*layers\.(0|[12])\..* | .*\.layers\.\d{1,2}\.(?:mlp|self_attn)\..* | ^(?!.*norm).*$ | (?:.*\.)?(?:q|k)_proj | model.layers.0.self_attn.q_proj
"""


def drawn(generator, depth=0):
    """A pattern of a small grammar, most of them right."""
    def atom():
        kind = generator.randrange(22 if depth < 3 else 14)
        if kind < 6:
            return generator.choice(["a", "b", "q", "_", "1", ".", "\\.", "é", "-", " "])
        if kind < 8:
            return generator.choice(["\\d", "\\w", "\\W", "\\s", "\\D", "\\S", "\\b", "\\B", "\\A", "\\Z", "^", "$"])
        if kind < 11:
            inner = "".join(generator.choice(["a", "b", "a-c", "\\d", "\\w", "\\W", "]", "^", "-", "[", "_", "\\."])
                            for _ in range(generator.randrange(1, 4)))
            return f"[{generator.choice(['', '^'])}{inner}]"
        if kind < 12:
            return f"\\{generator.randrange(1, 4)}"
        if kind < 14:
            return generator.choice(["proj", "model", "layers", "aa", "ab"])
        opening = generator.choice(["(", "(", "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?s:", "(?m:", "(?-i:", "(?(1)"])
        return opening + drawn(generator, depth + 1) + ")"

    def item():
        quantifier = generator.choice([""] * 7 + ["*", "+", "?", "*?", "+?", "??", "*+", "++", "?+", "{2}", "{,2}", "{1,}", "{0,2}?", "{1,2}+", "**"])
        text = atom()
        # Python's time would have no end where groups with repeats are repeated.
        if text.endswith(")") and quantifier[:1] in ("*", "+"):
            quantifier = "?"
        return text + quantifier

    text = "|".join(
        "".join(item() for _ in range(generator.randrange(1, 5))) for _ in range(generator.choice([1, 1, 1, 2])))
    if depth == 0 and generator.random() < 0.15:
        text = generator.choice(["(?i)", "(?s)", "(?m)", "(?a)", "(?x)", "(?im)"]) + text
    if depth == 0 and generator.random() < 0.4:
        text = ".*" + text
    return text


def matched(pattern, match):
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return [number for number, text in enumerate(TEXTS) if match(compiled, text)]


def main():
    patterns = [part for line in HAND.strip("\n").split("\n") for part in line.strip(" ").split(" | ")]
    generator = random.Random(19)
    refused, taken = 0, 0
    while taken < 1200:
        pattern = drawn(generator)
        answer = matched(pattern, lambda compiled, text: compiled.fullmatch(text))
        if isinstance(answer, str):
            refused += 1
            if refused <= 300:
                patterns.append(pattern)
        elif answer or generator.random() < 0.3:
            taken += 1
            patterns.append(pattern)
    rows = [{
        "pattern": pattern,
        "whole": matched(pattern, lambda compiled, text: compiled.fullmatch(text)),
        "key": matched(rf"(.*\.)?({pattern})$", lambda compiled, text: compiled.match(text)),
    } for pattern in dict.fromkeys(patterns)]
    target = ROOT / "Tests/Goldens/python-expressions.json"
    lines = ",\n".join("  " + json.dumps(row, ensure_ascii=True) for row in rows)
    target.write_text(
        '{"metadata": %s,\n "texts": %s,\n "rows": [\n%s\n]}\n' % (
            json.dumps({"generator": "tools/goldens/python_expressions.py", "python": platform.python_version(), "seed": 19}),
            json.dumps(TEXTS), lines), encoding="utf-8")


if __name__ == "__main__":
    main()
