"""Measures one server with few and with many adapters: throughput, cold first tokens, memory.

    tools/thousand-adapters --base model.bin                  1,000 random rank-8 LoRAs on q_proj and v_proj
    tools/thousand-adapters --base model.bin --targets all    on all linear layers (ten times the bytes)

The adapters are made for the base's shapes and kept in a cache directory. Requests of 32 prompt and 32
new tokens come from --clients connections; each picks its adapter uniformly or by Zipf's law. No prompt
comes twice, so that no run finds another's keys and values. Prints one JSON object. Builds graft unless
--graft or GRAFT_EXECUTABLE names it.
"""
import json
import os
import statistics
import time

from .servers import Server, load, make_adapters, make_parser, progress, uniform, zipf

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


def measure(options, folder, names, servers):
    """The figures, from servers with few and with many of the adapters."""
    result = {"adapters": len(names), "rank": options.rank, "targets": options.targets,
              "adapter_memory": options.adapter_memory, "clients": options.clients,
              "bytes_of_an_adapter": os.path.getsize(folder / names[0] / "adapter_model.safetensors")}
    for key, server in servers.items():
        with server.connect() as client:
            client.ask(None, seed="first", new=1)
            result[f"{key}_start_seconds"] = round(time.monotonic() - server.start, 3)
            result[f"{key}_idle_memory"] = server.resident_bytes()
    cold, warm = [], []
    with servers["many"].connect() as client:
        for name in names[-30:]:
            cold.append(client.ask(name, seed=f"cold {name}", new=1).first_seconds)
            warm.append(client.ask(name, seed=f"warm {name}", new=1).first_seconds)
    result["first_token_ms"] = {
        "cold": round(statistics.median(cold) * 1e3, 2), "warm": round(statistics.median(warm) * 1e3, 2)}
    few = names[:FEW]
    rates = {}
    for turn in range(options.rounds):
        for label, server, choose in (
                (f"{FEW} adapters, uniform", "few", uniform(few, turn)),
                (f"{len(names)} adapters, uniform", "many", uniform(names, turn)),
                (f"{FEW} adapters, zipf 1.5", "few", zipf(few, 1.5, turn)),
                (f"{len(names)} adapters, zipf 1.5", "many", zipf(names, 1.5, turn)),
                ("all the same", "many", lambda number: names[0]),
                (f"{options.clients} distinct", "many",
                 lambda number: names[1 + number % options.clients]),
                ("base alone", "many", lambda number: None)):
            progress(f"{label}, round {turn + 1}")
            rate, _ = load(servers[server], options.clients, options.requests, choose, f"{label} {turn}")
            rates.setdefault(label, []).append(rate)
    result["tokens_per_second"] = {k: round(statistics.median(v), 1) for k, v in rates.items()}
    result["loaded_memory"] = servers["many"].resident_bytes()
    return result


def main(arguments=None):
    options = parse(arguments)
    folder, names = make_adapters(options, options.adapters, options.rank, options.targets)
    memory = ("--adapter-memory", options.adapter_memory)
    with Server(options, folder, names[:FEW], *memory) as few, \
            Server(options, folder, names, *memory) as many:
        print(json.dumps(measure(options, folder, names, {"few": few, "many": many}), indent=1))


if __name__ == "__main__":
    main()
