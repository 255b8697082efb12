"""Writes safetensors files that are the same, byte for byte, each time."""

import json
import struct

from safetensors.torch import save_file


def save_sorted(tensors, path, metadata):
    """`save_file` with tensors by name and, unlike it, metadata in a fixed order."""
    save_file({name: tensors[name].contiguous() for name in sorted(tensors)}, path, metadata=metadata)
    data = path.read_bytes()
    count = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + count])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + count:])
