"""What is measured: every row of the tables, in groups."""

import dataclasses

from loads.options import SAMPLE_SECONDS

from .workload import NEW_TOKENS, PROMPT_TOKENS, Workload

CLIENTS = [1, 2, 4, 8, 16, 32]
ADAPTERS = [1, 2, 4, 8, 16, 32, 64]
SEQUENCES = 16
# Of a load, to try the tool out.
QUICK_SECONDS = 5
WEIGHTS = ["bf16", "q8", "q4"]
GROUPS = ["prefill", "decode", "batch", "server", "adapters", "clients", "large"]


@dataclasses.dataclass(frozen=True)
class Row:
    """One measurement. `kind` is prefill, decode, batch or load."""

    identifier: str
    group: str
    kind: str
    model: str = "small"
    weights: str = "bf16"
    count: int = 0
    workload: Workload | None = None
    # Of a load.
    seconds: float = 0

    def parameters(self, threads):
        """What a sample of the row was measured with, for its record."""
        found = {"kind": self.kind, "model": self.model, "weights": self.weights, "threads": threads}
        if self.workload is None:
            return found | {"count": self.count} | ({"sequences": SEQUENCES} if self.kind == "batch" else {})
        return found | dataclasses.asdict(self.workload) | {
            "seconds": self.seconds, "prompt_tokens": PROMPT_TOKENS, "new_tokens": NEW_TOKENS}

    def measure(self, engine):
        """Tokens a second; not for `load`, which runs in a session."""
        if self.kind == "prefill":
            return engine.prefill(self.model, self.weights, self.count)
        if self.kind == "decode":
            return engine.decode(self.model, self.weights, self.count)
        return engine.batch(self.model, self.weights, SEQUENCES, self.count)


def all_rows(quick):
    """All rows in their order; with `quick` shorter ones, to try the tool out."""
    rows = []
    for weights in WEIGHTS:
        rows.append(Row(f"prefill-{weights}", "prefill", "prefill", "small", weights,
                        128 if quick else 512))
        rows.append(Row(f"decode-{weights}", "decode", "decode", "small", weights,
                        16 if quick else 128))
        rows.append(Row(f"batch-{weights}", "batch", "batch", "small", weights,
                        16 if quick else 64))
        rows.append(Row(f"large-prefill-{weights}", "large", "prefill", "large", weights,
                        32 if quick else 256))
        rows.append(Row(f"large-decode-{weights}", "large", "decode", "large", weights,
                        4 if quick else 32))
    rows += load_rows(quick)
    return sorted(rows, key=lambda row: GROUPS.index(row.group))


def load_rows(quick):
    """Rows that need a server and clients."""
    def row(identifier, group, *arguments, **options):
        return Row(identifier, group, "load", workload=Workload(*arguments, **options),
                   seconds=QUICK_SECONDS if quick else SAMPLE_SECONDS)

    # A seed for each row: no prompt is sent twice, so no engine finds one computed already.
    rows = [row("server-base", "server", 8), row("server-loras", "server", 8, 8, seed=2)]
    for count in [1, 8] if quick else ADAPTERS:
        rows.append(row(f"adapters-{count}", "adapters", 16, count, seed=100 + count))
    if not quick:
        rows.append(row("adapters-64-zipf", "adapters", 16, 64, exponent=1.5, seed=200))
    for clients in [1, 4] if quick else CLIENTS:
        rows.append(row(f"clients-{clients}-base", "clients", clients, seed=300 + clients))
        rows.append(row(f"clients-{clients}-loras", "clients", clients, min(clients, 8), seed=400 + clients))
    return rows


def sessions(rows):
    """Load rows that share a running server: [[row]], with and without adapters apart."""
    found = {}
    for row in rows:
        found.setdefault((row.group, row.workload.adapters > 0), []).append(row)
    return list(found.values())
