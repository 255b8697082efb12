"""Methods with projections that are shared or drawn: VeRA, PVeRA, RandLoRA, TinyLoRA, Uni-LoRA, FRoD, DEFT."""

from .case import BIASED, LLAMA, MIXED, QWEN, Case
from .deltas import at
from .peft_config import peft

QKV = ["q_proj", "k_proj", "v_proj"]


def vera(kind="VeraConfig", **options):
    return peft(kind, **{"r": 6, "target_modules": MIXED, **options})


def rand(**options):
    return peft("RandLoraConfig", **{"r": 8, "randlora_alpha": 16, "target_modules": MIXED, **options})


def tiny(**options):
    return peft("TinyLoraConfig", **{"r": 2, "u": 8, "target_modules": MIXED, **options})


def uni(**options):
    return peft("UniLoraConfig", **{
        "r": 3, "theta_d_length": 40, "init_theta_d_bound": 0.5, "target_modules": MIXED, **options})


CASES = [
    Case("vera/saved", LLAMA, vera()),
    Case("vera/drawn-again", QWEN, vera(save_projection=False, projection_prng_key=5)),
    Case("vera/bias", BIASED, vera(bias="vera_only")),
    Case("pvera/saved", LLAMA, vera("PveraConfig")),
    Case("pvera/drawn-again", QWEN, vera("PveraConfig", save_projection=False, projection_prng_key=9)),
    Case("randlora/saved", LLAMA, rand(target_modules=["k_proj", "o_proj"]), at(0.3)),
    Case("randlora/drawn-again", LLAMA, rand(save_projection=False, projection_prng_key=3), at(0.3)),
    Case("randlora/sparse", QWEN, rand(save_projection=False, sparse=True, r=12), at(0.3)),
    Case("randlora/very-sparse", QWEN, rand(save_projection=False, very_sparse=True), at(0.3)),
    Case("tinylora/saved", LLAMA, tiny(), at(0.5)),
    Case("tinylora/drawn-again", LLAMA, tiny(save_projection=False, weight_tying=0.5), at(0.5)),
    Case("tinylora/qwen", QWEN, tiny(weight_tying=1.0, save_projection=False, projection_seed=7), at(0.5)),
    Case("unilora/saved", LLAMA, uni(save_indices=True), at(1)),
    Case("unilora/drawn-again", LLAMA, uni(), at(1)),
    Case("unilora/qwen", QWEN, uni(proj_seed=7, r=2), at(1)),
    Case("frod/saved", LLAMA, peft("FrodConfig", target_modules=QKV, sparse_rate=0.05, progressbar=False)),
    Case("frod/drawn-again", QWEN, peft("FrodConfig", target_modules=["q_proj", "o_proj"], sparse_rate=0.05,
                                        save_projection=False, progressbar=False)),
    Case("deft/relu", LLAMA, peft("DeftConfig", r=4, target_modules=MIXED)),
    Case("deft/qr", LLAMA, peft("DeftConfig", r=4, decomposition_method="qr", alpha=6, target_modules=MIXED)),
    Case("deft/para", QWEN, peft("DeftConfig", r=3, para=True, target_modules=MIXED)),
]
