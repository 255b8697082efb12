"""Reads and writes GGUF files of the llama architecture, one weight type a file."""

import gguf
import numpy as np

Type = gguf.GGMLQuantizationType

# The types that are compared: matrices, embedding and head, and the number that llama.cpp gives
# a file of this kind (`general.file_type`).
WEIGHT_TYPES = {
    "bf16": (Type.BF16, Type.BF16, 32),
    # For OpenVINO, whose reader of GGUF knows no bf16; only made of the small model.
    "f16": (Type.F16, Type.F16, 1),
    "q8": (Type.Q8_0, Type.Q8_0, 7),
    # The head stays at 8 bits, as llama.cpp's own quantiser leaves it at more than four.
    "q4": (Type.Q4_0, Type.Q8_0, 2),
}
HEADS = ("token_embd.weight", "output.weight")


def write_model(path, weight_type, metadata, tensors):
    """Writes one model file.

    `metadata` is a list of (key, value type, value), `tensors` yields (GGUF name, f32 array in
    row-major shape); vectors stay f32, matrices become `weight_type`.
    """
    matrix_type, head_type, file_type = WEIGHT_TYPES[weight_type]
    writer = gguf.GGUFWriter(path, "llama")
    for key, value_type, value in metadata:
        if value_type == gguf.GGUFValueType.ARRAY:
            writer.add_array(key, value)
        else:
            writer.add_key_value(key, value, value_type)
    writer.add_file_type(file_type)
    for name, values in tensors:
        if values.ndim == 1:
            writer.add_tensor(name, values)
            continue
        kind = head_type if name in HEADS else matrix_type
        writer.add_tensor(name, gguf.quantize(values, kind), raw_dtype=kind)
    finish(writer)


def write_adapter(path, alpha, tensors):
    """Writes a LoRA as llama.cpp reads it, in f16; `tensors` yields (GGUF name, array)."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    for name, values in tensors:
        writer.add_tensor(name, values.astype(np.float16))
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_model(path):
    """The metadata of a file, as `write_model` takes it, and {GGUF name: f32 array}."""
    reader = gguf.GGUFReader(path)
    metadata = []
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in (
            "general.architecture", "general.file_type", "general.quantization_version",
        ):
            continue
        metadata.append((field.name, field.types[0], field.contents()))
    tensors = {
        tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        for tensor in reader.tensors
    }
    return metadata, tensors


def tensor_data(path):
    """(GGUF name, stored bytes as an array) of all tensors."""
    return [(tensor.name, tensor.data) for tensor in gguf.GGUFReader(path).tensors]


def interleaved(rows, head_count):
    """Reorders query or key rows from halves (Hugging Face) to pairs (GGUF's llama)."""
    shape = rows.shape
    return rows.reshape(head_count, 2, shape[0] // head_count // 2, -1).swapaxes(1, 2).reshape(shape)


def halved(rows, head_count):
    """Reorders query or key rows from pairs (GGUF's llama) to halves (Hugging Face)."""
    shape = rows.shape
    return rows.reshape(head_count, shape[0] // head_count // 2, 2, -1).swapaxes(1, 2).reshape(shape)


# GGUF's name of each linear layer of a block, and Hugging Face's.
LINEAR_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
NORM_NAMES = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
TOP_NAMES = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}


def hugging_face_name(name):
    """`blk.0.attn_q.weight` → `model.layers.0.self_attn.q_proj.weight`."""
    if name in TOP_NAMES:
        return TOP_NAMES[name]
    _, layer, part, kind = name.split(".")
    return f"model.layers.{layer}.{(LINEAR_NAMES | NORM_NAMES)[part]}.{kind}"
