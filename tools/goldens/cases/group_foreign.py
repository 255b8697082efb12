"""Adapters of other tools, and what tools make of adapters: pickles, MLX, folders of training runs, prefix
encoders of ChatGLM's kind, combinations of one adapter."""

import json
import shutil

import torch
from cases.common import (
    FOLDER, PLAIN, TOKENS, load_base, logprobs, normal, plain_tensors, save, seed, with_peft)
from safetensors.torch import save_file


def case_pickle_beside(case):
    tensors = plain_tensors()
    zeros = {key: torch.zeros_like(value) for key, value in tensors.items()}
    folder = case.add("both", PLAIN, tensors)
    torch.save(zeros, folder / "adapter_model.bin")
    case.served("both")
    for variant, state in (("pickle-alone", tensors), ("empty-pickle", {})):
        torch.save(state, case.add(variant, PLAIN, None) / "adapter_model.bin")
        case.refused(variant, "adapter_model.bin", "graft convert --from", "--to peft")
    case.add("sharded-name", PLAIN, tensors, file="adapter_model-00001-of-00001.safetensors")
    case.refused("sharded-name", "adapter_model.safetensors")
    case.add("model-name", PLAIN, tensors, file="model.safetensors")
    case.refused("model-name", "adapter_model.safetensors")
    case.add("without-metadata", PLAIN, tensors, metadata=False)
    case.served("without-metadata")


MLX = {"fine_tune_type": "lora", "num_layers": 2, "lora_parameters": {
    "rank": 4, "scale": 20.0, "dropout": 0.0, "keys": ["self_attn.q_proj"]}}


def case_mlx_adapter(case):
    generator = seed("mlx")
    tensors = {}
    for layer in (1, 2):
        name = f"model.layers.{layer}.self_attn.q_proj."
        tensors[name + "lora_a"] = normal(generator, 32, 4)
        tensors[name + "lora_b"] = normal(generator, 4, 32)
    case.add("as-saved", MLX, tensors, file="adapters.safetensors")
    case.refused("as-saved", "MLX", "scale")
    case.add("renamed", MLX, tensors)
    case.refused("renamed", "MLX", "scale")
    turned = {key: value.T for key, value in plain_tensors().items()}
    case.add("names-alone", PLAIN, turned)
    case.refused("names-alone", "lora_A.weight", "[32, 4]", "[4, 32]")
    # Square matrices, of which nothing tells that they are turned.
    square = {key: value.T for key, value in plain_tensors(rank=32, targets=("q_proj",)).items()}
    case.add("square", dict(PLAIN, r=32, target_modules=["q_proj"]), square)
    case.served("square")


def case_run_folder(case):
    for name in ("train", "reference"):
        case.add(f"run/{name}", PLAIN, plain_tensors(name=name))
        case.served(name, expected=with_peft("L3", case.folder / "run" / name), path=f"run/{name}")
    case.refused("run", "adapter_config.json", "'reference', 'train'")
    case.add("run2", PLAIN, plain_tensors(name="top"))
    case.add("run2/reference", PLAIN, plain_tensors(name="reference"))
    case.served("run2")


def encoder_file(case, variant, tensors, settings, pickle=False):
    folder = case.folder / variant
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "prefix_encoder.safetensors", {"format": "pt"})
    if settings is not None:
        (folder / "config.json").write_text(json.dumps(settings) + "\n", encoding="utf-8")
    if pickle:
        torch.save(tensors, folder / "pytorch_model.bin")
    return folder


def with_prefix(case, table):
    """What PEFT answers with a prefix: a table of keys and values for each token."""
    folder = case.folder / "peft"
    save(folder, {
        "peft_type": "PREFIX_TUNING", "task_type": "CAUSAL_LM", "num_virtual_tokens": table.shape[0],
        "num_layers": 3, "num_attention_heads": 2, "token_dim": 16, "num_transformer_submodules": 1,
        "encoder_hidden_size": 16, "prefix_projection": False, "inference_mode": True,
        "base_model_name_or_path": "x"}, {"prompt_embeddings": table})
    answer = with_peft("L3", folder)
    shutil.rmtree(folder)
    return answer


