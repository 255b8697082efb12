"""The results file: written whole after every sample, so that an interrupted run loses nothing."""

import json
import os

from .places import replacing

FORMAT = 1


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
