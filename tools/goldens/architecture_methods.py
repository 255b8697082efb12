"""Writes adapters of every kind for tiny bases of other shapes than Llama's, and what PEFT answers under them.

    tools/reference architecture-methods [NAME …]    all bases, or those named

The bases are those of architectures.py, which are there before. Tests/Goldens/architectures/NAME/METHOD/ holds
PEFT's adapter and expected.safetensors: log-probabilities of `tokens` in f32, [tokens, vocabulary].
methods.json lists what there is, and what PEFT itself refuses. Every trained value is random, and rounded to
bf16. Needs the environment of tools/python/requirements.txt.
"""

import json
import pathlib
import shutil
import sys
import warnings

import peft as P
import torch
import transformers as T
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "Tests/Goldens/architectures"
COUNT, VOCABULARY, SEED = 40, 48, 21

# name: (attention's first module, feed-forward modules, norms, embedding, head)
BASES = {
    "gpt2": ("attn.c_attn", ["mlp.c_fc", "mlp.c_proj"], ["ln_1", "ln_2", "ln_f"], "wte", "lm_head"),
    "gemma2": (
        "k_proj", ["up_proj", "down_proj"],
        ["input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm",
         "norm"], "embed_tokens", "lm_head"),
    "gemma3": (
        "k_proj", ["up_proj", "down_proj"],
        ["input_layernorm", "post_attention_layernorm", "post_feedforward_layernorm", "q_norm", "k_norm", "norm"],
        "embed_tokens", "lm_head"),
    "phi3": (
        "qkv_proj", ["gate_up_proj", "down_proj"], ["input_layernorm", "post_attention_layernorm", "norm"],
        "embed_tokens", "lm_head"),
    "gpt-neox": (
        "query_key_value", ["dense_h_to_4h", "dense_4h_to_h"],
        ["input_layernorm", "post_attention_layernorm", "final_layer_norm"], "embed_in", "lm_head"),
    "falcon-40b": (
        "query_key_value", ["dense_h_to_4h", "dense_4h_to_h"], ["ln_attn", "ln_mlp", "ln_f"], "word_embeddings",
        "lm_head"),
    "granite": (
        "q_proj", ["gate_proj", "down_proj"], ["input_layernorm", "post_attention_layernorm", "norm"],
        "embed_tokens", "lm_head"),
    "olmo2": (
        "q_proj", ["gate_proj", "down_proj"], ["post_attention_layernorm", "post_feedforward_layernorm", "q_norm"],
        "embed_tokens", "lm_head"),
    "bloom": (
        "query_key_value", ["dense_h_to_4h", "dense_4h_to_h"],
        ["input_layernorm", "post_attention_layernorm", "word_embeddings_layernorm", "ln_f"], "word_embeddings",
        "lm_head"),
    "qwen3": (
        "q_proj", ["gate_proj", "down_proj"], ["input_layernorm", "q_norm", "k_norm", "norm"], "embed_tokens",
        "lm_head"),
}
# Those that have every method of linear modules: matrices stored the other way round, and fused ones.
WIDE = ["gpt2", "phi3"]


def common(base):
    attention, forward, norms, embedding, head = BASES[base]
    every = [attention, *forward]
    return {
        "dora": lambda: P.LoraConfig(r=2, lora_alpha=5, use_dora=True, target_modules=every),
        "ia3": lambda: P.IA3Config(target_modules=every, feedforward_modules=forward[1:]),
        "ln-tuning": lambda: P.LNTuningConfig(target_modules=norms),
        "prefix": lambda: P.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
        "prompt": lambda: P.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4),
        "biases": lambda: P.LoraConfig(r=2, lora_alpha=4, bias="all", target_modules=every),
        "saved": lambda: P.LoraConfig(
            r=2, lora_alpha=4, target_modules=[attention], modules_to_save=[head, norms[-1]]),
        "embedding": lambda: P.LoraConfig(r=2, lora_alpha=6, target_modules=[embedding, attention]),
        "defaults": lambda: P.LoraConfig(r=2, lora_alpha=4),
        "ia3-defaults": lambda: P.IA3Config(),
        "ln-defaults": lambda: P.LNTuningConfig(),
    }


