"""All cases, in the order of the manifest."""

from . import infused, lora, prompts, trained_weights

CASES = [*infused.CASES, *lora.CASES, *prompts.CASES, *trained_weights.CASES]
