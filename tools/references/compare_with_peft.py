"""Compares Graft with PEFT on bases and adapters that are not in the repository.

    tools/reference compare --random 5 --seed 1          random shapes, options, ranks and targets
    tools/reference compare --base DIR --adapter DIR     a base and an adapter of yours
    tools/reference compare --methods --random 3         every method, random options, 3 times each
    tools/reference compare --methods oft glora --random 20 --seed 4

Graft answers over the line protocol (.build/release/graft serve); the largest difference of a
log-probability over all positions is printed for each pair, and the exit status is 1 when one is
beyond 1e-3. Both compute in f32, whatever the base's type: Graft with its portable kernels, which round
no rows. With --methods, graft verify --against compares, the limit is 2e-3, and what is refused counts
as a failure; combinations that PEFT itself refuses are named and passed over.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
GRAFT = ROOT / ".build/release/graft"
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
sys.path.insert(0, str(ROOT / "tools"))
# Kernels and options with which nothing is rounded that the reference doesn't round.
EXACT_KERNELS = {**os.environ, "GRAFT_CPU": "portable"}
EXACT_OPTIONS = ["--kv-dtype", "f32", "--adapter-dtype", "file"]
LIMIT = 1e-3


def graft_logprobs(base, adapter, prompts):
    """For each prompt, the log-probability of each of its tokens but the first."""
    requests = "".join(
        json.dumps({"id": i, "tokens": p, "adapter": "a" if adapter else None, "max_tokens": 0,
                    "prompt_logprobs": 0}) + "\n" for i, p in enumerate(prompts))
    command = [str(GRAFT), "serve", "--base", str(base), *EXACT_OPTIONS]
    if adapter:
        command += ["--adapter", f"a={adapter}"]
    run = subprocess.run(
        command, input=requests, capture_output=True, text=True, env=EXACT_KERNELS)
    found = {}
    for line in run.stdout.splitlines():
        event = json.loads(line)
        if event["event"] == "error":
            raise RuntimeError(event["message"])
        if event["event"] == "prompt":
            found[event["id"]] = [e[0]["logprob"] for e in event["prompt_logprobs"][1:]]
    if run.returncode != 0 or len(found) != len(prompts):
        raise RuntimeError(run.stderr.strip())
    return [found[i] for i in range(len(prompts))]


@torch.no_grad()
def reference_logprobs(model, prompts):
    result = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].float()
        logprobs = torch.log_softmax(logits[-len(prompt):], -1)
        result.append([float(logprobs[i, t]) for i, t in enumerate(prompt[1:])])
    return result


def largest(first, second):
    return max(abs(a - b) for x, y in zip(first, second) for a, b in zip(x, y))


def load(base, adapter, dtype):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype)
    return (PeftModel.from_pretrained(model, adapter) if adapter else model).eval()


def compare(base, adapter, label):
    """Prints and returns whether the pair is within its limit."""
    config = json.loads((pathlib.Path(base) / "config.json").read_text(encoding="utf-8"))
    numbers = random.Random(7)
    prompts = [[numbers.randrange(3, config["vocab_size"]) for _ in range(n)] for n in (2, 9, 40)]
    expected = reference_logprobs(load(base, adapter, torch.float32), prompts)
    difference = largest(graft_logprobs(base, adapter, prompts), expected)
    verdict = "ok" if difference <= LIMIT else "TOO FAR"
    print(f"{label}: {difference:.2e} {verdict}", flush=True)
    return difference <= LIMIT


def random_base(folder, numbers):
    import transformers
    from references.make_goldens import randomize

    family = numbers.choice(["Llama", "Qwen2", "Mistral"])
    kv = numbers.choice([1, 2, 3])
    settings = dict(
        vocab_size=numbers.choice([97, 300, 1001]), intermediate_size=numbers.choice([72, 160]),
        hidden_size=numbers.choice([48, 96, 144]), num_hidden_layers=numbers.choice([1, 2, 4]),
        num_attention_heads=kv * numbers.choice([1, 2, 4]), num_key_value_heads=kv,
        head_dim=numbers.choice([8, 16, 20, 32]), tie_word_embeddings=numbers.random() < 0.5,
        max_position_embeddings=256, rms_norm_eps=numbers.choice([1e-5, 1e-6]), pad_token_id=None)
    if family == "Llama":
        settings.update(attention_bias=numbers.random() < 0.4, mlp_bias=numbers.random() < 0.4)
    if family == "Mistral":
        settings["sliding_window"] = None
    torch.manual_seed(numbers.randrange(1 << 30))
    model = getattr(transformers, f"{family}ForCausalLM")(
        getattr(transformers, f"{family}Config")(**settings))
    randomize(model)
    dtype = numbers.choice(["float32", "float32", "bfloat16", "float16"])
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    return f"{family} {dtype} " + ",".join(
        f"{k}={settings[k]}" for k in ("hidden_size", "num_hidden_layers", "num_attention_heads",
                                       "num_key_value_heads", "head_dim", "tie_word_embeddings"))


def random_adapter(base, folder, numbers):
    from peft import LoraConfig, PrefixTuningConfig, get_peft_model

    model = load(base, None, torch.float32)
    config = model.config
    if numbers.random() < 0.2:
        head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        settings = dict(num_virtual_tokens=numbers.randrange(1, 40))
        peft_config = PrefixTuningConfig(
            task_type="CAUSAL_LM", num_layers=config.num_hidden_layers,
            num_attention_heads=config.num_key_value_heads,
            token_dim=config.num_key_value_heads * head, **settings)
    else:
        targets = numbers.sample(TARGETS, numbers.randrange(1, len(TARGETS) + 1))
        if numbers.random() < 0.3:
            targets.append(numbers.choice(["embed_tokens", "lm_head"]))
        settings = dict(
            r=numbers.choice([1, 2, 5, 8, 17, 33]), lora_alpha=numbers.choice([1, 8, 16, 40]),
            use_rslora=numbers.random() < 0.3, target_modules=targets)
        if numbers.random() < 0.3:
            settings["rank_pattern"] = {targets[0]: numbers.choice([2, 7])}
        if numbers.random() < 0.3:
            settings["alpha_pattern"] = {targets[-1]: 5}
        if numbers.random() < 0.3:
            settings["modules_to_save"] = [numbers.choice(["norm", "input_layernorm"])]
        if numbers.random() < 0.3:
            settings["bias"] = numbers.choice(["all", "lora_only"])
        if numbers.random() < 0.2 and not {"embed_tokens", "lm_head"} & set(targets):
            settings["layers_to_transform"] = [0]
        peft_config = LoraConfig(task_type="CAUSAL_LM", **settings)
    peft_model = get_peft_model(model, peft_config)
    torch.manual_seed(numbers.randrange(1 << 30))
    for name, parameter in peft_model.named_parameters():
        if "lora_" in name:
            parameter.data = 0.5 / max(parameter.shape) ** 0.5 * torch.randn_like(parameter)
        elif parameter.requires_grad:
            parameter.data = parameter.data + 0.1 * torch.randn_like(parameter)
    peft_model.save_pretrained(folder)
    return json.dumps({k: v for k, v in settings.items() if v not in (False, None)})


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base")
    parser.add_argument("--adapter")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="random pairs")
    parser.add_argument("--methods", nargs="*", metavar="NAME",
                        help="pairs of all methods, or of those named; see tools/references/compare_methods.py")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    good = True
    if options.methods is not None:
        from references.compare_methods import compare_methods

        sys.exit(0 if compare_methods(options.methods, options.random or 1, options.seed) else 1)
    if options.base:
        good &= compare(options.base, options.adapter, options.adapter or "base")
    for number in range(options.random):
        numbers = random.Random(options.seed * 1000 + number)
        with tempfile.TemporaryDirectory() as folder:
            base, adapter = pathlib.Path(folder) / "base", pathlib.Path(folder) / "adapter"
            label = random_base(base, numbers)
            good &= compare(base, None, f"{number} {label}")
            label = random_adapter(base, adapter, numbers)
            good &= compare(base, adapter, f"{number}   {label}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
