"""The results file, the comparison of answers, the page and its plots."""

import json
import pathlib
import tempfile
import unittest
import xml.etree.ElementTree as xml

from peers import page, plots, tables
from peers.agreement import compare
from peers.publishing import refuse_other_builds, write
from peers.results import Results
from peers.rows import Row

BUILD = {"commit": "a" * 40, "dirty": False, "graft": "1" * 64}
LOAD = {"value": 100.0, "load": 1.0, "at": "2026-01-01T10:00:00", "latency_p50": 1.0, "latency_p95": 2.0,
        "first_token_p50": 0.1, "first_token_p95": 0.2, "latencies": [1.0, 2.0]}


def example():
    """Results of two engines that were measured and one that could not be set up."""
    engines = {
        "graft": {"title": "Graft", "mixing": "shares", "available": True,
                  "versions": {"graft": "1"}},
        "llama.cpp": {"title": "llama.cpp", "mixing": "waits", "available": True,
                      "versions": {"llama.cpp": "2"}},
        "vllm": {"title": "vLLM", "mixing": "pads", "available": False, "reason": "no wheel <here>"},
    }
    rows = {
        "decode-bf16": {"samples": {"graft": [{"value": 90.0, "load": 1.0, "at": "2026-01-01T10:00:00"},
                                              {"value": 110.0, "load": 1.0, "at": "2026-01-01T12:00:00"}],
                                    "llama.cpp": [{"value": 50.0, "load": 1.0, "at": "2026-01-01T10:00:05"}]},
                        "missing": {}},
        "server-loras": {"samples": {"graft": [LOAD], "llama.cpp": [LOAD | {"value": 25.0}]},
                         "missing": {}},
        "clients-1-loras": {"samples": {"graft": [LOAD]}, "missing": {"llama.cpp": "ended | early"}},
    }
    machine = {"processor": "P", "family": "1/2", "flags": ["avx2"], "cores": 2, "threads": 2,
               "virtual": True, "memory_gb": 8, "system": "S", "kernel": "K", "date": "D"}
    limits = [{"read_gb_s": reads, "f32_gflops": 200.0, "time": f"2026-01-01T{hour}:00:00"}
              for hour, reads in [("09", 24.3), ("11", 29.7), ("13", 1.0)]]
    return {"format": 2, "machine": machine, "engines": engines, "rows": rows, "limits": limits,
            "checks": {"llama.cpp/small/bf16/base": compare([[1, 2]], [[1, 3]])},
            "models": {"bytes": {"small-bf16": 135_000_000}}}


def of_build(data, build):
    """The results with all samples of a build."""
    for row in data["rows"].values():
        row["samples"] = {engine: [sample | {"build": build} for sample in found]
                          for engine, found in row["samples"].items()}
    return data


