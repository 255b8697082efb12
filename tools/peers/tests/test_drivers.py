"""The queue of the drivers."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "drivers"))

from command_loop import ClosedLoop


class DriverQueues(unittest.TestCase):
    job = {"tokens": [1], "adapter": None, "count": 2}

    def test_send_the_next_request_when_the_last_is_answered(self):
        loop = ClosedLoop([[self.job, self.job], [self.job]])
        first, second = loop.take(2)
        self.assertEqual(loop.take(2), [])
        loop.finish(first, 1.0, 5.0, 2)
        (third,) = loop.take(2)
        self.assertEqual(third[:2], (5.0, 0))
        loop.finish(second, 1.0, 6.0, 2)
        loop.finish(third, 6.0, 7.0, 2)
        self.assertEqual(loop.take(2), [])
        self.assertEqual([r["client"] for r in loop.records], [0, 1, 0])

    def test_send_none_when_the_time_is_over(self):
        loop = ClosedLoop([[self.job] * 3], 30)
        (first,) = loop.take(1)
        loop.finish(first, loop.until - 2, loop.until - 1, 2)
        (second,) = loop.take(1)
        loop.finish(second, loop.until, loop.until + 1, 2)
        self.assertEqual(loop.take(1), [])

    def test_refuse_answers_of_the_wrong_length(self):
        loop = ClosedLoop([[self.job]])
        with self.assertRaisesRegex(RuntimeError, "had 1 tokens, 2 were asked for"):
            loop.finish(loop.take(1)[0], 1.0, 2.0, 1)
