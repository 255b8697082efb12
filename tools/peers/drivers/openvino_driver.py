"""Runs OpenVINO GenAI: `openvino_driver.py THREADS`, then commands (see command_loop)."""

import os
import pathlib
import sys
import time

import numpy as np
import openvino as ov
import openvino_genai as genai

from command_loop import ClosedLoop, serve

THREADS = int(sys.argv[1])
state = {}


def greedy_config(count):
    config = genai.GenerationConfig()
    config.max_new_tokens = count
    config.ignore_eos = True
    config.do_sample = False
    return config


def tensor(tokens):
    return ov.Tensor(np.array([tokens], dtype=np.int64))


def open_model(path, adapters=(), tokenizer=None):
    """Opens a model for one request at a time, with adapters that requests may ask for.

    `tokenizer` is the folder of another model's: token ids go in and out, but the pipeline wants
    one, and its reader of GGUF has none for a vocabulary of SentencePiece.
    """
    options = {"INFERENCE_NUM_THREADS": THREADS}
    state["adapters"] = [genai.Adapter(adapter) for adapter in adapters]
    if adapters:
        options["adapters"] = genai.AdapterConfig(state["adapters"])
    others = [genai.Tokenizer(tokenizer)] if tokenizer else []
    state["pipeline"] = genai.LLMPipeline(path, *others, "CPU", **options)


def export(path, folder):
    """Writes a GGUF file as an OpenVINO model whose products bear the names of their layers.

    The reader of GGUF numbers the products, so that no tensor of an adapter finds its layer: the
    adapter is passed over in silence and the base answers.
    """
    folder = pathlib.Path(folder)
    copy = folder / pathlib.Path(path).name
    copy.symlink_to(path)
    genai.LLMPipeline(copy, "CPU", enable_save_ov_model=True)
    copy.unlink()
    written = folder / "openvino_model.xml"
    model = ov.Core().read_model(written)
    for node in model.get_ordered_ops():
        layer = weight_name(node) if node.get_type_name() == "MatMul" else ""
        if layer.startswith("model.layers"):
            name = layer.removesuffix(".weight").replace("[", ".").replace("]", "")
            node.set_friendly_name(f"__module.{name}/ov_ext::linear/MatMul")
    named = folder / "named.xml"
    ov.save_model(model, named, compress_to_fp16=False)
    del model
    for suffix in [".bin", ".xml"]:
        os.replace(named.with_suffix(suffix), written.with_suffix(suffix))


def weight_name(product):
    """The name of the constant that a product multiplies with, if it is one."""
    node = product.input(1).get_source_output().get_node()
    while node.get_type_name() in ("Convert", "Multiply", "Subtract", "Reshape"):
        node = node.input(0).get_source_output().get_node()
    return node.get_friendly_name()


def open_batching(path):
    """Opens a GGUF file for continuous batching, without prefix cache."""
    scheduler = genai.SchedulerConfig()
    scheduler.cache_size = 2
    scheduler.max_num_batched_tokens = 512
    scheduler.enable_prefix_caching = False
    state["batching"] = genai.ContinuousBatchingPipeline(
        path, scheduler, "CPU", {"INFERENCE_NUM_THREADS": THREADS})


def options_of(adapter):
    """The arguments that choose an adapter; the empty set is the base."""
    if not state["adapters"]:
        return {}
    chosen = [] if adapter is None else [state["adapters"][adapter]]
    return {"adapters": genai.AdapterConfig(chosen)}


class Clock(genai.StreamerBase):
    """Notes when the first token came, and the tokens."""

    def __init__(self):
        super().__init__()
        self.times, self.tokens = [], []

    def write(self, token):
        tokens = token if isinstance(token, list) else [token]
        self.times += [time.monotonic()] * len(tokens)
        self.tokens += tokens
        return genai.StreamingStatus.RUNNING

    def end(self):
        pass


def answer(tokens, count, adapter=None):
    clock = Clock()
    start = time.monotonic()
    state["pipeline"].generate(
        tensor(tokens), greedy_config(count), streamer=clock, **options_of(adapter))
    return start, clock


def greedy(prompts, count, adapter=None):
    return [[int(t) for t in answer(p, count, adapter)[1].tokens] for p in prompts]


def prefill(tokens):
    """Seconds until the first token."""
    start, clock = answer(tokens, 1)
    return clock.times[0] - start


def decode(tokens, count):
    """New tokens a second after the first."""
    _, clock = answer(tokens, count + 1)
    return count / (clock.times[-1] - clock.times[0])


def one_at_a_time(jobs, seconds=None):
    loop = ClosedLoop(jobs, seconds)
    while requests := loop.take(1):
        job = requests[0][2]
        _, clock = answer(job["tokens"], job["count"], job["adapter"])
        loop.finish(requests[0], clock.times[0], clock.times[-1], len(clock.times))
    return loop.records


def batching(jobs, seconds=None):
    """Continuous batching of requests for the base."""
    pipeline, loop = state["batching"], ClosedLoop(jobs, seconds)
    running, number = [], 0
    while True:
        for request in loop.take(len(jobs)):
            job = request[2]
            handle = pipeline.add_request(number, tensor(job["tokens"]), greedy_config(job["count"]))
            running.append([request, handle, None, 0])
            number += 1
        if not running:
            return loop.records
        pipeline.step()
        now = time.monotonic()
        for entry in running:
            drain(entry, now)
        for entry in [e for e in running if e[3] >= e[0][2]["count"]]:
            running.remove(entry)
            loop.finish(entry[0], entry[2], now, entry[3])


def drain(entry, now):
    """Takes what a request has produced in this step."""
    handle = entry[1]
    while handle.can_read():
        for output in handle.read().values():
            entry[3] += len(output.generated_ids)
        if entry[2] is None and entry[3]:
            entry[2] = now


serve({"open": open_model, "export": export, "open_batching": open_batching, "greedy": greedy, "prefill": prefill,
       "decode": decode, "one_at_a_time": one_at_a_time, "batching": batching})
