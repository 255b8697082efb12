"""What PEFT itself does with odd files: defaults, tensors that no setting names, wrappers' names."""

import json

import torch
from transformers.utils import logging

from cases.common import (
    BASES, PLAIN, load_base, logprobs, normal, plain_tensors, renamed, seed, with_peft)

logging.set_verbosity_error()
PREFIX = "base_model.model."


def settings(*without, **changes):
    """PLAIN with other settings."""
    return {key: value for key, value in {**PLAIN, **changes}.items() if key not in without}


def weight(name, base="L3"):
    """One of the base's own tensors."""
    return load_base(base).state_dict()[name].clone()


def other(name, base="L3", spread=0.1):
    """One of the base's own tensors with noise on all of it."""
    own = weight(name, base)
    return own + normal(seed(f"{base} other {name}"), *own.shape, spread=spread)


# Names of other wrappers.

def case_wrapper_names(case):
    plain = plain_tensors()
    names = {
        "language-model": (lambda n: n.replace("model.model.", "model.model.language_model."), "language_model."),
        "bare-decoder": (lambda n: n.replace("base_model.model.model.", "base_model.model."), "model."),
        "no-prefix": (lambda n: n.removeprefix(PREFIX), "base_model.model."),
        "compiled": (lambda n: "_orig_mod." + n, "_orig_mod."),
        "compiled-inside": (lambda n: n.replace(PREFIX, PREFIX + "_orig_mod."), "_orig_mod."),
        "parallel": (lambda n: "module." + n, "module."),
        "sharded": (lambda n: n.replace(".self_attn", "._fsdp_wrapped_module.self_attn"), "_fsdp_wrapped_module."),
        "checkpointed": (
            lambda n: n.replace(".self_attn", "._checkpoint_wrapped_module.self_attn"),
            "_checkpoint_wrapped_module."),
        "other": (lambda n: "thinker." + n, "thinker."),
    }
    for variant, (change, word) in names.items():
        case.add(variant, PLAIN, renamed(plain, change))
        case.refused(variant, f"'{word}'", "q_proj.lora_A.weight")
    half = renamed(plain, lambda n: names["language-model"][0](n) if "q_proj" in n else n)
    case.add("half", PLAIN, half)
    case.refused("half", "'language_model.'", "q_proj.lora_A.weight")
    last = renamed(plain, lambda n: names["compiled-inside"][0](n) if "layers.2." in n else n)
    case.add("last-layer", PLAIN, last)
    case.refused("last-layer", "'_orig_mod.'", "layers.2.self_attn.q_proj.lora_A.weight")


# Tensors that no setting names.

