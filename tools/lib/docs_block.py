"""Blocks of a Markdown page that tools write: between `<!-- NAME -->` and `<!-- end of NAME -->`."""

import re


def marks(name):
    return f"<!-- {name} -->", f"<!-- end of {name} -->"


def read(page, name):
    """What stands in the block. Raises ValueError where the page has none."""
    start, end = marks(name)
    found = re.search(re.escape(start) + r"\n(.*?)\n?" + re.escape(end), page, re.DOTALL)
    if found is None:
        raise ValueError(f"the page has no block '{name}': it needs the lines {start} and {end}")
    return found.group(1)


def replaced(page, name, text):
    """The page with `text` in the block."""
    read(page, name)
    start, end = marks(name)
    before, rest = page.split(start, 1)
    after = rest.split(end, 1)[1]
    return f"{before}{start}\n{text.strip()}\n{end}{after}"


def table(heads, rows):
    """A Markdown table; cells' bars are escaped."""
    def line(cells):
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
    return "\n".join([line(heads), "|" + "---|" * len(heads), *map(line, rows)])
