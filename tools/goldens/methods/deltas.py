"""Methods that add to a weight: from products, grids, transforms, banks and sparse entries."""

import torch

from .case import BF16, BIASED, LLAMA, MISTRAL, MIXED, QWEN, Case
from .peft_config import peft

QKD = ["q_proj", "k_proj", "down_proj"]


def at(scale):
    """Every trained parameter anew, normal with this deviation."""
    return lambda name, parameter: scale * torch.randn_like(parameter)


def loha(**options):
    return peft("LoHaConfig", **{"r": 4, "alpha": 8, "target_modules": MIXED, **options})


def lokr(**options):
    return peft("LoKrConfig", **{"r": 4, "alpha": 8, "target_modules": MIXED, **options})


def banked(**options):
    return peft("VBLoRAConfig", **{
        "r": 4, "num_vectors": 12, "vector_length": 16, "topk": 3, "target_modules": MIXED, **options})


def fourier(**options):
    return peft("FourierFTConfig", **{
        "n_frequency": 60, "scaling": 60.0, "target_modules": MIXED, **options})


def wavelet(**options):
    return peft("WaveFTConfig", **{
        "n_frequency": 80, "scaling": 4.0, "target_modules": MIXED, **options})


def circular(**options):
    return peft("C3AConfig", **{"block_size": 16, "target_modules": QKD, **options})


CASES = [
    Case("loha/llama", LLAMA, loha(), at(0.3)),
    Case("loha/patterns", BIASED, loha(rank_pattern={"o_proj": 2}, alpha_pattern={"k_proj": 3}), at(0.3)),
    Case("loha/qwen", QWEN, loha(r=3), at(0.3)),
    Case("lokr/first-full", LLAMA, lokr(), at(0.3)),
    Case("lokr/both-decomposed", LLAMA, lokr(decompose_both=True, r=2), at(0.4)),
    Case("lokr/both-full", LLAMA, lokr(r=64, alpha=32), at(0.2)),
    Case("lokr/factor", MISTRAL, lokr(r=3, decompose_factor=4), at(0.3)),
    Case("lokr/qwen", QWEN, lokr(r=3, rank_pattern={"k_proj": 5}, alpha_pattern={"k_proj": 1}), at(0.3)),
    Case("vblora/logits", LLAMA, banked(), at(0.5)),
    Case("vblora/equal-logits", LLAMA, banked(), at(0.5), dtype="bfloat16"),
    Case("vblora/top-weights", QWEN, banked(save_only_topk_weights=True, topk=2), at(0.5)),
    Case("fourierft/llama", LLAMA, fourier()),
    Case("fourierft/patterns", QWEN, fourier(
        n_frequency_pattern={"k_proj": 25, "layers.1.mlp.down_proj": 200}, random_loc_seed=123)),
    Case("waveft/llama", LLAMA, wavelet(), at(0.5)),
    Case("waveft/wide-wavelet", LLAMA, wavelet(wavelet_family="db4", random_loc_seed=31), at(0.5)),
    Case("waveft/directly", QWEN, wavelet(use_idwt=False, n_frequency_pattern={"k_proj": 30}), at(0.05)),
    Case("waveft/proportional", MISTRAL, wavelet(proportional_parameters=True), at(0.5)),
    Case("shira/random-mask", LLAMA, peft("ShiraConfig", r=4, target_modules=MIXED), at(0.3)),
    Case("shira/qwen", QWEN, peft("ShiraConfig", r=2, target_modules=["q_proj", "up_proj"]), at(0.3)),
    Case("c3a/llama", LLAMA, circular(), at(4)),
    Case("c3a/patterns", QWEN, circular(block_size_pattern={"k_proj": 8, "q_proj": 64}), at(4)),
    Case("hira/llama", LLAMA, peft("HiraConfig", r=4, target_modules=MIXED), at(0.4)),
    Case("hira/patterns", BF16, peft(
        "HiraConfig", r=4, target_modules=MIXED, rank_pattern={"k_proj": 2}), at(0.4)),
    Case("hira/embedding", MISTRAL, peft("HiraConfig", r=3, target_modules=["embed_tokens", "q_proj"]), at(0.4)),
    Case("miss/blocks", LLAMA, peft("MissConfig", r=8, target_modules=MIXED), at(0.1)),
    Case("miss/remainder", MISTRAL, peft("MissConfig", r=24, target_modules=MIXED), at(0.1)),
    Case("miss/bat", LLAMA, peft("MissConfig", r=16, init_weights="bat", target_modules=MIXED), at(0.1)),
    Case("miss/mini", QWEN, peft(
        "MissConfig", r=8, init_weights="mini", mini_r=4, target_modules=MIXED), at(0.1)),
    Case("gralora/llama", LLAMA, peft("GraloraConfig", r=8, alpha=16, gralora_k=2, target_modules=MIXED)),
    Case("gralora/hybrid", QWEN, peft(
        "GraloraConfig", r=8, alpha=8, gralora_k=4, hybrid_r=3, target_modules=MIXED)),
    Case("delora/llama", LLAMA, peft("DeloraConfig", r=4, target_modules=MIXED)),
    Case("delora/patterns", BIASED, peft(
        "DeloraConfig", r=4, target_modules=MIXED, rank_pattern={"k_proj": 2}, lambda_pattern={"o_proj": 4})),
    Case("delora/qwen", QWEN, peft("DeloraConfig", r=6, delora_lambda=8, target_modules=MIXED)),
    Case("adamss/llama", LLAMA, peft(
        "AdamssConfig", r=16, num_subspaces=3, subspace_rank=2, target_modules=["q_proj", "v_proj"])),
    Case("adamss/biased", BIASED, peft(
        "AdamssConfig", r=12, num_subspaces=4, subspace_rank=3, use_dynamic_rank=True, random_seed=3,
        target_modules=["k_proj", "down_proj"])),
    Case("adamss/qwen", QWEN, peft(
        "AdamssConfig", r=10, num_subspaces=2, subspace_rank=2, target_modules=["q_proj", "o_proj"])),
    Case("osf/llama", LLAMA, peft("OSFConfig", effective_rank=8, target_modules=["q_proj", "v_proj"])),
    Case("osf/qwen", QWEN, peft("OSFConfig", effective_rank=0.5, target_modules=["k_proj", "down_proj"],
                                rank_pattern={"down_proj": 60})),
    Case("supertuning/top", LLAMA, peft("SupertuningConfig", sparsity=0.97, target_modules=MIXED), at(0.5)),
    Case("supertuning/drawn-again", LLAMA, peft(
        "SupertuningConfig", sparsity=0.97, select_top=False, save_precomputed_indices=False,
        target_modules=MIXED), at(0.5)),
    Case("supertuning/with-lora", QWEN, peft(
        "SupertuningConfig", sparsity=0.98, r=3, lora_alpha=6, target_modules=MIXED), at(0.2)),
    Case("glora/default", LLAMA, peft("GloraConfig", r=4, target_modules=MIXED)),
    Case("glora/vectors", BIASED, peft("GloraConfig", r=4, config_A_B="vector", config_C="vector",
                                       config_D_E="vector", target_modules=MIXED)),
    Case("glora/trained-biases", BIASED, peft(
        "GloraConfig", r=3, config_D_E="vector", bias="all", target_modules=MIXED)),
    Case("glora/constants", QWEN, peft("GloraConfig", r=3, config_A_B="constant", config_C="none",
                                       config_D_E="constant", target_modules=MIXED)),
    Case("glora/factors", QWEN, peft("GloraConfig", r=3, config_A_B="lora", config_C="lora",
                                     config_D_E="none", target_modules=MIXED)),
]
