"""Every method of PEFT with random options on random bases: the part of compare_with_peft.py for --methods.

Targets, exclusions, chosen layers, saved modules, trained biases and patterns vary for all methods that
have such settings, and settings of its own for each. What a pair was made of is printed with its seed.
"""

import argparse
import dataclasses
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import warnings

import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
GRAFT = ROOT / ".build/release/graft"
sys.path.insert(0, str(ROOT / "tools"))
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
TARGETS = [*ATTENTION, "gate_proj", "up_proj", "down_proj"]
# Divides every width of a random base.
BLOCK = 4
# Of a log-probability. Some trained values are so large that PEFT's own results, attached and merged,
# differ by most of it.
LIMIT = 2e-3

# Method: PEFT's class, settings with values to choose from, and the size of the trained values
# (None: the first ones, moved).
METHODS = {
    "lora": ("LoraConfig", {"r": [1, 4, 9], "lora_alpha": [3, 16], "use_rslora": [False, True],
                            "lora_bias": [False, True]}, None),
    "dora": ("LoraConfig", {"r": [2, 4], "use_dora": [True], "use_rslora": [False, True],
                            "init_lora_weights": [True, "pissa", "olora"]}, None),
    "olora": ("LoraConfig", {"r": [2, 4], "init_lora_weights": ["olora"]}, None),
    "adalora": ("AdaLoraConfig", {"init_r": [3, 6], "target_r": [2], "total_step": [10]}, None),
    "adamss": ("AdamssConfig", {"r": [8], "num_subspaces": [2, 4], "use_dynamic_rank": [False, True]}, None),
    "beft": ("BeftConfig", {}, None),
    "boft": ("BOFTConfig", {"boft_block_size": [2, BLOCK]}, 0.3),
    "c3a": ("C3AConfig", {"block_size": [1, 2, BLOCK]}, 2.0),
    "deft": ("DeftConfig", {"r": [3], "decomposition_method": ["relu", "qr"], "para": [False, True]}, None),
    "delora": ("DeloraConfig", {"r": [2, 5], "delora_lambda": [4, 15]}, None),
    "fourierft": ("FourierFTConfig", {"n_frequency": [20, 60], "scaling": [60.0], "random_loc_seed": [3]}, None),
    "frod": ("FrodConfig", {"sparse_rate": [0.05], "progressbar": [False]}, None),
    "glora": ("GloraConfig", {"r": [3], "config_A_B": ["lora", "vector", "constant"],
                              "config_C": ["lora", "vector", "none"],
                              "config_D_E": ["vector", "constant", "none"]}, None),
    "gralora": ("GraloraConfig", {"r": [4, 8], "gralora_k": [2, 4], "hybrid_r": [0, 4]}, None),
    "hira": ("HiraConfig", {"r": [2, 5]}, 0.4),
    "hra": ("HRAConfig", {"r": [2, 5], "apply_GS": [False, True]}, None),
    "ia3": ("IA3Config", {"target_modules": [TARGETS, ["k_proj", "down_proj"], ["q_proj", "o_proj", "down_proj"]],
                          "feedforward_modules": [["down_proj"]]}, None),
    "lily": ("LilyConfig", {"r": [3], "num_B": [2, 3], "stride_A": [1, 2]}, 0.3),
    "ln_tuning": ("LNTuningConfig", {"target_modules": [None, ["norm"], ["input_layernorm"]]}, None),
    "loha": ("LoHaConfig", {"r": [2, 5], "alpha": [1, 8]}, 0.3),
    "lokr": ("LoKrConfig", {"r": [2, 40], "decompose_both": [False, True], "decompose_factor": [-1, 2, 5]}, 0.3),
    "miss": ("MissConfig", {"r": [BLOCK], "init_weights": [True, "bat", "mini"]}, 0.1),
    "oft": ("OFTConfig", {"oft_block_size": [BLOCK, 7], "block_share": [False, True],
                          "use_cayley_neumann": [True, False], "coft": [False, True], "eps": [0.3]}, 0.1),
    "osf": ("OSFConfig", {"effective_rank": [3, 0.3]}, None),
    "peanut": ("PeanutConfig", {"r": [3], "depth": [0, 1, 3], "act_fn": ["relu", "gelu", "tanh"]}, None),
    "poly": ("PolyConfig", {"r": [2], "n_tasks": [2], "n_skills": [3], "n_splits": [1, BLOCK]}, 0.5),
    "psoft": ("PsoftConfig", {"r": [2, 8], "psoft_alpha": [3, 8], "ab_svd_init": ["psoft_init", "pissa_init"],
                              "psoft_orth": [True, False], "psoft_mag_a": [True, False],
                              "psoft_mag_b": [True, False], "use_cayley_neumann": [False, True],
                              "num_cayley_neumann_terms": [1, 3, 6], "cayley_neumann_eps": [None, 0.5]}, 0.3),
    "pvera": ("PveraConfig", {"r": [6], "save_projection": [False, True]}, None),
    "randlora": ("RandLoraConfig", {"r": [4], "randlora_alpha": [8], "save_projection": [False, True],
                                    "sparse": [False, True]}, 0.3),
    "road": ("RoadConfig", {"group_size": [BLOCK], "variant": ["road_1", "road_2", "road_4"]}, None),
    "shira": ("ShiraConfig", {"r": [1, 3]}, 0.3),
    "supertuning": ("SupertuningConfig", {"sparsity": [0.9, 0.97], "r": [None, 2], "lora_alpha": [3],
                                          "select_top": [False, True]}, 0.3),
    "tinylora": ("TinyLoraConfig", {"r": [1, 3], "u": [5], "save_projection": [False, True],
                                    "weight_tying": [0.0, 0.5, 1.0]}, 0.5),
    "unilora": ("UniLoraConfig", {"r": [3], "theta_d_length": [10, 40], "init_theta_d_bound": [0.5]}, 1),
    "vblora": ("VBLoRAConfig", {"r": [3], "num_vectors": [12], "vector_length": [BLOCK], "topk": [1, 3],
                                "save_only_topk_weights": [False, True]}, 0.5),
    "vera": ("VeraConfig", {"r": [6], "save_projection": [False, True]}, None),
    "waveft": ("WaveFTConfig", {"n_frequency": [60], "scaling": [4.0], "use_idwt": [True, False],
                                "wavelet_family": ["db1", "sym3", "coif1"]}, 0.5),
    "trainable_tokens": ("TrainableTokensConfig", {"token_indices": [[3, 90], [17]]}, None),
    "prompt_tuning": ("PromptTuningConfig", {"num_virtual_tokens": [1, 30]}, 0.5),
    "p_tuning": ("PromptEncoderConfig", {"num_virtual_tokens": [5], "encoder_hidden_size": [13],
                                         "encoder_reparameterization_type": ["MLP", "LSTM"]}, 0.5),
}


