"""Percentiles, draws and the arithmetic of a run under load."""

import unittest

from peers.summary import median, percentile, summarize, zipf_choices


class Percentiles(unittest.TestCase):
    def test_lie_between_neighbours_in_proportion(self):
        self.assertEqual(percentile([4, 1, 3, 2], 0), 1)
        self.assertEqual(percentile([4, 1, 3, 2], 1), 4)
        self.assertEqual(percentile([4, 1, 3, 2], 0.5), 2.5)
        self.assertAlmostEqual(percentile([10, 20], 0.95), 19.5)

    def test_of_one_value_are_this_value(self):
        self.assertEqual(percentile([7], 0.95), 7)
        self.assertEqual(median([7]), 7)

    def test_of_nothing_are_refused(self):
        with self.assertRaisesRegex(ValueError, "percentile of nothing"):
            percentile([], 0.5)


class ZipfChoices(unittest.TestCase):
    def test_are_the_same_for_the_same_seed(self):
        self.assertEqual(zipf_choices(50, 1.5, 100, 3), zipf_choices(50, 1.5, 100, 3))
        self.assertNotEqual(zipf_choices(50, 1.5, 100, 3), zipf_choices(50, 1.5, 100, 4))

    def test_fall_off_with_the_exponent(self):
        draws = zipf_choices(8, 1.5, 20000, 1)
        self.assertEqual(set(draws), set(range(8)))
        expected = [(k + 1) ** -1.5 for k in range(8)]
        for k in range(8):
            share = draws.count(k) / len(draws)
            self.assertAlmostEqual(share, expected[k] / sum(expected), delta=0.02)

    def test_of_exponent_0_are_uniform(self):
        draws = zipf_choices(4, 0, 20000, 1)
        for k in range(4):
            self.assertAlmostEqual(draws.count(k) / len(draws), 0.25, delta=0.02)


class Summaries(unittest.TestCase):
    def test_count_new_tokens_from_first_request_to_last_answer(self):
        records = [
            {"sent": 10.0, "first": 10.5, "end": 12.0, "tokens": 30},
            {"sent": 11.0, "first": 11.1, "end": 14.0, "tokens": 10},
        ]
        found = summarize(records)
        self.assertEqual(found["value"], 10.0)
        self.assertEqual(found["latency_p50"], 2.5)
        self.assertAlmostEqual(found["first_token_p50"], 0.3)
        self.assertEqual(found["latencies"], [2.0, 3.0])
