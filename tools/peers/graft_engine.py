"""Graft itself: `graft bench` for the kernels, `graft serve` on a TCP port for the clients."""

import contextlib
import json
import pathlib
import subprocess

from loads.graft_server import GraftServer
from loads.processes import Failed, last_words, run

from . import assets
from .engine import Engine, ServerOnly


class Graft(Engine):
    name = "graft"
    title = "Graft"
    mixing = "requests with different adapters share every forward step"
    # Every token has a step of its own: how often guesses are right depends on the text.
    options = ["--draft-tokens", 0]

    def __init__(self, threads, program):
        super().__init__(threads)
        self.program = pathlib.Path(program)

    def prepare(self, say):
        """tools/compare-peers has built it."""

    def versions(self):
        return {"graft": run([self.program, "--version"]).strip()}

    def bench(self, model, weights, *options):
        return json.loads(run([
            self.program, "bench", "--base", assets.base(model, weights), "--threads", self.threads,
            "--repeat", 1, "--json", *options]))

    def prefill(self, model, weights, count):
        found = self.bench(model, weights, "--prompt", count, "--generate", 1)
        return found["prefill_tokens_per_second"]

    def decode(self, model, weights, count):
        found = self.bench(model, weights, "--prompt", 8, "--generate", count)
        return found["decode_tokens_per_second"]

    def batch(self, model, weights, sequences, count):
        found = self.bench(
            model, weights, "--prompt", 16, "--generate", count, "--batch", sequences)
        return found["decode_tokens_per_second"]

    @contextlib.contextmanager
    def serving(self, weights, adapters, clients):
        shelf = {f"a{index:02}": assets.adapter_directory(index) for index in range(adapters)}
        names = list(shelf)
        with GraftServer(self.program, assets.base("small", weights), self.threads, shelf,
                         self.options) as server:
            yield lambda jobs, limit, seconds=None: server.load(jobs, seconds, limit, names)

    def greedy(self, model, weights, prompts, count, adapter=None):
        command = [self.program, "serve", "--base", assets.base(model, weights),
                   "--threads", self.threads, *self.options]
        if adapter is not None:
            command += ["--adapter", f"a={assets.adapter_directory(adapter)}"]
        lines = "".join(json.dumps({
            "id": number, "tokens": prompt, "adapter": None if adapter is None else "a",
            "max_tokens": count, "temperature": 0, "ignore_eos": True, "stream": False}) + "\n"
            for number, prompt in enumerate(prompts))
        done = subprocess.run([str(c) for c in command], input=lines, capture_output=True, text=True)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        found = {e["id"]: e["tokens"] for e in events if e["event"] == "done"}
        if done.returncode != 0 or len(found) != len(prompts):
            raise Failed(f"graft serve: {last_words(done.stdout + done.stderr)}")
        return [found[number] for number in range(len(prompts))]


class GraftGuessing(ServerOnly, Graft):
    """Graft as it serves when nothing is said."""

    name = "graft-guessing"
    title = "Graft, guessing"
    variant_of = "graft"
    guesses = True
    mixing = "as Graft, with its standard of `--draft-tokens 8`"
    options = []