def common_settings(names, model, numbers):
    """Settings that many methods have, as far as `names`, those of this one, have them."""
    targets = numbers.sample(TARGETS, numbers.randrange(1, 5))
    layers = model.config.num_hidden_layers
    settings = {"target_modules": numbers.choice([
        targets, targets, "all-linear", r".*layers\.\d\..*(" + "|".join(targets) + ")",
        [f"model.layers.{numbers.randrange(layers)}.self_attn.q_proj", *targets]])}
    listed = isinstance(settings["target_modules"], list)
    rare = {
        "exclude_modules": numbers.choice([r".*layers\.1\..*v_proj", ["layers.1.self_attn.k_proj"]]),
        "modules_to_save": [numbers.choice(["norm", "input_layernorm", "lm_head", "o_proj"])],
        "bias": "all",
        "rank_pattern": {targets[0]: 2},
    }
    if listed:
        rare["layers_to_transform"] = [numbers.randrange(layers)]
    settings |= {name: value for name, value in rare.items() if numbers.random() < 0.3}
    return {name: value for name, value in settings.items() if name in names}


def random_settings(method, model, numbers):
    import peft

    name, own, _ = METHODS[method]
    kind = getattr(peft, name)
    settings = {}
    if "target_modules" not in own and method != "trainable_tokens":
        settings = common_settings({field.name for field in dataclasses.fields(kind)}, model, numbers)
    settings |= {key: numbers.choice(values) for key, values in own.items()}
    if method == "adalora":
        settings.pop("rank_pattern", None)
    return kind(task_type="CAUSAL_LM", **settings), settings


def make(method, base, folder, numbers):
    """Saves a random adapter of the method; returns what it was made of."""
    from references.compare_with_peft import load
    from goldens.methods.case import spread
    from peft import get_peft_model

    model = load(base, None, torch.float32)
    config, settings = random_settings(method, model, numbers)
    torch.manual_seed(numbers.randrange(1 << 30))
    model = get_peft_model(model, config)
    size = METHODS[method][2]
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            whole = size is None or "modules_to_save" in name or name.endswith(".bias")
            parameter.data.copy_(
                parameter.data + spread(parameter) if whole else size * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return json.dumps(settings)


def compare_one(method, folder, seed, numbers):
    """Prints and returns whether Graft answers as PEFT does; None where PEFT itself doesn't."""
    from references import export_reference
    from references.compare_with_peft import EXACT_KERNELS, EXACT_OPTIONS, random_base

    base, adapter, expected = folder / "base", folder / "adapter", folder / "expected.safetensors"
    shape = random_base(base, numbers)
    try:
        settings = make(method, base, adapter, numbers)
        export_reference.export(argparse.Namespace(
            base=base, adapter=adapter, out=expected, tokens=[], text=[], seed=1))
    except Exception as error:  # what PEFT itself refuses, or can't load again, is no case
        print(f"{method} {seed}: PEFT: {str(error)[:100]}", flush=True)
        return None
    run = subprocess.run(
        [GRAFT, "verify", "--base", base, "--adapter", f"a={adapter}", "--against", expected, "--json",
         *EXACT_OPTIONS], capture_output=True, text=True, check=False, env=EXACT_KERNELS)
    agrees = False
    if run.stdout:
        difference = json.loads(run.stdout)["largest_difference"]
        agrees = difference <= LIMIT
        verdict = f"{difference:.1e} " + ("ok" if agrees else "TOO FAR")
    else:
        verdict = "REFUSED " + run.stderr.strip()
    print(f"{method} {seed}: {verdict}", flush=True)
    if not agrees:
        print(f"    {shape}\n    {settings}", flush=True)
    return agrees


def compare_methods(names, rounds, seed):
    """`rounds` random pairs for each method; false where one differs or is refused, or none was compared."""
    warnings.filterwarnings("ignore")
    unknown = set(names) - METHODS.keys()
    if unknown:
        sys.exit(f"compare: no method {', '.join(sorted(unknown))}; there are {', '.join(METHODS)}")
    failed, compared = 0, set()
    for number in range(rounds):
        for method in names or METHODS:
            numbers = random.Random(f"{seed + number} {method}")
            with tempfile.TemporaryDirectory() as folder:
                agrees = compare_one(method, pathlib.Path(folder), seed + number, numbers)
            if agrees is not None:
                compared.add(method)
                failed += not agrees
    print(f"{failed} differ or are refused")
    passed_over = [method for method in names or METHODS if method not in compared]
    if passed_over:
        print(f"never compared: {', '.join(passed_over)}")
    return failed == 0 and bool(compared)
