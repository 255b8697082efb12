"""The command line of tools/compare-peers; the wrapper sets up the environment and Graft."""

import argparse
import os
import pathlib
import signal
import sys

from loads.builds import build_of, new_run
from loads.hardware import describe
from loads.places import PEERS, ROOT

from . import assets
from .engine import Unavailable
from .graft_engine import Graft, GraftGuessing
from .guard import Guard
from .llama_cpp import LlamaCpp, LlamaCppGuessing
from .measure import Measurement
from .openvino_engine import OpenVINO
from .peft_engine import Peft, PeftOneByOne
from .publishing import refuse_other_builds, write
from .results import Results
from .rows import GROUPS, all_rows
from .vllm_engine import Vllm, VllmGuessing

NAMES = ["llama.cpp", "openvino", "vllm", "peft", "peft-1", "graft-guessing", "llama.cpp-ngram",
         "vllm-ngram"]


def parse(arguments):
    parser = argparse.ArgumentParser(prog="compare-peers", description=__doc__)
    parser.add_argument("--graft", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--peft-python", default="", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(GROUPS))
    parser.add_argument("--peers", default=",".join(NAMES))
    parser.add_argument("--priority", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--render", action="store_true")
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--commit")
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args(arguments)
    options.only = chosen(parser, "--only", options.only, GROUPS)
    options.peers = chosen(parser, "--peers", options.peers, NAMES)
    if options.threads < 1 or options.rounds < 1:
        parser.error("--threads and --rounds are at least 1")
    options.rounds = 1 if options.quick else options.rounds
    options.out = options.out or PEERS / ("results-quick" if options.quick else "results")
    return options


def chosen(parser, option, text, known):
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in known:
            parser.error(f"{option} knows {', '.join(known)}, not '{name}'")
    return names


def say(text):
    print(text, file=sys.stderr, flush=True)


def set_priority(nice):
    """Sets the scheduling priority of this process and all that it starts."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        # Linux may weigh whole sessions against one another first.
        group = pathlib.Path("/proc/self/autogroup")
        if group.exists():
            group.write_text(str(nice))
    except OSError as error:
        sys.exit(f"compare-peers: the priority {nice} could not be set: {error}")


def make_engine(name, options):
    if name == "graft-guessing":
        return GraftGuessing(options.threads, options.graft)
    for kind in [LlamaCpp, LlamaCppGuessing, OpenVINO, Vllm, VllmGuessing]:
        if name == kind.name:
            return kind(options.threads)
    kind = Peft if name == "peft" else PeftOneByOne
    return kind(options.threads, options.peft_python)


def prepared(engine, results):
    """Whether the engine could be set up; the results keep how, or why not."""
    about = {"title": engine.title, "mixing": engine.mixing, "variant_of": engine.variant_of,
             "guesses": engine.guesses}
    try:
        engine.prepare(say)
        about |= {"available": True, "versions": engine.versions()}
    except Unavailable as error:
        about |= {"available": False, "reason": str(error)}
        say(f"{engine.title} is not available: {error}")
    results.set("engines", engine.name, about)
    return about["available"]


def measure(options, results):
    machine = describe(options.threads)
    known = results.data["machine"]
    for key in ["processor", "cores", "threads"]:
        if known and known[key] != machine[key]:
            sys.exit(f"compare-peers: {results.path} was measured with {key} {known[key]}, now it is "
                     f"{machine[key]}: use --fresh or another --out")
    rows = [row for row in all_rows(options.quick) if row.group in options.only]
    build = build_of(options.graft)
    replaced = [(row.identifier, name) for row in rows for name in ["graft", *options.peers]]
    refuse_other_builds(results, build, replaced if options.again else ())
    results.data["machine"] = machine
    results.data["quick"] = options.quick
    assets.ensure(say, with_large="large" in options.only)
    results.data["models"] = assets.describe()
    graft = Graft(options.threads, options.graft)
    engines = [graft, *(make_engine(name, options) for name in options.peers)]
    engines = [engine for engine in engines if prepared(engine, results)]
    if options.again:
        results.drop([row.identifier for row in rows], [engine.name for engine in engines])
    guard = Guard(results, graft, say)
    Measurement(
        results, engines, guard, build, new_run(), options.rounds, options.threads, say).run(rows)


def main():
    # However it is stopped, the servers that it started are ended and the page is written.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    options = parse(sys.argv[1:])
    if options.priority:
        set_priority(options.priority)
    path = options.out / "results.json"
    if options.fresh:
        path.unlink(missing_ok=True)
    results = Results(path)
    try:
        if not options.render:
            measure(options, results)
    finally:
        if write(results, options.out, options.commit, ROOT / "docs" if options.docs else None):
            say(f"Written: {options.out}/performance.md, its plots and results.json")


if __name__ == "__main__":
    main()
