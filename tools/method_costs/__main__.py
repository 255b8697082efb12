"""The command; tools/method-costs starts it."""

import argparse
import json
import os
import pathlib
import sys

from lib import docs_block
from loads import hardware

from . import making, measuring, page, settings

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
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
    return parser.parse_args()


def read():
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"methods": []}


def write(results):
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = docs_block.replaced(PAGE.read_text(encoding="utf-8"), page.NAME, page.text(results))
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
        return write(results)
    if not chosen.make or "machine" not in results:
        results |= {"machine": hardware.describe(chosen.threads), "prompt": measuring.PROMPT,
                    "generate": measuring.GENERATE, "rounds": chosen.rounds}
    directory, base = making.base(chosen.cache, chosen.graft)
    known = {entry["title"]: entry for entry in results["methods"]}
    paths = prepare(chosen, known, directory, base)

    def put():
        results["methods"] = [known[s.title] for s in settings.SETTINGS if s.title in known]
        write(results)

    put()
    if chosen.make:
        return
    for kind in ("one", "eight"):
        # Those that take long to load come last.
        order = sorted(paths, key=lambda title: known[title].get("one", {}).get("load_seconds", 0))
        for title in order:
            if chosen.missing and kind in known[title]:
                continue
            known[title][kind] = measuring.speeds(
                chosen.graft, base, paths[title], kind == "eight", chosen.rounds, chosen.threads)
            print(f"{title}, {kind}: {known[title][kind]['of_base']} of the base", flush=True)
            put()


main()
