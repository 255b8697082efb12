"""Makes the models and adapters that all engines are measured with, once, in the cache.

SmolLM2-135M comes as 4-bit blocks (tools/fetch_model.sh); what is made of it has the same values
in every format: weights are rounded to bf16 first, then quantised again where a file is 8-bit or
4-bit. The 1.1B Llama shape has random weights.
"""

import json
import subprocess

import numpy as np

from loads.places import ASSETS, ROOT, replacing

from . import gguf_files
from .adapters import write_adapters
from .hugging_face import write_hugging_face
from .shapes import LARGE, large_metadata, large_tensors

ADAPTER_COUNT = 64
RANK = 16


def base(model, weight_type):
    """The GGUF file of `model` (`small` or `large`) in `weight_type`."""
    return ASSETS / f"{model}-{weight_type}.gguf"


def hugging_face_directory():
    """SmolLM2 in bf16 as transformers and vLLM read it."""
    return ASSETS / "small-hf"


def adapter_directory(index):
    """A PEFT directory: rank 16 on all linear layers of SmolLM2."""
    return ASSETS / "adapters" / f"a{index:02}"


def adapter_gguf(index):
    """The same adapter as llama.cpp reads it."""
    return ASSETS / "adapters-gguf" / f"a{index:02}.gguf"


def rounded_to_bf16(values):
    """The nearest bf16 values (ties to even), as f32."""
    bits = values.astype(np.float32).view(np.uint32)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return bits.view(np.float32)


def ensure(say, with_large=True):
    """Makes what is missing; `say` is told what takes long."""
    missing = [t for t in gguf_files.WEIGHT_TYPES if not base("small", t).exists()]
    adapters = not adapter_gguf(ADAPTER_COUNT - 1).exists()
    if missing or adapters or not hugging_face_directory().exists():
        make_small(missing, adapters, say)
    for weight_type in gguf_files.WEIGHT_TYPES:
        if with_large and weight_type != "f16" and not base("large", weight_type).exists():
            say(f"Making the 1.1B Llama shape in {weight_type} …")
            with replacing(base("large", weight_type)) as path:
                gguf_files.write_model(
                    path, weight_type, large_metadata(), large_tensors(rounded_to_bf16))


def make_small(missing, adapters, say):
    say("Making SmolLM2-135M in bf16, Q8_0 and Q4_0, and its adapters …")
    fetched = subprocess.run(
        [ROOT / "tools/fetch_model.sh"], check=True, stdout=subprocess.PIPE, text=True)
    metadata, tensors = gguf_files.read_model(fetched.stdout.strip())
    tensors = {name: rounded_to_bf16(values) if values.ndim > 1 else values
               for name, values in tensors.items()}
    for weight_type in missing:
        with replacing(base("small", weight_type)) as path:
            gguf_files.write_model(path, weight_type, metadata, tensors.items())
    keys = {key: value for key, _, value in metadata}
    if not hugging_face_directory().exists():
        with replacing(hugging_face_directory()) as path:
            write_hugging_face(path, keys, tensors)
    if adapters:
        write_adapters(ADAPTER_COUNT, RANK, keys, tensors, adapter_directory, adapter_gguf)


def prompt_tokens(count, seed):
    """Token ids that differ from request to request and are words, not special tokens."""
    return [int(t) for t in np.random.default_rng([7, seed]).integers(300, 30000, count)]


def describe():
    """What the page says about the models."""
    return {
        "small": "SmolLM2-135M-Instruct (30 layers, 576 hidden, 9 heads, 3 KV heads)",
        "large": "a 1.1B Llama shape with random weights "
                 f"({LARGE.layers} layers, {LARGE.hidden} hidden, {LARGE.intermediate} intermediate, "
                 f"{LARGE.heads} heads, {LARGE.key_value_heads} KV heads, vocabulary {LARGE.vocabulary})",
        "adapters": f"random LoRAs of rank {RANK} on all linear layers",
        "bytes": sizes(),
    }


def sizes():
    """{file: bytes of weights that one new token reads}, kept beside the files."""
    path = ASSETS / "bytes-read.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    names = [f"{model}-{weights}" for model in ["small", "large"]
             for weights in gguf_files.WEIGHT_TYPES if base(model, weights).exists()]
    if set(names) != set(known):
        known = {name: bytes_read(name) for name in names}
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(known))
    return known


def bytes_read(name):
    """The tensors' bytes, without the embedding of the 1.1B shape: a token reads one row of it."""
    return sum(data.nbytes for tensor, data in gguf_files.tensor_data(ASSETS / f"{name}.gguf")
               if name.startswith("small") or tensor != "token_embd.weight")
