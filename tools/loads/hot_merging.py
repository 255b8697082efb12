"""Measures what --merge hot and --merge auto bring a server: the same loads without and with them.

    tools/hot-merging --base model.bin                random LoRAs of rank 16 on all linear layers
    tools/hot-merging --base model.bin --clients 4 --shares 1,0.9

A share of the requests asks for one adapter, the rest for seven others. Requests of 32 prompt and 64 new
tokens; no prompt comes twice. The servers take turns; each starts anew for each load and first answers
some of its requests, which are not counted and make it merge. Prints one JSON object. Builds graft unless
--graft or GRAFT_EXECUTABLE names it.
"""
import random
import time
from statistics import mean

from .adapters import inspect, make_adapters
from .graft_server import GraftServer, measured, random_job
from .options import list_of, make_parser, progress
from .reporting import report
from .summary import median

MODES = ["off", "hot", "auto"]
# Requests after which a server decides, and seconds that merging may take.
WARMING_REQUESTS = 24
MERGING_SECONDS = 2


def parse(arguments):
    parser = make_parser("hot-merging", __doc__)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--targets", choices=["qv", "all"], default="all")
    parser.add_argument("--clients", type=list_of(int), default=[1, 8])
    parser.add_argument("--shares", type=list_of(float), default=[1, 0.95, 0.8])
    return parser.parse_args(arguments)


def mostly(first, others, share, seed):
    """The first adapter for `share` of the requests, one of the others for each of the rest."""
    generator = random.Random(seed)
    return lambda number: first if generator.random() < share else generator.choice(others)


def measure(options, adapters, vocabulary, mode, clients, choose, label):
    """(tokens a second, share of answers from merged weights) of one load."""
    # Below the smallest share, so that chance in a few requests doesn't keep it from merging.
    merging = ["--merge", mode, "--merge-share", str(0.9 * min(options.shares))]
    with GraftServer(options.graft, options.base, options.threads, adapters, merging) as server:
        warming = (random_job(choose(number), f"warming {label} {number}", vocabulary, new=8)
                   for number in range(WARMING_REQUESTS))
        server.load([warming] * clients)
        time.sleep(MERGING_SECONDS)
        rate, records = measured(
            server, clients, options.seconds, choose, label, vocabulary, new=64)
        return rate, sum(map(is_merged, records)) / len(records)


def is_merged(record):
    """Whether an answer came from merged weights."""
    return any(part.get("merged") for part in record["last"]["adapter"] or [])


def summary(runs):
    """Medians of a load's runs, [(tokens a second, share of merged answers)] for each mode."""
    result = {}
    for mode, samples in runs.items():
        result[mode] = {
            "tokens_per_second": round(median(rate for rate, _ in samples), 1),
            "merged_share": round(mean(share for _, share in samples), 2),
            "ratio": round(median(
                sample[0] / off[0] for sample, off in zip(samples, runs["off"])), 3)}
    return result


def main(arguments=None):
    options = parse(arguments)
    adapters = make_adapters(options, 8, options.rank, options.targets)
    names, vocabulary = list(adapters), inspect(options)["vocab_size"]
    runs = {}
    for turn in range(options.rounds):
        for clients in options.clients:
            for share in options.shares:
                label = f"{clients} clients, {share:g} of requests on one adapter"
                for mode in MODES:
                    choose = mostly(names[0], names[1:], share, turn)
                    progress(f"{label}, {mode}, round {turn + 1}")
                    runs.setdefault(label, {}).setdefault(mode, []).append(measure(
                        options, adapters, vocabulary, mode, clients, choose, f"{label} {turn}"))
    report(options, {label: summary(samples) for label, samples in runs.items()})


if __name__ == "__main__":
    main()