def case_stray_tables(case):
    """Embedding and head, saved whole though no setting asks for them."""
    plain = plain_tensors()
    embedding, head = PREFIX + "model.embed_tokens.weight", PREFIX + "lm_head.weight"
    own = {embedding: weight("model.embed_tokens.weight"), head: weight("lm_head.weight")}
    further = normal(seed("further rows"), 2, 4, 32, spread=0.15)
    grown = {key: torch.cat([own[key], rows]) for key, rows in zip((embedding, head), further)}

    def resized(tables):
        model = load_base("L3")
        model.resize_token_embeddings(100, mean_resizing=False)
        from peft import PeftModel
        folder = case.add("grown-reference", PLAIN, {**plain, **tables})
        answer = logprobs(PeftModel.from_pretrained(model, folder).eval())
        import shutil
        shutil.rmtree(folder)
        return answer

    case.add("grown", PLAIN, {**plain, **grown})
    case.served("grown", expected=resized(grown))
    changed = {key: value.clone() for key, value in grown.items()}
    changed[embedding][7] += 0.1
    changed[head][7] -= 0.1
    case.add("grown-and-changed", PLAIN, {**plain, **changed})
    case.served("grown-and-changed", expected=resized(changed), warns=["lm_head.weight", "embed_tokens.weight"])
    case.add("same", PLAIN, {**plain, **own})
    case.served("same")
    case.add("different", PLAIN, {
        **plain, embedding: other("model.embed_tokens.weight"), head: other("lm_head.weight")})
    case.served("different", warns=["lm_head.weight", "embed_tokens.weight"])
    case.add("head-alone", PLAIN, {**plain, head: other("lm_head.weight")})
    case.served("head-alone", warns=["lm_head.weight"])
    case.add("uneven", PLAIN, {**plain, embedding: grown[embedding], head: own[head]})
    case.refused("uneven", "lm_head.weight", "[100, 32]", "[96, 32]")
    # One matrix in the base, and so in PEFT: the head's values, which come last, are both tables'.
    tied = plain_tensors("L3t")
    case.add("tied-head", PLAIN, {**tied, head: other("lm_head.weight", "L3t")})
    case.served("tied-head", base="L3t", warns=["lm_head.weight"])
    case.add("tied-embedding", PLAIN, {**tied, embedding: other("model.embed_tokens.weight", "L3t")})
    case.served("tied-embedding", base="L3t", warns=["embed_tokens.weight"])
    both = other("model.embed_tokens.weight", "L3t")
    case.add("tied-both", PLAIN, {**tied, embedding: both, head: both.clone()})
    case.served("tied-both", base="L3t", warns=["lm_head.weight"])
    case.add("tied-apart", PLAIN, {
        **tied, embedding: both, head: other("lm_head.weight", "L3t", spread=0.2)})
    case.refused("tied-apart", "lm_head.weight", "embed_tokens", base="L3t")


def case_stray_weights(case):
    """Matrices, norms and biases of the base inside the adapter."""
    plain = plain_tensors()

    def add(variant, name, tensor, warns=True, base="L3", tensors=None, **changes):
        case.add(variant, settings(**changes), {**(tensors or plain), PREFIX + name: tensor})
        case.served(variant, base=base, warns=[PREFIX + name] if warns else ())

    layer = "model.layers.1."
    add("norm", layer + "input_layernorm.weight", other(layer + "input_layernorm.weight"))
    add("final-norm", "model.norm.weight", other("model.norm.weight"))
    add("same-norm", "model.norm.weight", weight("model.norm.weight"), warns=False)
    add("untargeted", layer + "mlp.down_proj.weight", other(layer + "mlp.down_proj.weight"))
    query = layer + "self_attn.q_proj."
    add("targeted", query + "base_layer.weight", other(query + "weight"))
    add("half-precision", query + "base_layer.weight", other(query + "weight").half())
    head = plain | {
        PREFIX + "lm_head.lora_A.weight": normal(seed("head a"), 4, 32),
        PREFIX + "lm_head.lora_B.weight": normal(seed("head b"), 96, 4)}
    targets = ["q_proj", "v_proj", "lm_head"]
    add("head-copy", "lm_head.base_layer.weight", weight("lm_head.weight"), False, tensors=head,
        target_modules=targets)
    add("head-other", "lm_head.base_layer.weight", other("lm_head.weight"), tensors=head,
        target_modules=targets)
    biased = plain_tensors("Q3")
    add("bias", layer + "self_attn.k_proj.bias", other(layer + "self_attn.k_proj.bias", "Q3"), base="Q3",
        tensors=biased)
    add("targeted-bias", query + "base_layer.bias", other(query + "bias", "Q3"), base="Q3", tensors=biased)
    # What PEFT passes over in silence.
    for variant, name, shape in [
            ("no-bias-there", layer + "self_attn.k_proj.bias", [16]),
            ("weight-of-a-target", query + "weight", [32, 32]),
            ("base-layer-of-no-target", layer + "mlp.up_proj.base_layer.weight", [48, 32]),
            ("factors-of-no-target", layer + "mlp.up_proj.lora_A.weight", [4, 32])]:
        case.add(variant, PLAIN, {**plain, PREFIX + name: normal(seed(variant), *shape)})
        case.refused(variant, PREFIX + name)
    case.add("of-another-shape", PLAIN, {**plain, PREFIX + "model.norm.weight": torch.ones(16)})
    case.refused("of-another-shape", "model.norm.weight", "[32]", "[16]")
    # The base's part of a magnitude would have to be known before.
    magnitude = {
        name.replace("lora_A.weight", "lora_magnitude_vector"): torch.rand(
            plain[name.replace("lora_A", "lora_B")].shape[0], generator=seed(name)) + 0.5
        for name in plain if "lora_A" in name}
    case.add("dora", settings(use_dora=True), {
        **plain, **magnitude, PREFIX + query + "base_layer.weight": other(query + "weight")})
    case.refused("dora", query + "base_layer.weight")


