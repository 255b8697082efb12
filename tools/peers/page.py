"""Writes the page and its plots from the results."""

import textwrap

from loads.places import replacing
from loads.summary import median

from . import tables
from .plots import distribution_plot, line_plot
from .rows import ADAPTERS, CLIENTS

PLOTS = {
    "clients-loras.svg": "Throughput over the number of clients with different LoRAs (8 at most)",
    "clients-base.svg": "Throughput over the number of clients, no adapter",
    "adapters.svg": "Throughput of 16 clients over the number of different LoRAs",
    "latency.svg": "Latency of 8 clients with 8 different LoRAs",
}


def write(data, folder, plots_under):
    """Writes `folder`/performance.md, and its plots in `folder`/`plots_under`."""
    plots = {name: text for name, text in plot_all(data).items() if text is not None}
    for name, text in plots.items():
        with replacing(folder / plots_under / name) as path:
            path.write_text(text, encoding="utf-8")
    with replacing(folder / "performance.md") as path:
        path.write_text(text_of(data, plots, plots_under), encoding="utf-8")


def plot_all(data):
    return {
        "clients-loras.svg": throughput(
            data, PLOTS["clients-loras.svg"], "clients", CLIENTS, "clients-{}-loras"),
        "clients-base.svg": throughput(
            data, PLOTS["clients-base.svg"], "clients", CLIENTS, "clients-{}-base"),
        "adapters.svg": throughput(
            data, PLOTS["adapters.svg"], "different adapters", ADAPTERS, "adapters-{}"),
        "latency.svg": latencies(data),
    }


def throughput(data, title, horizontal, ticks, pattern):
    series = []
    for engine in tables.engines(data):
        points = {tick: tables.value(data, pattern.format(tick), engine) for tick in ticks}
        points = {tick: value for tick, value in points.items() if value is not None}
        if points:
            series.append((engine, tables.title(data, engine), points))
    if not series:
        return None
    shown = [t for t in ticks if any(t in points for _, _, points in series)]
    return line_plot(title, horizontal, "new tokens/s", series, shown)


def latencies(data):
    series = []
    for engine in tables.engines(data):
        samples = data["rows"].get("server-loras", {}).get("samples", {}).get(engine, [])
        values = sorted(v for sample in samples for v in sample["latencies"])
        if values:
            series.append((engine, tables.title(data, engine), values))
    if not series:
        return None
    return distribution_plot(
        PLOTS["latency.svg"], "time until an answer of 64 tokens is complete", series)


def text_of(data, plots, plots_under):
    machine, models = data["machine"], data.get("models", {})
    parts = [
        "# Performance",
        "Written by `tools/compare-peers`; change that, not this page. All figures are tokens per "
        "second where nothing else is said, medians of runs in which the engines took turns (Graft, "
        "a peer, the next peer …); † marks figures of another run. Before an engine was timed, its greedy "
        "answers were compared with Graft's on the same weights.",
        "**A quick run**: shorter prompts and answers than this page says, one run of each."
        if data.get("quick") else "",
        tables.headline(data),
        tables.build_text(data),
        machine_text(data),
        "## One sequence, sixteen sequences",
        f"{models.get('small', '')}. Prefill: one prompt of 512 tokens. Decode: 128 tokens after a "
        "short prompt. 16 sequences: new tokens of all together.",
        tables.kernel_table(data, "small"),
        f"And {models.get('large', '')}; prompt of 256 tokens, 32 new tokens:",
        tables.kernel_table(data, "large"),
        tables.NOTES,
        "## A server under load",
        "8 clients; each sends a prompt of 64 tokens, waits for its 64 new tokens, and sends its "
        f"next prompt{load_text(data)}. SmolLM2 in bf16, without adapter and with 8 different adapters, one for each "
        f"client ({models.get('adapters', '')}). The clients run on the same machine. Latency is the time "
        "until an answer is complete. First come the figures without guessing. After prompts of random tokens "
        "greedy answers repeat themselves, so that guesses from their own text are often right: engines that "
        "can guess so were measured so as well, and are compared with Graft when it guesses; [what it gives on "
        "other texts](scaling.md#guessed-tokens).",
        tables.server_table(data),
        *[f"![{PLOTS[name]}]({plots_under}{name})" for name in PLOTS if name in plots],
        tables.zipf_text(data),
        "Points of the plots are medians too; many rest on one run, as results.json says, and a single "
        "run that the machine's other work held up shows as a point far below its neighbours.",
        tables.turns_text(data),
        "## Who was measured",
        tables.engine_table(data),
        "## Not measured, and why",
        tables.missing_text(data),
        "## Same answers",
        "Greedy tokens equal to Graft's before the first difference: 4 prompts of random tokens, 8 new "
        "tokens each; with adapters 8 prompts on two adapters, which must also differ from the base. "
        "After a near-tie two engines go different ways, so not all need to be equal.",
        tables.checks_table(data),
        repeat_text(),
    ]
    return "\n\n".join(wrapped(part.strip()) for part in parts if part and part.strip()) + "\n"


