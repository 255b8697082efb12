"""Talks to a driver script that runs an engine in its own environment."""

import json
import pathlib
import subprocess

from loads.places import PEERS
from loads.processes import Failed, last_words

DRIVERS = pathlib.Path(__file__).parent / "drivers"


class Driver:
    """A driver process; a context manager that ends it."""

    def __init__(self, python, script, *arguments, environment=None):
        self.log_path = PEERS / f"{script}.log"
        self.log = open(self.log_path, "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [str(python), str(DRIVERS / script), *map(str, arguments)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment)

    def call(self, operation, **arguments):
        """The result of one command. Raises Failed with the driver's reason."""
        try:
            self.process.stdin.write(json.dumps({"op": operation, **arguments}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            words = last_words(self.log_path.read_text(encoding="utf-8", errors="replace"))
            raise Failed(f"the driver ended: {words}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["result"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


def listed(jobs):
    """All jobs of every client, for a driver that gets them at once."""
    return [list(own) for own in jobs]
