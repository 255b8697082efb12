"""Measures what --merge hot and --merge auto bring a server: the same loads without and with them.

    tools/hot-merging --base model.bin                random LoRAs of rank 16 on all linear layers
    tools/hot-merging --base model.bin --clients 4 --shares 1,0.9

A share of the requests asks for one adapter, the rest for seven others. Requests of 32 prompt and 64 new
tokens; no prompt comes twice. The servers take turns; each starts anew for each load and first answers
some of its requests, which are not counted and make it merge. Prints one JSON object. Builds graft unless
--graft or GRAFT_EXECUTABLE names it.
"""
import json
import random
import statistics
import time

from .servers import Server, list_of, load, make_adapters, make_parser, progress

MODES = ["off", "hot", "auto"]
# Requests after which a server decides, and seconds that merging may take.
WARMING_REQUESTS = 24
MERGING_SECONDS = 2


def parse(arguments):
    parser = make_parser("hot-merging", __doc__)
    parser.set_defaults(requests=48)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--targets", choices=["qv", "all"], default="all")
    parser.add_argument("--clients", type=list_of(int), default=[1, 8])
    parser.add_argument("--shares", type=list_of(float), default=[1, 0.95, 0.8])
    return parser.parse_args(arguments)


def mostly(first, others, share, seed):
    """The first adapter for `share` of the requests, one of the others for each of the rest."""
    generator = random.Random(seed)
    return lambda number: first if generator.random() < share else generator.choice(others)


def measure(options, folder, names, mode, clients, choose, label):
    """(tokens a second, share of answers from merged weights) of one load."""
    # Below the smallest share, so that chance in a few requests doesn't keep it from merging.
    merging = ["--merge", mode, "--merge-share", str(0.9 * min(options.shares))]
    with Server(options, folder, names, *merging) as server:
        load(server, clients, WARMING_REQUESTS, choose, f"warming {label}", new=8)
        time.sleep(MERGING_SECONDS)
        requests = options.requests if clients > 1 else max(4, options.requests // 6)
        rate, answers = load(server, clients, requests, choose, label, new=64)
        return rate, sum(answer.merged for answer in answers) / len(answers)


def summary(runs):
    """Medians of a load's runs, [(tokens a second, share of merged answers)] for each mode."""
    result = {}
    for mode, samples in runs.items():
        result[mode] = {
            "tokens_per_second": round(statistics.median(rate for rate, _ in samples), 1),
            "merged_share": round(statistics.mean(share for _, share in samples), 2),
            "ratio": round(statistics.median(
                sample[0] / off[0] for sample, off in zip(samples, runs["off"])), 3)}
    return result


def main(arguments=None):
    options = parse(arguments)
    folder, names = make_adapters(options, 8, options.rank, options.targets)
    runs = {}
    for turn in range(options.rounds):
        for clients in options.clients:
            for share in options.shares:
                label = f"{clients} clients, {share:g} of requests on one adapter"
                for mode in MODES:
                    choose = mostly(names[0], names[1:], share, turn)
                    progress(f"{label}, {mode}, round {turn + 1}")
                    runs.setdefault(label, {}).setdefault(mode, []).append(
                        measure(options, folder, names, mode, clients, choose, f"{label} {turn}"))
    print(json.dumps({label: summary(samples) for label, samples in runs.items()}, indent=1))


if __name__ == "__main__":
    main()
