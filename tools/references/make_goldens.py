"""Writes the tiny bases, adapters and reference logits that the tests compare with.

    tools/reference goldens                     everything under models/ and Tests/Goldens/, and SmolLM2's
                                                greedy tokens
    tools/reference goldens --methods [NAME …]  only Tests/Goldens/methods, or its cases NAME…

References are transformers and PEFT; nothing here computes what Graft computes. Bases and adapters
are random with a fixed seed. Needs the environment of tools/python/requirements.txt.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import torch
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from references.checkpoints import add_configuration, add_tensors, model_class, save_checkpoint  # noqa: E402

# PEFT would ask the hub for the base's own vocabulary when it saves.
os.environ["HF_HUB_OFFLINE"] = "1"
SEED = 20260117
MODELS = ROOT / "models"
GOLDENS = ROOT / "Tests/Goldens"
VOCABULARY = 512
PROMPT_LENGTHS = [1, 7, 33]
GREEDY_COUNT = 24
# Where this file lay when its headers were first written: moving it is no reason to change every golden.
GENERATOR = "tools/make_goldens.py"
PINNED = {"torch": "2.13.0", "transformers": "5.23.0", "peft": "0.21.2"}

COMMON = dict(
    vocab_size=VOCABULARY, hidden_size=64, intermediate_size=128, num_hidden_layers=3,
    num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, rms_norm_eps=1e-5,
    bos_token_id=1, eos_token_id=2, pad_token_id=None)

BASES = {
    "tiny-llama": ("Llama", "float32", dict(COMMON, tie_word_embeddings=True)),
    "tiny-llama-bf16": ("Llama", "bfloat16", dict(
        COMMON, tie_word_embeddings=False, max_position_embeddings=512, rope_parameters={
            "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 64})),
    "tiny-llama-bias": ("Llama", "float16", dict(
        COMMON, tie_word_embeddings=False, attention_bias=True, mlp_bias=True, rope_parameters={
            "rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0})),
    "tiny-qwen2": ("Qwen2", "bfloat16", dict(
        COMMON, tie_word_embeddings=True, rope_parameters={
            "rope_type": "default", "rope_theta": 1000000.0})),
    "tiny-mistral": ("Mistral", "float32", dict(
        COMMON, tie_word_embeddings=False, head_dim=24, sliding_window=None, rope_parameters={
            "rope_type": "default", "rope_theta": 1000000.0})),
}

ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

# name: (base, PEFT configuration, dtype of the saved tensors)
ADAPTERS = {
    "law": ("tiny-llama", dict(r=8, lora_alpha=16, target_modules=ALL_LINEAR), "float32"),
    "medicine": ("tiny-llama", dict(r=4, lora_alpha=4, target_modules=["q_proj", "v_proj"]), "float32"),
    "patterns": ("tiny-llama", dict(
        r=4, lora_alpha=8, target_modules=ALL_LINEAR,
        rank_pattern={"layers.1.self_attn.q_proj": 3, "up_proj": 16},
        alpha_pattern={"down_proj": 32, r"layers\.[02]\.self_attn\.k_proj": 1}), "float32"),
    "rslora": ("tiny-llama", dict(
        r=16, lora_alpha=8, use_rslora=True, target_modules=["o_proj", "gate_proj"]), "float16"),
    "rank-1": ("tiny-llama", dict(r=1, lora_alpha=3, target_modules=["down_proj"]), "bfloat16"),
    "rank-64": ("tiny-llama", dict(r=64, lora_alpha=64, target_modules=["v_proj", "up_proj"]), "float32"),
    "some-layers": ("tiny-llama", dict(
        r=4, lora_alpha=8, target_modules=["q_proj", "up_proj"], layers_to_transform=[0, 2]), "float32"),
    "regex": ("tiny-llama", dict(
        r=4, lora_alpha=8, target_modules=r"model\.layers\.(0|1)\.(self_attn\.(q|o)_proj|mlp\.down_proj)"),
        "float32"),
    "excluded": ("tiny-llama", dict(
        r=4, lora_alpha=8, target_modules=ALL_LINEAR, exclude_modules=["layers.1.mlp.up_proj", "k_proj"]),
        "float32"),
    "tables-tied": ("tiny-llama", dict(
        r=4, lora_alpha=8, target_modules=["embed_tokens", "q_proj"]), "float32"),
    "head-tied": ("tiny-llama", dict(r=4, lora_alpha=8, target_modules=["lm_head", "v_proj"]), "float32"),
    "saved-norm-tied": ("tiny-llama", dict(
        r=4, lora_alpha=8, target_modules=["q_proj"], modules_to_save=["norm"]), "float32"),
    "lora-bias": ("tiny-llama", dict(
        r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"], lora_bias=True), "float32"),
    "wide-llama3": ("tiny-llama-bf16", dict(r=8, lora_alpha=16, target_modules=ALL_LINEAR), "bfloat16"),
    "tables-untied": ("tiny-llama-bf16", dict(
        r=4, lora_alpha=8, target_modules=["embed_tokens", "lm_head", "o_proj"]), "float32"),
    "saved-tables": ("tiny-llama-bf16", dict(
        r=4, lora_alpha=8, target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"]),
        "float32"),
    "bias-all": ("tiny-llama-bias", dict(
        r=4, lora_alpha=8, target_modules=["q_proj", "up_proj"], bias="all"), "float32"),
    "bias-lora": ("tiny-llama-bias", dict(
        r=4, lora_alpha=8, target_modules=["k_proj", "down_proj"], bias="lora_only"), "float32"),
    "qwen": ("tiny-qwen2", dict(r=8, lora_alpha=16, target_modules=ALL_LINEAR), "float32"),
    "qwen-bias": ("tiny-qwen2", dict(
        r=4, lora_alpha=8, target_modules=["v_proj", "o_proj"], bias="all"), "float32"),
    "mistral": ("tiny-mistral", dict(r=8, lora_alpha=16, target_modules=ALL_LINEAR), "float32"),
    "saved-linear": ("tiny-mistral", dict(
        r=4, lora_alpha=8, target_modules=["q_proj"], modules_to_save=["up_proj"]), "float32"),
}

# name: (base, tokens, with projection)
PREFIXES = {
    "prefix": ("tiny-llama", 5, False),
    "prefix-long": ("tiny-llama", 20, False),
    "prefix-projected": ("tiny-qwen2", 7, True),
    "prefix-mistral": ("tiny-mistral", 16, False),
}

# Mixes and combinations: {adapter: weight}
MIXES = [
    {"law": 0.7, "medicine": -0.3}, {"law": 0.5, "medicine": 0.5, "rank-64": 1.0},
    {"law": 1.0, "prefix": 1.0}, {"medicine": 0.25, "prefix-long": 1.0}, {"qwen": 1.0, "prefix-projected": 1.0},
]


def metadata():
    return {"generator": GENERATOR, "seed": str(SEED), **PINNED}


def check_versions():
    import peft
    import transformers

    found = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__,
             "peft": peft.__version__}
    for name, version in PINNED.items():
        if found[name] != version:
            sys.exit(f"make_goldens: needs {name} {version}, found {found[name]}: "
                     "use the environment of tools/python/requirements.txt")


def randomize(model):
    """Weights with a spread that makes logits differ; gains near 1, biases small."""
    for name, parameter in model.named_parameters():
        if name.endswith("norm.weight"):
            parameter.data = 1 + 0.2 * torch.randn_like(parameter)
        elif name.endswith("bias"):
            parameter.data = 0.3 * torch.randn_like(parameter)
        elif "embed_tokens" in name:
            parameter.data = 0.5 * torch.randn_like(parameter)
        else:
            parameter.data = 1.3 / parameter.shape[1] ** 0.5 * torch.randn_like(parameter)


def train_tokenizer(folder, **options):
    import sentencepiece

    text = pathlib.Path("/usr/share/common-licenses/GPL-3").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as temporary:
        corpus = pathlib.Path(temporary) / "corpus.txt"
        corpus.write_text(text, encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=str(folder / "tokenizer"), vocab_size=VOCABULARY,
            model_type="bpe", byte_fallback=True, num_threads=1, minloglevel=2, **options)
    (folder / "tokenizer.vocab").unlink()
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "add_bos_token": True, "add_eos_token": False, "bos_token": "<s>", "eos_token": "</s>",
        "unk_token": "<unk>", "tokenizer_class": "LlamaTokenizer",
        "chat_template": "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] "
        "+ '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|im_start|>assistant\n' }}{% endif %}"}, indent=2) + "\n", encoding="utf-8")


def make_bases():
    for name, (family, dtype, settings) in BASES.items():
        folder = MODELS / name
        torch.manual_seed(SEED + len(name))
        Model, Config = model_class(family)
        model = Model(Config(**settings))
        randomize(model)
        model = model.to(getattr(torch, dtype))
        # The bf16 base comes in shards.
        size = "120KB" if name == "tiny-llama-bf16" else "50MB"
        save_checkpoint(model, folder, max_shard_size=size)
        if name == "tiny-llama":
            train_tokenizer(folder)
        elif name != "tiny-qwen2":
            for file in ("tokenizer.model", "tokenizer_config.json"):
                shutil.copy(MODELS / "tiny-llama" / file, folder / file)


def load_base(name):
    """The base's stored weights in f32 arithmetic."""
    Model, _ = model_class(BASES[name][0])
    return Model.from_pretrained(MODELS / name, dtype=torch.float32).eval()