def case_saved_spellings(case):
    """Names that hand-made savers leave."""
    plain = plain_tensors()
    head = PREFIX + "lm_head."
    saved = settings(modules_to_save=["lm_head"])
    case.add("original", saved, {
        **plain, head + "weight": other("lm_head.weight"), head + "original_module.weight": other("lm_head.weight", spread=0.3)})
    case.served("original", warns=["original_module"])
    case.add("raw", saved, {**plain, head + "modules_to_save.default.weight": other("lm_head.weight")})
    case.refused("raw", "lm_head")
    case.add("absent", saved, plain)
    case.refused("absent", "lm_head")
    case.add("unnamed", PLAIN, {**plain, head + "weight": other("lm_head.weight")})
    case.served("unnamed", warns=["lm_head.weight"])
    case.add("nowhere", settings(modules_to_save=["scores"]), plain)
    case.served("nowhere", warns=["scores"])
    case.add("score", settings(task_type="SEQ_CLS", modules_to_save=["classifier", "score"]), {
        **plain, PREFIX + "score.weight": normal(seed("score"), 1, 32)})
    case.refused("score", "score")


def case_default_spellings(case):
    """The name 'default', which PEFT's own model has in its tensors' names."""
    plain = plain_tensors()

    def raw(name):
        return name.replace("lora_A.", "lora_A.default.").replace("lora_B.", "lora_B.default.")

    case.add("factors", PLAIN, renamed(plain, raw))
    case.served("factors", warns=["'default'"])
    case.add("twice", PLAIN, {**plain, **{raw(k): v.clone() for k, v in plain.items() if "layers.0.self_attn.q_proj" in k}})
    case.refused("twice", "lora_A.default.weight", "lora_A.weight")
    for variant, ending, is_served in [
            ("magnitude", "", True), ("magnitude-weight", ".weight", True),
            ("magnitude-default-weight", ".default.weight", True), ("magnitude-default", ".default", False)]:
        magnitude = {
            name.replace("lora_A.weight", "lora_magnitude_vector" + ending): torch.rand(
                plain[name.replace("lora_A", "lora_B")].shape[0], generator=seed(name)) + 0.5
            for name in plain if "lora_A" in name}
        case.add(variant, settings(use_dora=True), {**plain, **magnitude})
        if is_served:
            case.served(variant)
        else:
            case.refused(variant, "lora_magnitude_vector.default")
    embedding = {
        PREFIX + "model.embed_tokens.lora_embedding_A.default": normal(seed("a"), 4, 96),
        PREFIX + "model.embed_tokens.lora_embedding_B.default": normal(seed("b"), 32, 4)}
    case.add("embedding", settings(target_modules=["embed_tokens"]), embedding)
    case.served("embedding", warns=["'default'"])
    vectors = {
        f"{PREFIX}model.layers.{i}.self_attn.k_proj.ia3_l.default": 1 + normal(seed(f"ia3 {i}"), 16, 1)
        for i in range(3)}
    case.add("vectors", {
        "peft_type": "IA3", "target_modules": ["k_proj"], "feedforward_modules": []}, vectors)
    case.served("vectors", warns=["'default'"])


# Settings.

