"""Random LoRAs for a base, a server with them, and loads of requests whose speed is measured.

For `tools/thousand-adapters`, `tools/hot-merging`, `tools/long-prompts` and `tools/guessed-tokens`; with Python's
standard library alone.
"""
import argparse
import array
import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

CACHE = os.path.join(
    os.environ.get("GRAFT_CACHE", os.path.expanduser("~/.cache/graft")), "bench-adapters")
EXECUTABLE = str(pathlib.Path(__file__).resolve().parents[2] / ".build/release/graft")


def make_parser(command, description):
    """With the options that every measurement of a server has."""
    parser = argparse.ArgumentParser(
        prog=f"tools/{command}", description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True)
    parser.add_argument("--graft", default=os.environ.get("GRAFT_EXECUTABLE", EXECUTABLE),
                        help="a built graft")
    parser.add_argument("--requests", type=int, default=192, help="of one load")
    parser.add_argument("--rounds", type=int, default=3, help="medians are shown")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--cache", default=CACHE, help="where the adapters are kept")
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


def inspect(options):
    """The base's configuration."""
    return json.loads(subprocess.run([options.graft, "inspect", options.base, "--json"], check=True,
                                     capture_output=True, text=True).stdout)


def shapes(config, targets):
    """(layers, {module: (outputs, inputs)}) of the target modules."""
    hidden, middle = config["hidden_size"], config["intermediate_size"]
    heads = config["num_attention_heads"]
    size = config.get("head_dim") or hidden // heads
    kv = (config.get("num_key_value_heads") or heads) * size
    modules = {"self_attn.q_proj": (heads * size, hidden), "self_attn.v_proj": (kv, hidden)}
    if targets == "all":
        modules |= {"self_attn.k_proj": (kv, hidden), "self_attn.o_proj": (hidden, heads * size),
                    "mlp.gate_proj": (middle, hidden), "mlp.up_proj": (middle, hidden),
                    "mlp.down_proj": (hidden, middle)}
    return config["num_hidden_layers"], modules


