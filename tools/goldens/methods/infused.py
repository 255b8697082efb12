"""(IA)³, arXiv 2205.05638."""

from .case import BF16, BIASED, LLAMA, QWEN, Case


def ia3(targets, feedforward, **options):
    def config(_):
        from peft import IA3Config

        return IA3Config(task_type="CAUSAL_LM", target_modules=targets,
                         feedforward_modules=feedforward, **options)
    return config


CASES = [
    Case("ia3/classic", LLAMA, ia3(["k_proj", "v_proj", "down_proj"], ["down_proj"])),
    Case("ia3/outputs", BIASED, ia3(["q_proj", "o_proj", "up_proj"], [], modules_to_save=["norm"])),
    Case("ia3/regex", LLAMA, ia3(r".*layers\.[02]\..*(q_proj|gate_proj|up_proj)",
                                 r".*layers\.2\..*(gate|up)_proj")),
    Case("ia3/qwen", QWEN, ia3(["k_proj", "v_proj", "down_proj"], ["down_proj"])),
    Case("ia3/bf16", BF16, ia3(["k_proj", "v_proj", "down_proj"], ["down_proj"]), dtype="bfloat16"),
]
