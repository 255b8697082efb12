"""A serving Graft, and loads of requests on it."""

import contextlib
import itertools
import json
import os
import pathlib
import random
import socket
import tempfile
import time

from .clients import run_load
from .exchanges import GraftLines
from .processes import RUN_SECONDS, accepts, free_port, process, wait_until
from .summary import in_window


class GraftServer:
    """`graft serve` on a TCP port for the length of a `with` block; `adapters` are {name: directory}.

    A Unix socket beside it answers questions about the server itself.
    """

    def __init__(self, program, base, threads, adapters=None, options=()):
        self.arguments = [program, "serve", "--base", base, "--threads", threads, "--log-level", "error",
                          *options]
        self.adapters = adapters or {}
        self.address = ("127.0.0.1", free_port())

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="graft-load-")))
            self.control = str(folder / "control")
            command = [*self.arguments, "--listen", "{}:{}".format(*self.address), "--socket", self.control]
            if self.adapters:
                shelf = folder / "adapters"
                shelf.mkdir()
                for name, path in self.adapters.items():
                    os.symlink(path, shelf / name)
                command += ["--adapter-dir", shelf]
            self.start = time.monotonic()
            self.process = stack.enter_context(process(command, folder / "log"))
            wait_until(lambda: accepts(self.address), self.process, folder / "log", pause=0.002)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def load(self, jobs, seconds=None, limit=RUN_SECONDS, names=None):
        """Runs clients with jobs of their own, as `run_load` does; `names` where jobs number adapters."""
        return run_load(jobs, self.address, lambda: GraftLines(names), limit, seconds)

    def ask(self, job):
        """The record of one request."""
        return self.load([[job]])[0]

    def statistics(self):
        """What the server says of itself."""
        with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rb") as lines:
            connection.connect(self.control)
            connection.sendall(b'{"op": "stats", "id": 1}\n')
            return json.loads(lines.readline())

    def resident_bytes(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text(encoding="ascii")
        fields = dict(line.split(":", 1) for line in text.splitlines()[1:])
        return {name: int(fields[name].split()[0]) * 1024 for name in ("Rss", "Anonymous")}


def random_job(adapter, seed, vocabulary, tokens=32, new=32):
    """A request of random tokens, which `seed` determines."""
    generator = random.Random(seed)
    prompt = [generator.randrange(vocabulary) for _ in range(tokens)]
    return {"tokens": prompt, "adapter": adapter, "count": new}


def measured(server, clients, seconds, choose, name, vocabulary, tokens=32, new=32):
    """Tokens a second, prompts and answers together, and the records of a load of random requests.

    `choose` gives a request's adapter by its number; `name` tells the load's prompts from all others,
    so that none finds another's keys and values.
    """
    jobs = (random_job(choose(number), f"{name} {number}", vocabulary, tokens, new)
            for number in itertools.count())
    records = server.load([jobs] * clients, seconds)
    read = sum(record["first"] <= deadline(records, seconds) for record in records)
    return (in_window(records, seconds) + tokens * read) / seconds, records


def deadline(records, seconds):
    return min(record["sent"] for record in records) + seconds
