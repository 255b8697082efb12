"""Adapters that change embedding and head of a base that ties them."""

from cases.common import PLAIN, load_base, normal, plain_tensors, seed


def case_tied_both_saved(case):
    """Two different tables, and a head with factors: neither can be the base's one table any more."""
    model = load_base("L3t")
    table = model.model.embed_tokens.weight.data
    generator = seed("tied both saved")
    tensors = plain_tensors("L3t")
    tensors["base_model.model.model.embed_tokens.weight"] = table + normal(
        generator, *table.shape, spread=0.05)
    tensors["base_model.model.lm_head.weight"] = table + normal(generator, *table.shape, spread=0.05)
    case.add("both", {**PLAIN, "modules_to_save": ["lm_head", "embed_tokens"]}, tensors)
    case.served("both", base="L3t")
    factors = plain_tensors("L3t", name="head", targets=("lm_head",))
    case.add("head", {**PLAIN, "target_modules": ["lm_head"]}, factors)
    case.served("head", base="L3t")
