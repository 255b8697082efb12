"""Compares what `graft merge` writes with PEFT's `merge_and_unload`, and with gguf-py and llama.cpp.

    tools/reference merges                    one case of each method on an f32 base
    tools/reference merges --all              every case of Tests/Goldens/methods that merges
    tools/reference merges --gguf BASE.gguf --adapter DIR [--llama-server PROGRAM]

The first two merge with .build/release/graft into a directory, load that with transformers, and print
for each method the largest difference of a weight and of a logit to the model that PEFT merges.

The last merges into GGUF files of several types. gguf-py must read them, find every key of the base's and
every tensor that isn't changed byte for byte, and in the changed ones the blocks that gguf-py makes of
the dequantised merge. With a llama.cpp server it also prints how many greedy tokens it and Graft have in
common from the start, of the same file.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from loads.processes import answers, free_port, post, process, wait_until  # noqa: E402

GOLDENS = ROOT / "Tests/Goldens/methods"
LIMIT = 2e-4
GREEDY_COUNT = 48
PROMPTS = ["A contract is", "The capital of France is", "Once upon a time, in a small village by the sea,"]
# PEFT merges these into other models than it attaches.
PEFT_MERGES_OTHERWISE = {"methods/lora/dora-embedding-tied"}
# What Graft refuses to serve, since the file leaves it open.
UNDETERMINED = {"methods/frod/drawn-again"}


def graft_merge(graft, base, adapter, out, *options):
    run = subprocess.run(
        [graft, "merge", "--base", str(base), "--adapter", f"a={adapter}", "--out", str(out), *options],
        capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(run.stderr.strip().splitlines()[-1])


# ---- Against PEFT --------------------------------------------------------------------------------


def cases(every):
    """One case of each method, on an f32 base where there is one; or all that PEFT merges."""
    by_method, all_cases = {}, []
    for case in json.loads((GOLDENS / "manifest.json").read_text(encoding="utf-8"))["cases"]:
        config = json.loads((ROOT / "models" / case["base"] / "config.json").read_text(encoding="utf-8"))
        if not case["merges"] or case["id"] in PEFT_MERGES_OTHERWISE or len(case["adapters"]) > 1:
            continue
        if {case["id"], case["method"]} & UNDETERMINED:
            continue
        all_cases.append(case)
        is_f32 = config["dtype"] == "float32"
        if case["method"] not in by_method or is_f32 > by_method[case["method"]][0]:
            by_method[case["method"]] = (is_f32, case)
    return all_cases if every else [case for _, case in by_method.values()]


@torch.no_grad()
def distance(case, graft):
    """The largest differences of a weight and of a logit."""
    from goldens.methods.loading import attach
    from transformers import AutoModelForCausalLM

    base, adapter = ROOT / "models" / case["base"], GOLDENS / next(iter(case["adapters"]))
    peft = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    peft = attach(peft, adapter).merge_and_unload().eval()
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "merged"
        graft_merge(graft, base, adapter, out, "--dtype", "f32")
        ours = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32).eval()
    expected, found = peft.state_dict(), ours.state_dict()
    if expected.keys() - found.keys() - {"lm_head.weight"}:
        raise RuntimeError(f"lacks {sorted(expected.keys() - found.keys())}")
    weight = max(float((found[name] - tensor).abs().max()) for name, tensor in expected.items()
                 if name in found)
    logit = max(
        float((ours(input_ids=torch.tensor([prompt])).logits
               - peft(input_ids=torch.tensor([prompt])).logits).abs().max())
        for prompt in case["prompts"])
    return weight, logit


def compare_methods(every, graft):
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(1)
    worst, failed = {}, []
    for case in cases(every):
        try:
            found = distance(case, graft)
        except RuntimeError as error:
            print(f"{case['id']}: refused: {error}", flush=True)
            failed.append(case["id"])
            continue
        known = worst.get(case["method"], (0, 0, 0))
        worst[case["method"]] = (max(known[0], found[0]), max(known[1], found[1]), known[2] + 1)
        if found[1] > LIMIT:
            print(f"{case['id']}: logits differ by {found[1]:.1e}", flush=True)
            failed.append(case["id"])
    print(f"{'method':<24}{'cases':>6}{'weights':>12}{'logits':>12}")
    for method, (weight, logit, count) in sorted(worst.items()):
        print(f"{method:<24}{count:>6}{weight:>12.1e}{logit:>12.1e}")
    return not failed


# ---- GGUF ----------------------------------------------------------------------------------------


def contents(path):
    import gguf

    reader = gguf.GGUFReader(path)
    keys = {name: [bytes(part) for part in field.parts] for name, field in reader.fields.items()
            if not name.startswith("GGUF.")}
    return keys, {tensor.name: tensor for tensor in reader.tensors}


def check_file(base, merged, wide, dtype):
    """What gguf-py finds wrong with a merged file; `wide` is the same merge in f32."""
    import gguf

    (own_keys, own), (keys, found), (_, exact) = contents(base), contents(merged), contents(wide)
    problems = [f"key {name} is not the base's" for name in own_keys if keys.get(name) != own_keys[name]]
    changed, other, total = 0, 0, 0
    for name, tensor in found.items():
        before = own.get(name)
        if exact[name].tensor_type == gguf.GGMLQuantizationType.F32 and (
                before is None or before.tensor_type != exact[name].tensor_type):
            changed += 1
            wanted = dtype or before.tensor_type.name
            if tensor.tensor_type.name != wanted:
                problems.append(f"{name} is {tensor.tensor_type.name}, expected {wanted}")
                continue
            blocks = gguf.quants.quantize(exact[name].data, tensor.tensor_type)
            other += int((blocks.view("uint8") != tensor.data.view("uint8")).sum())
            total += blocks.view("uint8").size
        elif before is None or before.data.tobytes() != tensor.data.tobytes():
            problems.append(f"{name} is not the base's")
    print(f"{pathlib.Path(merged).name}: {len(keys)} keys, {len(found)} tensors, {changed} changed; "
          f"{other} of their {total} bytes are not gguf-py's", flush=True)
    return problems + ([f"{other} bytes of blocks differ"] if other else [])


def graft_events(graft, base, requests):
    run = subprocess.run([graft, "serve", "--base", str(base), "--kv-dtype", "f32"], capture_output=True, text=True, check=True,
                         input="".join(json.dumps(request) + "\n" for request in requests))
    events = [json.loads(line) for line in run.stdout.splitlines()]
    for event in events:
        if event["event"] == "error":
            raise RuntimeError(event["message"])
    return {event["id"]: event["tokens"] for event in events if event["event"] in ("tokens", "done")}


def graft_greedy(graft, base, texts):
    """Each prompt's token ids and the greedy tokens after it."""
    prompts = graft_events(
        graft, base, [{"id": i, "op": "tokenize", "text": text} for i, text in enumerate(texts)])
    tokens = graft_events(
        graft, base, [{"id": i, "tokens": prompt, "max_tokens": GREEDY_COUNT, "temperature": 0,
                       "ignore_eos": True, "stream": False} for i, prompt in prompts.items()])
    return [prompts[i] for i in range(len(texts))], [tokens[i] for i in range(len(texts))]


