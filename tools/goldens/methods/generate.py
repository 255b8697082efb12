"""Makes Tests/Goldens/methods and formats: one folder per case, and a manifest of each."""

import json
import shutil
import warnings

import torch
from references.make_goldens import GENERATOR, GOLDENS, PINNED, load_base, load_own_type, logits_of
from safetensors.torch import load_file

from .case import SEED, STAGE, randomize, seed
from .catalogue import CASES
from .files import save_sorted
from .loading import attach

MERGE_LIMIT = 1e-3
RELOAD_LIMIT = 1e-4
GREEDY_COUNT = 6


def metadata():
    return {"generator": f"{GENERATOR} --methods", "seed": str(SEED), **PINNED}


def fresh(case, load=load_base):
    """The case's base, with as many tokens as the case wants."""
    model = load(case.base)
    if case.vocabulary:
        torch.manual_seed(SEED)
        # What rows new tokens get here doesn't matter: an adapter brings its own.
        model.resize_token_embeddings(case.vocabulary, mean_resizing=False)
    return model.eval()


def build(case, base):
    """The base with the case's adapter, its weights random."""
    from peft import get_peft_model

    if case.build:
        return case.build(case, base).eval()
    model = get_peft_model(base, case.config(base.config))
    randomize(model, case.randomize)
    return model.eval()


def tidy(folder, dtype):
    """Makes what PEFT saved independent of the machine: sorted lists, no paths, one element type."""
    for readme in folder.rglob("README.md"):
        readme.unlink()
    for weights in folder.rglob("adapter_model.safetensors"):
        tensors = load_file(weights)
        if dtype:
            tensors = {name: tensor.to(getattr(torch, dtype)) if tensor.is_floating_point() else tensor
                       for name, tensor in tensors.items()}
        save_sorted(tensors, weights, {"format": "pt", **metadata()})
    for path in folder.rglob("adapter_config.json"):
        config = json.loads(path.read_text(encoding="utf-8"))
        config["base_model_name_or_path"] = ""
        for key in ("target_modules", "exclude_modules", "modules_to_save", "feedforward_modules"):
            if isinstance(config.get(key), list):
                config[key] = sorted(config[key])
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def all_logits(case, model):
    return [logits_of(model, list(prompt)).contiguous() for prompt in case.prompts]


def distance(first, second):
    return max(float((a - b).abs().max()) for a, b in zip(first, second))


def logprobs(logits):
    return [torch.log_softmax(rows, -1) for rows in logits]


def greedy(model, prompt, by_call=False):
    """Greedy tokens and their margins: each from a pass over all that stands before it, or with
    `by_call` from the cache, as in `generate`: the prompt is one call and each new token another."""
    tokens, margins, cache = list(prompt), [], None
    for _ in range(GREEDY_COUNT):
        if by_call:
            new = tokens if cache is None else tokens[-1:]
            output = model(input_ids=torch.tensor([new]), past_key_values=cache, use_cache=True)
            cache, logits = output.past_key_values, output.logits[0, -1].float()
        else:
            logits = logits_of(model, tokens)[-1]
        top = torch.topk(logits, 2)
        tokens.append(int(top.indices[0]))
        margins.append(round(float(top.values[0] - top.values[1]), 6))
    return {"tokens": tokens[len(prompt):], "margins": margins}


def merged(case, folder, reference):
    """How the case merges: whether it does, how far off, and the logits where they differ."""
    if not case.mergeable:
        return {"merges": False}, {}
    try:
        model = attach(fresh(case), folder)
        model = model.merge_and_unload().eval()
        logits = all_logits(case, model)
    except AttributeError:
        return {"merges": False}, {}
    except Exception as error:
        return {"merges": False, "merge_error": f"{type(error).__name__}: {error}".split("\n")[0][:160]}, {}
    far = distance(logits, reference)
    entry = {"merges": True, "merge_distance": far}
    if far <= MERGE_LIMIT:
        return entry, {}
    return entry, {f"merged.{i}": rows for i, rows in enumerate(logits)}


