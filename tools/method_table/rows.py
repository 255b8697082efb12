"""Rows of the tables: goldens that are served alike, and forms that are refused."""

PLACES = {"beside": "{}", "input": "{} on the input", "output": "{} on the output",
          "after": "{} behind the layer", "instead": "{}", "front": "{} in front"}
HEADS = ["method", "served as", "merged", "mixed", "multiply-adds", "memory", "tested against", "goldens",
         "largest error", "merged"]
# Columns that the program's words alone decide.
FIXED = [0, 1, 2, 3, 6, 7]
REFUSED_HEADS = ["refused", "why", "goldens"]


def title(golden):
    name = f"`{golden.facts['peft_type']}`"
    return name if golden.group in ("methods", "older-peft") else f"{golden.method}, {name}"


def merging(facts):
    return "yes" if facts["merges"] else f"no: {facts['merge_obstacle']}"


def mixing(facts):
    """How the adapter combines with others."""
    if not facts["beside_others"]:
        return "alone"
    weight = "any weight" if facts["any_weight"] else "weight 1"
    return weight if facts["adds_up_with_its_kind"] else f"{weight}, one a place"


def forms(goldens):
    """Every form that occurs, in the order in which they are met."""
    found = []
    for golden in goldens:
        for entry in golden.facts["operators"]:
            text = PLACES[entry["place"]].format(entry["form"])
            if text not in found:
                found.append(text)
    return ", ".join(found)


def spread(values):
    """The smallest and the largest of some shares."""
    if not values:
        return "–"
    texts = [f"{100 * value:.2g}" if value < 0.1 else f"{100 * value:.0f}" for value in (min(values), max(values))]
    return (texts[0] if texts[0] == texts[1] else f"{texts[0]}–{texts[1]}") + " %"


def costs(peft_type, measured):
    """Multiply-adds and bytes of usual settings, as shares of the changed layers' own."""
    facts = [entry["facts"] for entry in measured if entry["facts"]["peft_type"] == peft_type]
    return [spread([f[part] / f[whole] for f in facts if f[whole]]) for part, whole in (
        ("multiply_adds", "multiply_adds_of_layers"), ("memory_bytes", "bytes_of_layers"))]


def largest(values):
    values = [value for value in values if value is not None]
    return f"{max(values):.0e}" if values else "–"


def served(goldens, measured):
    """A row for each way in which a method is served."""
    groups = {}
    for golden in goldens:
        if golden.facts is not None:
            key = (title(golden), merging(golden.facts), mixing(golden.facts))
            groups.setdefault(key, []).append(golden)
    rows = []
    for (name, merged, mixed), group in sorted(groups.items(), key=lambda item: item[0][0].lower()):
        variants = list(dict.fromkeys(golden.variant for golden in group))
        rows.append([
            name, forms(group), merged, mixed, *costs(group[0].facts["peft_type"], measured),
            group[0].reference, f"{len(group)}: {', '.join(variants)}",
            largest(golden.attached for golden in group), largest(golden.merged for golden in group)])
    return rows


def refused(goldens):
    """A row for each reason."""
    groups = {}
    for golden in goldens:
        if golden.facts is None:
            groups.setdefault((golden.method, golden.reason), []).append(golden.variant)
    rows = [[f"`{method}`", reason, ", ".join(names)] for (method, reason), names in groups.items()]
    return sorted(rows, key=lambda row: row[0].lower())


def without_rows(methods, rows):
    """Methods that the program says it serves, and that no row names."""
    return [method["peft_type"] for method in methods
            if not any(f"`{method['peft_type']}`" in row[0] for row in rows)]
