"""Which client asks for which adapter, and which rows there are."""

import unittest

from peers.rows import GROUPS, all_rows, sessions
from peers.workload import NEW_TOKENS, PROMPT_TOKENS, Workload


class Workloads(unittest.TestCase):
    def test_give_every_client_its_own_adapter_in_turn(self):
        self.assertEqual(Workload(4, 1, 8).adapters_of(), [[0], [1], [2], [3]])
        self.assertEqual(Workload(2, 2, 3).adapters_of(), [[0, 2], [1, 0]])

    def test_without_adapters_ask_for_the_base(self):
        self.assertEqual(Workload(2, 2).adapters_of(), [[None, None], [None, None]])

    def test_draw_by_popularity(self):
        drawn = Workload(16, 8, 64, exponent=1.5).adapters_of()
        flat = [adapter for client in drawn for adapter in client]
        self.assertEqual(len(flat), 128)
        self.assertGreater(flat.count(0), 128 / 8)
        self.assertLess(max(flat), 64)

    def test_have_a_different_prompt_for_every_request(self):
        seeds = []
        jobs = Workload(3, 2).jobs(lambda count, seed: seeds.append(seed) or [count])
        self.assertEqual(len(set(seeds)), 6)
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
                row.workload.jobs(lambda count, seed: seeds.append(seed))
        self.assertEqual(len(set(seeds)), len(seeds))

    def test_share_a_server_where_group_and_kind_are_equal(self):
        loads = [row for row in all_rows(False) if row.group == "clients"]
        base, loras = sessions(loads)
        self.assertEqual({row.workload.adapters for row in base}, {0})
        self.assertNotIn(0, {row.workload.adapters for row in loras})
        self.assertEqual(len(base) + len(loras), len(loads))
