"""The table of costs, from figures as `graft bench --beside-base` and `graft inspect` give them."""

import unittest

from loads.builds import MixedBuilds
from method_costs import page, settings

BUILD = {"commit": "a" * 40, "dirty": False, "graft": "1" * 64}


def entry(**more):
    speed = {"tokens_per_second": 123.4, "base_tokens_per_second": 200.0, "of_base": 0.617,
             "load_seconds": 0.0123}
    facts = {"multiply_adds": 5, "multiply_adds_of_layers": 100, "memory_bytes": 23_456_789}
    return {"title": "A", "settings": "rank 1", "facts": facts, "one": speed,
            "eight": speed | {"of_base": 0.5}} | more


class Page(unittest.TestCase):
    def test_a_row_has_shares_and_sizes(self):
        self.assertEqual(
            page.row(entry()), ["A", "rank 1", "0.62 (123)", "0.50 (123)", "5 %", "23 MB", "12 ms"])

    def test_what_changes_no_matrix_has_no_share(self):
        facts = {"multiply_adds": 5, "multiply_adds_of_layers": 0, "memory_bytes": 900}
        self.assertEqual(page.row(entry(facts=facts))[4:6], ["–", "1 kB"])

    def test_the_base_stands_above_the_table(self):
        results = {"machine": {"processor": "P", "threads": 2, "date": "D"}, "prompt": 1, "generate": 2,
                   "rounds": 3, "methods": [entry()]}
        text = page.text(results)
        self.assertIn("200 tokens/s", text)
        self.assertIn("| A | rank 1 |", text)
        self.assertIn("|---|", page.text(results | {"methods": []}))


class Builds(unittest.TestCase):
    def results(self, **builds):
        """A method for each build, None of one that isn't known."""
        methods = []
        for title, build in builds.items():
            made = entry(title=title)
            for kind in page.KINDS if build else ():
                made[kind] = made[kind] | {"build": build}
            methods.append(made)
        return {"machine": {"processor": "P", "threads": 2, "date": "D"}, "prompt": 1, "generate": 2,
                "rounds": 3, "methods": methods}

    def test_are_named(self):
        self.assertIn("Of commit aaaaaaa, graft 111111111111.", page.text(self.results(A=BUILD)))
        self.assertIn("don't say which build they are of", page.text(self.results(A=None)))
        noted = self.results(A=None) | {"build_note": "Of May."}
        self.assertIn("Of May.", page.text(noted))

    def test_stand_with_their_own_settings(self):
        made = self.results(A=BUILD)
        for kind in page.KINDS:
            made["methods"][0][kind] |= {"at": "2026-01-02T03:04:05", "parameters": {
                "prompt": 8, "generate": 16, "rounds": 5, "processor": "Q", "threads": 4}}
        del made["machine"]
        self.assertIn("median of 5 pairs; Q, 4 threads, 2026-01-02.", page.text(made))

    def test_don_t_go_into_one_table(self):
        mixed = self.results(A=BUILD, B=None)
        with self.assertRaisesRegex(MixedBuilds, "samples of 2 builds don't go into one table"):
            page.of_one_build(mixed)
        text = page.text(page.of_one_build(mixed, "aaaa"))
        self.assertIn("| A | rank 1 | 0.62 (123) |", text)
        self.assertIn("| B | rank 1 | – |", text)


class Settings(unittest.TestCase):
    def test_names_tell_adapters_apart(self):
        names = [setting.name for setting in settings.SETTINGS]
        self.assertEqual(len(set(names)), len(names))

    def test_all_linear_layers_are_changed_where_nothing_else_is_said(self):
        chosen = {setting.title: setting.arguments() for setting in settings.SETTINGS}
        self.assertEqual(chosen["LoRA"]["target_modules"], settings.LINEAR)
        self.assertEqual(chosen["(IA)³"]["target_modules"], ["k_proj", "v_proj", "down_proj"])
        self.assertNotIn("target_modules", chosen["LN tuning"])


if __name__ == "__main__":
    unittest.main()