def wide(base):
    attention, forward, _, embedding, _ = BASES[base]
    # A module with as many inputs as outputs, and one with more inputs.
    square = {"gpt2": "attn.c_proj", "phi3": "o_proj"}[base]
    pair = [attention, forward[1]]
    return {
        "targeted-biases": lambda: P.LoraConfig(r=2, bias="lora_only", lora_bias=True, target_modules=pair),
        "pissa": lambda: P.LoraConfig(r=2, init_lora_weights="pissa", target_modules=pair),
        "olora": lambda: P.LoraConfig(r=2, init_lora_weights="olora", target_modules=pair),
        "parameters": lambda: P.LoraConfig(
            r=2, target_modules=[], target_parameters=[forward[1] + ".weight"]),
        "tokens": lambda: P.LoraConfig(
            r=2, target_modules=[attention], trainable_token_indices={embedding: [5, 7]}),
        "adalora": lambda: P.AdaLoraConfig(init_r=2, target_r=2, total_step=10, target_modules=pair),
        "beft": lambda: P.BeftConfig(target_modules=pair),
        "boft": lambda: P.BOFTConfig(boft_block_size=4, target_modules=[square]),
        "c3a": lambda: P.C3AConfig(block_size=16, target_modules=[square]),
        "deft": lambda: P.DeftConfig(r=2, target_modules=pair),
        "delora": lambda: P.DeloraConfig(r=2, target_modules=pair),
        "fourierft": lambda: P.FourierFTConfig(n_frequency=20, target_modules=pair),
        "frod": lambda: P.FrodConfig(target_modules=[square]),
        "glora": lambda: P.GloraConfig(r=2, target_modules=pair),
        "gralora": lambda: P.GraloraConfig(r=4, gralora_k=2, target_modules=[square]),
        "hira": lambda: P.HiraConfig(r=2, target_modules=pair),
        "hra": lambda: P.HRAConfig(r=2, target_modules=pair),
        "lily": lambda: P.LilyConfig(r=2, target_modules=[square]),
        "loha": lambda: P.LoHaConfig(r=2, target_modules=pair),
        "lokr": lambda: P.LoKrConfig(r=2, target_modules=pair),
        "miss": lambda: P.MissConfig(r=2, target_modules=pair),
        "oft": lambda: P.OFTConfig(oft_block_size=8, target_modules=[square]),
        "osf": lambda: P.OSFConfig(effective_rank=30, target_modules=[square]),
        "peanut": lambda: P.PeanutConfig(r=2, target_modules=pair),
        "poly": lambda: P.PolyConfig(r=2, target_modules=[square]),
        "psoft": lambda: P.PsoftConfig(r=4, target_modules=[square]),
        "pvera": lambda: P.PveraConfig(r=8, target_modules=[square]),
        "randlora": lambda: P.RandLoraConfig(r=8, target_modules=[square]),
        "road": lambda: P.RoadConfig(group_size=8, target_modules=pair),
        "shira": lambda: P.ShiraConfig(r=2, target_modules=pair),
        "supertuning": lambda: P.SupertuningConfig(target_modules=[square]),
        "tinylora": lambda: P.TinyLoraConfig(r=2, target_modules=[square]),
        "unilora": lambda: P.UniLoraConfig(r=2, target_modules=[square]),
        "vblora": lambda: P.VBLoRAConfig(r=2, num_vectors=8, vector_length=16, target_modules=[square]),
        "vera": lambda: P.VeraConfig(r=8, target_modules=[square]),
        "waveft": lambda: P.WaveFTConfig(n_frequency=20, target_modules=pair),
    }


def further(base):
    """What embeddings that are scaled, heads, layers and names of other bases could be wrong in."""
    attention, forward, _, embedding, head = BASES[base]
    layers = ".*layers" if base not in ("gpt2", "bloom", "falcon-40b") else ".*h"
    methods = {
        "expression": lambda: P.LoraConfig(
            r=2, target_modules=rf"{layers}\.[12]\..*({attention}|{forward[1]})".replace(".c_", r"\.c_")),
        "layers": lambda: P.LoraConfig(r=2, target_modules=[attention, *forward], layers_to_transform=[1]),
        "head": lambda: P.LoraConfig(r=2, target_modules=[attention, head]),
        "tokens": lambda: P.LoraConfig(
            r=2, target_modules=[attention], trainable_token_indices={embedding: [5, 7]}),
        "tokens-alone": lambda: P.TrainableTokensConfig(token_indices=[5, 7, 9]),
        "saved-embedding": lambda: P.LoraConfig(
            r=2, target_modules=[attention], modules_to_save=[embedding]),
        "embedding-dora": lambda: P.LoraConfig(r=2, use_dora=True, target_modules=[embedding, attention]),
        "embedding-hira": lambda: P.HiraConfig(r=2, target_modules=[embedding]),
        "embedding-oft": lambda: P.OFTConfig(oft_block_size=8, target_modules=[embedding]),
        "embedding-tinylora": lambda: P.TinyLoraConfig(r=2, target_modules=[embedding]),
        "replicated": lambda: P.LoraConfig(
            r=2, target_modules=[attention], layer_replication=[[0, 2], [1, 3]]),
        "activated": lambda: P.LoraConfig(
            r=2, task_type="CAUSAL_LM", target_modules=[attention], alora_invocation_tokens=[5, 7]),
    }
    return {name: methods[name] for name in FURTHER.get(base, [])}


