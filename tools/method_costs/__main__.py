"""The command; tools/method-costs starts it."""

import argparse
import json
import os
import sys

from lib import docs_block
from loads import builds
from loads.places import ROOT

from . import making, measuring, page, settings

RESULTS = ROOT / "docs/performance/methods.json"
PAGE = ROOT / "docs/adapters.md"


def options():
    parser = argparse.ArgumentParser(prog="tools/method-costs", description=__doc__)
    parser.add_argument("--graft", required=True)
    parser.add_argument("--cache", required=True)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--methods", help="titles, with commas between them (default: all)")
    parser.add_argument("--make", action="store_true", help="make the adapters, count, and measure no speed")
    parser.add_argument("--missing", action="store_true", help="measure only what has no figures yet")
    parser.add_argument("--render", action="store_true", help="write the table from the figures there are")
    parser.add_argument("--commit", help="write the table of one build's figures alone: the beginning of its "
                        "commit or of graft's SHA-256, or 'unrecorded'")
    return parser.parse_args()


def read():
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"methods": []}


def save(results):
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write(results, commit):
    try:
        block = page.text(page.of_one_build(results, commit))
    except builds.MixedBuilds as error:
        sys.exit(f"method-costs: {RESULTS}: {error}")
    text = docs_block.replaced(PAGE.read_text(encoding="utf-8"), page.NAME, block)
    PAGE.write_text(text, encoding="utf-8")


def wanted(chosen):
    titles = set(chosen.methods.split(",")) if chosen.methods else None
    return [setting for setting in settings.SETTINGS if titles is None or setting.title in titles]


def prepare(chosen, known, directory, base):
    """Makes the adapters; those that Graft serves get an entry with what they become."""
    paths = {}
    for setting in wanted(chosen):
        try:
            path = making.adapter(setting, chosen.cache, directory)
            old = known.get(setting.title, {})
            if not chosen.missing or old.get("adapter") != path.name:
                # Where nothing is timed, figures of the same adapter stay.
                stays = chosen.make and old.get("adapter") == path.name
                known[setting.title] = (old if stays else {}) | {
                    "title": setting.title, "settings": setting.text, "adapter": path.name,
                    "facts": measuring.facts(chosen.graft, base, path)}
            paths[setting.title] = path
        except Exception as error:  # one method that fails must not keep the others from their figures
            known.pop(setting.title, None)
            print(f"{setting.title}: left out: {error}", file=sys.stderr, flush=True)
    return paths


def main():
    chosen = options()
    results = read()
    if chosen.render:
        return write(results, chosen.commit)
    directory, base = making.base(chosen.cache, chosen.graft)
    known = {entry["title"]: entry for entry in results["methods"]}
    paths = prepare(chosen, known, directory, base)

    def put():
        results["methods"] = [known[s.title] for s in settings.SETTINGS if s.title in known]
        save(results)

    put()
    if not chosen.make:
        measure(chosen, known, paths, base, put)
    write(results, chosen.commit)


def measure(chosen, known, paths, base, put):
    """Times what is wanted; every figure is saved at once, with what it is of."""
    build, run = builds.build_of(chosen.graft), builds.new_run()
    versions = measuring.versions(chosen.graft)
    for kind in ("one", "eight"):
        # Those that take long to load come last.
        order = sorted(paths, key=lambda title: known[title].get("one", {}).get("load_seconds", 0))
        for title in order:
            if chosen.missing and kind in known[title]:
                continue
            figures = measuring.speeds(
                chosen.graft, base, paths[title], kind == "eight", chosen.rounds, chosen.threads)
            parameters = measuring.parameters(kind == "eight", chosen.rounds, chosen.threads)
            known[title][kind] = builds.stamped(figures, build, run, versions, parameters)
            print(f"{title}, {kind}: {known[title][kind]['of_base']} of the base", flush=True)
            put()


main()
