"""Finds chat templates in files: whole `.jinja` files, and strings of Python, JavaScript, C++ and JSON sources."""

import ast
import json
import pathlib
import re


def unescaped(text):
    """A string literal's text; C++, JavaScript and JSON write the escapes that matter here alike."""
    plain = {"n": "\n", "t": "\t", "r": "\r", "\n": ""}
    return re.sub(
        r"\\(u[0-9a-fA-F]{4}|.)",
        lambda match: chr(int(match[1][1:], 16)) if len(match[1]) > 1 else plain.get(match[1], match[1]), text, flags=re.S)


def strings(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jinja":
        yield f"{path.parent.name}/{path.stem}", text
    elif path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path.parent.name}/{path.stem}", node.value
    elif path.suffix == ".json":
        def walk(value):
            if isinstance(value, str):
                yield value
            elif isinstance(value, (dict, list)):
                for each in value.values() if isinstance(value, dict) else value:
                    yield from walk(each)
        for value in walk(json.loads(text)):
            yield f"{path.parent.name}/{path.stem}", value
    else:
        name = path.stem
        for match in re.finditer(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`', text, re.S):
            value = unescaped(match[1] if match[1] is not None else match[2])
            if re.fullmatch(r"[\w.-]+/[\w.-]+", value) or text[:match.start()].endswith(".name= */ "):
                name = value
            yield name, value


def templates(paths):
    """Name and text of everything that looks like a template, each text once."""
    seen = set()
    for root in paths:
        root = pathlib.Path(root)
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if not path.is_file() or path.suffix not in (".jinja", ".py", ".js", ".cpp", ".json"):
                continue
            for name, text in strings(path):
                if "messages" in text and "{" in text and "%}" in text and len(text) < 65_536 and text not in seen:
                    seen.add(text)
                    yield name, text


def variants(text):
    """The same template with line breaks in its literals written the other way."""
    yield text
    yield text.replace("\\n", "\n")
    yield re.sub(
        r"\{[{%].*?[}%]\}",
        lambda tag: re.sub(
            r"'[^']*'|\"[^\"]*\"", lambda literal: literal[0].replace("\n", "\\n"), tag[0]), text, flags=re.S)
