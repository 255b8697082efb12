"""Writes what gguf-py makes of blocks of every type, to Tests/Goldens/blocks/expected.safetensors.

    tools/reference block-types

For each type of GGUF that has blocks, and F64, F32, F16 and BF16:
    <type>.blocks   U8, [blocks, bytes]: random ones, with scales from zero to the largest of either sign,
                    subnormal ones too, and such that every vector of the IQ types' tables is chosen
    <type>.values   F32, [2, elements]: the values of the first two
    <type>.sums     U64, [blocks]: FNV-1a of the values' bytes, of each block
Q8_1, Q8_K and Q1_0, which gguf-py doesn't dequantise, follow ggml's definition: levels times the scale.
Needs the environment of tools/python/requirements.txt.
"""

import importlib.metadata
import pathlib

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type, quants
from safetensors.numpy import save_file

OUT = pathlib.Path(__file__).resolve().parents[2] / "Tests/Goldens/blocks"
SEED = 20261130
RANDOM_COUNT = 8
# Zeros, subnormal, normal and largest numbers of f16.
HALVES = [0x0000, 0x8000, 0x0001, 0x8001, 0x03ff, 0x83ff, 0x0400, 0x8400, 0x7bff, 0xfbff, 0x3c00, 0xbc00]
# Where scales and minima lie, of 16 bits.
SCALES = {"Q4_1": [0, 2], "Q5_1": [0, 2], "Q8_1": [0, 2], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2],
          "Q5_K": [0, 2], "Q6_K": [208], "TQ1_0": [52], "TQ2_0": [64]}
OWN = ["IQ1_M", "MXFP4", "NVFP4", "Q8_K", "F64", "F32", "F16", "BF16"]
# gguf-py takes two scales of 32 bits, as ggml had them once.
SIZES = {"Q8_1": (32, 36)}


def size(name):
    return SIZES.get(name, GGML_QUANT_SIZES[Type[name]])


def finite_halves(random, count):
    signs = random.integers(0, 2, count) << 15
    return (random.integers(0, 0x7c00, count) | signs).astype(np.uint16)


def put_words(blocks, offset, words):
    blocks[:, offset:offset + 2] = np.asarray(words, "<u2").reshape(-1, 1).view(np.uint8)


def random_blocks(name, random):
    count = RANDOM_COUNT + len(HALVES)
    blocks = random.integers(0, 256, (count, size(name)[1]), np.uint8)
    words = np.concatenate([finite_halves(random, RANDOM_COUNT), np.array(HALVES, np.uint16)])
    if name == "IQ1_M":
        for i in range(4):
            byte = blocks[:, 49 + 2 * i]
            blocks[:, 49 + 2 * i] = (byte & 15) | ((words >> (4 * i) & 15) << 4).astype(np.uint8)
    elif name == "MXFP4":
        blocks[RANDOM_COUNT:, 0] = [0, 1, 2, 3, 64, 102, 103, 104, 127, 142, 143, 250]
    elif name == "NVFP4":
        blocks[RANDOM_COUNT, :4] = [0, 1, 7, 8]
        blocks[RANDOM_COUNT + 1, :4] = [0x7e, 0x7f, 0x80, 0xff]
    elif name == "Q8_K":
        scales = [0.0, -0.0, 1e-45, -1e-45, 1e-38, -1e-38, 1.0, -1.0, 1e36, -1e36, 3e-3, -7e4]
        floats = np.concatenate([random.standard_normal(RANDOM_COUNT), scales]).astype("<f4")
        blocks[:, :4] = floats.reshape(-1, 1).view(np.uint8)
    elif name not in OWN:
        for number, offset in enumerate(SCALES.get(name, [0])):
            put_words(blocks, offset, np.roll(words, 5 * number))
    return blocks