class ResultsFile(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "results.json"

    def test_has_every_sample_as_soon_as_it_is_there(self):
        results = Results(self.path)
        results.add_sample("row", "graft", {"value": 1.0})
        again = Results(self.path)
        self.assertEqual(again.rounds_done("row", "graft"), 1)
        again.add_sample("row", "graft", {"value": 2.0})
        self.assertEqual(Results(self.path).rounds_done("row", "graft"), 2)
        self.assertEqual([p.name for p in self.path.parent.iterdir()], ["results.json"])

    def test_says_why_a_figure_is_missing_until_there_is_one(self):
        results = Results(self.path)
        results.add_missing("row", "vllm", "no")
        self.assertEqual(Results(self.path).row("row")["missing"], {"vllm": "no"})
        results.add_sample("row", "vllm", {"value": 1.0})
        results.add_missing("row", "vllm", "later failure")
        self.assertEqual(Results(self.path).row("row")["missing"], {})

    def test_forgets_only_what_it_is_told_to(self):
        results = Results(self.path)
        for engine in ["graft", "vllm"]:
            results.add_sample("row", engine, {"value": 1.0})
        results.drop(["row"], ["graft"])
        self.assertEqual(list(Results(self.path).row("row")["samples"]), ["vllm"])

    def test_of_another_format_is_refused(self):
        self.path.write_text(json.dumps({"format": 99}))
        with self.assertRaisesRegex(ValueError, "has format 99, expected 2"):
            Results(self.path)


class Builds(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.results = Results(self.folder / "results.json")
        self.results.replace(of_build(example(), BUILD))

    def written(self, commit=None):
        write(Results(self.folder / "results.json"), self.folder, commit)
        return (self.folder / "performance.md").read_text()

    def test_of_one_commit_are_a_page(self):
        self.assertIn(f"commit {'a' * 40};", self.written())

    def test_that_are_mixed_are_refused_until_one_is_chosen(self):
        other = {"commit": "b" * 40, "dirty": False, "graft": "2" * 64}
        self.results.data["rows"]["decode-bf16"]["samples"]["graft"][0]["build"] = other
        self.results.save()
        with self.assertRaisesRegex(SystemExit, "samples of 2 builds don't go into one table: commit bbbbbbb, "
                                    "graft 222222222222 .1.; commit aaaaaaa, .* choose one with --commit"):
            self.written()
        self.assertFalse((self.folder / "performance.md").exists())
        text = self.written("aaaaaaa")
        self.assertIn("| decode, bf16 | 110 |", text)
        self.assertIn("| decode, bf16 | 90.0 | – |", self.written("2222"))
        # The file keeps them all.
        self.assertEqual(len(Results(self.folder / "results.json").all_samples()), 6)

    def test_that_would_be_mixed_are_not_measured(self):
        refuse_other_builds(self.results, BUILD)
        other = BUILD | {"graft": "2" * 64}
        with self.assertRaisesRegex(SystemExit, "has samples of commit aaaaaaa, graft 111111111111, now it is "
                                    "commit aaaaaaa, graft 222222222222: use --fresh or another --out"):
            refuse_other_builds(self.results, other)
        again = [("decode-bf16", "graft"), ("decode-bf16", "llama.cpp")]
        with self.assertRaises(SystemExit):
            refuse_other_builds(self.results, other, again)
        for row in ["server-loras", "clients-1-loras"]:
            del self.results.data["rows"][row]
        refuse_other_builds(self.results, other, again)

    def test_are_in_every_sample(self):
        self.results.replace(example() | {"rows": {}})
        measured = Row("decode-q8", "decode", "decode", weights="q8", count=16)
        self.results.add_measured(measured, "llama.cpp", {"value": 1.0}, BUILD, "run 1", 2)
        ((row, name, sample),) = self.results.all_samples()
        self.assertEqual((row, name), ("decode-q8", "llama.cpp"))
        self.assertEqual(sample["build"], BUILD)
        self.assertEqual((sample["run"], sample["versions"]), ("run 1", {"llama.cpp": "2"}))
        self.assertEqual(sample["parameters"], {
            "kind": "decode", "model": "small", "weights": "q8", "threads": 2, "count": 16})


class Agreement(unittest.TestCase):
    def test_counts_tokens_up_to_the_first_difference(self):
        found = compare([[1, 2, 3], [4, 5, 6]], [[1, 9, 3], [4, 5, 6]])
        self.assertEqual((found["first_equal"], found["equal"], found["tokens"]), (2, 4, 6))
        self.assertTrue(found["ok"])

    def test_refuses_engines_that_begin_differently(self):
        self.assertFalse(compare([[1], [2], [3]], [[1], [9], [9]])["ok"])


class Page(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        page.write(example(), self.folder, "plots/")
        self.text = (self.folder / "performance.md").read_text()

    def test_shows_medians_ranges_ratio_and_share_of_reads(self):
        self.assertIn("| decode, bf16 | 100 (90.0–110) | 50.0 | **2.00** | 50 % |", self.text)
        self.assertIn("| 8 LoRAs | llama.cpp | 25.0 |", self.text)

    def test_begins_with_what_matters_most(self):
        self.assertIn("Graft makes 100 tokens/s:** 4.0 times llama.cpp.", self.text)

    def test_figures_with_guesses_follow_and_are_compared_among_themselves(self):
        data = example()
        samples = data["rows"]["server-loras"]["samples"]
        engines = data["engines"]
        for name, value in [("graft", 150.0), ("llama.cpp", 60.0)]:
            samples[f"{name}-guessing"] = [dict(samples[name][0], value=value)]
            engines[f"{name}-guessing"] = dict(
                engines[name], title=f"{name}, guessing", variant_of=name, guesses=True)
        # However they are ordered in the file.
        data["engines"] = dict(sorted(engines.items(), reverse=True))
        data["engines"] = {"graft": engines["graft"]} | data["engines"]
        self.assertIn("Graft makes 100 tokens/s:** 4.0 times llama.cpp. With guesses, which are often "
                      "right in this load: llama.cpp 60.0, Graft 150.", tables.headline(data))
        self.assertEqual(tables.ratio(data, "server-loras"), "**4.00**")
        lines = [line.split(" | ") for line in tables.server_table(data).splitlines()[2:]]
        self.assertEqual([(line[1], line[2], line[7]) for line in lines], [
            ("Graft", "100", ""), ("llama.cpp", "25.0", "4.0"), ("llama.cpp, guessing", "60.0", "2.5"),
            ("graft, guessing", "150", "")])

    def test_breaks_running_text_but_no_table(self):
        for line in self.text.splitlines():
            self.assertTrue(len(line) <= 120 or line[0] in "|*!", line)

    def test_says_who_was_measured_in_another_run(self):
        data = example()
        self.assertEqual(tables.turns_text(data), "")
        samples = data["rows"]["server-loras"]["samples"]
        for engine, run in [("graft", "1"), ("llama.cpp", "2")]:
            samples[engine] = [dict(samples[engine][0], run=run)]
        self.assertEqual(tables.cell(data, "server-loras", "llama.cpp"), "25.0 †")
        self.assertEqual(tables.cell(data, "server-loras", "graft"), "100")
        self.assertIn("in another run were measured: llama.cpp (server-loras)", page.text_of(data, {}, ""))
        samples["llama.cpp"].append(dict(samples["llama.cpp"][0], run="1"))
        samples["graft"].append(dict(samples["graft"][0], run="2"))
        self.assertEqual(tables.turns_text(data), "")

    def test_says_who_was_measured_at_another_time_where_runs_have_no_names(self):
        data = example()
        data["rows"]["server-loras"]["samples"]["llama.cpp"][0]["at"] = "2026-01-01T09:01:00"
        self.assertEqual(tables.turns_text(data), "")
        data["rows"]["server-loras"]["samples"]["llama.cpp"][0]["at"] = "2026-01-01T08:59:00"
        self.assertIn("llama.cpp (server-loras)", tables.turns_text(data))

    def test_says_of_which_build_it_is(self):
        self.assertIn("don't say which build they are of", self.text)
        self.assertIn("**Build.** Those of May.", page.text_of(example() | {"build_note": "Those of May."}, {}, ""))
        text = tables.build_text(of_build(example(), BUILD | {"dirty": True}))
        self.assertIn(f"commit {'a' * 40}, with changes that were not committed", text)
        self.assertIn("1" * 64, text)

    def test_names_what_is_missing(self):
        self.assertIn("not available: no wheel <here>", self.text)
        self.assertIn("llama.cpp: ended \\| early (clients-1-loras)", self.text)

    def test_names_kinds_of_rows_where_all_of_a_kind_are_missing(self):
        data = {"rows": dict.fromkeys(["decode-bf16", "decode-q8", "batch-bf16", "batch-q8", "large"])}
        missing = ["decode-bf16", "decode-q8", "batch-q8", "large"]
        self.assertEqual(tables.row_names(data, missing), "all decode, batch-q8, large")

    def test_links_to_plots_that_are_there_and_no_others(self):
        linked = {part.split(")")[0] for part in self.text.split("](plots/")[1:]}
        self.assertEqual(linked, {p.name for p in (self.folder / "plots").iterdir()})
        self.assertEqual(linked, {"clients-loras.svg", "latency.svg"})

    def test_of_nothing_measured_is_still_a_page(self):
        empty = example() | {"rows": {}, "limits": [], "checks": {}}
        self.assertIn("Not measured yet.", page.text_of(empty, {}, ""))

    def test_leaves_ratios_out_without_peers(self):
        data = example()
        del data["rows"]["decode-bf16"]["samples"]["llama.cpp"]
        self.assertEqual(tables.ratio(data, "decode-bf16"), "–")


class Plots(unittest.TestCase):
    def test_are_well_formed_whatever_the_names_are(self):
        series = [("graft", "A & <B>", {1: 10.0, 2: 30.0}), ("vllm", "C", {2: 5.0})]
        for text in [plots.line_plot("T <1>", "x & y", "v", series, [1, 2]),
                     plots.distribution_plot("T", "s", [("graft", "A & B", [0.5, 1.0, 30.0])])]:
            root = xml.fromstring(text)
            self.assertTrue(root.tag.endswith("svg"))
        self.assertIn("A &amp; &lt;B&gt;", plots.line_plot("T", "x", "v", series, [1, 2]))

    def test_stay_inside_their_frame(self):
        series = [("graft", "A", {1: 999.0, 2: 0.0})]
        root = xml.fromstring(plots.line_plot("T", "x", "v", series, [1, 2]))
        for dot in root.iter("{http://www.w3.org/2000/svg}circle"):
            self.assertTrue(plots.TOP <= float(dot.get("cy")) <= plots.HEIGHT - plots.BOTTOM)
            self.assertTrue(plots.LEFT <= float(dot.get("cx")) <= plots.WIDTH - plots.RIGHT)

    def test_end_their_axis_at_a_round_number_above_the_values(self):
        for value in [0.3, 1, 7, 96.5, 100, 101, 231.8, 5000]:
            self.assertGreaterEqual(plots.nice_top(value), value)
            self.assertLessEqual(plots.nice_top(value), 1.7 * value)

    def test_move_names_apart(self):
        moved = plots.apart([10, 12, 100, 11])
        self.assertEqual(moved[0], 10)
        gaps = sorted(moved)
        self.assertTrue(all(b - a >= plots.LABEL_HEIGHT for a, b in zip(gaps, gaps[1:])))
