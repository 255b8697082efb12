"""Writes tiny random checkpoints of every architecture and what transformers and PEFT answer on them, under
Tests/Goldens/architectures.

    tools/reference architectures [NAME …]    all of them, or those named

NAME/ holds config.json, model.safetensors (bf16), lora/ (PEFT's LoRA on all linear modules) and
expected.safetensors: log-probabilities of `tokens` in f32 arithmetic, [tokens, vocabulary], of the base and
under the adapter. manifest.json has for each the largest difference of transformers' own bf16 run from them.
Nothing is 0 or 1 by luck: norms, biases and scales are random, and windows, caps and partial rotary small
enough for 100 tokens to exercise. Values are rounded to bf16, so that both types hold the same.
Needs the environment of tools/python/requirements.txt.
"""

import copy
import json
import pathlib
import shutil
import sys

import torch
import transformers as T
from peft import LoraConfig, get_peft_model
from peft.utils import transformers_weight_conversion
from safetensors.torch import load_file, save_file

import expert_modules

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "Tests/Goldens/architectures"
COUNT, VOCABULARY, SEED = 100, 48, 20
COMMON = dict(
    vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0)
MULTI_HEAD = {key: value for key, value in COMMON.items() if key != "num_key_value_heads"}


def common(**changes):
    return {**COMMON, **changes}


def rope(kind="default", theta=10_000.0, **settings):
    return {"rope_type": kind, "rope_theta": theta, **settings}


YARN = rope("yarn", factor=4.0, original_max_position_embeddings=32, beta_fast=4.0, beta_slow=1.0)
LLAMA3 = rope(
    "llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
LONG = rope(
    "longrope", short_factor=[1.0, 1.3, 1.7, 2.0], long_factor=[2.0, 3.0, 4.0, 5.0],
    original_max_position_embeddings=128)
MIXED = ["sliding_attention", "full_attention", "sliding_attention"]

# name: configuration
CASES = {
    "llama": lambda: T.LlamaConfig(**common(head_dim=16, attention_bias=True, mlp_bias=True)),
    "llama-3": lambda: T.LlamaConfig(**common(rope_parameters=LLAMA3, tie_word_embeddings=True)),
    "llama-yarn": lambda: T.LlamaConfig(**common(rope_parameters=YARN)),
    "mistral": lambda: T.MistralConfig(**common(sliding_window=9)),
    "qwen2": lambda: T.Qwen2Config(
        **common(sliding_window=9, use_sliding_window=True, max_window_layers=1)),
    "qwen3": lambda: T.Qwen3Config(**common(head_dim=12, tie_word_embeddings=True)),
    "gemma": lambda: T.GemmaConfig(**common(head_dim=12)),
    "gemma2": lambda: T.Gemma2Config(**common(
        head_dim=12, query_pre_attn_scalar=10, sliding_window=9, attn_logit_softcapping=3.0,
        final_logit_softcapping=4.0)),
    "gemma3": lambda: T.Gemma3TextConfig(**common(
        head_dim=12, query_pre_attn_scalar=10, sliding_window=9, layer_types=MIXED, rope_parameters={
            "full_attention": rope("linear", 1_000_000.0, factor=2.0),
            "sliding_attention": rope()})),
    "phi": lambda: T.PhiConfig(**common(qk_layernorm=True)),
    "phi3": lambda: T.Phi3Config(**common(sliding_window=9, rope_parameters=rope(partial_rotary_factor=0.5))),
    "phi3-longrope": lambda: T.Phi3Config(**common(
        original_max_position_embeddings=128, rope_parameters=LONG)),
    "smollm3": lambda: T.SmolLM3Config(**common(num_hidden_layers=4)),
    "olmo2": lambda: T.Olmo2Config(**common()),
    "granite": lambda: T.GraniteConfig(**common(
        embedding_multiplier=3.0, residual_multiplier=0.4, attention_multiplier=0.2, logits_scaling=2.0)),
    "stablelm": lambda: T.StableLmConfig(**common(
        use_qkv_bias=True, rope_parameters=rope(partial_rotary_factor=0.5))),
    "stablelm-parallel": lambda: T.StableLmConfig(**common(
        use_parallel_residual=True, rope_parameters=rope(partial_rotary_factor=0.25))),
    "gpt2": lambda: T.GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=3, n_head=4, n_positions=128, bos_token_id=1, eos_token_id=2),
    "gpt-neox": lambda: T.GPTNeoXConfig(**{**MULTI_HEAD, "rope_parameters": rope(partial_rotary_factor=0.5)}),
    "gpt-neox-sequential": lambda: T.GPTNeoXConfig(**{
        **MULTI_HEAD, "use_parallel_residual": False, "attention_bias": False,
        "rope_parameters": rope(partial_rotary_factor=0.25)}),
    "falcon-7b": lambda: T.FalconConfig(**{**MULTI_HEAD, "multi_query": True}),
    "falcon-40b": lambda: T.FalconConfig(**{
        **MULTI_HEAD, "new_decoder_architecture": True, "num_kv_heads": 2, "bias": True}),
    "falcon-rw": lambda: T.FalconConfig(**{
        **MULTI_HEAD, "alibi": True, "multi_query": False, "parallel_attn": False, "bias": True}),
    "bloom": lambda: T.BloomConfig(
        vocab_size=VOCABULARY, hidden_size=48, n_layer=3, n_head=6, bos_token_id=1, eos_token_id=2,
        pad_token_id=0),
    "starcoder2": lambda: T.Starcoder2Config(**common(sliding_window=9)),
    "cohere": lambda: T.CohereConfig(**common(logit_scale=0.3)),
    "glm": lambda: T.GlmConfig(**common(head_dim=12)),
    "glm4": lambda: T.Glm4Config(**common(head_dim=16)),
    "mixtral": lambda: T.MixtralConfig(**common(num_local_experts=6, sliding_window=9)),
    "qwen2-moe": lambda: T.Qwen2MoeConfig(**common(
        num_experts=6, num_experts_per_tok=2, moe_intermediate_size=24, shared_expert_intermediate_size=40,
        mlp_only_layers=[1], use_sliding_window=True, sliding_window=9, max_window_layers=2)),
    "qwen3-moe": lambda: T.Qwen3MoeConfig(**common(
        num_experts=8, num_experts_per_tok=3, moe_intermediate_size=24, head_dim=12, norm_topk_prob=True,
        mlp_only_layers=[0])),
    "granitemoe": lambda: T.GraniteMoeConfig(**common(
        num_local_experts=6, embedding_multiplier=3.0, residual_multiplier=0.4, attention_multiplier=0.2,
        logits_scaling=2.0)),
    "gpt-oss": lambda: T.GptOssConfig(**common(
        num_local_experts=6, num_experts_per_tok=2, head_dim=12, sliding_window=9, rope_parameters=YARN,
        swiglu_limit=1.0)),
}


