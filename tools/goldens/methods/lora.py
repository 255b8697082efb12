"""LoRA's variants that are served from their factors alone: DoRA, rank-stabilised, biases, activated."""

from .case import ATTENTION, BF16, BIASED, LLAMA, MIXED, MISTRAL, PROMPT, QWEN, Case, spread


def lora(**options):
    def config(_):
        from peft import LoraConfig

        return LoraConfig(**{"task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8,
                             "target_modules": MIXED, **options})
    return config


def magnitudes_apart(name, parameter):
    """DoRA: magnitudes that are not the norms of the rows."""
    if "magnitude" in name:
        return parameter.data * (1 + 0.3 * spread(parameter, 1 / 0.3).clamp(-2, 2))
    return parameter.data + spread(parameter)


INVOCATION = [79, 305, 5]
BEFORE, AFTER = PROMPT[:4], [23, 457, 242]
ACTIVATED_PROMPTS = (
    tuple(BEFORE + INVOCATION + AFTER),
    tuple(BEFORE),
    tuple(BEFORE + INVOCATION),
    tuple([1] + INVOCATION + AFTER + INVOCATION + BEFORE[1:] + INVOCATION[:2]),
)

CASES = [
    Case("lora/plain", LLAMA, lora()),
    Case("lora/rslora", QWEN, lora(use_rslora=True, r=6)),
    Case("lora/bias", BIASED, lora(lora_bias=True)),
    Case("lora/layers-and-name", LLAMA, lora(
        target_modules=["model.layers.0.self_attn.q_proj", "v_proj"], layers_to_transform=[1])),
    Case("lora/saved-with-biases", BIASED, lora(
        target_modules=["q_proj"], modules_to_save=["v_proj"], bias="all")),
    Case("lora/biases-alone", BIASED, lora(r=1, target_modules="dummy-target-modules", bias="all")),
    Case("lora/dora", LLAMA, lora(use_dora=True, target_modules=[*MIXED, "v_proj"]), magnitudes_apart),
    Case("lora/dora-biases", BIASED, lora(use_dora=True, bias="lora_only", use_rslora=True), magnitudes_apart),
    Case("lora/dora-embedding", MISTRAL, lora(use_dora=True, target_modules=["embed_tokens", "q_proj"]),
         magnitudes_apart),
    Case("lora/dora-embedding-tied", LLAMA, lora(use_dora=True, target_modules=["embed_tokens"]),
         magnitudes_apart),
    Case("lora/dora-head", BF16, lora(use_dora=True, target_modules=["lm_head", "up_proj"]), magnitudes_apart),
    Case("lora/dora-qwen", QWEN, lora(use_dora=True, target_modules=ATTENTION,
                                      rank_pattern={"q_proj": 2}, alpha_pattern={"o_proj": 1}),
         magnitudes_apart),
    Case("lora/activated", LLAMA, lora(alora_invocation_tokens=INVOCATION, target_modules=ATTENTION),
         prompts=ACTIVATED_PROMPTS),
    Case("lora/activated-qwen", QWEN, lora(alora_invocation_tokens=INVOCATION, target_modules=MIXED),
         prompts=ACTIVATED_PROMPTS[:2]),
]
