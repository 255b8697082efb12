"""What is measured: every row of the tables, in groups."""

import dataclasses

from .workload import Workload

CLIENTS = [1, 2, 4, 8, 16, 32]
ADAPTERS = [1, 2, 4, 8, 16, 32, 64]
# Requests of each client, so that few clients don't end before they are measured.
REQUESTS = {1: 4, 2: 4, 4: 3, 8: 2, 16: 2, 32: 2}
SEQUENCES = 16
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
    def requests(clients):
        return 1 if quick else REQUESTS[clients]

    # A seed for each row: no prompt is sent twice, so no engine finds one computed already.
    rows = [Row("server-base", "server", "load", workload=Workload(8, requests(8))),
            Row("server-loras", "server", "load", workload=Workload(8, requests(8), 8, seed=2))]
    for count in [1, 8] if quick else ADAPTERS:
        rows.append(Row(f"adapters-{count}", "adapters", "load",
                        workload=Workload(16, requests(16), count, seed=100 + count)))
    if not quick:
        rows.append(Row("adapters-64-zipf", "adapters", "load",
                        workload=Workload(16, requests(16), 64, exponent=1.5, seed=200)))
    for clients in [1, 4] if quick else CLIENTS:
        rows.append(Row(f"clients-{clients}-base", "clients", "load",
                        workload=Workload(clients, requests(clients), seed=300 + clients)))
        rows.append(Row(f"clients-{clients}-loras", "clients", "load",
                        workload=Workload(clients, requests(clients), min(clients, 8),
                                           seed=400 + clients)))
    return rows


def sessions(rows):
    """Load rows that share a running server: [[row]], with and without adapters apart."""
    found = {}
    for row in rows:
        found.setdefault((row.group, row.workload.adapters > 0), []).append(row)
    return list(found.values())
