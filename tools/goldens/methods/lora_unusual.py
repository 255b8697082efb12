"""LoRA's rarer forms: changed bases, other layouts, tied and replicated layers."""

import shutil
import tempfile
from pathlib import Path

import torch

from .case import BF16, BIASED, LLAMA, MISTRAL, MIXED, PROMPT, QWEN, Case, randomize, spread
from .lora import lora


def nudge(name, parameter):
    """A little training: the initial factors carry the base's large components."""
    return parameter.data + spread(parameter, 0.3)


def converted(case, base):
    """A model whose initial factors were saved, then trained; `save_converted` subtracts them."""
    from peft import get_peft_model

    model = get_peft_model(base, case.config(base.config))
    model.initial = Path(tempfile.mkdtemp()) / "initial"
    model.save_pretrained(model.initial)
    randomize(model, nudge)
    return model


def save_converted(model, folder):
    """As PEFT does it: W − sB₀A₀ + sBA becomes an ordinary LoRA of twice the rank."""
    config = model.peft_config["default"]
    kept, config.init_lora_weights = config.init_lora_weights, True
    config.save_pretrained(model.initial)
    config.init_lora_weights = kept
    model.save_pretrained(folder, path_initial_model_for_weight_conversion=str(model.initial))
    shutil.rmtree(model.initial.parent)


def least_values(case, base):
    """MiLoRA (arXiv 2406.09044): factors begin as the parts of the least singular values, which are taken
    out of the base. PEFT has no setting for it; its trainers set factors and base as here."""
    from peft import get_peft_model

    model = get_peft_model(base, case.config(base.config))
    for module in model.modules():
        if not hasattr(module, "base_layer") or "default" not in getattr(module, "lora_A", ()):
            continue
        weight, rank, scaling = module.base_layer.weight.data, module.r["default"], module.scaling["default"]
        left, values, right = torch.linalg.svd(weight, full_matrices=False)
        root = (values[-rank:] / scaling).sqrt()
        a, b = root[:, None] * right[-rank:], left[:, -rank:] * root
        module.lora_A["default"].weight.data, module.lora_B["default"].weight.data = a, b
        module.base_layer.weight.data = weight - scaling * b @ a
    model.initial = Path(tempfile.mkdtemp()) / "initial"
    model.save_pretrained(model.initial)
    randomize(model, nudge)
    return model


def corda(case, base):
    from peft import LoraConfig, get_peft_model
    from peft.tuners.lora.config import CordaConfig
    from peft.tuners.lora.corda import preprocess_corda

    config = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules=MIXED,
                        init_lora_weights="corda", corda_config=CordaConfig(corda_method="kpm"))
    tokens = torch.randint(3, base.config.vocab_size, (1, 200))
    preprocess_corda(base, config, run_model=lambda: base(tokens))
    model = get_peft_model(base, config)
    model.initial = Path(tempfile.mkdtemp()) / "initial"
    model.save_pretrained(model.initial)
    randomize(model, nudge)
    return model


def explained_variance(case, base):
    """EVA: factors from the activations' components, ranks shared out between modules."""
    from peft import EvaConfig, LoraConfig, get_peft_model
    from peft.tuners.lora.eva import initialize_lora_eva_weights

    model = get_peft_model(base, LoraConfig(
        task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules=MIXED, init_lora_weights="eva",
        eva_config=EvaConfig(rho=2.0, tau=0.9)))
    rows = [{"input_ids": torch.randint(3, base.config.vocab_size, (4, 16)),
             "attention_mask": torch.ones(4, 16, dtype=torch.long)} for _ in range(8)]
    initialize_lora_eva_weights(model, rows, show_progress_bar=False)
    randomize(model, None)
    return model


def blocks(**options):
    def config(base):
        from peft.tuners.lora.config import BdLoraConfig

        return lora(target_modules=["q_proj", "k_proj", "o_proj", "down_proj"], use_bdlora=BdLoraConfig(
            target_modules_bd_a=["o_proj", "down_proj"], target_modules_bd_b=["q_proj", "k_proj"],
            nblocks=2), **options)(base)
    return config


def velora(base):
    from peft.tuners.lora.config import VeloraConfig

    return lora(velora_config=VeloraConfig(num_groups=8, init_type="random"))(base)


def sampled(base):
    from peft.tuners.lora.config import MontecloraConfig

    return lora(monteclora_config=MontecloraConfig(num_samples=2, buffer_size=4))(base)


def truncated(**options):
    def config(base):
        from peft.tuners.lora.config import KasaConfig

        return lora(kasa_config=KasaConfig(), **options)(base)
    return config


