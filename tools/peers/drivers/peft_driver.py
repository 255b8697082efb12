"""Runs transformers and PEFT: `peft_driver.py THREADS`, then commands (see command_loop)."""

import sys
import time

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from command_loop import ClosedLoop, serve

torch.set_num_threads(int(sys.argv[1]))
state = {"adapters": 0}


def open_model(path, adapters=(), dtype="bfloat16"):
    model = AutoModelForCausalLM.from_pretrained(path, dtype=getattr(torch, dtype))
    for index, adapter in enumerate(adapters):
        name = f"a{index}"
        if index == 0:
            model = PeftModel.from_pretrained(model, adapter, adapter_name=name)
        else:
            model.load_adapter(adapter, adapter_name=name)
    state["model"], state["adapters"] = model.eval(), len(adapters)


class Clock:
    """transformers' streamer: notes when each step's tokens came."""

    def __init__(self):
        self.times = []

    def put(self, value):
        self.times.append(time.monotonic())

    def end(self):
        pass


def names_of(adapters):
    """The argument that gives each row its adapter."""
    if not state["adapters"]:
        return {}
    return {"adapter_names": ["__base__" if a is None else f"a{a}" for a in adapters]}


@torch.inference_mode()
def generate(prompts, count, adapters):
    """New tokens of each row, and the times of the first and the last step."""
    ids = torch.tensor(prompts)
    clock = Clock()
    # A streamer takes one row only; what it would note for a batch comes from a stopping criterion.
    out = state["model"].generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=count,
        min_new_tokens=count, do_sample=False, pad_token_id=0, eos_token_id=None,
        stopping_criteria=[lambda ids, scores, **_: clock.put(ids) or
                           torch.zeros(ids.shape[0], dtype=torch.bool)],
        **names_of(adapters))
    return out[:, ids.shape[1]:].tolist(), clock.times


def greedy(prompts, count, adapter=None):
    return [generate([p], count, [adapter])[0][0] for p in prompts]


def prefill(tokens):
    start = time.monotonic()
    return generate([tokens], 1, [None])[1][0] - start


def decode(prompts, count):
    """New tokens of all rows a second, after the first step."""
    times = generate(prompts, count + 1, [None] * len(prompts))[1]
    return count * len(prompts) / (times[-1] - times[0])


def batches(jobs, largest, seconds=None):
    """Answers what waits, up to `largest` requests together."""
    loop = ClosedLoop(jobs, seconds)
    while requests := loop.take(largest):
        found, times = generate([r[2]["tokens"] for r in requests], requests[0][2]["count"],
                                [r[2]["adapter"] for r in requests])
        for request, tokens in zip(requests, found):
            loop.finish(request, times[0], times[-1], len(tokens))
    return loop.records


serve({"open": open_model, "greedy": greedy, "prefill": prefill, "decode": decode,
       "batches": batches})
