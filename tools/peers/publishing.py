"""Which samples may stand beside each other, and the page that is written of them."""

import sys

from loads.builds import MixedBuilds, key_of, name_of

from . import page
from .results import Results


def refuse_other_builds(results, build, replaced=()):
    """Ends where samples stay that new ones of `build` couldn't stand beside; `replaced` holds (row, engine)
    whose samples don't stay."""
    for identifier, engine, sample in results.all_samples():
        if (identifier, engine) not in replaced and key_of(sample) != key_of({"build": build}):
            sys.exit(f"compare-peers: {results.path} has samples of {name_of(key_of(sample))}, now it is "
                     f"{name_of(key_of({'build': build}))}: use --fresh or another --out")


def write(results, out, commit=None, docs=None):
    """Writes the page, of the samples of one build: to `out`, and to `docs` where that is given. Says whether
    there was anything to write."""
    if not results.data["rows"]:
        return False
    try:
        data = results.of_one_build(commit)
    except MixedBuilds as error:
        sys.exit(f"compare-peers: {results.path}: {error}")
    page.write(data, out, "")
    if docs:
        page.write(data, docs, "performance/")
        Results(docs / "performance/results.json").replace(data)
    return True