def randomise(model, generator, offset):
    """Random values for every parameter; `offset`: gains of norms are stored less 1."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        is_norm = any(part in name for part in ("norm", "ln_", "layernorm"))
        if parameter.dim() > 1:
            values = noise * (0.5 if "emb" in name or "wte" in name or "wpe" in name else 0.2)
        elif is_norm and name.endswith("weight"):
            values = 0.3 * noise + (0 if offset else 1)
        else:
            values = 0.2 * noise
        parameter.data = values.to(torch.bfloat16).to(torch.float32)


def logprobs(model, tokens):
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]
    return torch.log_softmax(logits.float(), dim=-1).contiguous()


def lora(model, generator):
    if model.config.model_type in expert_modules.NAMES:
        # The modules are those that adapters are named after: nothing is to be converted.
        expert_modules.expand(model)
        transformers_weight_conversion.convert_peft_config_for_transformers = lambda *_, **__: None
    wrapped = get_peft_model(
        model, LoraConfig(r=4, lora_alpha=6, target_modules="all-linear", base_model_name_or_path=""))
    for name, parameter in wrapped.named_parameters():
        if "lora_" in name:
            scale = 0.15 if "lora_B" in name else 0.2
            parameter.data = (scale * torch.randn(parameter.shape, generator=generator)).to(
                torch.bfloat16).to(torch.float32)
    return wrapped


def rename(folder, content, model_type):
    """Modules by their names in checkpoints."""
    content["target_modules"] = [
        expert_modules.checkpoint_name(model_type, name) for name in content["target_modules"]]
    path = folder / "adapter_model.safetensors"
    save_file({
        expert_modules.checkpoint_name(model_type, name): tensor for name, tensor in load_file(path).items()},
        path, metadata={"format": "pt"})


def write(name, make):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    config = make()
    generator = torch.Generator().manual_seed(SEED)
    model = T.AutoModelForCausalLM.from_config(config).float().eval()
    randomise(model, generator, offset=name.startswith("gemma"))
    model.tie_weights()
    has_experts = any("experts" in name for name, _ in model.named_parameters())
    tokens = (
        expert_modules.draw_tokens(model, COUNT, VOCABULARY, generator) if has_experts
        else torch.randint(3, VOCABULARY, (COUNT,), generator=generator).tolist())
    expected = {"tokens": torch.tensor(tokens, dtype=torch.int32), "base": logprobs(model, tokens)}
    # A copy: buffers of the rotary embedding would come back rounded.
    rounded = copy.deepcopy(model).to(torch.bfloat16)
    distance = (logprobs(rounded, tokens) - expected["base"]).abs().max().item()
    rounded.save_pretrained(folder)
    for extra in ("generation_config.json",):
        (folder / extra).unlink(missing_ok=True)
    wrapped = lora(model, generator)
    expected["lora"] = logprobs(wrapped, tokens)
    wrapped.save_pretrained(folder / "lora")
    (folder / "lora/README.md").unlink(missing_ok=True)
    settings = folder / "lora/adapter_config.json"
    content = json.loads(settings.read_text())
    content["base_model_name_or_path"] = ""
    if config.model_type in expert_modules.NAMES:
        rename(folder / "lora", content, config.model_type)
    settings.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    save_file(expected, folder / "expected.safetensors")
    change = (expected["lora"] - expected["base"]).abs().max().item()
    print(f"{name}: bf16 {distance:.3g}, adapter {change:.3g}")
    return {"bf16": distance}


def main():
    names = sys.argv[1:] or list(CASES)
    manifest = OUT / "manifest.json"
    results = json.loads(manifest.read_text()) if manifest.exists() else {}
    for name in names:
        results[name] = write(name, CASES[name])
    manifest.write_text(json.dumps({name: results[name] for name in CASES if name in results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