def load_text(data):
    """How the clients asked, where the samples say so."""
    found = {s["parameters"]["seconds"] for row in ("server-base", "server-loras")
             for samples in data["rows"].get(row, {}).get("samples", {}).values() for s in samples
             if "parameters" in s}
    if not found:
        return ""
    return (f", for {' or '.join(f'{seconds:g}' for seconds in sorted(found))} s; every request has a TCP "
            "connection of its own, where the engine is a server and no library")


def wrapped(part):
    """Breaks the lines of running text; tables, lists, pictures and code stay as they are."""
    if part[0] in "|*!#" and not part.startswith("**"):
        return part
    return "\n\n".join(textwrap.fill(p, 120, break_on_hyphens=False) for p in part.split("\n\n"))


def machine_text(data):
    machine = data["machine"]
    lines = [
        f"**Machine.** {machine['processor']} (family/model {machine['family']}; "
        f"{', '.join(machine['flags'])}), {machine['cores']} cores"
        f"{' of a virtual machine' if machine['virtual'] else ''}, {machine['memory_gb']} GB; "
        f"{machine['threads']} threads for every engine; {machine['system']}, Linux "
        f"{machine['kernel']}; {machine['date']}.",
    ]
    if data["limits"]:
        reads = [limit["read_gb_s"] for limit in data["limits"]]
        flops = [limit["f32_gflops"] for limit in data["limits"]]
        lines.append(
            f"**Its limits**, measured between the runs ({len(reads)} times): reads "
            f"{median(reads):.1f} GB/s ({min(reads):.1f} to {max(reads):.1f}), f32 multiply-adds "
            f"{median(flops):.0f} GFLOP/s ({min(flops):.0f} to {max(flops):.0f}).")
    loads = [s["load"] for row in data["rows"].values() for found in row["samples"].values()
             for s in found]
    if loads:
        lines.append(
            f"**Noise.** Other work ran on the machine: its load average before the runs was "
            f"{median(loads):.1f} in the median and {max(loads):.1f} at most (an idle machine with "
            f"this measurement alone shows about {machine['threads']}). {priority_text(machine)}Small "
            "differences mean nothing; the tables give the range of the runs.")
    return "\n\n".join(lines)


def priority_text(machine):
    nice = machine.get("priority", 0)
    return f"All engines ran at a scheduling priority of {nice}. " if nice else ""


def repeat_text():
    return """## Repeat it

    tools/compare-peers            # everything, hours; goes on where it stopped
    tools/compare-peers --quick    # a short run of everything
    tools/compare-peers --only server --peers llama.cpp --rounds 5
    tools/compare-peers --docs     # writes this page, of one build: --commit chooses one

It builds Graft, makes the models and adapters, and installs the engines with pinned versions; `--help` has the
rest."""
