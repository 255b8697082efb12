"""The 1.1B Llama shape: metadata and seeded random weights of a model that nobody trained."""

import dataclasses

import numpy as np
from gguf import GGUFValueType as Kind

SEED = 20261121


@dataclasses.dataclass(frozen=True)
class Shape:
    layers: int
    hidden: int
    intermediate: int
    heads: int
    key_value_heads: int
    vocabulary: int


LARGE = Shape(22, 2048, 5632, 32, 4, 32000)


def large_metadata():
    """Configuration and a SentencePiece vocabulary of made-up pieces, as GGUF keys."""
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    pieces += [f"▁w{index}" for index in range(len(pieces), LARGE.vocabulary)]
    # 2 unknown, 3 control, 6 byte, 1 normal: the token types of SentencePiece.
    types = [2, 3, 3] + [6] * 256 + [1] * (LARGE.vocabulary - 259)
    return [
        ("general.name", Kind.STRING, "Llama shape 1.1B, random"),
        ("llama.block_count", Kind.UINT32, LARGE.layers),
        ("llama.context_length", Kind.UINT32, 2048),
        ("llama.embedding_length", Kind.UINT32, LARGE.hidden),
        ("llama.feed_forward_length", Kind.UINT32, LARGE.intermediate),
        ("llama.attention.head_count", Kind.UINT32, LARGE.heads),
        ("llama.attention.head_count_kv", Kind.UINT32, LARGE.key_value_heads),
        ("llama.rope.dimension_count", Kind.UINT32, LARGE.hidden // LARGE.heads),
        ("llama.rope.freq_base", Kind.FLOAT32, 10000.0),
        ("llama.attention.layer_norm_rms_epsilon", Kind.FLOAT32, 1e-5),
        ("llama.vocab_size", Kind.UINT32, LARGE.vocabulary),
        ("tokenizer.ggml.model", Kind.STRING, "llama"),
        ("tokenizer.ggml.pre", Kind.STRING, "default"),
        ("tokenizer.ggml.tokens", Kind.ARRAY, pieces),
        ("tokenizer.ggml.scores", Kind.ARRAY, [-float(i) for i in range(LARGE.vocabulary)]),
        ("tokenizer.ggml.token_type", Kind.ARRAY, types),
        ("tokenizer.ggml.bos_token_id", Kind.UINT32, 1),
        ("tokenizer.ggml.eos_token_id", Kind.UINT32, 2),
        ("tokenizer.ggml.unknown_token_id", Kind.UINT32, 0),
    ]


def large_tensors(rounded):
    """Yields (GGUF name, f32 array); each tensor has a seed of its own, so any order gives the same.

    `rounded` is applied to matrices. Rows have length about 1, so that values stay in range from layer to layer.
    """
    wide, narrow = LARGE.hidden, LARGE.hidden // LARGE.heads * LARGE.key_value_heads
    inner = LARGE.intermediate
    index = 0

    def matrix(name, outputs, inputs):
        nonlocal index
        index += 1
        generator = np.random.default_rng([SEED, index])
        values = generator.standard_normal((outputs, inputs), dtype=np.float32)
        return name, rounded(values / np.float32(np.sqrt(inputs)))

    yield matrix("token_embd.weight", LARGE.vocabulary, wide)
    for layer in range(LARGE.layers):
        block = f"blk.{layer}."
        yield block + "attn_norm.weight", np.ones(wide, np.float32)
        yield matrix(block + "attn_q.weight", wide, wide)
        yield matrix(block + "attn_k.weight", narrow, wide)
        yield matrix(block + "attn_v.weight", narrow, wide)
        yield matrix(block + "attn_output.weight", wide, wide)
        yield block + "ffn_norm.weight", np.ones(wide, np.float32)
        yield matrix(block + "ffn_gate.weight", inner, wide)
        yield matrix(block + "ffn_up.weight", inner, wide)
        yield matrix(block + "ffn_down.weight", wide, inner)
    yield "output_norm.weight", np.ones(wide, np.float32)
    yield matrix("output.weight", LARGE.vocabulary, wide)
