"""The tables of the page, from the results."""

import datetime

from loads.builds import UNRECORDED, key_of
from loads.summary import median

KERNEL_ROWS = {
    "small": [("prefill", "prefill 512"), ("decode", "decode"), ("batch", "16 sequences, decode")],
    "large": [("large-prefill", "prefill 256"), ("large-decode", "decode")],
}
WEIGHT_NAMES = {"bf16": "bf16", "q8": "8-bit (Q8_0)", "q4": "4-bit (Q4_0)"}
NOTES = """Every figure is the median, with lowest and highest run in brackets where there were several. “Ratio” is Graft over the
fastest peer. “Of reads” is the share of the memory reads measured just before a run that Graft's decoding would
need if every token read every weight once; more than 100 % where memory was faster in the run. OpenVINO gets the
bf16 weights as f16, because its reader of GGUF knows no bf16. vLLM and PEFT compute in f32 on processors without
bf16 products, where that is faster for them."""


def engines(data):
    """The engines that could be set up, Graft first, those that guess last."""
    found = [name for name, about in data["engines"].items() if about["available"]]
    return sorted(found, key=lambda name: guesses(data, name))


def guesses(data, engine):
    """Whether the engine guesses tokens: what that gives depends on the text more than on the engine."""
    return data["engines"][engine].get("guesses", False)


def peers(data):
    """Engines that are not Graft and don't guess, other settings of them included."""
    return [name for name in engines(data)
            if "graft" not in (name, variant_of(data, name)) and not guesses(data, name)]


def variant_of(data, engine):
    """The engine of which this one is another setting, or None."""
    return data["engines"][engine].get("variant_of")


def title(data, engine):
    return data["engines"][engine]["title"]


def values(data, row, engine, key="value"):
    samples = data["rows"].get(row, {}).get("samples", {}).get(engine, [])
    return [sample[key] for sample in samples]


def value(data, row, engine, key="value"):
    """The median of a row's samples, or None."""
    found = values(data, row, engine, key)
    return median(found) if found else None


def number(amount):
    return f"{amount:.0f}" if amount >= 100 else f"{amount:.1f}"


def cell(data, row, engine):
    found = values(data, row, engine)
    if not found:
        return "–"
    text = number(median(found)) + (" †" if apart(data, row, engine) else "")
    return text if len(found) == 1 else f"{text} ({number(min(found))}–{number(max(found))})"


def table(head, lines):
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def ratio(data, row):
    """Graft over the best peer, and over nobody when there is no peer."""
    ours = value(data, row, "graft")
    theirs = [value(data, row, engine) for engine in peers(data)]
    theirs = [speed for speed in theirs if speed is not None]
    return f"**{ours / max(theirs):.2f}**" if ours is not None and theirs else "–"


def kernel_table(data, model):
    shown = [e for e in engines(data)
             if any(values(data, f"{prefix}-{w}", e)
                    for prefix, _ in KERNEL_ROWS[model] for w in WEIGHT_NAMES)]
    lines = []
    for prefix, words in KERNEL_ROWS[model]:
        for weights, name in WEIGHT_NAMES.items():
            row = f"{prefix}-{weights}"
            if row not in data["rows"]:
                continue
            lines.append([f"{words}, {name}", *(cell(data, row, e) for e in shown),
                          ratio(data, row), share_of_reads(data, row, model, weights)])
    if not lines:
        return "Not measured yet."
    return table(["", *(title(data, e) for e in shown), "ratio", "of reads"], lines)


def share_of_reads(data, row, model, weights):
    if "decode" not in row or "models" not in data or not data["limits"]:
        return ""
    samples = data["rows"].get(row, {}).get("samples", {}).get("graft", [])
    if not samples:
        return "–"
    each = data["models"]["bytes"][f"{model}-{weights}"]
    shares = [sample["value"] * each / reads_before(data, sample) for sample in samples]
    return f"{100 * median(shares):.0f} %"


def reads_before(data, sample):
    """Bytes a second that memory gave when it was last measured before the sample: from hour to hour
    it gives half or twice as much."""
    earlier = [limit for limit in data["limits"] if limit["time"] <= sample["at"]]
    return max(earlier, key=lambda limit: limit["time"], default=data["limits"][0])["read_gb_s"] * 1e9


def server_table(data):
    lines = []
    for row, words in [("server-base", "no adapter"), ("server-loras", "8 LoRAs")]:
        for engine in engines(data):
            samples = values(data, row, engine)
            if not samples:
                continue
            speed = median(samples)
            # Those that guess are compared with Graft when it guesses.
            like = "graft-guessing" if guesses(data, engine) else "graft"
            ours = value(data, row, like) if like in data["engines"] else None
            factor = "" if engine == like or ours is None else f"{ours / speed:.1f}"
            seconds = [f"{value(data, row, engine, key):.2f} s" for key in
                       ["latency_p50", "latency_p95", "first_token_p50", "first_token_p95"]]
            lines.append([words, title(data, engine), cell(data, row, engine), *seconds, factor,
                          str(len(samples))])
    if not lines:
        return "Not measured yet."
    return table(["", "", "tokens/s", "latency p50", "p95", "first token p50", "p95",
                  "Graft is faster by", "runs"], lines)


