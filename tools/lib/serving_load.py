"""Random LoRAs for a base, a server with them, and loads of requests whose speed is measured.

For `tools/thousand-adapters` and `tools/hot-merging`; Python's standard library alone.
"""
import array
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


def add_arguments(parser):
    """The options that every measurement of a server has."""
    parser.add_argument("--base", required=True)
    parser.add_argument("--graft", default=EXECUTABLE, help="a built graft")
    parser.add_argument("--requests", type=int, default=192, help="of one load")
    parser.add_argument("--rounds", type=int, default=3, help="medians are shown")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--cache", default=CACHE, help="where the adapters are kept")


def shapes(options, targets):
    """(layers, {module: (outputs, inputs)}) of the target modules, from the base itself."""
    text = subprocess.run([options.graft, "inspect", options.base, "--json"], check=True,
                          capture_output=True, text=True).stdout
    config = json.loads(text)
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
    layers, modules = shapes(options, targets)
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
    """A serving process and its socket."""

    def __init__(self, options, folder, names, *more):
        self.folder = tempfile.TemporaryDirectory(prefix="graft-bench-")
        self.path = os.path.join(self.folder.name, "s")
        arguments = [options.graft, "serve", "--base", options.base, "--socket", self.path,
                     "--threads", str(options.threads), "--log-level", "error", *more]
        shelf = os.path.join(self.folder.name, "adapters")
        os.mkdir(shelf)
        for name in names:
            os.symlink(folder / name, os.path.join(shelf, name))
        arguments += ["--adapter-dir", shelf]
        self.start = time.monotonic()
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL)

    def connect(self):
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(self.path)
                return connection, connection.makefile("rb")
            except OSError:
                connection.close()
                if self.process.poll() is not None:
                    sys.exit("the server ended")
                time.sleep(0.002)

    def resident_bytes(self):
        fields = dict(line.split(":", 1) for line in
                      open(f"/proc/{self.process.pid}/smaps_rollup").read().splitlines()[1:])
        return {name: int(fields[name].split()[0]) * 1024 for name in ("Rss", "Anonymous")}

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


class Answer:
    """What one request got."""

    def __init__(self, first_seconds, seconds, merged):
        self.first_seconds = first_seconds
        self.seconds = seconds
        self.merged = merged


def ask(stream, identifier, adapter, seed, tokens=32, new=32):
    """One request of random tokens, which `seed` determines."""
    connection, file = stream
    generator = random.Random(seed)
    prompt = [generator.randrange(100, 30000) for _ in range(tokens)]
    start = time.monotonic()
    connection.sendall(json.dumps({
        "id": identifier, "tokens": prompt, "adapter": adapter, "max_tokens": new,
        "temperature": 0, "ignore_eos": True}).encode() + b"\n")
    first = None
    for line in file:
        event = json.loads(line)
        first = first or time.monotonic() - start
        if event["event"] == "error":
            sys.exit(f"the server refused: {event}")
        if event["event"] == "done":
            merged = any(part.get("merged") for part in event["adapter"])
            return Answer(first, time.monotonic() - start, merged)
    sys.exit("the server closed the connection")


def load(server, clients, requests, choose, name, tokens=32, new=32):
    """Sends requests from `clients` at a time; returns tokens a second, prompts and answers together,
    and the answers.

    `choose` gives a request's adapter by its number; `name` tells the load's prompts from all others,
    so that none finds another's keys and values.
    """
    streams = [server.connect() for _ in range(clients)]
    numbers = iter(range(requests))
    lock = threading.Lock()
    answers = []

    def work(stream):
        while True:
            with lock:
                number = next(numbers, None)
                if number is None:
                    return
                adapter = choose(number)
            answers.append(ask(stream, number, adapter, f"{name} {number}", tokens, new))

    threads = [threading.Thread(target=work, args=(s,)) for s in streams]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - start
    for connection, _ in streams:
        connection.close()
    return requests * (tokens + new) / seconds, answers


def zipf(names, exponent, seed):
    generator = random.Random(seed)
    weights = [1 / (rank + 1) ** exponent for rank in range(len(names))]
    return lambda number: generator.choices(names, weights)[0]


def uniform(names, seed):
    generator = random.Random(seed)
    return lambda number: generator.choice(names)
