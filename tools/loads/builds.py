"""Of what a sample is: the commit, the binary, the peer's version, the row's parameters.

Figures of several builds side by side compare nothing, so a page is written of one build alone.
"""

import datetime
import hashlib
import os
import subprocess

from .places import ROOT

# What a change of makes other figures.
MEASURED = ["Sources", "Package.swift", "tools"]
# Samples from before they said what they are of.
UNRECORDED = "unrecorded"


class MixedBuilds(ValueError):
    """Samples of several builds, or none of the one that was asked for."""


def build_of(program, root=ROOT):
    """The commit of the working tree, whether it has changes, and the program's SHA-256."""
    commit = git(root, "rev-parse", "HEAD")
    changes = git(root, "status", "--porcelain", "--untracked-files=no", "--", *MEASURED)
    with open(program, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"commit": commit or None, "dirty": bool(changes), "graft": digest}


def git(root, *arguments):
    try:
        return subprocess.run(["git", "-C", str(root), *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def new_run():
    """A name for one run of a tool: samples of the same run were measured in turns."""
    return f"{datetime.datetime.now().isoformat('T', 'seconds')} {os.getpid()}"


def stamped(sample, build, run, versions, parameters):
    """The sample with what it is of."""
    return sample | {
        "at": datetime.datetime.now().isoformat("T", "seconds"), "run": run, "build": build,
        "versions": versions, "parameters": parameters}


def key_of(sample):
    """What two samples of the same build have in common."""
    build = sample.get("build")
    return UNRECORDED if build is None else (build["commit"], build["dirty"], build["graft"])


def name_of(key):
    if key == UNRECORDED:
        return "a build that they don't name"
    commit, dirty, graft = key
    return (f"commit {commit[:7] if commit else 'unknown'}{' with changes' if dirty else ''}, "
            f"graft {graft[:12]}")


def answers_to(key, wanted):
    """Whether a build is the one that a beginning of its commit or its binary's SHA-256 names."""
    if wanted == UNRECORDED or key == UNRECORDED:
        return key == wanted
    return any(part and part.startswith(wanted) for part in (key[0], key[2]))


def only_build(samples, wanted=None):
    """The build that all samples are of, or all of the `wanted` build; None where there are no samples.

    Throws MixedBuilds where that is not one.
    """
    counts = {}
    for sample in samples:
        counts[key_of(sample)] = counts.get(key_of(sample), 0) + 1
    found = [key for key in counts if wanted is None or answers_to(key, wanted)]
    if not counts or len(found) == 1:
        return found[0] if counts else None
    names = "; ".join(f"{name_of(key)} ({count})" for key, count in counts.items())
    if not found:
        raise MixedBuilds(f"no sample is of the build '{wanted}'; there are samples of {names}")
    raise MixedBuilds(
        f"samples of {len(found)} builds don't go into one table: {names}; choose one with --commit "
        f"(the beginning of its commit or of graft's SHA-256, or '{UNRECORDED}'), or measure anew")