FURTHER = {
    "gpt2": ["expression", "layers", "tokens-alone", "saved-embedding", "embedding-dora", "replicated", "activated"],
    "bloom": ["expression", "layers", "saved-embedding", "replicated"],
    "gemma2": ["head", "tokens", "tokens-alone", "replicated"],
    "gemma3": [
        "expression", "tokens", "saved-embedding", "embedding-dora", "embedding-hira", "embedding-oft",
        "embedding-tinylora", "replicated", "activated"],
    "granite": ["head", "tokens", "saved-embedding", "embedding-dora", "embedding-hira", "embedding-oft", "replicated"],
    "gpt-neox": ["expression", "layers", "head", "tokens-alone"],
    "falcon-40b": ["replicated"],
}


def rounded(values):
    return values.to(torch.bfloat16).to(values.dtype)


def logprobs(model, tokens):
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0][-len(tokens):]
    return torch.log_softmax(logits.float(), dim=-1).contiguous()


def narrow(path):
    """Stores values that bf16 holds in bf16."""
    tensors = load_file(path)
    for name, values in tensors.items():
        if values.dtype == torch.float32 and torch.equal(rounded(values), values):
            tensors[name] = values.to(torch.bfloat16).contiguous()
    save_file(tensors, path, metadata={"format": "pt"})


def write(base, method, make):
    folder = OUT / base / method
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(SEED)
    model = T.AutoModelForCausalLM.from_pretrained(OUT / base, dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(SEED)
    tokens = torch.randint(3, VOCABULARY, (COUNT,), generator=generator).tolist()
    if method == "activated":
        tokens[17:19] = [5, 7]
    before = logprobs(model, tokens)
    model.config._name_or_path = ""
    model.name_or_path = ""
    config = make()
    wrapped = P.get_peft_model(model, config).eval()
    for name, parameter in wrapped.named_parameters():
        if parameter.requires_grad and parameter.is_floating_point():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.data = rounded(parameter.data + 0.15 * noise)
    expected = logprobs(wrapped, tokens)
    if not torch.isfinite(expected).all():
        raise ValueError("not finite")
    if torch.equal(expected, before):
        raise ValueError("changes nothing on Conv1D or elsewhere")
    wrapped.save_pretrained(folder)
    # What counts is what PEFT makes of the file.
    again = T.AutoModelForCausalLM.from_pretrained(OUT / base, dtype=torch.float32).eval()
    loaded = P.PeftModel.from_pretrained(again, folder).eval()
    difference = (logprobs(loaded, tokens) - expected).abs().max().item()
    expected = logprobs(loaded, tokens)
    (folder / "README.md").unlink(missing_ok=True)
    narrow(folder / "adapter_model.safetensors")
    settings = folder / "adapter_config.json"
    content = json.loads(settings.read_text())
    content["base_model_name_or_path"] = ""
    if method.endswith("defaults"):
        content["target_modules"] = None
        content.pop("feedforward_modules", None)
    settings.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    save_file(
        {"tokens": torch.tensor(tokens, dtype=torch.int32), "logprobs": expected},
        folder / "expected.safetensors")
    change = (expected - before).abs().max().item()
    print(f"{base}/{method}: changes {change:.3g}" + (f", loaded {difference:.3g} apart" if difference > 1e-4 else ""))


def main():
    warnings.simplefilter("ignore")
    listing = OUT / "methods.json"
    results = json.loads(listing.read_text()) if listing.exists() else {}
    for base in sys.argv[1:] or list(BASES):
        methods = common(base) | (wide(base) if base in WIDE else {}) | further(base)
        served, refused = [], {}
        for method, make in methods.items():
            try:
                write(base, method, make)
                served.append(method)
            except Exception as error:
                shutil.rmtree(OUT / base / method, ignore_errors=True)
                refused[method] = str(error).split("\n")[0][:160]
                print(f"{base}/{method}: PEFT: {type(error).__name__} {refused[method]}")
        results[base] = {"served": served, "refusedByPEFT": refused}
    listing.write_text(json.dumps({name: results[name] for name in BASES if name in results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
