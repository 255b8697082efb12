"""Runs the rows: engines take turns within every round, and every sample is written at once."""

from loads.hardware import load_average, measure_limits
from loads.processes import RUN_SECONDS, Failed
from loads.summary import summarize

from . import assets
from .engine import FAILURES, Unsupported
from .rows import sessions


class Measurement:
    """Measures `rows` with `engines` (Graft first) until each has `rounds` samples of `build`."""

    def __init__(self, results, engines, guard, build, run, rounds, threads, say):
        self.results, self.engines, self.guard = results, engines, guard
        self.build, self.run_name = build, run
        self.rounds, self.threads, self.say = rounds, threads, say

    def run(self, rows):
        plain = [row for row in rows if row.kind != "load"]
        groups = [row.group for row in rows]
        for group in sorted(set(groups), key=groups.index):
            self.say(f"{group} …")
            for turn in range(self.rounds):
                for row in [row for row in plain if row.group == group]:
                    self.alternate(row, turn)
                loads = [row for row in rows if row.kind == "load" and row.group == group]
                for session in sessions(loads):
                    self.alternate_session(session, turn)

    def wanted(self, row, engine, turn):
        """Whether the engine still needs this round's sample of the row."""
        record = self.results.row(row.identifier)
        if engine.name in record["missing"]:
            return False
        return self.results.rounds_done(row.identifier, engine.name) <= turn

    def alternate(self, row, turn):
        """One round of a row: ours, a peer, the next peer …"""
        engines = [e for e in self.engines if self.wanted(row, e, turn)]
        if engines:
            self.note_limits()
        for engine in engines:
            problem = self.guard.problem(engine, row.model, row.weights)
            if problem is not None:
                self.results.add_missing(row.identifier, engine.name, problem)
                continue
            load = load_average()
            try:
                value = row.measure(engine)
            except Unsupported as error:
                self.results.add_missing(row.identifier, engine.name, str(error))
                continue
            except FAILURES as error:
                self.failed(row, engine, error)
                continue
            self.add(row, engine, {"value": round(value, 2), "load": load})

    def alternate_session(self, rows, turn):
        """One round of rows that share a server: each engine's is started, measured and ended."""
        self.note_limits()
        for engine in self.engines:
            wanted = [row for row in rows if self.wanted(row, engine, turn)]
            if not wanted:
                continue
            adapters = max(row.workload.adapters for row in wanted)
            problem = self.guard.problem(
                engine, "small", wanted[0].weights, 0 if adapters else None)
            if problem is not None:
                for row in wanted:
                    self.results.add_missing(row.identifier, engine.name, problem)
                continue
            self.session(engine, wanted, adapters)

    def session(self, engine, rows, adapters):
        clients = max(row.workload.clients for row in rows)
        left = list(rows)
        try:
            with engine.serving(rows[0].weights, adapters, clients) as load:
                load(warm_up(adapters), RUN_SECONDS)
                while left:
                    busy = load_average()
                    row = left[0]
                    records = load(row.workload.jobs(assets.prompt_tokens), RUN_SECONDS, row.seconds)
                    sample = {k: round(v, 4) if isinstance(v, float) else v
                              for k, v in summarize(records, row.seconds).items()}
                    self.add(row, engine, sample | {"load": busy})
                    left.pop(0)
        except Unsupported as error:
            for row in left:
                self.results.add_missing(row.identifier, engine.name, str(error))
        except FAILURES as error:
            for row in left:
                self.failed(row, engine, error)

    def add(self, row, engine, sample):
        self.results.add_measured(row, engine.name, sample, self.build, self.run_name, self.threads)
        late = f", p95 {sample['latency_p95']:.2f} s" if "latency_p95" in sample else ""
        self.say(f"  {row.identifier:22} {engine.name:10} {sample['value']:9.1f} tokens/s{late}")

    def failed(self, row, engine, error):
        self.results.add_missing(row.identifier, engine.name, f"failed: {error}"[:600])
        self.say(f"  {row.identifier:22} {engine.name:10} failed: {error}"[:200])

    def note_limits(self):
        try:
            self.results.add_limit(measure_limits(self.threads))
        except Failed as error:
            self.say(f"  limits: {error}")


def warm_up(adapters):
    """A few short requests for the base and every adapter, so that nobody is measured cold."""
    jobs = [{"tokens": assets.prompt_tokens(64, 90 + n), "adapter": None, "count": 4}
            for n in range(2)]
    jobs += [{"tokens": assets.prompt_tokens(64, 100 + n), "adapter": n, "count": 2}
             for n in range(adapters)]
    return [jobs]
