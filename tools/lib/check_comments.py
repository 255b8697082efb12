"""Checks that lines of Swift and C sources end by column 100, comments included, which the formatter leaves.

    tools/lib/check_comments.py          a line for each that is longer; ends with 1 where there are any
    tools/lib/check_comments.py --fix    wraps paragraphs anew where a line is too long

Names of tensors with their shapes beside each other, which are indented by four more, and addresses may be
longer.
"""

import pathlib
import re
import sys

COLUMNS = 100
ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMENT = re.compile(r"^(\s*)(///?)(?: (.*))?$")
# What begins anew: list items, bold heads, headings.
ITEM = re.compile(r"^(?:- |\* |\d+\. |\*\*|#|>)")


def sources():
    for folder in ("Sources", "Tests"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".swift", ".c", ".h", ".cpp") and "Goldens" not in path.parts:
                yield path


def long_comments(path):
    inside = False
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        text = line.strip()
        starts = text.startswith(("//", "/*"))
        is_comment = starts or inside
        if path.suffix != ".swift":
            inside = (inside or text.startswith("/*")) and "*/" not in text
        is_table = re.match(r"(?:///?|\*)    ", text) is not None
        if len(line) > COLUMNS and is_comment and not is_table and not line.endswith("\\"):
            if "://" not in text:
                yield number, len(line)


def wrapped(indent, mark, paragraph, hanging):
    """A paragraph's words in lines of at most 100 columns."""
    lines, current = [], ""
    for word in paragraph.split(" "):
        lead = f"{indent}{mark} " + (hanging if lines else "")
        if current and len(lead) + len(current) + 1 + len(word) > COLUMNS:
            lines.append(lead + current)
            current = word
        else:
            current = f"{current} {word}" if current else word
    lead = f"{indent}{mark} " + (hanging if lines else "")
    return [*lines, lead + current]


def rewrap(lines):
    """Lines of a file with paragraphs of comments wrapped anew where one of their lines is too long."""
    result, place, fenced = [], 0, False
    while place < len(lines):
        match = COMMENT.match(lines[place])
        text = match and match.group(3)
        if not match or not text:
            result.append(lines[place])
            fenced = False if not match else fenced
            place += 1
            continue
        if text.startswith("```"):
            fenced = not fenced
        if fenced or text.startswith(("```", "|", "    ")):
            result.append(lines[place])
            place += 1
            continue
        indent, mark = match.group(1), match.group(2)
        base = len(text) - len(text.lstrip())
        is_item = bool(re.match(r"^(?:- |\* |\d+\. )", text.lstrip()))
        hanging = " " * (base + (2 if is_item else 0))
        group, end = [text], place + 1
        while end < len(lines):
            other = COMMENT.match(lines[end])
            words = other and other.group(3)
            if not words or other.group(1) != indent or other.group(2) != mark:
                break
            depth = len(words) - len(words.lstrip())
            if ITEM.match(words.lstrip()) or words.startswith(("```", "|")) or depth != len(hanging):
                break
            group.append(words.strip())
            end += 1
        if any(len(line) > COLUMNS for line in lines[place:end]):
            result += wrapped(indent, mark, " ".join(part.rstrip() for part in group), hanging)
        else:
            result += lines[place:end]
        place = end
    return result


BLOCK = re.compile(r"^( *)/\*(?! \\)((?:.|\n)*?)\*/$", re.MULTILINE)


def rewrap_blocks(text):
    """A file's text with comments between /* and */ wrapped anew where one of their lines is too long."""
    def change(match):
        lines = match.group(0).split("\n")
        if all(len(line) <= COLUMNS for line in lines):
            return match.group(0)
        indent = match.group(1)
        mark = " * " if len(lines) > 1 and lines[1].lstrip().startswith("*") else "   "
        paragraphs, plain = [[]], True
        for line in match.group(2).split("\n"):
            words = re.sub(r"^ *\*(?: |$)", "", line) if mark == " * " else line.strip()
            plain = plain and not words.startswith("  ")
            if words.strip():
                paragraphs[-1].append(words.strip())
            elif paragraphs[-1]:
                paragraphs.append([])
        if not plain:
            return match.group(0)
        result = []
        for paragraph in filter(None, paragraphs):
            current = ""
            for word in " ".join(paragraph).split(" "):
                if current and len(indent) + 3 + len(current) + 1 + len(word) > COLUMNS - 3:
                    result.append(current)
                    current = word
                else:
                    current = f"{current} {word}" if current else word
            result += [current, ""]
        rows = [indent + ("/* " if number == 0 else mark) + row for number, row in enumerate(result[:-1])]
        return "\n".join(row.rstrip() for row in rows) + " */"

    return BLOCK.sub(change, text)


def main():
    if "--fix" in sys.argv[1:]:
        for path in sources():
            text = path.read_text(encoding="utf-8")
            changed = "\n".join(rewrap(text.split("\n")))
            if path.suffix != ".swift":
                changed = rewrap_blocks(changed)
            if changed != text:
                path.write_text(changed, encoding="utf-8")
    found = [f"{path.relative_to(ROOT)}:{number}: {length} columns, expected at most {COLUMNS}"
             for path in sources() for number, length in long_comments(path)]
    print("\n".join(found), file=sys.stderr, end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