def make_adapters(options, count, rank, targets):
    """`count` random LoRAs for the base; returns their folder and their names in it."""
    layers, modules = shapes(inspect(options), targets)
    key = hashlib.sha256(repr((layers, modules, rank)).encode()).hexdigest()[:12]
    folder = pathlib.Path(options.cache) / f"{targets}-r{rank}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    header, offset = {}, 0
    for layer in range(layers):
        for module, (outputs, inputs) in modules.items():
            for part, shape in (("A", [rank, inputs]), ("B", [outputs, rank])):
                name = f"base_model.model.model.layers.{layer}.{module}.lora_{part}.weight"
                size = 2 * shape[0] * shape[1]
                header[name] = {"dtype": "BF16", "shape": shape,
                                "data_offsets": [offset, offset + size]}
                offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    config = json.dumps({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": 16,
        "target_modules": sorted({m.split(".")[1] for m in modules})})
    generator = random.Random(5)
    # Values of about ±0.01 as bf16; every adapter is another rotation of them.
    values = array.array("H", (
        struct.unpack("<I", struct.pack("<f", generator.gauss(0, 0.01)))[0] >> 16
        for _ in range(offset // 2)))
    names = []
    for index in range(count):
        names.append(f"a{index:04d}")
        place = folder / names[-1]
        if (place / "adapter_config.json").exists():
            continue
        place.mkdir(exist_ok=True)
        turn = (index * 7919) % len(values)
        with open(place / "adapter_model.safetensors", "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            file.write(values[turn:].tobytes() + values[:turn].tobytes())
        (place / "adapter_config.json").write_text(config)
    return folder, names


class Server:
    """A serving process and its socket, for the length of a `with` block."""

    def __init__(self, options, folder, names, *more):
        self.vocabulary = inspect(options)["vocab_size"]
        self.folder = tempfile.TemporaryDirectory(prefix="graft-bench-")
        self.path = os.path.join(self.folder.name, "s")
        arguments = [options.graft, "serve", "--base", options.base, "--socket", self.path,
                     "--threads", str(options.threads), "--log-level", "error", *more]
        shelf = os.path.join(self.folder.name, "adapters")
        os.mkdir(shelf)
        for name in names:
            os.symlink(folder / name, os.path.join(shelf, name))
        arguments += ["--adapter-dir", shelf] if names else []
        self.start = time.monotonic()
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def connect(self):
        """A client, as soon as the server listens."""
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(self.path)
                return Client(connection, self.vocabulary)
            except OSError:
                connection.close()
                if self.process.poll() is not None:
                    raise RuntimeError("the server ended") from None
                time.sleep(0.002)

    def resident_bytes(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text(encoding="ascii")
        fields = dict(line.split(":", 1) for line in text.splitlines()[1:])
        return {name: int(fields[name].split()[0]) * 1024 for name in ("Rss", "Anonymous")}


@dataclasses.dataclass
class Answer:
    """What one request got."""

    first_seconds: float
    merged: bool
    # Seconds from one token to the next.
    gaps: list


class Client:
    """A connection that asks one request after another."""

    def __init__(self, connection, vocabulary):
        self.connection = connection
        self.lines = connection.makefile("rb")
        self.vocabulary = vocabulary

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.connection.close()

    def ask(self, adapter, seed, tokens=32, new=32):
        """One request of random tokens, which `seed` determines."""
        generator = random.Random(seed)
        prompt = [generator.randrange(self.vocabulary) for _ in range(tokens)]
        return self.exchange({
            "tokens": prompt, "adapter": adapter, "max_tokens": new, "temperature": 0,
            "ignore_eos": True})

    def statistics(self):
        """What the server says of itself."""
        self.connection.sendall(b'{"op": "stats", "id": 1}\n')
        return json.loads(self.lines.readline())

    def exchange(self, request):
        """Sends one request and reads its answer."""
        start = time.monotonic()
        self.connection.sendall(json.dumps({"id": 1} | request).encode() + b"\n")
        moments = []
        for line in self.lines:
            event = json.loads(line)
            if event["event"] == "error":
                raise RuntimeError(f"the server refused: {event}")
            if event["event"] == "done":
                gaps = [after - before for before, after in zip(moments, moments[1:])]
                merged = any(part.get("merged") for part in event["adapter"] or [])
                return Answer((moments or [time.monotonic()])[0] - start, merged, gaps)
            moments.append(time.monotonic())
        raise RuntimeError("the server closed the connection")


def load(server, clients, requests, choose, name, tokens=32, new=32):
    """Sends requests from `clients` at a time; returns tokens a second, prompts and answers together,
    and the answers.

    `choose` gives a request's adapter by its number; `name` tells the load's prompts from all others,
    so that none finds another's keys and values.
    """
    jobs = ((choose(number), f"{name} {number}") for number in range(requests))
    seconds, answers = work_off(
        server, clients, jobs, lambda client, job: client.ask(*job, tokens, new))
    return requests * (tokens + new) / seconds, answers


def work_off(server, clients, jobs, ask):
    """Lets `clients` connections do jobs one after the other; returns the seconds and the answers."""
    jobs = iter(jobs)
    lock = threading.Lock()

    def work(client):
        answers = []
        while True:
            with lock:
                job = next(jobs, None)
            if job is None:
                return answers
            answers.append(ask(client, job))

    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(clients)]
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(clients))
        start = time.monotonic()
        answers = [answer for part in pool.map(work, connections) for answer in part]
        return time.monotonic() - start, answers


def zipf(names, exponent, seed):
    generator = random.Random(seed)
    weights = [1 / (rank + 1) ** exponent for rank in range(len(names))]
    return lambda number: generator.choices(names, weights)[0]


def uniform(names, seed):
    generator = random.Random(seed)
    return lambda number: generator.choice(names)
