"""Graft itself: `graft bench` for the kernels, `graft serve` on a Unix socket for the clients."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import tempfile

from . import assets
from .engine import Engine, Failed, ServerOnly, last_words, process, run, wait_until
from .exchanges import GraftLines
from .load import run_load


class Graft(Engine):
    name = "graft"
    title = "Graft"
    mixing = "requests with different adapters share every forward step"
    options = []

    def __init__(self, threads, program):
        super().__init__(threads)
        self.program = pathlib.Path(program)

    def prepare(self, say):
        """tools/compare-peers has built it."""

    def versions(self):
        commit = subprocess.run(
            ["git", "-C", str(pathlib.Path(__file__).parent), "rev-parse", "--short", "HEAD"],
            stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
        return {"graft": run([self.program, "--version"]).strip(), "commit": commit}

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
        names = [f"a{i:02}" for i in range(adapters)]
        with tempfile.TemporaryDirectory(prefix="graft-peers-") as folder:
            path = os.path.join(folder, "socket")
            log = pathlib.Path(folder) / "log"
            command = [self.program, "serve", "--base", assets.base("small", weights),
                       "--threads", self.threads, "--socket", path, *self.options]
            for index, name in enumerate(names):
                command += ["--adapter", f"{name}={assets.adapter_directory(index)}"]
            with process(command, log) as server:
                wait_until(lambda: accepts(path), server, log)
                yield lambda jobs, limit: run_load(jobs, path, lambda: GraftLines(names), limit)

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


class GraftWithoutGuesses(ServerOnly, Graft):
    """Graft where every token has a step of its own."""

    name = "graft-steady"
    title = "Graft, no guessing"
    variant_of = "graft"
    mixing = "as Graft, with `--draft-tokens 0`"
    options = ["--draft-tokens", 0]


def accepts(path):
    """Whether a Unix socket takes connections."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(path)
            return True
        except OSError:
            return False
