"""transformers with PEFT: one request at a time, and what waits together as one batch."""

import contextlib
import pathlib

from loads.hardware import has_bf16
from loads.processes import run

from . import assets
from .driver import Driver, listed
from .engine import Engine, Unavailable, Unsupported


class Peft(Engine):
    """PEFT's batches with `adapter_names`, a name for each row."""

    name = "peft"
    title = "transformers + PEFT, batched"
    mixing = ("rows of a batch may name different adapters, which are then computed one after "
              "another; a batch ends before the next one begins")
    largest_batch = 32

    def __init__(self, threads, python):
        super().__init__(threads)
        self.python = pathlib.Path(python)
        # In bf16 where the processor multiplies it; else bf16 would be emulated, and f32 is faster.
        self.dtype = "bfloat16" if has_bf16() else "float32"

    def prepare(self, say):
        if not self.python.is_file():
            raise Unavailable("torch, transformers and peft could not be installed")

    def versions(self):
        found = run([self.python, "-c", "import torch, transformers, peft; print("
                     "torch.__version__, transformers.__version__, peft.__version__)"]).split()
        return dict(zip(["torch", "transformers", "peft"], found)) | {"computes in": self.dtype}

    @contextlib.contextmanager
    def opened(self, model, weights, adapters=()):
        if model != "small" or weights != "bf16":
            raise Unsupported("measured with SmolLM2's bf16 weights only")
        with Driver(self.python, "peft_driver.py", self.threads) as driver:
            driver.call("open", path=str(assets.hugging_face_directory()), dtype=self.dtype,
                        adapters=[str(assets.adapter_directory(i)) for i in adapters])
            driver.call("greedy", prompts=[assets.prompt_tokens(64, 1)], count=2)
            yield driver

    def prefill(self, model, weights, count):
        with self.opened(model, weights) as driver:
            return count / driver.call("prefill", tokens=assets.prompt_tokens(count, 2))

    def decode(self, model, weights, count):
        with self.opened(model, weights) as driver:
            return driver.call("decode", prompts=[assets.prompt_tokens(8, 3)], count=count)

    def batch(self, model, weights, sequences, count):
        prompts = [assets.prompt_tokens(16, seed) for seed in range(sequences)]
        with self.opened(model, weights) as driver:
            return driver.call("decode", prompts=prompts, count=count)

    @contextlib.contextmanager
    def serving(self, weights, adapters, clients):
        with self.opened("small", weights, range(adapters)) as driver:
            yield lambda jobs, limit, seconds=None: driver.call(
                "batches", jobs=listed(jobs), largest=self.largest_batch, seconds=seconds)

    def greedy(self, model, weights, prompts, count, adapter=None):
        with self.opened(model, weights, [] if adapter is None else [adapter]) as driver:
            return driver.call("greedy", prompts=prompts, count=count,
                               adapter=None if adapter is None else 0)


class PeftOneByOne(Peft):
    """The same, answering one request after another: what a notebook does."""

    name = "peft-1"
    title = "transformers + PEFT, one at a time"
    mixing = "answers one request after another"
    largest_batch = 1

    def prefill(self, model, weights, count):
        raise Unsupported("as for the batched one")

    def decode(self, model, weights, count):
        raise Unsupported("as for the batched one")

    def batch(self, model, weights, sequences, count):
        raise Unsupported("answers one request after another")