def llama_greedy(program, base, prompts):
    port = free_port()
    command = [program, "-m", base, "-t", 2, "--host", "127.0.0.1", "--port", port, "-np", 1, "-c", 512,
               "--no-webui"]
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "log"
        with process(command, log) as server:
            wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), server, log)
            return [post(f"http://127.0.0.1:{port}/completion", {
                "prompt": prompt, "n_predict": GREEDY_COUNT, "temperature": 0, "return_tokens": True,
                "ignore_eos": True, "cache_prompt": False})["tokens"] for prompt in prompts]


def compare_gguf(options):
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        wide = pathlib.Path(folder) / "wide.gguf"
        graft_merge(options.graft, options.gguf, options.adapter, wide, "--dtype", "f32")
        for dtype in [None, "F32", "Q8_0", "Q4_0", "Q4_1", "F16", "BF16"]:
            merged = pathlib.Path(folder) / f"{dtype or 'own'}.gguf"
            chosen = ["--dtype", dtype.lower()] if dtype else []
            graft_merge(options.graft, options.gguf, options.adapter, merged, *chosen)
            problems += check_file(options.gguf, merged, wide, dtype)
            if options.llama_server:
                prompts, ours = graft_greedy(options.graft, merged, PROMPTS)
                theirs = llama_greedy(options.llama_server, merged, prompts)
                same = [next((i for i, (a, b) in enumerate(zip(x, y)) if a != b), len(x))
                        for x, y in zip(ours, theirs)]
                print(f"  greedy tokens in common with llama.cpp, of {GREEDY_COUNT}: {same}", flush=True)
            merged.unlink()
    for problem in problems:
        print(problem)
    return not problems


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graft", default=str(ROOT / ".build/release/graft"))
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--gguf")
    parser.add_argument("--adapter")
    parser.add_argument("--llama-server")
    options = parser.parse_args()
    good = compare_gguf(options) if options.gguf else compare_methods(options.all, options.graft)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
