"""Writes which chat templates Graft knows, and what jinja2 makes of them.

    tools/reference chat-templates DIRECTORY …

Each template found in the directories and in this repository becomes a format (formats.py) if that format writes exactly
what jinja2 writes under transformers' settings: over conversations with and without system messages, in several orders of
roles, with white space around contents, and with every text of the template itself inside the contents. Of a template
only its hash is kept. Writes Sources/Tokenization/ChatTemplates/KnownChatTemplates.swift and
Tests/TokenizationTests/Fixtures/chat-formats.json. SmolLM2's template is read from the GGUF of tools/fetch_model.sh.

The committed table was made of llama-cpp-python 0.3.36 (vendor/llama.cpp: models/templates, tests/test-chat-template.cpp)
and of what these repositories have in November 2026: huggingface.js (packages/jinja/test/e2e.test.js), trl
(trl/chat_templates), axolotl (utils/chat_templates), unsloth (chat_templates.py), chujiezheng/chat_templates.
"""

import hashlib
import json
import pathlib
import re
import subprocess
import sys

from transformers.utils.chat_template_utils import _cached_compile_jinja_template as compiled

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from chat_templates import formats, harvest  # noqa: E402
from chat_templates.formats import Refused, message  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]
TABLE = ROOT / "Sources/Tokenization/ChatTemplates/KnownChatTemplates.swift"
# Prompts of pages are their makers' prose, which doesn't belong here: such templates aren't in the table.
LONGEST_TEXT = 120
FIXTURE = ROOT / "Tests/TokenizationTests/Fixtures/chat-formats.json"
OWN = ["tools/references/make_goldens.py", "tools/goldens/own_tokenizers.py", "Tests/TokenizationTests/Fixtures/conversations.json", "models",
       "Tests/Goldens/tokenizers"]
TODAY = "03 Feb 2031"


def normalised(text):
    """What jinja2 itself does not tell apart: line ends, and one of them at the end."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text[:-1] if text.endswith("\n") else text


def fingerprint(text):
    return hashlib.sha256(normalised(text).encode()).hexdigest()


class Template:
    def __init__(self, text):
        self.text, self.code = text, compiled(text)

    def render(self, messages, beginning="{bos}", end="{eos}"):
        def strftime_now(pattern):
            if pattern != "%d %b %Y":
                raise Refused
            return "{today}"
        special = {}
        if beginning is not None:
            special["bos_token"] = beginning
        if end is not None:
            special["eos_token"] = end
        try:
            return self.code.render(
                messages=[dict(each) for each in messages], tools=None, documents=None, add_generation_prompt=True,
                strftime_now=strftime_now, **special)
        except Exception as error:
            raise Refused from error

    def literals(self):
        found = {match[1] or match[2] for match in re.finditer(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", self.text, re.S)}
        return sorted(text.replace("\\n", "\n") for text in found if text and len(text) <= 80)


def short_conversations():
    """A few of them, for the fixture."""
    for messages in list(conversations())[:25:2]:
        yield [message(each["role"], each["role"][0].upper()) for each in messages]
    for text in (" \n x \t", "", "\u00a0\u001cx\u200b\u3000"):
        yield [message(role, text) for role in ("system", "user", "assistant", "user")]


def conversations(literals=()):
    """Of texts that templates have been seen to look for, and of `literals`."""
    s, u, a, v, t = (message(*pair) for pair in [
        ("system", "Be brief."), ("user", "Hello, who\nare you?"), ("assistant", "A model."), ("user", "And now?"),
        ("tool", '{"found": 1}')])
    orders = [[u], [u, a, v], [s, u], [s, u, a, v], [u, a], [s, u, a], [u, a, v, a, u], [s], [a], [a, u], [u, v], [s, u, v],
              [u, a, a], [u, s], [u, s, a, v], [s, s, u], [s, a, u], [u, a, s, v], [u, a, t], [u, a, t, v], [u, a, t, t, a, v],
              [s, u, a, t, a], [t, u], [u, t], [s, u, a, v, a, u, a, v]]
    yield from orders
    spaced = [" \n x y \t", "", "  ", "\n", "\u00a0x\u3000", "\u001cx\u001f", "\u200bx\ufeff", "x\r\ny"]
    texts = spaced + ["a</think>b", "<think>a</think>b", "<tool_response>x</tool_response>", "<<SYS>>\nx\n<</SYS>>\n\ny",
                      "/no_think", "/think", "[INST] x [/INST]", "{{ x }}", "{% if x %}", "'\"\\n&<>", "é 你 👍", "None", "[]"]
    for text in texts:
        for role in ("system", "user", "assistant", "tool"):
            for order in ([s, u, a, v], [u, a, v], [s, u], [u], [u, a, t, v], [u, a, s, v], [u, a]):
                if any(each["role"] == role for each in order):
                    yield [message(role, text) if each["role"] == role else each for each in order]
    for literal in literals:
        for text in (literal, literal + "x", "x" + literal, f"x {literal} y"):
            for role in ("system", "user", "assistant"):
                yield [message(role, text) if each["role"] == role else each for each in [s, u, a, v]]
            yield [message("user", text)]


def text_of(write, messages):
    try:
        return write(messages)
    except Refused:
        return None


def agrees(found, template):
    """Whether the format writes what the template writes, refuses what it refuses, and takes what users send."""
    for messages in conversations(template.literals()):
        own = text_of(lambda each: formats.write(found, each), messages)
        if own is not None and own != text_of(template.render, messages):
            return False
    return all(takes(found, template, messages) for messages in list(conversations())[:5])


def takes(found, template, messages):
    """A conversation that the template refuses, or of which it leaves something out, may be refused."""
    other = text_of(template.render, messages)
    if other is None or not all(each["content"].strip() in other for each in messages):
        return True
    return text_of(lambda each: formats.write(found, each), messages) == other


def known(text):
    # Tokens that a template isn't given here, and gaps that programs fill in before it is one.
    if re.search(r"\b(pad|unk|cls|sep|mask)_token\b|\{\w+\}", text):
        raise Refused
    template = Template(text)
    user = [message("user", "x"), message("assistant", "y"), message("user", "z")]
    needs = dict(
        needs_beginning=text_of(lambda each: template.render(each, beginning=None), user) is None,
        needs_end=text_of(lambda each: template.render(each, end=None), user) is None)
    for prompts_after_answer in (True, False):
        try:
            found = formats.infer(template.render, prompts_after_answer)
        except Refused:
            continue
        for candidate in narrowed(formats.dataclasses.replace(found, **needs)):
            if agrees(candidate, template) and longest_text(candidate) <= LONGEST_TEXT:
                return candidate, template
    raise Refused


def longest_text(found):
    """Characters of the longest text that a format writes by itself."""
    def lengths(value):
        if isinstance(value, str):
            return [len(value)]
        values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        return [length for each in values for length in lengths(each)]
    return max(lengths(json.loads(described(found))), default=0)


def narrowed(found):
    """The format, then with rules that refuse more."""
    replace = formats.dataclasses.replace
    few = ("user", "assistant")
    for omits_empty_system in (False, True):
        for needs_turn in (False, True):
            for alternates in (False, True)[found.alternates:]:
                for roles in (few + ("system", "tool"), few + ("system",), few + ("tool",), few):
                    turns = tuple(turn for turn in found.turns if turn[0] in roles)
                    yield replace(
                        found, turns=turns, alternates=alternates, needs_turn=needs_turn,
                        omits_empty_system=omits_empty_system)


def smollm2():
    import gguf

    path = subprocess.run([ROOT / "tools/fetch_model.sh"], check=True, capture_output=True, text=True).stdout.strip()
    return gguf.GGUFReader(path).fields["tokenizer.chat_template"].contents()


def described(found):
    """As ChatFormat+JSON.swift reads it; what a format hasn't is left out."""
    def turn(each):
        return [each.before, each.after] + (["trim"] if each.trims else [])

    entry = {"name": found.name}
    if found.opening:
        entry["opening"] = found.opening
    if found.without_system:
        entry["without_system"] = found.without_system
    if isinstance(found.system, formats.Turn):
        entry["system"] = turn(found.system)
    elif found.system:
        entry["system_in_user"] = turn(found.system)
        entry["place"] = found.system.place
    entry["turns"] = {role: turn(each) for role, each in found.turns}
    entry["generation"] = found.generation
    flags = ["trims_system_with_user", "omits_empty_system", "needs_turn", "alternates", "needs_beginning", "needs_end"]
    for flag in flags:
        if getattr(found, flag):
            entry[flag] = True
    if not found.prompts_after_answer:
        entry["prompts_after_answer"] = False
    return json.dumps(entry, ensure_ascii=False)


