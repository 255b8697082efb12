"""Which client asks for which adapter, and which rows there are."""

import itertools
import unittest

from peers.rows import GROUPS, all_rows, sessions
from peers.workload import MOST_REQUESTS, NEW_TOKENS, PROMPT_TOKENS, Workload


def first(workload, count):
    """The first adapters of every client."""
    return [list(itertools.islice(workload.adapters_of(client), count)) for client in range(workload.clients)]


class Workloads(unittest.TestCase):
    def test_give_every_client_its_own_adapter_in_turn(self):
        self.assertEqual(first(Workload(4, 8), 1), [[0], [1], [2], [3]])
        self.assertEqual(first(Workload(2, 3), 2), [[0, 2], [1, 0]])

    def test_without_adapters_ask_for_the_base(self):
        self.assertEqual(first(Workload(2), 2), [[None, None], [None, None]])

    def test_draw_by_popularity(self):
        drawn = first(Workload(16, 64, exponent=1.5), 8)
        self.assertGreater(len(set(map(tuple, drawn))), 1)
        flat = [adapter for client in drawn for adapter in client]
        self.assertEqual(len(flat), 128)
        self.assertGreater(flat.count(0), 128 / 8)
        self.assertLess(max(flat), 64)

    def test_have_a_different_prompt_for_every_request(self):
        seeds = []
        jobs = [list(own) for own in Workload(3).jobs(lambda count, seed: seeds.append(seed) or [count])]
        self.assertEqual(len(set(seeds)), 3 * MOST_REQUESTS)
        self.assertEqual(jobs[0][0], {"tokens": [PROMPT_TOKENS], "adapter": None,
                                      "count": NEW_TOKENS})


class Rows(unittest.TestCase):
    def test_have_names_of_their_own_and_known_groups(self):
        for quick in [False, True]:
            rows = all_rows(quick)
            self.assertEqual(len({row.identifier for row in rows}), len(rows))
            self.assertEqual({row.group for row in rows}, set(GROUPS))

    def test_send_no_prompt_twice(self):
        seeds = []
        for row in all_rows(False):
            if row.workload:
                for own in row.workload.jobs(lambda count, seed: seeds.append(seed)):
                    list(own)
        self.assertEqual(len(set(seeds)), len(seeds))

    def test_last_long_enough_to_mean_something(self):
        for row in all_rows(False):
            self.assertEqual(row.seconds >= 30, row.kind == "load")

    def test_say_what_they_were_measured_with(self):
        rows = {row.identifier: row for row in all_rows(False)}
        self.assertEqual(rows["batch-q8"].parameters(2), {
            "kind": "batch", "model": "small", "weights": "q8", "threads": 2, "count": 64, "sequences": 16})
        self.assertEqual(rows["server-loras"].parameters(2), {
            "kind": "load", "model": "small", "weights": "bf16", "threads": 2, "clients": 8, "adapters": 8,
            "exponent": None, "seed": 2, "seconds": 30, "prompt_tokens": 64, "new_tokens": 64})

    def test_share_a_server_where_group_and_kind_are_equal(self):
        loads = [row for row in all_rows(False) if row.group == "clients"]
        base, loras = sessions(loads)
        self.assertEqual({row.workload.adapters for row in base}, {0})
        self.assertNotIn(0, {row.workload.adapters for row in loras})
        self.assertEqual(len(base) + len(loras), len(loads))
