"""What machine this is, and what it could do at most, measured between the runs."""

import datetime
import json
import os
import pathlib
import platform
import shutil
import subprocess

from .processes import Failed, run
from .places import CACHE

SOURCE = pathlib.Path(__file__).with_name("limits.c")
SHOWN_FLAGS = ["avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni",
               "amx_bf16", "amx_int8", "asimd", "asimddp", "i8mm", "bf16"]


def processor_information():
    """/proc/cpuinfo of the first processor."""
    found = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, separator, value = line.partition(":")
        if separator:
            found.setdefault(key.strip(), value.strip())
    return found


def flags():
    information = processor_information()
    present = set((information.get("flags") or information.get("Features") or "").split())
    return [flag for flag in SHOWN_FLAGS if flag in present]


def has_bf16():
    """Whether the processor multiplies bf16 itself."""
    return any(flag in flags() for flag in ["avx512_bf16", "amx_bf16", "bf16"])


def describe(threads):
    information = processor_information()
    release = platform.freedesktop_os_release()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": information.get("model name", platform.machine()),
        "family": f"{information.get('cpu family', '?')}/{information.get('model', '?')}",
        "cores": os.cpu_count(), "threads": threads, "memory_gb": round(memory / 1e9, 1),
        "flags": flags(), "virtual": "hypervisor" in information.get("flags", ""),
        "system": release.get("PRETTY_NAME", platform.platform()), "kernel": platform.release(),
        "priority": os.nice(0), "date": datetime.date.today().isoformat(),
    }


def load_average():
    """Of the last minute; other work on the machine shows here."""
    return round(os.getloadavg()[0], 2)


def measure_limits(threads):
    """Reads and arithmetic a second with `threads` threads, by the small C program beside this file.

    Raises Failed when there is no C compiler.
    """
    program = CACHE / "limits"
    if not program.exists() or program.stat().st_mtime < SOURCE.stat().st_mtime:
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise Failed("there is no C compiler to build the probe of the machine's limits with")
        CACHE.mkdir(parents=True, exist_ok=True)
        run([compiler, "-O3", "-march=native", "-pthread", "-o", program, SOURCE])
    found = json.loads(subprocess.run(
        [program, str(threads)], check=True, capture_output=True, text=True).stdout)
    return found | {"load": load_average(), "time": datetime.datetime.now().isoformat("T", "seconds")}
