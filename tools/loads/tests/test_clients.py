"""Clients against a small server."""

import itertools
import json
import socket
import threading
import time
import unittest

from loads.clients import run_load
from loads.exchanges import ExchangeError, GraftLines

JOB = {"tokens": [1], "adapter": None, "count": 5}


class Loads(unittest.TestCase):
    def setUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        self.address = self.listener.getsockname()
        # Requests of each connection.
        self.requests = []

    def serve(self, cut=0, pause=0):
        threading.Thread(target=self.accept, args=(cut, pause), daemon=True).start()

    def accept(self, cut, pause):
        """Answers every request line with its tokens, `cut` fewer than asked."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection, cut, pause), daemon=True).start()

    def answer(self, connection, cut, pause):
        with connection, connection.makefile("rw", encoding="utf-8") as file:
            count = 0
            for line in file:
                count += 1
                time.sleep(pause)
                for _ in range(json.loads(line)["max_tokens"] - cut):
                    file.write('{"event":"token"}\n')
                file.write('{"event":"done","usage":{"cached_tokens":0}}\n')
                file.flush()
            self.requests.append(count)

    def run_jobs(self, jobs, **options):
        return run_load(jobs, self.address, GraftLines, 30, **options)

    def test_bring_every_answer(self):
        self.serve()
        records = self.run_jobs([[JOB] * 4] * 3)
        self.assertEqual(sorted(r["client"] for r in records), [0] * 4 + [1] * 4 + [2] * 4)
        for record in records:
            self.assertEqual(record["tokens"], 5)
            self.assertEqual(len(record["moments"]), 5)
            self.assertEqual(record["last"]["event"], "done")
            self.assertLessEqual(record["sent"], record["first"])
            self.assertLessEqual(record["first"], record["end"])

    def test_connect_anew_for_every_request(self):
        self.serve()
        self.run_jobs([[JOB] * 4] * 3)
        for _ in range(100):
            if len(self.requests) == 12:
                break
            time.sleep(0.05)
        self.assertEqual(self.requests, [1] * 12)

    def test_send_nothing_more_when_the_time_is_over(self):
        self.serve(pause=0.05)
        start = time.monotonic()
        records = self.run_jobs([itertools.repeat(JOB)] * 2, seconds=0.3)
        self.assertGreaterEqual(max(r["end"] for r in records), start + 0.3)
        self.assertLess(max(r["sent"] for r in records), start + 0.3)
        self.assertTrue(2 <= len(records) <= 14, len(records))

    def test_share_jobs_where_the_clients_have_the_same(self):
        self.serve(pause=0.01)
        shared = iter([JOB] * 10)
        records = self.run_jobs([shared] * 3)
        self.assertEqual(len(records), 10)
        self.assertEqual({r["client"] for r in records}, {0, 1, 2})

    def test_refuse_answers_of_the_wrong_length(self):
        self.serve(cut=1)
        with self.assertRaisesRegex(ExchangeError, "had 4 tokens"):
            self.run_jobs([[JOB]])

    def test_refuse_empty_answers_of_any_length(self):
        self.serve(cut=5)
        with self.assertRaisesRegex(ExchangeError, "had 0 tokens"):
            self.run_jobs([[{"request": {"max_tokens": 5}, "adapter": None, "count": None}]])
