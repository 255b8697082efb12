"""Checks that two engines compute the same before one is called faster than the other."""

from . import assets
from .agreement import compare
from .engine import FAILURES, Unsupported

PROMPTS = 4
TOKENS = 8


class Guard:
    """Compares engines with Graft, each pair of engine and model once."""

    def __init__(self, results, graft, say):
        self.results, self.graft, self.say = results, graft, say
        self.ours = {}

    def problem(self, engine, model, weights, adapter=None):
        """Why the engine's figures would mean nothing, or None."""
        if engine is self.graft:
            return None
        key = f"{engine.name}/{model}/{weights}/{'base' if adapter is None else 'adapter'}"
        if key not in self.results.data["checks"]:
            try:
                self.results.set("checks", key, self.check(engine, model, weights, adapter))
            except Unsupported as error:
                return str(error)
            except FAILURES as error:
                return f"failed: {error}"
        found = self.results.data["checks"][key]
        if found["ok"]:
            return None
        return (f"not measured: {found['first_equal']} of {found['prompts']} greedy answers begin "
                "like Graft's")

    def check(self, engine, model, weights, adapter):
        # Adapters are compared on two of them, so that one that is never attached shows.
        which = [adapter] if adapter is None else [0, 1]
        ours, theirs = [], []
        for one in which:
            prompts = [assets.prompt_tokens(24, seed) for seed in range(PROMPTS)]
            theirs += engine.greedy(model, weights, prompts, TOKENS, one)
            ours += self.of_graft(model, weights, prompts, one)
        found = compare(ours, theirs)
        if adapter is not None:
            base = self.of_graft(model, weights, prompts, None)
            found["like_base"] = compare(base + base, theirs)["equal"]
            found["ok"] = found["ok"] and found["equal"] > found["like_base"]
        self.say(f"  {engine.name}, {model} {weights}: {found['equal']} of {found['tokens']} greedy "
                 "tokens equal to Graft's")
        return found

    def of_graft(self, model, weights, prompts, adapter):
        key = (model, weights, adapter)
        if key not in self.ours:
            self.ours[key] = self.graft.greedy(model, weights, prompts, TOKENS, adapter)
        return self.ours[key]
