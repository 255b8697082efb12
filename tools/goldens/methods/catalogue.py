"""All cases, in the order of the manifest."""

from . import (
    deltas, foreign, infused, lora, lora_unusual, mixtures, projections, prompts, rotations, trained_weights, vocabularies)

CASES = [
    *infused.CASES, *lora.CASES, *prompts.CASES, *trained_weights.CASES, *deltas.CASES,
    *projections.CASES, *rotations.CASES, *mixtures.CASES, *lora_unusual.CASES, *vocabularies.CASES,
    *foreign.CASES,
]
