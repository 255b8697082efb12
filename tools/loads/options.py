"""The command lines of the measurements of one server."""

import argparse
import os
import sys

from .places import CACHE, ROOT

EXECUTABLE = str(ROOT / ".build/release/graft")
# Shorter samples say more about the machine's other work than about the server.
SAMPLE_SECONDS = 30


def make_parser(command, description):
    """With the options that every measurement of a server has."""
    parser = argparse.ArgumentParser(
        prog=f"tools/{command}", description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True)
    parser.add_argument("--graft", default=os.environ.get("GRAFT_EXECUTABLE", EXECUTABLE),
                        help="a built graft")
    parser.add_argument("--seconds", type=float, default=SAMPLE_SECONDS,
                        help="of one load; less than the default tries the tool out")
    parser.add_argument("--rounds", type=int, default=3, help="medians are shown")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--cache", default=str(CACHE / "bench-adapters"),
                        help="where the adapters are kept")
    return parser


def list_of(kind):
    """Reads an option's values with commas between them."""
    return lambda text: [kind(part) for part in text.split(",")]


def progress(text):
    """Says on a terminal what is being measured."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)


def in_turns(options, option, values):
    """(round, value of the option) of servers that take turns."""
    for turn in range(options.rounds):
        for value in values:
            progress(f"{option} {value}, round {turn + 1}")
            yield turn, value