def load_own_type(name):
    Model, _ = model_class(BASES[name][0])
    return Model.from_pretrained(MODELS / name, dtype=getattr(torch, BASES[name][1])).eval()


def save_adapter(model, folder, dtype):
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    weights = folder / "adapter_model.safetensors"
    tensors = {k: v.to(getattr(torch, dtype)).contiguous() for k, v in load_file(weights).items()}
    save_file(tensors, weights, metadata={"format": "pt", **metadata()})
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = ""
    for key in ("target_modules", "exclude_modules", "modules_to_save"):
        if isinstance(config.get(key), list):
            config[key] = sorted(config[key])
    (folder / "adapter_config.json").write_text(
        json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def make_adapters():
    from peft import LoraConfig, PrefixTuningConfig, get_peft_model

    for number, (name, (base, settings, dtype)) in enumerate(ADAPTERS.items()):
        torch.manual_seed(SEED + 100 + number)
        model = get_peft_model(load_base(base), LoraConfig(task_type="CAUSAL_LM", **settings))
        for key, parameter in model.named_parameters():
            if "lora_" in key:
                scale = 0.3 if "bias" in key else 0.7 / max(parameter.shape) ** 0.5
                parameter.data = scale * torch.randn_like(parameter)
            elif parameter.requires_grad:
                parameter.data = parameter.data + 0.1 * torch.randn_like(parameter)
        save_adapter(model, GOLDENS / "adapters" / name, dtype)
    for number, (name, (base, count, projected)) in enumerate(PREFIXES.items()):
        torch.manual_seed(SEED + 200 + number)
        model = load_base(base)
        config = model.config
        head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        peft_model = get_peft_model(model, PrefixTuningConfig(
            task_type="CAUSAL_LM", num_virtual_tokens=count, num_layers=config.num_hidden_layers,
            num_attention_heads=config.num_key_value_heads,
            token_dim=config.num_key_value_heads * head, prefix_projection=projected,
            encoder_hidden_size=32))
        save_adapter(peft_model, GOLDENS / "adapters" / name, "float32")


def make_refused():
    """One adapter of each of some methods that are refused by name for now."""
    import peft

    configs = {
        "dora": peft.LoraConfig(r=2, target_modules=["q_proj"], use_dora=True),
        "ia3": peft.IA3Config(target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"]),
        "loha": peft.LoHaConfig(r=2, target_modules=["q_proj"]),
        "vera": peft.VeraConfig(r=2, target_modules=["o_proj"]),
        "adalora": peft.AdaLoraConfig(init_r=2, target_r=1, total_step=10, target_modules=["q_proj"]),
        "prompt-tuning": peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
        "p-tuning": peft.PromptEncoderConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
    }
    for name, config in configs.items():
        torch.manual_seed(SEED)
        config.task_type = "CAUSAL_LM"
        model = peft.get_peft_model(load_base("tiny-llama"), config)
        save_adapter(model, GOLDENS / "refused" / name, "float32")


def prompts():
    generator = np.random.default_rng(SEED)
    return [[1, *map(int, generator.integers(3, VOCABULARY, n - 1))] for n in PROMPT_LENGTHS]


def adapted(model, selection):
    """The model with a selection of adapters, by PEFT: LoRAs together, each at its weight; a prefix
    on top of LoRAs that were merged in f32."""
    from peft import PeftModel

    loras = {n: w for n, w in selection.items() if n not in PREFIXES}
    prefixes = [n for n in selection if n in PREFIXES]
    if loras:
        first = next(iter(loras))
        model = PeftModel.from_pretrained(model, GOLDENS / "adapters" / first, adapter_name=first)
        for name in list(loras)[1:]:
            model.load_adapter(GOLDENS / "adapters" / name, adapter_name=name)
        model.base_model.set_adapter(list(loras))
        for module in model.modules():
            scaling = getattr(module, "scaling", None)
            for name, weight in loras.items():
                if isinstance(scaling, dict) and name in scaling:
                    scaling[name] *= weight
        if prefixes:
            model = model.merge_and_unload()
    for name in prefixes:
        model = PeftModel.from_pretrained(model, GOLDENS / "adapters" / name)
    return model.eval()


@torch.no_grad()
def logits_of(model, tokens):
    ids = torch.tensor([tokens])
    out = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].float()
    return out[-len(tokens):]


def greedy(model, tokens):
    """Greedy tokens and the margin of each: the top logit minus the second."""
    tokens, new, margins = list(tokens), [], []
    for _ in range(GREEDY_COUNT):
        top = torch.topk(logits_of(model, tokens)[-1], 2)
        new.append(int(top.indices[0]))
        margins.append(round(float(top.values[0] - top.values[1]), 6))
        tokens.append(new[-1])
    return {"tokens": new, "margins": margins}


def round_rows(module, arguments):
    """What a matrix of 8-bit or 4-bit blocks does to its input rows: blocks of 32 signed bytes with
    one scale, the largest at 127, rounded to nearest even."""
    rows = arguments[0]
    blocks = rows.reshape(*rows.shape[:-1], -1, 32)
    largest = blocks.abs().amax(-1, keepdim=True)
    inverse = torch.where(largest > 1e-30, 127 / largest, torch.zeros(()))
    return ((blocks * inverse).round() * (largest / 127)).reshape(rows.shape)


def rounding_rows(model):
    """The model with every linear layer's input rounded; to be called before adapters are added, so
    that these see the rows as they are."""
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(round_rows)
    return model


def run_case(identifier, base, selection, make_model, make_own, tensors, make_exact=None):
    model = make_model()
    case = {"id": identifier, "base": base, "adapters": selection, "greedy": [], "prompts": prompts()}
    references = []
    for index, prompt in enumerate(case["prompts"]):
        logits = logits_of(model, prompt)
        tensors[f"{identifier}.{index}"] = logits.contiguous()
        references.append(torch.log_softmax(logits, -1))
        case["greedy"].append(greedy(model, prompt))
    if make_own:
        own = make_own()
        case["reference_distance"] = max(
            float((torch.log_softmax(logits_of(own, p), -1) - r).abs().max())
            for p, r in zip(case["prompts"], references))
    if make_exact:
        exact = make_exact()
        for index, prompt in enumerate(case["prompts"]):
            tensors[f"{identifier}.{index}.exact"] = logits_of(exact, prompt).contiguous()
    return case


def make_cases():
    cases, tensors = [], {}
    for base, (_, dtype, _) in BASES.items():
        selections = [{}]
        selections += [{n: 1.0} for n, (b, *_) in {**ADAPTERS, **PREFIXES}.items() if b == base]
        bases_of = {n: b for n, (b, *_) in {**ADAPTERS, **PREFIXES}.items()}
        selections += [m for m in MIXES if bases_of[next(iter(m))] == base]
        for selection in selections:
            label = "+".join(f"{n}@{w:g}" for n, w in selection.items()) or "base"
            make_own = None
            if dtype == "bfloat16":
                make_own = lambda b=base, s=selection: adapted(load_own_type(b), s)
            cases.append(run_case(
                f"{base}/{label}", base, selection,
                lambda b=base, s=selection: adapted(load_base(b), s), make_own, tensors))
    return cases, tensors


# ---- GGUF --------------------------------------------------------------------------------------

def write_gguf(path, base, quantization):
    """Writes a base as GGUF and returns what its values became: {name: values after rounding}."""
    import gguf
    import sentencepiece

    model = load_base(base)
    writer = gguf.GGUFWriter(path, "qwen2" if BASES[base][0] == "Qwen2" else "llama")
    writer.add_name(base)
    add_configuration(writer, model.config)
    pieces = sentencepiece.SentencePieceProcessor(
        model_file=str(MODELS / "tiny-llama/tokenizer.model"))
    kinds = [2 if pieces.is_unknown(i) else 3 if pieces.is_control(i) else 6 if pieces.is_byte(i) else 1
             for i in range(len(pieces))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([pieces.id_to_piece(i).encode() for i in range(len(pieces))])
    writer.add_token_scores([pieces.get_score(i) for i in range(len(pieces))])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    return add_tensors(writer, model, quantization)


def make_gguf_cases(tensors):
    cases = []
    folder = MODELS / "gguf"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for base, quantization in [("tiny-llama", q) for q in ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1")
                               ] + [("tiny-qwen2", "Q8_0")]:
        path = folder / f"{base}-{quantization}.gguf"
        rounded = write_gguf(path, base, quantization)
        adapter = "law" if base == "tiny-llama" else "qwen"

        blocks = quantization.startswith("Q")

        def make_model(selection, dtype=torch.float32, rows=blocks, base=base, rounded=rounded):
            model = load_base(base)
            model.load_state_dict(rounded, strict=False)
            model.tie_weights()
            return adapted(rounding_rows(model) if rows else model.to(dtype), selection)

        for selection in [{}, {adapter: 1.0}]:
            label = "+".join(f"{n}@{w:g}" for n, w in selection.items()) or "base"
            own = None
            if quantization == "BF16":
                own = lambda s=selection: make_model(s, torch.bfloat16)
            exact = (lambda s=selection: make_model(s, rows=False)) if blocks else None
            cases.append(run_case(f"gguf/{path.stem}/{label}", f"gguf/{path.name}", selection,
                                  lambda s=selection: make_model(s), own, tensors, exact))
    return cases


# ---- SmolLM2 -----------------------------------------------------------------------------------

SMOLLM2_PROMPTS = [
    "A contract is", "The capital of France is", "def fibonacci(n):\n",
    "Once upon a time, in a small village by the sea,", "Water boils at 100 °C because",
]


def make_smollm2(path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    global GREEDY_COUNT
    GREEDY_COUNT = 48
    path = pathlib.Path(path)
    model = rounding_rows(AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32).eval())
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    entries = []
    for text in SMOLLM2_PROMPTS:
        tokens = tokenizer(text)["input_ids"]
        entries.append({"prompt": text, "tokens": tokens, "greedy": greedy(model, tokens)})
    golden = {"metadata": metadata(), "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
              "prompts": entries}
    (GOLDENS / "smollm2.json").write_text(
        json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def make_methods(names):
    """The cases of every method: tools/goldens/methods."""
    from goldens.methods.generate import make_methods as make

    failed = make(names)
    if failed:
        sys.exit(f"make_goldens: {len(failed)} cases failed: {' '.join(failed)}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smollm2", help="the GGUF of SmolLM2-135M-Instruct")
    parser.add_argument("--only-smollm2", action="store_true")
    parser.add_argument("--methods", nargs="*", metavar="NAME",
                        help="only the methods' cases, or those whose names begin so")
    options = parser.parse_args()
    check_versions()
    if options.methods is not None:
        make_methods(options.methods)
        return
    torch.set_num_threads(2)
    GOLDENS.mkdir(parents=True, exist_ok=True)
    if not options.only_smollm2:
        for folder in ("adapters", "refused"):
            shutil.rmtree(GOLDENS / folder, ignore_errors=True)
        make_bases()
        make_adapters()
        make_refused()
        cases, tensors = make_cases()
        cases += make_gguf_cases(tensors)
        save_file(tensors, GOLDENS / "logits.safetensors", metadata=metadata())
        (GOLDENS / "manifest.json").write_text(
            json.dumps({"metadata": metadata(), "cases": cases}, indent=1) + "\n", encoding="utf-8")
        make_methods([])
    if options.smollm2:
        make_smollm2(options.smollm2)


if __name__ == "__main__":
    main()
