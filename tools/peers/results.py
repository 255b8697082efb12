"""The results file: written whole after every sample, so that an interrupted run loses nothing."""

import json
import os

from loads.builds import key_of, only_build, stamped
from loads.places import replacing

# 1 called Graft what now is Graft with guesses.
FORMAT = 2


class Results:
    """Samples by row and engine, with what is known of engines and machine."""

    def __init__(self, path):
        self.path = path
        self.data = {"format": FORMAT, "machine": {}, "engines": {}, "checks": {}, "limits": [],
                     "rows": {}}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self.data = json.load(file)
            if self.data.get("format") != FORMAT:
                raise ValueError(f"{path} has format {self.data.get('format')}, expected {FORMAT}")

    def save(self):
        with replacing(self.path) as temporary:
            temporary.write_text(json.dumps(self.data, indent=1) + "\n", encoding="utf-8")

    def replace(self, data):
        """Takes over everything from other results."""
        self.data = data
        self.save()

    def row(self, identifier):
        return self.data["rows"].setdefault(identifier, {"samples": {}, "missing": {}})

    def rounds_done(self, identifier, engine):
        return len(self.row(identifier)["samples"].get(engine, []))

    def add_sample(self, identifier, engine, sample):
        row = self.row(identifier)
        row["missing"].pop(engine, None)
        row["samples"].setdefault(engine, []).append(sample)
        self.save()

    def add_measured(self, row, engine, sample, build, run, threads):
        """Adds a sample with what it is of, and returns that."""
        versions = self.data["engines"][engine]["versions"]
        sample = stamped(sample, build, run, versions, row.parameters(threads))
        self.add_sample(row.identifier, engine, sample)
        return sample

    def all_samples(self):
        """[(row, engine, sample)]"""
        return [(identifier, engine, sample) for identifier, row in self.data["rows"].items()
                for engine, found in row["samples"].items() for sample in found]

    def of_one_build(self, wanted=None):
        """The data with the samples of one build alone. Raises MixedBuilds where that is not one."""
        build = only_build([sample for _, _, sample in self.all_samples()], wanted)
        rows = {}
        for identifier, row in self.data["rows"].items():
            kept = {engine: [s for s in found if key_of(s) == build] for engine, found in row["samples"].items()}
            rows[identifier] = row | {"samples": {engine: found for engine, found in kept.items() if found}}
        return self.data | {"rows": rows}

    def add_missing(self, identifier, engine, reason):
        """Says why an engine has no figure for a row; a figure that is there stays."""
        row = self.row(identifier)
        if not row["samples"].get(engine):
            row["missing"][engine] = reason
            self.save()

    def drop(self, identifiers, engines):
        """Forgets samples, for measuring them again."""
        for identifier in identifiers:
            row = self.row(identifier)
            for engine in engines:
                row["samples"].pop(engine, None)
                row["missing"].pop(engine, None)
        self.save()

    def set(self, part, key, value):
        self.data[part][key] = value
        self.save()

    def add_limit(self, limit):
        self.data["limits"].append(limit)
        self.save()
