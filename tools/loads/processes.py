"""Programs that are measured: run to their end, or started, waited for and ended."""

import contextlib
import json
import socket
import subprocess
import time
import urllib.request

# Seconds that a server may take until it answers, and that one run may take.
READY_SECONDS = 300
RUN_SECONDS = 900


class Failed(Exception):
    """A program went wrong while it was measured."""


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


def wait_until(ready, server, log, pause=0.1):
    """Waits until `ready()` is true; raises Failed when the server ends or takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        if ready():
            return
        time.sleep(pause)
    words = last_words(log.read_text(encoding="utf-8", errors="replace"))
    raise Failed(f"the server did not start: {words}")


def answers(url):
    """Whether an HTTP server says 200 at `url`."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except OSError:
        return False


def accepts(address):
    """Whether somebody takes TCP connections at (host, port)."""
    try:
        socket.create_connection(address, timeout=2).close()
        return True
    except OSError:
        return False


def free_port():
    """A TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def post(url, body):
    """Sends JSON and gives the JSON of the answer."""
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as response:
        return json.load(response)
