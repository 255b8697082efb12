"""What PEFT does with odd names in the files of other methods than LoRA, and with what is saved whole beside an
invocation."""

import json

import torch

from cases.common import load_base, normal, seed, with_peft
from cases.group_engine import serve
from safetensors.torch import load_file, save_file

PREFIX = "base_model.model."
QUERY = "model.layers.1.self_attn.q_proj"
TARGETS = ["q_proj", "v_proj"]


def made(case, variant, kind, base="L3", saved=(), **settings):
    """An adapter of this method with random values, as PEFT saves it; returns its tensors."""
    import peft

    torch.manual_seed(int(seed(f"{case.name} {variant}").initial_seed()) % 2**31)
    settings = dict(dict(target_modules=TARGETS, task_type="CAUSAL_LM"), **settings)
    model = peft.get_peft_model(load_base(base), getattr(peft, kind)(**settings))
    generator = seed(f"{case.name} {variant}")
    for key, parameter in sorted(model.named_parameters()):
        if parameter.requires_grad:
            scale = 0.5 if "norm" in key.rsplit(".", 2)[-2] else 0.2
            parameter.data = parameter.data * 0.5 + normal(generator, *parameter.shape, spread=scale)
    folder = case.folder / variant
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    file = folder / "adapter_config.json"
    written = json.loads(file.read_text(encoding="utf-8"))
    written["base_model_name_or_path"] = "x"
    for name in ("target_modules", "modules_to_save", "feedforward_modules"):
        if isinstance(written.get(name), list):
            written[name] = sorted(written[name])
    file.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    return load_file(folder / "adapter_model.safetensors")


def rewrite(case, variant, tensors):
    save_file({key: value.contiguous() for key, value in tensors.items()},
              case.folder / variant / "adapter_model.safetensors", {"format": "pt"})


SHARED = {
    "vera": ("VeraConfig", dict(r=4, save_projection=True)),
    "pvera": ("PveraConfig", dict(r=4, save_projection=True, sample_at_inference=False)),
    "randlora": ("RandLoraConfig", dict(r=4, save_projection=True)),
    "vblora": ("VBLoRAConfig", dict(r=4, num_vectors=16, vector_length=8, save_only_topk_weights=False)),
    "unilora": ("UniLoraConfig", dict(r=4, theta_d_length=64)),
    "tinylora": ("TinyLoraConfig", dict(r=2, u=8)),
    "frod": ("FrodConfig", dict(save_projection=True)),
}


def case_default_of_no_module(case):
    """Tensors that all modules share, under the names of PEFT's own model."""
    for variant, (kind, settings) in SHARED.items():
        tensors = made(case, variant, kind, **settings)
        plain = [name for name in tensors if not name.startswith(PREFIX)]
        assert plain, variant
        rewrite(case, variant, {name + ".default" if name in plain else name: value
                                for name, value in tensors.items()})
        if variant in ("tinylora", "frod"):
            # PEFT puts the name in once more, and passes over what is then called otherwise.
            case.refused(variant, ".default")
        else:
            case.served(variant, warns=["'default'"])
    both = load_file(case.folder / "vera" / "adapter_model.safetensors")
    folder = case.folder / "twice"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(
        (case.folder / "vera" / "adapter_config.json").read_text(encoding="utf-8"), encoding="utf-8")
    rewrite(case, "twice", {**both, "base_model.vera_A": both["base_model.vera_A.default"].clone()})
    case.refused("twice", "vera_A")


BESIDE = {
    "adalora": ("AdaLoraConfig", dict(init_r=4, target_r=4, total_step=10)),
    "beft": ("BeftConfig", {}),
    "boft": ("BOFTConfig", dict(boft_block_size=4)),
    "c3a": ("C3AConfig", dict(block_size=8)),
    "delora": ("DeloraConfig", dict(r=4)),
    "fourierft": ("FourierFTConfig", dict(n_frequency=12)),
    "gralora": ("GraloraConfig", dict(r=4)),
    "hra": ("HRAConfig", dict(r=4)),
    "loha": ("LoHaConfig", dict(r=4)),
    "lokr": ("LoKrConfig", dict(r=4)),
    "miss": ("MissConfig", dict(r=4)),
    "oft": ("OFTConfig", dict(oft_block_size=4)),
    "poly": ("PolyConfig", dict(r=4)),
    "randlora": ("RandLoraConfig", dict(r=4)),
    "shira": ("ShiraConfig", dict(r=2)),
    "tinylora": ("TinyLoraConfig", dict(r=2, u=8)),
    "unilora": ("UniLoraConfig", dict(r=4, theta_d_length=64)),
    "vblora": ("VBLoRAConfig", dict(r=4, num_vectors=16, vector_length=8)),
    "vera": ("VeraConfig", dict(r=4)),
    "waveft": ("WaveFTConfig", dict(n_frequency=24)),
    "lily": ("LilyConfig", dict(r=4)),
}
FROM_BASE = {
    "ia3": ("IA3Config", dict(feedforward_modules=[])),
    "osf": ("OSFConfig", {}),
    "bat": ("MissConfig", dict(r=4, init_weights="bat")),
}


def answer(case, variant):
    """PEFT's, for its first task where the method has tasks."""
    if variant != "poly":
        return with_peft("L3", case.folder / variant)
    from peft import PeftModel

    model = PeftModel.from_pretrained(load_base("L3"), case.folder / variant).eval()
    with torch.no_grad():
        logits = model(torch.tensor([case.tokens]), task_ids=torch.tensor([0])).logits[0].float()
    return torch.log_softmax(logits, -1)


def case_base_copies(case):
    """A changed copy of the base's matrix under the tensors of other methods than LoRA."""
    name = PREFIX + QUERY + ".base_layer.weight"
    own = load_base("L3").state_dict()[QUERY + ".weight"]
    for variant, (kind, settings) in {**BESIDE, **FROM_BASE}.items():
        tensors = made(case, variant, kind, **settings)
        copy = own + normal(seed(f"copy {variant}"), *own.shape, spread=0.1)
        rewrite(case, variant, {**tensors, name: copy})
        if variant in FROM_BASE:
            case.refused(variant, name)
        else:
            case.served(variant, expected=answer(case, variant), warns=[name])


def case_activated_saved(case):
    """Modules and biases that were trained whole beside an invocation act on every token, as in PEFT."""
    invocation = dict(r=4, lora_alpha=8, alora_invocation_tokens=[8, 9])
    for variant, base, settings in [
            ("norms", "L3", dict(modules_to_save=["norm", "input_layernorm"])),
            ("head", "L3", dict(modules_to_save=["lm_head"])),
            ("tables", "L3", dict(modules_to_save=["embed_tokens", "lm_head"])),
            ("layer", "L3", dict(modules_to_save=["down_proj"])),
            ("all-biases", "Q3", dict(bias="all")),
            ("own-biases", "Q3", dict(bias="lora_only")),
            ("saved-with-biases", "Q3", dict(bias="lora_only", modules_to_save=["norm", "k_proj"])),
    ]:
        made(case, variant, "LoraConfig", base, **invocation, **settings)
        serve(case, variant, lambda base=base: load_base(base), base)
    tensors = made(case, "stray", "LoraConfig", **invocation)
    norm = PREFIX + "model.norm.weight"
    copy = PREFIX + QUERY + ".base_layer.weight"
    own = load_base("L3").state_dict()[QUERY + ".weight"]
    rewrite(case, "stray", {
        **tensors, norm: 1 + normal(seed("stray norm"), 32), copy: own + normal(seed("stray copy"), *own.shape)})
    serve(case, "stray", lambda: load_base("L3"), "L3")
