"""Adapters of bases whose vocabulary was resized before training: PEFT saves the tables along."""

from .case import ATTENTION, BF16, LLAMA, MISTRAL, MIXED, PROMPT, QWEN, Case
from .lora import lora

GROWN = (tuple(PROMPT[:5] + [513, 512, 514, 79]), tuple([514] + PROMPT[1:4]))
SHRUNK = 500


def grown(name, base, **options):
    return Case(f"lora/{name}", base, lora(**options), prompts=GROWN, vocabulary=515)


CASES = [
    grown("grown", MISTRAL, target_modules=ATTENTION),
    grown("grown-tied", LLAMA),
    grown("grown-qwen", QWEN, use_rslora=True),
    grown("grown-bf16", BF16),
    grown("grown-dora", MISTRAL, use_dora=True, target_modules=MIXED),
    grown("grown-saved", MISTRAL, modules_to_save=["embed_tokens", "lm_head"]),
    grown("grown-saved-tied", LLAMA, modules_to_save=["embed_tokens"]),
    grown("grown-saved-both-tied", LLAMA, modules_to_save=["embed_tokens", "lm_head"]),
    grown("grown-targeted", MISTRAL, target_modules=["q_proj", "embed_tokens", "lm_head"]),
    grown("grown-embedding-tied", LLAMA, target_modules=["q_proj", "embed_tokens"]),
    Case("lora/grown-head-tied", LLAMA, lora(target_modules=["q_proj", "lm_head"]), prompts=GROWN,
         vocabulary=515, mergeable=False, note="PEFT's merging changes the embedding as well"),
    grown("grown-trained-tokens", MISTRAL, trainable_token_indices=[512, 513, 514]),
    grown("grown-trained-tokens-tied", LLAMA, trainable_token_indices=[512, 513, 514, 7]),
    Case("lora/shrunk", MISTRAL, lora(), vocabulary=SHRUNK),
    Case("lora/shrunk-tied", LLAMA, lora(target_modules=ATTENTION), vocabulary=SHRUNK),
]
