"""Percentiles, draws and the arithmetic of a run under load."""

import itertools
import unittest

from loads.summary import in_window, median, percentile, summarize, thinned, zipf_draws


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


def draws(count, exponent, number, seed):
    return list(itertools.islice(zipf_draws(count, exponent, seed), number))


class ZipfDraws(unittest.TestCase):
    def test_are_the_same_for_the_same_seed(self):
        self.assertEqual(draws(50, 1.5, 100, 3), draws(50, 1.5, 100, 3))
        self.assertNotEqual(draws(50, 1.5, 100, 3), draws(50, 1.5, 100, 4))

    def test_fall_off_with_the_exponent(self):
        found = draws(8, 1.5, 20000, 1)
        self.assertEqual(set(found), set(range(8)))
        expected = [(k + 1) ** -1.5 for k in range(8)]
        for k in range(8):
            self.assertAlmostEqual(found.count(k) / len(found), expected[k] / sum(expected), delta=0.02)

    def test_of_exponent_0_are_uniform(self):
        found = draws(4, 0, 20000, 1)
        for k in range(4):
            self.assertAlmostEqual(found.count(k) / len(found), 0.25, delta=0.02)


RECORDS = [
    {"sent": 10.0, "first": 10.5, "end": 12.0, "tokens": 30},
    {"sent": 11.0, "first": 12.0, "end": 16.0, "tokens": 9},
    {"sent": 13.0, "first": 14.5, "end": 16.0, "tokens": 10},
]


class Summaries(unittest.TestCase):
    def test_count_new_tokens_of_the_window_alone(self):
        # All of the first answer, half of the second's eight steps, none of the third's.
        self.assertEqual(in_window(RECORDS, 4), 30 + 1 + 4)
        self.assertEqual(in_window(RECORDS, 6), 49)

    def test_refuse_loads_that_ended_early(self):
        with self.assertRaisesRegex(ValueError, "ended after 6.0 s: a sample lasts 30 s"):
            in_window(RECORDS, 30)

    def test_refuse_windows_without_a_token(self):
        with self.assertRaisesRegex(ValueError, "no token came in the 0.4 s of the sample"):
            in_window(RECORDS, 0.4)

    def test_have_throughput_and_latencies(self):
        found = summarize(RECORDS, 5)
        self.assertAlmostEqual(found["value"], (30 + 1 + 6 + 1 + 9 * 0.5 / 1.5) / 5)
        self.assertEqual(found["latency_p50"], 3.0)
        self.assertEqual(found["first_token_p50"], 1.0)
        self.assertEqual(found["latencies"], [2.0, 3.0, 5.0])

    def test_keep_percentiles_of_many_latencies(self):
        self.assertEqual(thinned(range(1001)), list(range(0, 1001, 10)))
