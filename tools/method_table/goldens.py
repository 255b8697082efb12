"""The goldens of methods, and what the program makes of each."""

import dataclasses
import json
import os
import pathlib
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GROUPS = ["methods", "adapterhub", "formats", "older-peft"]
# What made the references, by the key of the manifest that has its version.
MAKERS = {"methods": ("PEFT", "peft"), "adapterhub": ("adapters", "adapters"), "formats": ("formulas", None),
          "older-peft": ("PEFT", "peft")}


@dataclasses.dataclass
class Golden:
    """One case. `facts` is None where the program refuses it, for `reason`."""

    group: str
    method: str
    name: str
    base: str
    reference: str
    facts: dict | None = None
    reason: str | None = None
    attached: float | None = None
    merged: float | None = None

    @property
    def folder(self):
        return ROOT / "Tests/Goldens" / self.group / self.name

    @property
    def variant(self):
        """The case's name within its method."""
        return self.name.split("/")[-1]


def read():
    """All cases, in the manifests' order."""
    goldens = []
    for group in GROUPS:
        manifest = json.loads((ROOT / f"Tests/Goldens/{group}/manifest.json").read_text(encoding="utf-8"))
        title, key = MAKERS[group]
        reference = f"{title} {manifest['metadata'][key]}" if key else title
        for case in manifest["cases"]:
            # Mixes have no adapter of their own; the tests compare them.
            if list(case["adapters"]) != [case["id"].split("/", 1)[1]]:
                continue
            goldens.append(Golden(group, case["method"], case["id"].split("/", 1)[1], case["base"], reference))
    return goldens


def run(graft, *arguments):
    """With portable kernels, which take rows as they are: the table is the same on every machine."""
    return subprocess.run([graft, *map(str, arguments), "--json"], capture_output=True, text=True,
                          env={**os.environ, "GRAFT_CPU": "portable"})


def plain(error, golden):
    """A refusal without the path that it begins with."""
    text = error.strip().removeprefix("Error: ").split("; supported: ")[0]
    folder = re.escape(str(golden.folder))
    return re.sub(rf"^{folder}/?(\S*?): ", "", text).replace(str(golden.folder) + "/", "")


def base(golden):
    return ROOT / "models" / golden.base


def inspect(graft, golden):
    """Fills in what the adapter becomes, or why it is refused."""
    done = run(graft, "inspect", "--base", base(golden), golden.folder)
    if done.returncode:
        golden.reason = plain(done.stderr, golden)
    else:
        golden.facts = json.loads(done.stdout)


def error(graft, golden, *more):
    """The largest difference of a log-probability to the reference, with nothing rounded beside weights."""
    done = run(graft, "verify", "--base", base(golden), "--adapter", f"golden={golden.folder}",
               "--against", golden.folder / "expected.safetensors", "--threads", 1,
               "--kv-dtype", "f32", "--adapter-dtype", "file", *more)
    if not done.stdout.startswith("{"):
        raise RuntimeError(f"{golden.name}: {done.stderr.strip()}")
    return json.loads(done.stdout)["largest_difference"]


def has_f32_weights(golden):
    """Merged weights of other bases are rounded, which hides the arithmetic's own error."""
    config = json.loads((base(golden) / "config.json").read_text(encoding="utf-8"))
    return config.get("dtype", config.get("torch_dtype")) == "float32"


def measure(graft, golden):
    if golden.facts is None:
        return
    golden.attached = error(graft, golden)
    if golden.facts["merges"] and has_f32_weights(golden):
        golden.merged = error(graft, golden, "--merged")


def fill(graft, with_errors, workers=2):
    """All cases with what the program says of them."""
    goldens = read()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda golden: inspect(graft, golden), goldens))
        if with_errors:
            list(pool.map(lambda golden: measure(graft, golden), goldens))
    return goldens