def case_ptuning_checkpoint(case):
    generator = seed("ptuning")
    prefix = "transformer.prefix_encoder."
    table = normal(generator, 8, 96)
    plain = {prefix + "embedding.weight": table}
    encoder_file(case, "plain", plain, {}, pickle=True)
    case.served("plain", expected=with_prefix(case, table))
    encoder_file(case, "without-settings", plain, None)
    case.served("without-settings", expected=with_prefix(case, table))
    encoder_file(case, "other-length", plain, {"pre_seq_len": 128})
    case.refused("other-length", "pre_seq_len", "128", "8")

    network = {
        prefix + "embedding.weight": normal(generator, 8, 32),
        prefix + "trans.0.weight": normal(generator, 16, 32), prefix + "trans.0.bias": normal(generator, 16),
        prefix + "trans.2.weight": normal(generator, 96, 16), prefix + "trans.2.bias": normal(generator, 96)}
    linear = torch.nn.functional.linear
    hidden = torch.tanh(linear(*(network[prefix + name] for name in (
        "embedding.weight", "trans.0.weight", "trans.0.bias"))))
    made = linear(hidden, network[prefix + "trans.2.weight"], network[prefix + "trans.2.bias"])
    for variant, settings in (("network", {}), ("network-said", {"prefix_projection": True, "pre_seq_len": 8})):
        encoder_file(case, variant, network, settings, pickle=True)
        case.served(variant, expected=with_prefix(case, made))
    encoder_file(case, "network-denied", network, {"prefix_projection": False})
    case.refused("network-denied", "prefix_projection", "is false", "unexpected tensor")
    encoder_file(case, "network-missing", plain, {"prefix_projection": True})
    case.refused("network-missing", "trans.0.weight", "is missing", "'prefix_projection' is true")
    encoder_file(case, "in-a-model", dict(
        plain, **{"transformer.word_embeddings.weight": normal(generator, 4, 32)}), {})
    case.refused("in-a-model", "transformer.word_embeddings.weight")


def case_rslora_scale(case):
    settings = dict(PLAIN, use_rslora=True, alpha_pattern={"q_proj": 3})
    case.add("patterns", settings, plain_tensors(name="rslora"))
    case.served("patterns")
    wide = plain_tensors(rank=9, name="rslora wide", targets=("v_proj",))
    tensors = {key: value for key, value in plain_tensors(name="rslora").items() if "v_proj" not in key}
    case.add("ranks", dict(settings, rank_pattern={"v_proj": 9}), dict(tensors, **wide))
    case.served("ranks")


def case_combine_identity(case):
    """Adapters to be combined, and what their mixes answer: Tests/EndToEndTests reads both."""
    case.add("plain", PLAIN, plain_tensors())
    case.served("plain")
    case.add("other", PLAIN, plain_tensors(name="other"))
    case.served("other")
    case.add("rslora", dict(PLAIN, use_rslora=True), plain_tensors(name="stabilised"))
    case.served("rslora")
    biased = plain_tensors("Q3", name="biased")
    generator = seed("lora bias")
    for key in [key for key in biased if "lora_B" in key]:
        biased[key.replace(".weight", ".bias")] = normal(generator, biased[key].shape[0])
    case.add("lora-bias", dict(PLAIN, lora_bias=True), biased)
    case.served("lora-bias", base="Q3")
    dora = plain_tensors(name="dora")
    model = load_base("L3").state_dict()
    for key in [key for key in dora if "lora_A" in key]:
        module = key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
        rows = model[module + ".weight"].norm(dim=1)
        dora[key.replace(".lora_A.weight", ".lora_magnitude_vector")] = rows * (
            1 + normal(generator, rows.shape[0], spread=0.3))
    case.add("dora", dict(PLAIN, use_dora=True), dora)
    case.served("dora")
    for name, answer in mixes().items():
        case.expected[name] = answer.contiguous()


def mixes():
    """Of `plain` at 0.7 and `other` at -0.4, as PEFT combines them in memory."""
    from peft import PeftModel

    answers = {}
    folder = FOLDER / "combine-identity"
    for method in ("cat", "linear"):
        model = PeftModel.from_pretrained(load_base("L3"), folder / "plain", adapter_name="plain")
        model.load_adapter(folder / "other", adapter_name="other")
        model.add_weighted_adapter(["plain", "other"], [0.7, -0.4], "mixed", combination_type=method)
        model.set_adapter("mixed")
        answers[f"mix-{method}"] = logprobs(model.eval(), TOKENS)
    return answers