REPLICATED = dict(layer_replication=[[0, 2], [1, 3]], target_modules=["q_proj", "down_proj"])
TWICE = "PEFT's merging adds the change to the shared table twice"
TOKENS = [PROMPT[1], 483, 500]
CASES = [
    Case("lora/pissa", LLAMA, lora(init_lora_weights="pissa"), nudge),
    Case("lora/pissa-qwen", QWEN, lora(init_lora_weights="pissa", use_rslora=True, r=3), nudge),
    Case("lora/pissa-head", MISTRAL, lora(init_lora_weights="pissa", target_modules=["lm_head", "q_proj"]), nudge),
    Case("lora/pissa-embedding", MISTRAL, lora(
        init_lora_weights="pissa", target_modules=["embed_tokens", "q_proj"])),
    Case("lora/pissa-converted", LLAMA, lora(init_lora_weights="pissa"), build=converted, save=save_converted),
    Case("lora/olora", LLAMA, lora(init_lora_weights="olora"), nudge),
    Case("lora/olora-wide", MISTRAL, lora(init_lora_weights="olora", lora_alpha=2), nudge),
    Case("lora/olora-converted", QWEN, lora(init_lora_weights="olora"), build=converted, save=save_converted),
    Case("lora/pissa-dora", LLAMA, lora(init_lora_weights="pissa", use_dora=True), nudge),
    Case("lora/olora-dora", BIASED, lora(init_lora_weights="olora", use_dora=True), nudge),
    Case("lora/corda-converted", LLAMA, build=corda, save=save_converted),
    Case("lora/milora-converted", LLAMA, lora(), build=least_values, save=save_converted),
    Case("lora/eva", LLAMA, build=explained_variance),
    Case("lora/orthogonal", QWEN, lora(init_lora_weights="orthogonal"), nudge),
    Case("lora/mica", LLAMA, lora(init_lora_weights="mica")),
    Case("lora/kasa", LLAMA, truncated()),
    Case("lora/kasa-bias", BIASED, truncated(lora_bias=True)),
    Case("lora/kasa-qwen", QWEN, truncated()),
    Case("lora/velora", LLAMA, velora),
    Case("lora/monteclora", LLAMA, sampled),
    Case("lora/blocks", LLAMA, blocks()),
    Case("lora/blocks-bias", BIASED, blocks(lora_bias=True)),
    Case("lora/blocks-qwen", QWEN, blocks()),
    Case("lora/replicated", LLAMA, lora(**REPLICATED), mergeable=False,
         note="PEFT's merging adds a copy's change to all copies of a layer"),
    Case("lora/replicated-qwen", QWEN, lora(
        layer_replication=[[0, 1], [0, 2]], target_modules=["v_proj", "up_proj"]), mergeable=False,
        note="PEFT's merging adds a copy's change to all copies of a layer"),
    Case("lora/parameters", LLAMA, lora(target_modules=[], target_parameters=[
        "self_attn.q_proj.weight", "mlp.down_proj.weight"])),
    Case("lora/parameters-mixed", QWEN, lora(
        target_modules=["v_proj"], target_parameters=["self_attn.o_proj.weight"])),
    Case("lora/parameters-patterns", LLAMA, lora(
        target_modules=["o_proj"], target_parameters=["mlp.down_proj.weight", "q_proj.weight"],
        rank_pattern={"down_proj": 2, "q_proj.weight": 3}, alpha_pattern={"o_proj": 5, r"mlp\..*weight": 3})),
    Case("lora/parameters-embedding", BIASED, lora(
        target_modules=["q_proj"], target_parameters=["embed_tokens.weight"],
        alpha_pattern={"embed_tokens.weight": 5})),
    Case("lora/trained-tokens", LLAMA, lora(trainable_token_indices=TOKENS)),
    Case("lora/trained-tokens-untied", BF16, lora(trainable_token_indices={"embed_tokens": TOKENS}),
         dtype="bfloat16"),
    Case("lora/tied-tokens", QWEN, lora(trainable_token_indices=TOKENS, ensure_weight_tying=True)),
    Case("lora/tied-tokens-twice", QWEN, lora(
        trainable_token_indices={"embed_tokens": TOKENS, "lm_head": TOKENS})),
    Case("lora/tied-saved", LLAMA, lora(modules_to_save=["embed_tokens"], ensure_weight_tying=True)),
    Case("lora/tied-embedding", LLAMA, lora(target_modules=["embed_tokens", "v_proj"], ensure_weight_tying=True),
         mergeable=False, note=TWICE),
    Case("lora/tied-head", QWEN, lora(target_modules=["lm_head", "q_proj"], ensure_weight_tying=True),
         mergeable=False, note=TWICE),
]