def own_type_distance(case, folder, reference):
    """How far the base's own element type is from f32 arithmetic: the tests' tolerance."""
    try:
        own = all_logits(case, attach(fresh(case, load_own_type), folder))
    except Exception:
        own = all_logits(case, fresh(case, load_own_type))
        return distance(logprobs(own), logprobs(all_logits(case, fresh(case))))
    return distance(logprobs(own), logprobs(reference))


def make(case):
    """Writes one case's folder and returns its entry of the manifest."""
    folder = case.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    seed(case.name)
    model = build(case, fresh(case))
    trained = all_logits(case, model)
    (case.save or (lambda model, folder: model.save_pretrained(folder)))(model, folder)
    tidy(folder, case.dtype)
    # A file that draws again on loading must not find the generator where saving left it.
    seed("reload")
    model = attach(fresh(case), folder)
    reference = all_logits(case, model)
    effect = distance(reference, all_logits(case, fresh(case)))
    entry = {"id": case.id, "method": case.method, "base": case.base,
             "adapters": {case.name: 1.0}, "prompts": [list(prompt) for prompt in case.prompts],
             "greedy": [greedy(model, prompt, case.by_call) for prompt in case.prompts], "effect": effect}
    tensors = {f"logits.{i}": rows for i, rows in enumerate(reference)}
    tensors |= {f"tokens.{i}": torch.tensor(prompt) for i, prompt in enumerate(case.prompts)}
    reload = distance(trained, reference)
    if reload > RELOAD_LIMIT and case.dtype != "bfloat16":
        entry["reload_distance"] = reload
    more, extra = merged(case, folder, reference)
    entry |= more
    tensors |= extra
    if fresh(case, load_own_type).dtype == torch.bfloat16:
        entry["reference_distance"] = own_type_distance(case, folder, reference)
    if case.note:
        entry["note"] = case.note
    facts = {**metadata(), "base": case.base, "dtype": "float32"}
    if "reference_distance" in entry:
        facts["reference_distance"] = str(entry["reference_distance"])
    save_sorted(tensors, folder / "expected.safetensors", facts)
    return entry


def read_manifest(group):
    path = GOLDENS / group / "manifest.json"
    if not path.exists():
        return {}
    return {entry["id"]: entry for entry in json.loads(path.read_text(encoding="utf-8"))["cases"]}


def write_manifest(group, entries):
    """In the catalogue's order, without cases that it no longer has."""
    cases = [entries[case.id] for case in CASES if case.group == group and case.id in entries]
    (GOLDENS / group / "manifest.json").write_text(
        json.dumps({"metadata": metadata(), "cases": cases}, indent=1) + "\n", encoding="utf-8")


def put(case):
    """Moves what was made to its place, so that a run that ends early loses no golden."""
    place = GOLDENS / case.group / case.name
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(case.folder, place)


def make_methods(names):
    """Makes all cases, or those whose name begins with one of `names`."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    warnings.filterwarnings("ignore")
    groups = sorted({case.group for case in CASES})
    entries = {key: entry for group in groups for key, entry in read_manifest(group).items()}
    failed = []
    for case in CASES:
        if names and not any(case.name.startswith(name) for name in names):
            continue
        try:
            entry = make(case)
        except Exception as error:
            failed.append(case.name)
            print(f"{case.name}: FAILED: {type(error).__name__}: {error}", flush=True)
            continue
        entries[entry["id"]] = entry
        put(case)
        print(f"{case.name}: effect {entry['effect']:.2f}, reload {entry.get('reload_distance', 0):.1e}, "
              f"merge {entry.get('merge_distance', entry.get('merge_error'))}", flush=True)
    for group in groups:
        write_manifest(group, entries)
    shutil.rmtree(STAGE, ignore_errors=True)
    return failed
