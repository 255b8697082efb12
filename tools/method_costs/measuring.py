"""Runs `graft inspect` and `graft bench` on an adapter."""

import json
import subprocess

from loads import hardware

BATCH, PROMPT, GENERATE = 8, 8, 16


class Refused(Exception):
    """Graft doesn't serve the adapter; the text is its own."""


def graft(executable, *arguments):
    done = subprocess.run([executable, *map(str, arguments), "--json"], capture_output=True, text=True)
    if done.returncode:
        raise Refused(done.stderr.strip().removeprefix("Error: "))
    return json.loads(done.stdout)


def facts(executable, base, path):
    """What the adapter becomes, and its cost by count."""
    report = graft(executable, "inspect", "--base", base, path)
    forms = []
    for entry in report["operators"]:
        form = {"form": entry["form"], "place": entry["place"]}
        if form not in forms:
            forms.append(form)
    return {"peft_type": report["peft_type"], "forms": forms, "memory_bytes": report["memory_bytes"],
            "multiply_adds": report["multiply_adds"],
            "multiply_adds_of_layers": report["multiply_adds_of_layers"],
            "bytes_of_layers": report["bytes_of_layers"]}


def versions(executable):
    import peft

    done = subprocess.run([executable, "--version"], capture_output=True, text=True, check=True)
    return {"graft": done.stdout.strip(), "peft": peft.__version__}


def parameters(different, rounds, threads):
    """What `speeds` is measured with."""
    return {"processor": hardware.describe(threads)["processor"], "batch": BATCH, "adapters": BATCH if different else 1,
            "prompt": PROMPT, "generate": GENERATE, "rounds": rounds, "threads": threads}


def speeds(executable, base, path, different, rounds, threads):
    """Decoding of a batch beside the base alone, all rows on one adapter or each on its own copy."""
    count = BATCH if different else 1
    adapters = [part for number in range(count) for part in ("--adapter", f"a{number}={path}")]
    report = graft(
        executable, "bench", "--base", base, *adapters, "--batch", BATCH, "--prompt", PROMPT,
        "--generate", GENERATE, "--repeat", rounds, "--threads", threads, "--beside-base")
    return {"tokens_per_second": report["decode_tokens_per_second"],
            "base_tokens_per_second": report["base_decode_tokens_per_second"],
            "of_base": report["decode_of_base"], "prefill_of_base": report["prefill_of_base"],
            "load_seconds": round(report["adapter_load_seconds"] / count, 3),
            "adapter_bytes": report["adapter_bytes"] // count}
