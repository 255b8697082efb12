"""Random LoRAs for the shapes of a base, with Python's standard library alone."""

import array
import hashlib
import json
import pathlib
import random
import struct

from .processes import run


def inspect(options):
    """The base's configuration."""
    return json.loads(run([options.graft, "inspect", options.base, "--json"]))


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


def bf16_header(shapes_by_name, metadata=None):
    """The beginning of a safetensors file of bf16 tensors, and the bytes that follow it."""
    header, offset = {"__metadata__": metadata} if metadata else {}, 0
    for name, shape in shapes_by_name.items():
        size = 2
        for extent in shape:
            size *= extent
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text, offset


def make_adapters(options, count, rank, targets):
    """`count` random LoRAs for the base: {name: directory}."""
    layers, modules = shapes(inspect(options), targets)
    key = hashlib.sha256(repr((layers, modules, rank)).encode()).hexdigest()[:12]
    folder = pathlib.Path(options.cache) / f"{targets}-r{rank}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    header, size = bf16_header({
        f"base_model.model.model.layers.{layer}.{module}.lora_{part}.weight": shape
        for layer in range(layers) for module, (outputs, inputs) in modules.items()
        for part, shape in (("A", [rank, inputs]), ("B", [outputs, rank]))})
    config = json.dumps({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": 16,
        "target_modules": sorted({m.split(".")[1] for m in modules})})
    generator = random.Random(5)
    # Values of about ±0.01 as bf16; every adapter is another rotation of them.
    values = array.array("H", (
        struct.unpack("<I", struct.pack("<f", generator.gauss(0, 0.01)))[0] >> 16
        for _ in range(size // 2)))
    adapters = {}
    for index in range(count):
        place = folder / f"a{index:04d}"
        adapters[place.name] = place
        if (place / "adapter_config.json").exists():
            continue
        place.mkdir(exist_ok=True)
        turn = (index * 7919) % len(values)
        with open(place / "adapter_model.safetensors", "wb") as file:
            file.write(header)
            file.write(values[turn:].tobytes() + values[:turn].tobytes())
        (place / "adapter_config.json").write_text(config)
    return adapters