def write_table(entries):
    lines = []
    for found, hashes in entries:
        last = None
        for digest, name in sorted(hashes.items(), key=lambda each: (each[1], each[0])):
            if name != last:
                lines.append(f"# {name}")
            lines.append(digest)
            last = name
        lines.append(described(found))
    assert not any('"""#' in line for line in lines)
    TABLE.write_text(
        "/// The chat templates that are known: SHA-256 of their texts, and what each writes.\n///\n"
        "/// Written by tools/goldens/chat_templates, which compares each with jinja2; not edited by hand.\n"
        "enum KnownChatTemplates {\n"
        "    /// Hashes, a line each, and behind them the format that templates of these hashes have, as JSON.\n"
        '    static let table = #"""\n' + "".join(f"        {line}\n" for line in lines) + '        """#\n}\n', encoding="utf-8")


def main():
    entries, representatives, refused = {}, {}, []
    sources = list(harvest.templates([ROOT / path for path in OWN] + sys.argv[1:])) + [("SmolLM2", smollm2())]
    for name, original in sources:
        for index, text in enumerate(dict.fromkeys(harvest.variants(original))):
            try:
                found, template = known(text)
            except Refused:
                if index == 0:
                    refused.append(name)
                continue
            except Exception as error:  # jinja2 can't compile it.
                if index == 0:
                    refused.append(f"{name} ({type(error).__name__})")
                continue
            entries.setdefault(found, {}).setdefault(fingerprint(text), name)
            representatives.setdefault(found, template)
    ordered = sorted(entries.items(), key=lambda each: (each[0].name, -len(each[1]), sorted(each[1])))
    write_table(ordered)
    cases = []
    for found, hashes in ordered:
        template = representatives[found]
        texts = []
        for messages in short_conversations():
            own = text_of(lambda each: formats.write(found, each), messages)
            if own is not None:
                own = template.render(messages)
            texts.append(own and own.replace("{bos}", "<s>").replace("{eos}", "</s>").replace("{today}", TODAY))
        cases.append({"hash": sorted(hashes)[0], "name": found.name, "texts": texts})
    FIXTURE.write_text(json.dumps({
        "metadata": {"generator": "tools/goldens/chat_templates"}, "today": TODAY,
        "conversations": [[[each["role"], each["content"]] for each in messages] for messages in short_conversations()],
        "formats": cases}, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{sum(map(len, entries.values()))} texts of {len(entries)} formats are known; not: {', '.join(sorted(set(refused)))}")


if __name__ == "__main__":
    main()
