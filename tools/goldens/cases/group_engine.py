"""What the engine must keep apart: rows before an invocation under tables and layers of the adapter's own,
and greedy tokens under a repetition penalty."""

import json

import torch

from cases.common import SHAPE, load_base, logprobs, normal, seed, shared

ADDED = 4
# Tokens that the base doesn't have stand before the invocation, begin it, and follow it.
MIXED = [1, 96, 5, 7, 99, 11, 97, 13, 14, 98, 3, 96, 21, 22]
INVOCATION = [98, 3]


def random_adapter(case, variant, base, vocabulary=None, tokens_trained=None, **settings):
    """An activated LoRA as PEFT saves it, with random values; returns the base as its user prepares it."""
    from peft import LoraConfig, get_peft_model

    def prepared():
        model = load_base(base)
        if vocabulary:
            torch.manual_seed(5)
            model.resize_token_embeddings(vocabulary, mean_resizing=False)
        return model

    settings = dict(dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"],
                         task_type="CAUSAL_LM", trainable_token_indices=tokens_trained), **settings)
    generator = seed(f"{case.name} {variant}")
    model = get_peft_model(prepared(), LoraConfig(**settings))
    for key, parameter in sorted(model.named_parameters()):
        if "lora_" in key or "trainable_tokens_delta" in key:
            parameter.data = normal(generator, *parameter.shape, spread=0.3)
    if vocabulary and vocabulary > SHAPE["vocab_size"]:
        for table in {model.get_input_embeddings(), model.get_output_embeddings()}:
            while hasattr(table, "base_layer"):
                table = table.base_layer
            table.weight.data[SHAPE["vocab_size"]:] = normal(generator, ADDED, SHAPE["hidden_size"])
    folder = case.folder / variant
    model.save_pretrained(folder, save_embedding_layers=vocabulary is not None)
    (folder / "README.md").unlink(missing_ok=True)
    file = folder / "adapter_config.json"
    saved = json.loads(file.read_text(encoding="utf-8"))
    saved |= {"base_model_name_or_path": "x", "target_modules": sorted(saved["target_modules"])}
    file.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")
    return prepared


def serve(case, variant, prepared, base):
    from peft import PeftModel

    model = PeftModel.from_pretrained(prepared(), case.folder / variant).eval()
    case.served(variant, base=base, expected=logprobs(model, case.tokens))


def case_activated_vocabulary(case):
    """An activated adapter whose vocabulary is larger: its tables are the model's from the first token on."""
    case.tokens = MIXED
    for variant, base, settings in [
            ("own tables", "L3", dict(alora_invocation_tokens=INVOCATION)),
            ("one table", "L3t", dict(alora_invocation_tokens=INVOCATION)),
            ("never invoked", "L3", dict(alora_invocation_tokens=[99, 98])),
    ]:
        serve(case, variant, random_adapter(
            case, variant, base, SHAPE["vocab_size"] + ADDED, **settings), base)


def case_activated_smaller_vocabulary(case):
    serve(case, "smaller", random_adapter(
        case, "smaller", "L3", 90, alora_invocation_tokens=[9]), "L3")


def case_activated_trained_tokens(case):
    """Tokens trained beside an activated adapter are trained for the whole sequence."""
    for variant, base, trained in [
            ("embedding", "L3", [2, 9, 50]), ("both", "L3t", [2, 9, 50]),
            ("head", "L3", {"lm_head": [3, 8]})]:
        serve(case, variant, random_adapter(
            case, variant, base, tokens_trained=trained, alora_invocation_tokens=[8, 9]), base)


def case_activated_layers(case):
    """An activated adapter with repeated layers: keys and values before the invocation are those layers' too."""
    for variant, ranges in [("once more", [[0, 2], [1, 3]]), ("fewer", [[0, 1], [2, 3]])]:
        serve(case, variant, random_adapter(
            case, variant, "L3", layer_replication=ranges, alora_invocation_tokens=[8]), "L3")


def case_repetition_penalty(case):
    """Greedy tokens of transformers' own generate; no adapter."""
    model, entries = load_base("L3"), []
    prompts = [[1, 5, 6, 7, 5, 6, 7, 5, 6], [1, 90, 14, 3, 3, 3], list(range(1, 30))]
    for penalty in [1.0, 1.3, 0.8, 1.05]:
        for prompt in prompts:
            out = model.generate(
                input_ids=torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                max_new_tokens=24, min_new_tokens=24, do_sample=False, eos_token_id=None, pad_token_id=0,
                repetition_penalty=penalty, output_scores=True, return_dict_in_generate=True)
            tops = [torch.topk(row[0].float(), 2).values for row in out.scores]
            entries.append({
                "prompt": prompt, "penalty": penalty,
                "tokens": [int(t) for t in out.sequences[0][len(prompt):]],
                "margins": [round(float(top[0] - top[1]), 6) for top in tops]})
    (case.folder / "greedy.json").write_text(json.dumps({
        "metadata": {"generator": "tools/goldens/cases", **shared.PINNED}, "base": "L3",
        "answers": entries}, indent=1) + "\n", encoding="utf-8")
