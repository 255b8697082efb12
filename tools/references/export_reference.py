"""Saves the logits that PEFT computes for a base with an adapter, for `graft verify --against`.

    tools/reference export --base DIR --adapter DIR --tokens 1,23,457 --out expected.safetensors
    tools/reference export --base DIR --adapter DIR --text "A contract is" --out expected.safetensors
    graft verify --base DIR --adapter DIR --against expected.safetensors

Any method that PEFT can load is served to the prompts in f32 arithmetic over the stored weights. Without
--tokens and --text, three prompts of random tokens are taken. For the methods with tasks it is task 0.

The file holds, for each prompt N: tokens.N (I64, [tokens]) and logits.N (F32, [tokens, vocabulary]), the
logits of the prompt's own tokens. Its metadata names versions, base and adapter; for a base of another
type than f32, reference_distance is how far transformers' own run in that type is from f32 arithmetic
(the largest difference of a log-probability), which `graft verify` allows. It is left out where that
run's values grow beyond the type's range.
"""

import argparse
import math
import pathlib
import random
import sys

import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
RANDOM_LENGTHS = (3, 9, 24)


def load(base, adapter, dtype):
    from goldens.methods.loading import attach
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype).eval()
    return attach(model, adapter) if adapter else model


@torch.no_grad()
def logits_of(model, tokens):
    """Logits of the prompt's own tokens, f32; rows of virtual tokens in front are left out."""
    ids = torch.tensor([tokens])
    return model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].float()[-len(tokens):]


def numbers(text):
    try:
        tokens = [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}': expected token ids with commas between, as 1,23,457")
    return tokens


def prompts(options, vocabulary_count):
    """The token ids of all prompts, in the order of the command line."""
    found = list(options.tokens)
    if options.text:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(options.base)
        found += [tokenizer(text)["input_ids"] for text in options.text]
    if not found:
        source = random.Random(options.seed)
        found = [[source.randrange(vocabulary_count) for _ in range(n)] for n in RANDOM_LENGTHS]
    for tokens in found:
        outside = [token for token in tokens if not 0 <= token < vocabulary_count]
        if outside or not tokens:
            sys.exit(f"export_reference: token ids {outside or tokens}: expected 1 or more of "
                     f"0 to {vocabulary_count - 1}")
    return found


def distance(first, second):
    # Unlike Python's, torch's maximum is NaN where one of the values is.
    return float(torch.stack([(torch.log_softmax(a, -1) - torch.log_softmax(b, -1)).abs().max()
                              for a, b in zip(first, second)]).max())


def own_type(base):
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(base).dtype or torch.float32


def versions():
    import peft
    import transformers

    return {"generator": "tools/reference export", "torch": torch.__version__,
            "transformers": transformers.__version__, "peft": peft.__version__}


def export(options):
    from goldens.methods.files import save_sorted

    model = load(options.base, options.adapter, torch.float32)
    asked = prompts(options, model.config.vocab_size)
    logits = [logits_of(model, tokens) for tokens in asked]
    facts = {**versions(), "base": str(options.base), "adapter": str(options.adapter or ""), "dtype": "float32"}
    dtype = own_type(options.base)
    if dtype != torch.float32:
        own = load(options.base, options.adapter, dtype)
        away = distance([logits_of(own, tokens) for tokens in asked], logits)
        # In f16 values can grow beyond the type's range; such a run is no measure.
        if math.isfinite(away):
            facts["reference_distance"] = str(away)
    tensors = {f"tokens.{i}": torch.tensor(tokens) for i, tokens in enumerate(asked)}
    tensors |= {f"logits.{i}": rows for i, rows in enumerate(logits)}
    save_sorted(tensors, pathlib.Path(options.out), facts)
    print(f"{options.out}: {len(asked)} prompts, {sum(map(len, asked))} tokens")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True, help="a Hugging Face directory")
    parser.add_argument("--adapter", help="a PEFT directory (default: the base alone)")
    parser.add_argument("--tokens", type=numbers, action="append", default=[], metavar="ID,ID,…",
                        help="the token ids of a prompt; repeatable")
    parser.add_argument("--text", action="append", default=[],
                        help="a prompt as text, for the base's own tokenizer; repeatable")
    parser.add_argument("--seed", type=int, default=1, help="of the random prompts")
    parser.add_argument("--out", required=True, help="the file to write")
    torch.set_num_threads(1)
    export(parser.parse_args())


if __name__ == "__main__":
    main()
