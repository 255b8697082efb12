"""The table of costs in docs/adapters.md."""

from lib import docs_block
from loads import builds

NAME = "costs of methods, written by tools/method-costs"
KINDS = ("one", "eight")
HEADS = ["method", "settings", "one adapter, 8 rows", "8 adapters", "multiply-adds", "memory", "load"]


def percent(value):
    """Two digits, as people read them."""
    share = 100 * value
    return f"{share:.0f} %" if share >= 10 else f"{share:.2g} %"


def share(part, whole):
    return percent(part / whole) if whole else "–"


def speed(result):
    return f"{result['of_base']:.2f} ({result['tokens_per_second']:.0f})"


def size(count):
    return f"{count / 1e6:.0f} MB" if count >= 1e7 else f"{count / 1e6:.1f} MB" if count >= 1e5 else \
        f"{count / 1e3:.0f} kB"


def seconds(value):
    return f"{value:.1f} s" if value >= 1 else f"{1000 * value:.0f} ms"


def row(entry):
    facts = entry["facts"]
    one, eight = entry.get("one"), entry.get("eight")
    return [
        entry["title"], entry["settings"], speed(one) if one else "–", speed(eight) if eight else "–",
        share(facts["multiply_adds"], facts["multiply_adds_of_layers"]), size(facts["memory_bytes"]),
        seconds(one["load_seconds"]) if one else "–"]


def of_one_build(results, wanted=None):
    """The results with the figures of one build alone. Raises MixedBuilds where that is not one."""
    build = builds.only_build(
        [entry[kind] for entry in results["methods"] for kind in KINDS if kind in entry], wanted)
    return results | {"methods": [
        {key: value for key, value in entry.items() if key not in KINDS or builds.key_of(value) == build}
        for entry in results["methods"]]}


def settings_text(results, figures):
    """With what the figures were measured: as they say, or as the file says of those that don't."""
    machine = results.get("machine", {})
    known = {(p["prompt"], p["generate"], p["rounds"], p["processor"], p["threads"], figure["at"][:10])
             for figure in figures for p in [figure.get("parameters")] if p}
    return [f"SmolLM2-135M's shapes in bf16, prompts of {prompt} tokens, {generate} new ones; base and adapters in turns, "
            f"median of {rounds} pairs; {processor}, {threads} threads, {date}."
            for prompt, generate, rounds, processor, threads, date in sorted(known) or [
                (results["prompt"], results["generate"], results["rounds"], machine["processor"],
                 machine["threads"], machine["date"])]]


def build_text(results, figures):
    """Of which build the figures are."""
    key = builds.key_of(figures[0])
    if key == builds.UNRECORDED:
        return [results.get("build_note", "The figures don't say which build they are of.")]
    return [f"Of {builds.name_of(key)}."]


def text(results):
    """What stands between the marks."""
    figures = [entry[kind] for entry in results["methods"] for kind in KINDS if kind in entry]
    lines = []
    if figures:
        base = sorted(figure["base_tokens_per_second"] for figure in figures)
        lines += [
            f"Decoding of 8 rows with adapters, as a share of the base alone ({base[len(base) // 2]:.0f} tokens/s in the "
            "median; in brackets the adapters' tokens/s).",
            *settings_text(results, figures),
            "Multiply-adds of a row are relative to the layers that the method changes; memory and load time are one "
            "adapter's.",
            *build_text(results, figures), ""]
    lines.append(docs_block.table(HEADS, map(row, results["methods"])))
    return "\n".join(lines)