def case_odd_numbers(case):
    plain = plain_tensors()
    wide = plain_tensors(rank=8)
    first = {key: value for key, value in plain.items() if "layers.1." in key}

    def served(variant, configuration, tensors=plain, **options):
        case.add(variant, configuration, tensors)
        case.served(variant, **options)

    def refused(variant, configuration, *words, tensors=plain):
        case.add(variant, configuration, tensors)
        case.refused(variant, *words)

    served("four-keys", {key: PLAIN[key] for key in ("peft_type", "r", "lora_alpha", "target_modules")})
    for name, alpha in [("fraction", 12.5), ("zero", 0), ("negative", -8)]:
        served("alpha-" + name, settings(lora_alpha=alpha))
    served("alpha-absent", settings("lora_alpha"))
    refused("alpha-null", settings(lora_alpha=None), "lora_alpha")
    refused("alpha-text", settings(lora_alpha="8"), "lora_alpha")
    refused("rank-fraction", settings(r=4.0), "'r'")
    refused("rank-null", settings(r=None), "'r'")
    refused("rank-other", settings(r=8), "[8, 32]", "[4, 32]")
    served("rank-absent", settings("r"), wide)
    served("targets-null", settings(target_modules=None))
    served("targets-absent", settings("target_modules"))
    refused("targets-empty", settings(target_modules=[]), "target_modules")
    for name, pattern in [("text", "layers"), ("list", ["h", "layers"]), ("empty", ""), ("null", None)]:
        served("layer-pattern-" + name, settings(layers_to_transform=1, layers_pattern=pattern), first)
    served("layer-list", settings(layers_to_transform=[1]), first)
    served("layers-empty", settings(layers_to_transform=[]))
    refused("pattern-alone", settings(layers_pattern="layers"), "layers_pattern")
    served("alpha-pattern-null", settings(alpha_pattern=None), expected=with_peft("L3", case.folder / "four-keys"),
           warns=["alpha_pattern"])
    refused("rs-text", settings(use_rslora="true"), "use_rslora")
    refused("small-letters", settings(peft_type="lora"), "peft_type", "LORA")
    served("fan-in", settings(fan_in_fan_out=True))
    everything = plain_tensors(targets=(
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"))
    served("all-linear", settings(target_modules="All-Linear"), everything)


def case_standard_targets(case):
    """Methods whose configuration names no module."""
    for base in ("L3", "Q3"):
        model = load_base(base)
        from peft import get_peft_model, PeftConfig
        from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
        for kind, extra in [("IA3", {}), ("LOHA", {"r": 2}), ("LN_TUNING", {}), ("BEFT", {}), ("ADALORA", {"r": 2, "init_r": 2})]:
            variant = f"{kind.lower().replace('_', '-')}-{base}"
            configuration = PEFT_TYPE_TO_CONFIG_MAPPING[kind](task_type="CAUSAL_LM", **(
                extra | ({"total_step": 10} if kind == "ADALORA" else {})))
            tuned = get_peft_model(load_base(base), configuration)
            generator = seed(variant)
            for name, parameter in sorted(tuned.named_parameters()):
                if parameter.requires_grad:
                    parameter.data = parameter.data + normal(generator, *parameter.shape, spread=0.2)
            folder = case.folder / variant
            tuned.save_pretrained(folder)
            (folder / "README.md").unlink(missing_ok=True)
            stored = json.loads((folder / "adapter_config.json").read_text())
            stored |= {"target_modules": None, "base_model_name_or_path": "x"}
            if "feedforward_modules" in stored:
                stored["feedforward_modules"] = None
            (folder / "adapter_config.json").write_text(json.dumps(stored, indent=1) + "\n")
            case.served(variant, base=base)


def case_sharded_saves(case):
    """Tensors that a sharded trainer left empty, or halved."""
    plain = plain_tensors()
    case.add("all-empty", PLAIN, {key: torch.zeros(0) for key in plain})
    case.refused("all-empty", "lora_A.weight", "[0]", "[4, 32]")
    case.add("saved-empty", settings(modules_to_save=["lm_head"]), {**plain, PREFIX + "lm_head.weight": torch.zeros(0)})
    case.refused("saved-empty", "lm_head.weight", "[0]", "[96, 32]")
    halves = {key: value[: value.shape[0] // 2].clone() for key, value in plain.items()}
    case.add("halves", PLAIN, halves)
    case.refused("halves", "lora_A.weight", "[2, 32]", "[4, 32]")
    case.add("halves-of-rank", settings(r=2), {
        key: value[:, :2].clone() if "lora_B" in key else value for key, value in halves.items()})
    case.refused("halves-of-rank", "lora_B.weight", "[16, 2]", "[32, 2]")
    one = PREFIX + "model.layers.2.self_attn.v_proj.lora_B.weight"
    case.add("one-empty", PLAIN, {**plain, one: torch.zeros(0)})
    case.refused("one-empty", one, "[0]", "[16, 4]")


def case_other_releases(case):
    """Settings of older and newer releases of PEFT."""
    plain = plain_tensors()
    case.add("unset", settings(
        eva_config=None, corda_config=None, exclude_modules=None, trainable_token_indices=None, lora_bias=False,
        enable_lora=None, merge_weights=False), plain)
    case.served("unset")
    for variant, changes in [("flag", {"future_flag": True}), ("object", {"future_config": {"scale": 2}}),
                             ("enabled", {"enable_lora": [True, False, True]})]:
        case.add(variant, settings(**changes), plain)
        case.served(variant, warns=list(changes))
    fused = {}
    for i in range(3):
        module = f"{PREFIX}model.layers.{i}.self_attn.qkv_proj."
        fused[module + "lora_A.weight"] = normal(seed(f"fused a {i}"), 8, 32)
        fused[module + "lora_B.weight"] = normal(seed(f"fused b {i}"), 64, 4, 1)
    case.add("grouped", settings(target_modules=["qkv_proj"], enable_lora=[True, False, True]), fused)
    case.refused("grouped", "enable_lora", "qkv_proj")
    grouped = {key: value[..., None] if "lora_B" in key else value for key, value in plain.items()}
    case.add("grouped-query", settings(enable_lora=[True]), grouped)
    case.refused("grouped-query", "lora_B.weight", "[32, 4, 1]", "[32, 4]")


def case_prefix_shapes(case):
    """Widths of prefixes decide, not what settings say of them."""
    def prefix(variant, base, width, expected=None, words=None, **changes):
        configuration = {
            "peft_type": "PREFIX_TUNING", "task_type": "CAUSAL_LM", "num_virtual_tokens": 5, "token_dim": 32,
            "num_attention_heads": 2, "num_layers": 3, "num_transformer_submodules": 1, "encoder_hidden_size": 32,
            "prefix_projection": False, "inference_mode": True, **changes}
        case.add(variant, configuration, {"prompt_embeddings": normal(seed(f"{base} prefix {width}"), 5, width, spread=0.5)})
        if words:
            case.refused(variant, *words, base=base)
        else:
            case.served(variant, base=base)

    prefix("head-size", "L3h", 192)
    prefix("head-size-nulls", "L3h", 192, token_dim=None, num_attention_heads=None, num_layers=None,
           num_transformer_submodules=None)
    prefix("head-size-narrow", "L3h", 96, words=["[5, 96]", "[5, 192]"])
    prefix("narrow", "L3", 96, token_dim=16)
    prefix("hidden-size", "L3", 96, token_dim=32)
    prefix("other-heads", "L3", 96, token_dim=32, num_attention_heads=4)
    prefix("query-heads", "L3", 192, words=["[5, 192]", "[5, 96]"])
    prefix("two-layers", "L3", 64, num_layers=2, words=["num_layers"])
    prefix("projection", "L3", 96, prefix_projection=True)
    prefix("projection-null", "L3", 96, prefix_projection=None)
    plain = plain_tensors("L3h")
    case.add("lora", PLAIN, plain)
    case.served("lora", base="L3h")
    # A tensor of the base beside a prefix.
    stray = other("model.norm.weight")
    configuration = json.loads((case.folder / "narrow/adapter_config.json").read_text())
    case.add("norm-beside", configuration, {
        "prompt_embeddings": normal(seed("L3 prefix 96"), 5, 96, spread=0.5), "base_model.model.norm.weight": stray})
    case.served("norm-beside", warns=["base_model.model.norm.weight"])
