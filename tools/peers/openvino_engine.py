"""OpenVINO GenAI: reads GGUF bases and PEFT's LoRA files; a library, so a driver queues for it."""

import contextlib

from loads.places import replacing
from loads.processes import run

from . import assets
from .driver import Driver, listed
from .engine import Engine, Unsupported, python_environment

VERSION = "2026.4.1.0"


class OpenVINO(Engine):
    name = "openvino"
    title = "OpenVINO GenAI"
    mixing = ("batches requests for the base; with adapters it answers one request at a time, "
              "because its batching takes one set of adapters for all. Over a GGUF base it passes "
              "adapters over in silence, so it gets the same weights as a model of its own kind")

    def prepare(self, say):
        self.python = python_environment(
            f"openvino-{VERSION}", [f"openvino-genai=={VERSION}", "numpy==2.3.5"], say)

    def versions(self):
        return {"openvino-genai": run([
            self.python, "-c", "import openvino_genai; print(openvino_genai.__version__)"]).strip()}

    def driver(self):
        return Driver(self.python, "openvino_driver.py", self.threads)

    def path(self, model, weights):
        if weights == "bf16":
            if model != "small":
                raise Unsupported("its GGUF reader knows no bf16")
            weights = "f16"
        return str(assets.base(model, weights))

    def named_model(self):
        """SmolLM2 in f16 with named layers, which adapters need; written once."""
        folder = assets.ASSETS / "small-f16-openvino"
        if not folder.exists():
            with replacing(folder) as path, self.driver() as driver:
                path.mkdir()
                driver.call("export", path=str(assets.base("small", "f16")), folder=str(path))
        return str(folder)

    def open_with(self, driver, weights, adapters):
        """Opens SmolLM2 with adapters that requests may ask for."""
        if weights != "bf16":
            raise Unsupported("adapters are measured over bf16 only")
        driver.call("open", path=self.named_model(), adapters=[
            str(assets.adapter_directory(i) / "adapter_model.safetensors") for i in adapters])

    def open(self, driver, model, weights):
        tokenizer = self.named_model() if model == "large" else None
        driver.call("open", path=self.path(model, weights), tokenizer=tokenizer)

    def measured(self, model, weights, operation, **arguments):
        with self.driver() as driver:
            self.open(driver, model, weights)
            # The first call compiles and touches the weights.
            driver.call("greedy", prompts=[assets.prompt_tokens(64, 1)], count=2)
            return driver.call(operation, **arguments)

    def prefill(self, model, weights, count):
        return count / self.measured(
            model, weights, "prefill", tokens=assets.prompt_tokens(count, 2))

    def decode(self, model, weights, count):
        return self.measured(
            model, weights, "decode", tokens=assets.prompt_tokens(8, 3), count=count)

    def batch(self, model, weights, sequences, count):
        jobs = [[{"tokens": assets.prompt_tokens(16, seed), "adapter": None, "count": count + 1}]
                for seed in range(sequences)]
        with self.driver() as driver:
            driver.call("open_batching", path=self.path(model, weights))
            driver.call("batching", jobs=[[dict(jobs[0][0], count=2)]])
            records = driver.call("batching", jobs=jobs)
        start = max(record["first"] for record in records)
        return sequences * count / (max(record["end"] for record in records) - start)

    @contextlib.contextmanager
    def serving(self, weights, adapters, clients):
        with self.driver() as driver:
            if adapters:
                self.open_with(driver, weights, range(adapters))
                yield lambda jobs, limit, seconds=None: driver.call(
                    "one_at_a_time", jobs=listed(jobs), seconds=seconds)
            else:
                driver.call("open_batching", path=self.path("small", weights))
                yield lambda jobs, limit, seconds=None: driver.call(
                    "batching", jobs=listed(jobs), seconds=seconds)

    def greedy(self, model, weights, prompts, count, adapter=None):
        with self.driver() as driver:
            if adapter is None:
                self.open(driver, model, weights)
                return driver.call("greedy", prompts=prompts, count=count)
            self.open_with(driver, weights, [adapter])
            return driver.call("greedy", prompts=prompts, count=count, adapter=0)
