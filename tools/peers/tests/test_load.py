"""Clients against a small server on a Unix socket, and the queue of the drivers."""

import json
import os
import pathlib
import socket
import sys
import tempfile
import threading
import unittest

from peers.exchanges import ExchangeError, GraftLines
from peers.load import run_load

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "drivers"))

from command_loop import ClosedLoop


def answer_lines(connection, cut):
    """Answers every request line with its tokens, `cut` fewer than asked."""
    with connection, connection.makefile("rw", encoding="utf-8") as file:
        for line in file:
            for _ in range(json.loads(line)["max_tokens"] - cut):
                file.write('{"event":"token"}\n')
            file.write('{"event":"done","usage":{"cached_tokens":0}}\n')
            file.flush()


class Loads(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "socket")
        self.listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.listener.close)
        self.listener.bind(self.path)
        self.listener.listen()

    def serve(self, clients, cut=0):
        def accept():
            for _ in range(clients):
                connection, _ = self.listener.accept()
                threading.Thread(target=answer_lines, args=(connection, cut), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()

    def jobs(self, clients, requests):
        return [[{"tokens": [1], "adapter": None, "count": 5}] * requests for _ in range(clients)]

    def test_bring_every_answer(self):
        self.serve(3)
        records = run_load(self.jobs(3, 4), self.path, lambda: GraftLines([]), 30)
        self.assertEqual(sorted(r["client"] for r in records), [0] * 4 + [1] * 4 + [2] * 4)
        for record in records:
            self.assertEqual(record["tokens"], 5)
            self.assertLessEqual(record["sent"], record["first"])
            self.assertLessEqual(record["first"], record["end"])

    def test_refuse_answers_of_the_wrong_length(self):
        self.serve(1, cut=1)
        with self.assertRaisesRegex(ExchangeError, "had 4 tokens"):
            run_load(self.jobs(1, 1), self.path, lambda: GraftLines([]), 30)


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

    def test_refuse_answers_of_the_wrong_length(self):
        loop = ClosedLoop([[self.job]])
        with self.assertRaisesRegex(RuntimeError, "had 1 tokens, 2 were asked for"):
            loop.finish(loop.take(1)[0], 1.0, 2.0, 1)
