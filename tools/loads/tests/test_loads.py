"""All measurements on the repository's tiny model, and how their figures are summed up."""

import contextlib
import hashlib
import io
import json
import os
import pathlib
import tempfile
import unittest

from loads import guessed_tokens, hot_merging, long_prompts, options, thousand_adapters

ROOT = pathlib.Path(__file__).resolve().parents[3]
BASE = str(ROOT / "models/tiny-llama")
GRAFT = os.environ.get("GRAFT_EXECUTABLE", options.EXECUTABLE)


class Summary(unittest.TestCase):
    def test_ratios_are_medians_of_pairs_of_runs(self):
        runs = {"off": [(100, 0), (50, 0), (80, 0)], "hot": [(120, 1), (40, 1), (88, 0.5)]}
        found = hot_merging.summary(runs)
        self.assertEqual(found["off"], {"tokens_per_second": 80, "merged_share": 0, "ratio": 1})
        self.assertEqual(found["hot"], {"tokens_per_second": 88, "merged_share": 0.83, "ratio": 1.1})

    def test_a_share_of_requests_goes_to_the_first_adapter(self):
        choose = hot_merging.mostly("a", ["b", "c"], 0.8, seed=1)
        chosen = [choose(number) for number in range(1000)]
        self.assertAlmostEqual(chosen.count("a") / 1000, 0.8, delta=0.05)
        self.assertEqual(set(chosen), {"a", "b", "c"})


@unittest.skipUnless(os.access(GRAFT, os.X_OK), "graft isn't built")
class Measurements(unittest.TestCase):
    def run_quietly(self, main, *arguments):
        with tempfile.TemporaryDirectory() as cache, contextlib.redirect_stdout(io.StringIO()) as out:
            main(["--base", BASE, "--graft", GRAFT, "--cache", cache, "--rounds", "1", "--threads", "1",
                  *arguments])
            found = json.loads(out.getvalue())
        with open(GRAFT, "rb") as file:
            self.assertEqual(found["build"]["graft"], hashlib.file_digest(file, "sha256").hexdigest())
        self.assertEqual(found["parameters"]["base"], BASE)
        self.assertEqual(list(found["versions"]), ["graft"])
        return found["figures"]

    def test_merging_is_measured_with_merged_answers(self):
        found = self.run_quietly(
            hot_merging.main, "--clients", "1", "--shares", "1", "--seconds", "1", "--rank", "2")
        modes = found["1 clients, 1 of requests on one adapter"]
        self.assertEqual({mode: run["merged_share"] for mode, run in modes.items()},
                         {"off": 0, "hot": 1, "auto": 1})

    def test_waiting_beside_long_prompts_is_measured(self):
        found = self.run_quietly(
            long_prompts.main, "--clients", "2", "--seconds", "1", "--prompt", "100", "--budgets", "8,64")
        self.assertEqual(list(found), ["8", "64"])
        for run in found.values():
            waits = run["next_token_ms"]
            self.assertTrue(0 <= waits["median"] <= waits["p95"] <= waits["largest"], run)
            self.assertGreater(waits["largest"], 0)
            self.assertGreater(run["first_token_of_long_prompts_ms"], 0)
            self.assertGreater(run["tokens"], 2 * 60)

    def test_guessing_is_measured_beside_none(self):
        found = self.run_quietly(
            guessed_tokens.main, "--clients", "1,2", "--seconds", "0.5", "--new", "60", "--kinds",
            "questions,sampled")
        self.assertEqual(list(found), ["questions", "sampled"])
        for kind in found.values():
            self.assertEqual(list(kind), ["1 clients", "2 clients"])
            for runs in kind.values():
                self.assertEqual(list(runs), ["0", "8"])
                self.assertEqual(runs["0"]["ratio"], 1)
                self.assertEqual(runs["0"]["guesses_per_token"], 0)
                self.assertGreater(runs["8"]["tokens_per_second"], 0)

    def test_many_adapters_are_measured_beside_few(self):
        found = self.run_quietly(
            thousand_adapters.main, "--adapters", "40", "--clients", "4", "--seconds", "0.3")
        rates = found["tokens_per_second"]
        self.assertEqual(len(rates), 7)
        self.assertTrue(all(rate > 0 for rate in rates.values()), rates)


if __name__ == "__main__":
    unittest.main()
