"""Methods that rotate inputs or outputs, and those that replace a projection's function."""

import torch

from .case import BIASED, LLAMA, MISTRAL, MIXED, QWEN, Case
from .deltas import at
from .peft_config import peft


def oft(**options):
    return peft("OFTConfig", **{"oft_block_size": 8, "target_modules": MIXED, **options})


def boft(**options):
    return peft("BOFTConfig", **{"boft_block_size": 8, "target_modules": MIXED, **options})


def road(**options):
    return peft("RoadConfig", **{"group_size": 16, "target_modules": MIXED, **options})


def psoft(**options):
    return peft("PsoftConfig", **{"r": 8, "psoft_alpha": 8, "target_modules": MIXED, **options})


def turned(name, parameter):
    """Angles anew; scales around their first values."""
    if "theta" in name:
        return 0.7 * torch.randn_like(parameter)
    return parameter.data + 0.3 * torch.randn_like(parameter)


CASES = [
    Case("oft/series", LLAMA, oft(), at(0.1)),
    Case("oft/cayley", LLAMA, oft(use_cayley_neumann=False), at(0.3)),
    Case("oft/three-terms", LLAMA, oft(num_cayley_neumann_terms=3), at(0.15)),
    Case("oft/shared", QWEN, oft(block_share=True, oft_block_size=16), at(0.1)),
    Case("oft/by-rank", BIASED, oft(oft_block_size=0, r=4, bias="oft_only"), at(0.1)),
    Case("oft/constrained", LLAMA, oft(coft=True, eps=0.5), at(0.3)),
    Case("oft/adjusted", MISTRAL, oft(oft_block_size=24), at(0.1)),
    Case("oft/embedding", MISTRAL, oft(target_modules=["embed_tokens", "v_proj"]), at(0.1)),
    Case("boft/blocks", LLAMA, boft(), at(0.3)),
    Case("boft/by-number", BIASED, boft(boft_block_size=0, boft_block_num=4, bias="boft_only"), at(0.3)),
    Case("boft/qwen", QWEN, boft(boft_n_butterfly_factor=2), at(0.3)),
    Case("hra/llama", LLAMA, peft("HRAConfig", r=4, target_modules=MIXED)),
    Case("hra/orthogonalised", BIASED, peft("HRAConfig", r=5, apply_GS=True, target_modules=MIXED)),
    Case("hra/qwen", QWEN, peft("HRAConfig", r=2, target_modules=["q_proj", "gate_proj"])),
    Case("road/one", LLAMA, road(), turned),
    Case("road/two", BIASED, road(variant="road_2", group_size=8), turned),
    Case("road/four", QWEN, road(variant="road_4"), turned),
    Case("psoft/llama", LLAMA, psoft(), at(0.3)),
    Case("psoft/series", QWEN, psoft(use_cayley_neumann=True, cayley_neumann_eps=0.9), at(0.2)),
    Case("psoft/not-orthogonal", LLAMA, psoft(psoft_orth=False, psoft_mag_a=False, psoft_mag_b=False), at(0.3)),
    Case("psoft/pissa-scaled", LLAMA, psoft(ab_svd_init="pissa_init", psoft_alpha=4), at(0.3)),
    Case("peanut/shallow", LLAMA, peft("PeanutConfig", r=4, target_modules=["v_proj", "up_proj"])),
    Case("peanut/deep", QWEN, peft("PeanutConfig", r=4, depth=2, act_fn="gelu", scaling=0.5,
                                   target_modules=["q_proj", "down_proj"])),
]