def with_index(name, entries, random):
    """Blocks that choose the vectors 0, 1, 2 ... of the type's table."""
    elements = 4 if name.startswith("IQ3") else 8
    chosen = 256 // elements
    blocks = random.integers(0, 256, (entries // chosen, size(name)[1]), np.uint8)
    if name != "IQ1_M":
        put_words(blocks, 0, np.full(len(blocks), 0x3555))
    blocks = blocks.astype(int)
    for block, first in zip(blocks, range(0, entries, chosen)):
        for k in range(chosen):
            index = first + k
            if name == "IQ2_XXS":
                block[2 + k // 4 * 8 + k % 4] = index
            elif name == "IQ2_XS":
                block[2 + 2 * k] = index & 255
                block[3 + 2 * k] = block[3 + 2 * k] & 0xfe | index >> 8
            elif name == "IQ1_M":
                block[k] = index & 255
                block[32 + k // 2] = block[32 + k // 2] & (0xf8 if k % 2 == 0 else 0x8f) | index >> 8 << k % 2 * 4
            else:
                block[2 + k] = index & 255
            if name == "IQ2_S":
                block[66 + k // 4] = block[66 + k // 4] & ~(3 << k % 4 * 2) | index >> 8 << k % 4 * 2
            if name == "IQ3_S":
                block[66 + k // 8] = block[66 + k // 8] & ~(1 << k % 8) | index >> 8 << k % 8
            if name == "IQ1_S":
                word = block[34 + k // 4 * 2] | block[35 + k // 4 * 2] << 8
                word = word & ~(7 << k % 4 * 3) | index >> 8 << k % 4 * 3
                block[34 + k // 4 * 2], block[35 + k // 4 * 2] = word & 255, word >> 8
        if name == "IQ1_M":
            for i, nibble in enumerate([5, 5, 5, 3]):
                block[49 + 2 * i] = block[49 + 2 * i] & 15 | nibble << 4
    return blocks.astype(np.uint8)


def floats(name, random):
    """64 elements of a plain type, each a block."""
    values = random.standard_normal(64)
    values[:8] = [0.0, -0.0, 1e-41, -1e-41, 6e4, -6e4, 6e-8, 1.0000001]
    if name == "F64":
        return values.astype("<f8").view(np.uint8).reshape(64, 8)
    if name == "BF16":
        return quants.quantize(values.astype(np.float32).reshape(1, -1), Type.BF16).reshape(64, 2)
    return values.astype({"F32": "<f4", "F16": "<f2"}[name]).view(np.uint8).reshape(64, -1)


def dequantized(name, blocks):
    if name == "F64":
        return blocks.view("<f8").astype(np.float32)
    if name == "Q8_1":
        return blocks[:, :2].copy().view("<f2").astype(np.float32) * blocks[:, 4:].view(np.int8).astype(np.float32)
    if name == "Q8_K":
        return blocks[:, :4].copy().view("<f4") * blocks[:, 4:260].view(np.int8).astype(np.float32)
    if name == "Q1_0":
        signs = np.unpackbits(blocks[:, 2:], axis=-1, bitorder="little").astype(np.float32) * 2 - 1
        return blocks[:, :2].copy().view("<f2").astype(np.float32) * signs
    with np.errstate(over="ignore"):
        return quants.dequantize(blocks, Type[name])


def sums(values):
    content = np.ascontiguousarray(values, "<f4").view(np.uint8)
    result = np.full(len(content), 0xcbf29ce484222325, np.uint64)
    with np.errstate(over="ignore"):
        for column in content.T:
            result = (result ^ column.astype(np.uint64)) * np.uint64(0x100000001b3)
    return result


def main():
    tensors = {}
    for number, kind in enumerate(Type):
        name = kind.name
        if name in ("I8", "I16", "I32", "I64"):
            continue
        random = np.random.default_rng([SEED, number])
        if size(name)[0] == 1:
            blocks = floats(name, random)
        else:
            blocks = random_blocks(name, random)
            table = quants.IQ1_S if name == "IQ1_M" else getattr(quants, name, None)
            if getattr(table, "grid_hex", None):
                blocks = np.concatenate([blocks, with_index(name, table.grid_shape[0], random)])
        values = dequantized(name, blocks)
        tensors |= {f"{name}.blocks": blocks, f"{name}.values": np.ascontiguousarray(values[:2], np.float32),
                    f"{name}.sums": sums(values)}
    OUT.mkdir(parents=True, exist_ok=True)
    versions = {package: importlib.metadata.version(package) for package in ("gguf", "numpy")}
    save_file(dict(sorted(tensors.items())), OUT / "expected.safetensors",
              {"generator": "tools/goldens/block_types.py", "seed": str(SEED), **versions})


if __name__ == "__main__":
    main()
