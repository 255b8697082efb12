"""One adapter of each method, with the settings that people use it with, for SmolLM2-135M's shapes."""

import dataclasses
from typing import Any

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

# The base's shapes are SmolLM2-135M's; its weights are random, which costs the same.
BASE = {
    "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
    "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192,
    "rope_theta": 100000.0, "rms_norm_eps": 1e-5, "tie_word_embeddings": True,
    "bos_token_id": 1, "eos_token_id": 2,
}
KEY_VALUE_WIDTH = 192


@dataclasses.dataclass(frozen=True)
class Setting:
    """An adapter: a title for the table, PEFT's class (or what `building` makes), and its configuration."""

    title: str
    config: str
    options: dict = dataclasses.field(default_factory=dict)
    # What the options mean, for the table.
    text: str = ""
    # Which modules' weights change: all linear layers of the blocks, unless `options` says otherwise.
    targets: Any = "linear"

    @property
    def name(self):
        return "".join(c if c.isalnum() else "-" for c in self.title.lower()).strip("-")

    def arguments(self):
        targets = {"target_modules": LINEAR} if self.targets == "linear" else {}
        return {"task_type": "CAUSAL_LM", **targets, **self.options}


def tokens(title, config, count=20, **options):
    """Rows, or keys and values, in front of the sequence."""
    return Setting(title, config, {"num_virtual_tokens": count, **options}, f"{count} tokens", None)


KEYS_AND_VALUES = {"num_layers": BASE["num_hidden_layers"], "num_attention_heads": BASE["num_key_value_heads"],
                   "token_dim": KEY_VALUE_WIDTH}

SETTINGS = [
    Setting("LoRA", "LoraConfig", {"r": 16, "lora_alpha": 32}, "rank 16"),
    Setting("DoRA", "LoraConfig", {"r": 16, "lora_alpha": 32, "use_dora": True}, "rank 16"),
    Setting("AdaLoRA", "AdaLoraConfig", {"init_r": 12, "target_r": 8, "total_step": 10}, "rank 12"),
    Setting("DeLoRA", "DeloraConfig", {"r": 16}, "rank 16"),
    Setting("DEFT", "DeftConfig", {"r": 16}, "rank 16"),
    Setting("PEANuT", "PeanutConfig", {"r": 16}, "rank 16"),
    Setting("TinyLoRA", "TinyLoraConfig", {"r": 2, "u": 64}, "rank 2"),
    Setting("UniLoRA", "UniLoraConfig", {"r": 4}, "rank 4"),
    Setting("VB-LoRA", "VBLoRAConfig", {"r": 4, "num_vectors": 256, "vector_length": 64}, "rank 4"),
    Setting("VeRA", "VeraConfig", {"r": 256}, "rank 256"),
    Setting("PVeRA", "PveraConfig", {"r": 256}, "rank 256"),
    Setting("RandLoRA", "RandLoraConfig", {"r": 32}, "rank 32"),
    Setting("AdaMSS", "AdamssConfig", {
        "r": 100, "num_subspaces": 5, "subspace_rank": 1, "target_modules": ["q_proj", "v_proj"]},
            "5 subspaces, q, v", None),
    Setting("Poly", "PolyConfig", {"r": 8, "n_tasks": 1, "n_skills": 4, "n_splits": 1}, "rank 8, 4 skills"),
    Setting("LoHa", "LoHaConfig", {"r": 8, "alpha": 8}, "rank 8"),
    Setting("LoKr", "LoKrConfig", {"r": 8, "alpha": 8}, "rank 8"),
    Setting("HiRA", "HiraConfig", {"r": 16}, "rank 16"),
    Setting("GLoRA", "GloraConfig", {"r": 4}, "rank 4"),
    Setting("GraLoRA", "GraloraConfig", {"r": 32, "alpha": 64, "gralora_k": 2}, "rank 32, 2 blocks"),
    Setting("MiSS", "MissConfig", {"r": 64}, "rank 64"),
    Setting("C3A", "C3AConfig", {"block_size": KEY_VALUE_WIDTH}, "blocks of 192"),
    Setting("SHiRA", "ShiraConfig", {"r": 16}, "as many values as rank 16"),
    Setting("Super-tuning", "SupertuningConfig", {}, "PEFT's defaults"),
    Setting("WaveFT", "WaveFTConfig", {"n_frequency": 2592}, "2592 coefficients"),
    Setting("FourierFT", "FourierFTConfig", {"n_frequency": 1000}, "1000 coefficients"),
    Setting("OFT", "OFTConfig", {"oft_block_size": 32}, "blocks of 32"),
    Setting("BOFT", "BOFTConfig", {"boft_block_size": 8}, "blocks of 8"),
    Setting("HRA", "HRAConfig", {"r": 8}, "8 reflections"),
    Setting("PSOFT", "PsoftConfig", {"r": 32, "target_modules": ["q_proj", "v_proj"]}, "rank 32, q, v", None),
    Setting("RoAd", "RoadConfig", {"group_size": 64}, "groups of 64"),
    Setting("(IA)³", "IA3Config", {
        "target_modules": ["k_proj", "v_proj", "down_proj"], "feedforward_modules": ["down_proj"]},
            "k, v, down", None),
    Setting("OSF", "OSFConfig", {}, "half of each matrix"),
    Setting("FRoD", "FrodConfig", {"progressbar": False}, "PEFT's defaults"),
    Setting("Lily", "LilyConfig", {"r": 16}, "rank 16"),
    Setting("Shadow", "ShadowConfig", {}, "PEFT's defaults", None),
    Setting("LN tuning", "LNTuningConfig", {}, "all norms", None),
    Setting("BEFT", "BeftConfig", {"target_modules": ["v_proj"]}, "v", None),
    Setting("Trained tokens", "TrainableTokensConfig", {"token_indices": list(range(100, 116))},
            "16 tokens", None),
    tokens("Prompt tuning", "PromptTuningConfig"),
    tokens("P-tuning", "PromptEncoderConfig", encoder_hidden_size=128),
    tokens("Multitask prompt tuning", "MultitaskPromptTuningConfig", num_tasks=1),
    Setting("CPT", "CPTConfig", {
        "cpt_token_ids": list(range(100, 120)), "cpt_mask": [1] * 20,
        "cpt_tokens_type_mask": [1] * 5 + [2] * 5 + [3] * 5 + [4] * 5}, "20 tokens", None),
    tokens("Prefix tuning", "PrefixTuningConfig", **KEYS_AND_VALUES),
    tokens("Cartridge", "CartridgeConfig", 256, **KEYS_AND_VALUES),
    Setting("LLaMA-Adapter", "AdaptionPromptConfig", {"adapter_len": 10, "adapter_layers": 28},
            "10 tokens, 28 layers", None),
    Setting("Arrow", "Arrow", {}, "4 LoRAs of rank 8, 2 a token", None),
    Setting("X-LoRA", "X-LoRA", {}, "4 LoRAs of rank 8, by layer", None),
    Setting("Houlsby's bottlenecks", "Houlsby", {}, "36 wide, two a layer", None),
    Setting("Pfeiffer's bottlenecks", "Pfeiffer", {}, "36 wide, one a layer", None),
    Setting("Parallel bottlenecks", "Parallel", {}, "36 wide, beside the MLP", None),
]
