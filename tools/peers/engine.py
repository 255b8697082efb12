"""What every measured engine can be asked for."""

from loads.exchanges import ExchangeError
from loads.places import PEERS
from loads.processes import Failed, run


class Unavailable(Exception):
    """The engine can't be set up on this machine; the message says why."""


class Unsupported(Exception):
    """The engine is there but can't do what the row asks; the message says why."""


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
    # Whether its server guesses tokens and verifies them.
    guesses = False

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
        """A context in which `load(jobs, limit, seconds)` runs clients against `adapters` adapters."""
        raise Unsupported("not measured for this engine")

    def greedy(self, model, weights, prompts, count, adapter=None):
        """The likeliest `count` tokens after each prompt."""
        raise NotImplementedError


class ServerOnly:
    """An engine with settings that matter to its server alone: its other rows are the plain one's."""

    prefill, decode, batch = Engine.prefill, Engine.decode, Engine.batch


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
