"""Measures one server with few and with many adapters: throughput, cold first tokens, memory.

    tools/thousand-adapters --base model.bin                  1,000 random rank-8 LoRAs on q_proj and v_proj
    tools/thousand-adapters --base model.bin --targets all    on all linear layers (ten times the bytes)

The adapters are made for the base's shapes and kept in a cache directory. Requests of 32 prompt and 32
new tokens come from --clients connections; each picks its adapter uniformly or by Zipf's law. No prompt
comes twice, so that no run finds another's keys and values. Prints one JSON object. Builds graft unless
--graft or GRAFT_EXECUTABLE names it.
"""
import os
import time

from .adapters import inspect, make_adapters
from .graft_server import GraftServer, measured, random_job
from .options import make_parser, progress
from .reporting import report
from .summary import median, zipf_draws

# Adapters of the server that the one with many is compared with.
FEW = 5


def parse(arguments):
    parser = make_parser("thousand-adapters", __doc__)
    parser.add_argument("--adapters", type=int, default=1000)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--targets", choices=["qv", "all"], default="qv")
    parser.add_argument("--adapter-memory", default="128M")
    parser.add_argument("--clients", type=int, default=16)
    return parser.parse_args(arguments)


def drawn(names, exponent, seed):
    """Adapters by Zipf's law; an exponent of 0 asks for all alike."""
    draws = zipf_draws(len(names), exponent, seed)
    return lambda number: names[next(draws)]


def measure(options, adapters, servers):
    """The figures, from servers with few and with many of the adapters."""
    names, vocabulary = list(adapters), inspect(options)["vocab_size"]
    weights = adapters[names[0]] / "adapter_model.safetensors"
    result = {"bytes_of_an_adapter": os.path.getsize(weights)}
    for key, server in servers.items():
        server.ask(random_job(None, "first", vocabulary, new=1))
        result[f"{key}_start_seconds"] = round(time.monotonic() - server.start, 3)
        result[f"{key}_idle_memory"] = server.resident_bytes()
    cold, warm = [], []
    for name in names[-30:]:
        for seconds, label in [(cold, "cold"), (warm, "warm")]:
            record = servers["many"].ask(random_job(name, f"{label} {name}", vocabulary, new=1))
            seconds.append(record["first"] - record["sent"])
    result["first_token_ms"] = {
        "cold": round(median(cold) * 1e3, 2), "warm": round(median(warm) * 1e3, 2)}
    few = names[:FEW]
    rates = {}
    for turn in range(options.rounds):
        for label, server, choose in (
                (f"{FEW} adapters, uniform", "few", drawn(few, 0, turn)),
                (f"{len(names)} adapters, uniform", "many", drawn(names, 0, turn)),
                (f"{FEW} adapters, zipf 1.5", "few", drawn(few, 1.5, turn)),
                (f"{len(names)} adapters, zipf 1.5", "many", drawn(names, 1.5, turn)),
                ("all the same", "many", lambda number: names[0]),
                (f"{options.clients} distinct", "many",
                 lambda number: names[1 + number % options.clients]),
                ("base alone", "many", lambda number: None)):
            progress(f"{label}, round {turn + 1}")
            rate, _ = measured(servers[server], options.clients, options.seconds, choose,
                               f"{label} {turn}", vocabulary)
            rates.setdefault(label, []).append(rate)
    result["tokens_per_second"] = {k: round(median(v), 1) for k, v in rates.items()}
    result["loaded_memory"] = servers["many"].resident_bytes()
    return result


def main(arguments=None):
    options = parse(arguments)
    adapters = make_adapters(options, options.adapters, options.rank, options.targets)
    few = dict(list(adapters.items())[:FEW])
    memory = ["--adapter-memory", options.adapter_memory]
    with GraftServer(options.graft, options.base, options.threads, few, memory) as small, \
            GraftServer(options.graft, options.base, options.threads, adapters, memory) as large:
        report(options, measure(options, adapters, {"few": small, "many": large}))


if __name__ == "__main__":
    main()
