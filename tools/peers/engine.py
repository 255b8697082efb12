"""What every measured engine can be asked for."""

import contextlib
import subprocess
import time
import urllib.request

from .exchanges import ExchangeError
from .places import PEERS

# Seconds that a server may take until it answers, and that one run may take.
READY_SECONDS = 300
RUN_SECONDS = 900


class Unavailable(Exception):
    """The engine can't be set up on this machine; the message says why."""


class Unsupported(Exception):
    """The engine is there but can't do what the row asks; the message says why."""


class Failed(Exception):
    """The engine went wrong while it was measured."""


# What measuring can end with when an engine or its answers are at fault.
FAILURES = (Failed, ExchangeError, OSError, ValueError, KeyError)


class Engine:
    """One engine. `name` stands in the results, `title` in the page."""

    name = ""
    title = ""
    # One sentence for the page: how the engine treats different adapters.
    mixing = ""
    # The engine of which this one is another setting.
    variant_of = None

    def __init__(self, threads):
        self.threads = threads

    def prepare(self, say):
        """Installs what is missing. Raises Unavailable."""
        raise NotImplementedError

    def versions(self):
        """{what: version} for the page."""
        raise NotImplementedError

    def prefill(self, model, weights, count):
        """Prompt tokens a second for one prompt of `count` tokens."""
        raise Unsupported("not measured for this engine")

    def decode(self, model, weights, count):
        """New tokens a second for one sequence, `count` of them after a short prompt."""
        raise Unsupported("not measured for this engine")

    def batch(self, model, weights, sequences, count):
        """New tokens a second of `sequences` sequences together, `count` of them each."""
        raise Unsupported("not measured for this engine")

    def serving(self, weights, adapters, clients):
        """A context in which `load(jobs)` runs clients against `adapters` adapters."""
        raise Unsupported("not measured for this engine")

    def greedy(self, model, weights, prompts, count, adapter=None):
        """The likeliest `count` tokens after each prompt."""
        raise NotImplementedError


class ServerOnly:
    """An engine with settings that matter to its server alone: its other rows are the plain one's."""

    prefill, decode, batch = Engine.prefill, Engine.decode, Engine.batch


def run(command, log=None, **options):
    """Runs a program to its end and gives its standard output; raises Failed with its last words."""
    limit = options.pop("timeout", RUN_SECONDS)
    try:
        done = subprocess.run(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, timeout=limit, **options)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{command[0]} had not ended after {limit} s") from error
    if log is not None:
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode != 0:
        raise Failed(f"{command[0]} ended with {done.returncode}: {last_words(done.stderr)}")
    return done.stdout


def last_words(text, count=400):
    return " ".join(text.strip().split())[-count:]


def python_environment(name, packages, say, after=()):
    """A virtual environment in the cache with pinned packages; `after` are further pip calls."""
    folder = PEERS / name
    python = folder / "venv/bin/python"
    if (folder / "ready").exists():
        return python
    say(f"Installing {', '.join(packages)} …")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        run(["python3", "-m", "venv", "--clear", folder / "venv"], timeout=600)
        for arguments in [["install", *packages], *after]:
            run([python, "-m", "pip", *arguments], log=folder / "install.log", timeout=3600)
    except Failed as error:
        raise Unavailable(f"pip could not install {packages[0]}: {error}") from error
    (folder / "ready").touch()
    return python


@contextlib.contextmanager
def process(command, log, environment=None):
    """A server in the background, ended at the end; `log` takes what it says."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w", encoding="utf-8") as output:
        server = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, env=environment)
        try:
            yield server
        finally:
            server.terminate()
            try:
                server.wait(timeout=60)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def wait_until(ready, server, log):
    """Waits until `ready()` is true; raises Failed when the server ends or takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        if ready():
            return
        time.sleep(0.1)
    words = last_words(log.read_text(encoding="utf-8", errors="replace"))
    raise Failed(f"the server did not start: {words}")


def answers(url):
    """Whether an HTTP server says 200 at `url`."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except OSError:
        return False