def headline(data):
    """How much faster Graft is where every client has an adapter of its own."""
    ours = value(data, "server-loras", "graft")
    factors = [f"{ours / value(data, 'server-loras', e):.1f} times {title(data, e)}"
               for e in peers(data)
               if variant_of(data, e) is None and ours is not None
               and values(data, "server-loras", e)]
    if not factors:
        return ""
    guessing = [f"{title(data, variant_of(data, e))} {number(value(data, 'server-loras', e))}"
                for e in engines(data) if guesses(data, e) and values(data, "server-loras", e)]
    more = f" With guesses, which are often right in this load: {', '.join(guessing)}." if guessing else ""
    return ("**With eight clients, each with an adapter of its own, Graft makes "
            f"{number(ours)} tokens/s:** {', '.join(factors)}.{more}")


def apart(data, row, engine):
    """Whether the engine's samples of a row are of other runs than Graft's, so not in turns with them."""
    samples = data["rows"].get(row, {}).get("samples", {})
    ours, theirs = samples.get("graft", []), samples.get(engine, [])
    if engine == "graft" or not ours or not theirs:
        return False
    if all("run" in sample for sample in ours + theirs):
        return {sample["run"] for sample in ours} != {sample["run"] for sample in theirs}
    # Runs without a name: those of another hour.
    return any(min(distance(one, other) for other in ours) > datetime.timedelta(hours=1) for one in theirs)


def distance(one, other):
    return abs(datetime.datetime.fromisoformat(one["at"]) - datetime.datetime.fromisoformat(other["at"]))


def turns_text(data):
    """Which figures were not measured in turns with Graft's."""
    found = {}
    for engine in engines(data):
        rows = [row for row in data["rows"] if apart(data, row, engine)]
        if rows:
            found[engine] = f"{title(data, engine)} ({row_names(data, rows)})"
    if not found:
        return ""
    return ("† Not in turns with Graft but in another run were measured: "
            f"{'; '.join(found.values())}. Their ratios are rough.")


def build_text(data):
    """Of which build the figures are."""
    samples = [s for row in data["rows"].values() for found in row["samples"].values() for s in found]
    if not samples:
        return ""
    if key_of(samples[0]) == UNRECORDED:
        return "**Build.** " + data.get("build_note", "The samples don't say which build they are of.")
    build = samples[0]["build"]
    changes = ", with changes that were not committed" if build["dirty"] else ""
    return (f"**Build.** All figures are of commit {build['commit'] or 'unknown'}{changes}; the graft program's "
            f"SHA-256 is {build['graft']}.")


def zipf_text(data):
    """Popularity that is not uniform."""
    found = [f"{title(data, e)} {number(value(data, 'adapters-64-zipf', e))}"
             for e in engines(data) if values(data, "adapters-64-zipf", e)]
    if not found:
        return ""
    return ("With 64 adapters whose popularity follows Zipf's law (exponent 1.5), 16 clients get, "
            f"in tokens/s: {', '.join(found)}.")


def engine_table(data):
    lines = []
    for about in data["engines"].values():
        if about["available"]:
            versions = ", ".join(f"{k} {v}" for k, v in about["versions"].items())
        else:
            versions = f"not available: {about['reason']}"
        lines.append([about["title"], escaped(versions), about["mixing"]])
    return table(["engine", "versions", "requests with different adapters"], lines)


def escaped(text):
    return text.replace("|", "\\|").replace("\n", " ")


def missing_text(data):
    """Rows that an engine has no figure for, gathered by reason."""
    reasons = {}
    for identifier, row in data["rows"].items():
        for engine, reason in row["missing"].items():
            reasons.setdefault((engine, reason), []).append(identifier)
        for engine in engines(data):
            if engine not in row["samples"] and engine not in row["missing"]:
                reasons.setdefault((engine, "left out of this run"), []).append(identifier)
    if not reasons:
        return "Nothing."
    return "\n".join(f"* {title(data, engine)}: {escaped(reason)} ({row_names(data, rows)})"
                     for (engine, reason), rows in reasons.items())


def row_names(data, rows):
    """Rows by name; kinds of rows of which none is left out of the list by their kind alone."""
    kinds = {}
    for identifier in data["rows"]:
        kinds.setdefault(identifier.split("-")[0], []).append(identifier)
    names = []
    for kind, members in kinds.items():
        named = [identifier for identifier in members if identifier in rows]
        names += [f"all {kind}"] if len(members) > 1 and named == members else named
    return ", ".join(names)


def checks_table(data):
    lines = []
    for key, found in data["checks"].items():
        engine, model, weights, adapter = key.split("/")
        like_base = str(found["like_base"]) if "like_base" in found else ""
        lines.append([data["engines"].get(engine, {}).get("title", engine),
                      f"{model}, {weights}, {adapter}", f"{found['equal']} of {found['tokens']}",
                      like_base, "yes" if found["ok"] else "no"])
    if not lines:
        return ""
    return table(["engine", "model", "tokens equal", "equal to the base's", "accepted"], lines)
