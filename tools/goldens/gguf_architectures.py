"""Converts the tiny checkpoints of Tests/Goldens/architectures to GGUF with llama.cpp's own converter.

    tools/reference gguf-architectures --llama-cpp DIR [NAME …]    DIR: llama.cpp's source tree

Writes NAME/model.gguf: matrices in bf16, vectors in f32, no tokenizer. Where the converter or the format can't
say what a checkpoint's config.json does, the model is made anew with what it can say, and NAME/gguf.safetensors
has `tokens` and transformers' log-probabilities `base`, as expected.safetensors has them of the others.
Needs the environment of tools/python/requirements.txt and architectures.py's checkpoints.
"""

import argparse
import json
import pathlib
import shutil
import sys
import tempfile

import torch
import transformers as T
from safetensors.torch import save_file

import architectures as A

HEADS = {**A.MULTI_HEAD, "num_key_value_heads": 4}

# The golden's own weights: what the converter asks of the configuration beside what transformers 5 writes.
SAME = {
    "llama": {}, "llama-3": {}, "llama-yarn": {}, "mistral": {}, "qwen3": {}, "gemma": {}, "phi3": {},
    "phi3-longrope": {}, "smollm3": {}, "olmo2": {}, "granite": {}, "stablelm": {}, "stablelm-parallel": {},
    "gpt2": {"n_ctx": 128}, "gpt-neox": {"rotary_pct": 0.5}, "gpt-neox-sequential": {"rotary_pct": 0.25},
    "falcon-7b": {"num_kv_heads": 1}, "cohere": {}, "glm4": {},
}
# Keys that llama.cpp knows and its converter leaves out.
ADDED = {"mistral": lambda writer: writer.add_sliding_window(9)}
# Queries, keys and values in one tensor, as older files of the architecture have them.
FUSED = {"glm"}
# Windows of these aren't written; scalars of Gemma follow from the head; Phi-2 has 4 times the hidden size, and
# no norms of heads; Falcon has no biases; GLM's epsilon is another's. BLOOM is made smaller.
ANEW = {
    "qwen2": (lambda: T.Qwen2Config(**A.common()), {}),
    "gemma2": (lambda: T.Gemma2Config(**A.common(
        head_dim=12, query_pre_attn_scalar=12, sliding_window=9, attn_logit_softcapping=3.0,
        final_logit_softcapping=4.0)), {}),
    "gemma3": (lambda: T.Gemma3TextConfig(**A.common(
        head_dim=12, query_pre_attn_scalar=12, sliding_window=9, num_hidden_layers=6, intermediate_size=32,
        final_logit_softcapping=4.0, rope_parameters={
            "full_attention": A.rope("linear", 1_000_000.0, factor=2.0),
            "sliding_attention": A.rope(theta=5_000.0)})), {}),
    "phi": (lambda: T.PhiConfig(**{**HEADS, "intermediate_size": 128}), {}),
    "falcon-40b": (lambda: T.FalconConfig(**{
        **A.MULTI_HEAD, "new_decoder_architecture": True, "num_kv_heads": 2}), {}),
    "bloom": (lambda: T.BloomConfig(
        vocab_size=A.VOCABULARY, hidden_size=24, n_layer=2, n_head=6, bos_token_id=1, eos_token_id=2,
        pad_token_id=0), {"seq_length": 256}),
    "starcoder2": (lambda: T.Starcoder2Config(**A.common(sliding_window=None)), {}),
    "glm": (lambda: T.GlmConfig(**A.common(head_dim=8, rms_norm_eps=1e-5)), {"seq_length": 256}),
}


def make_anew(name, config, folder):
    """A checkpoint as architectures.py makes them, and what transformers answers."""
    generator = torch.Generator().manual_seed(A.SEED)
    model = T.AutoModelForCausalLM.from_config(config).float().eval()
    A.randomise(model, generator, offset=name.startswith("gemma"))
    model.tie_weights()
    tokens = torch.randint(3, A.VOCABULARY, (A.COUNT,), generator=generator)
    expected = {"tokens": tokens.to(torch.int32), "base": A.logprobs(model, tokens.tolist())}
    save_file(expected, A.OUT / name / "gguf.safetensors")
    model.to(torch.bfloat16).save_pretrained(folder)


def convert(name, folder, settings):
    import gguf
    from conversion import ModelBase, ModelType, get_model_architecture, get_model_class

    # Gemma 3's embedding is cut to the vocabulary that this has.
    (folder / "tokenizer.json").write_text(json.dumps({
        "model": {"vocab": {str(token): token for token in range(A.VOCABULARY)}}, "added_tokens": []}))
    hparams = {**ModelBase.load_hparams(folder, False), **settings}
    target = A.OUT / name / "model.gguf"
    model_class = get_model_class(get_model_architecture(hparams, ModelType.TEXT))
    with torch.inference_mode():
        model = model_class(folder, gguf.LlamaFileType.MOSTLY_BF16, target, hparams=hparams, fuse_qkv=name in FUSED)
        model.set_vocab = lambda: None
        if name in ADDED:
            ADDED[name](model.gguf_writer)
        model.write()
    print(f"{name}: {target.stat().st_size} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--llama-cpp", required=True, metavar="DIR", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    sys.path[:0] = [str(arguments.llama_cpp / "gguf-py"), str(arguments.llama_cpp)]
    for name in arguments.names or [*SAME, *ANEW]:
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch) / name
            if name in SAME:
                shutil.copytree(A.OUT / name, folder, ignore=shutil.ignore_patterns("lora", "expected*", "*.gguf"))
                settings = SAME[name]
            else:
                make, settings = ANEW[name]
                make_anew(name, make(), folder)
            convert(name, folder, settings)


if __name__ == "__main__":
    main()
