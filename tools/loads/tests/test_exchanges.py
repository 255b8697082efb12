"""Reading token streams that arrive in pieces of any size."""

import json
import unittest

from loads.exchanges import ExchangeError, GraftLines, LlamaCompletions, OpenAICompletions

JOB = {"tokens": [5, 6], "adapter": 1, "count": 3}


def feed_in_pieces(exchange, data, size):
    """(tokens, whether it was complete) when `data` arrives `size` bytes at a time."""
    total = 0
    for start in range(0, len(data), size):
        count, done = exchange.feed(data[start:start + size])
        total += count
        if done:
            return total, True
    return total, False


class GraftStreams(unittest.TestCase):
    answer = (b'{"id":1,"event":"token","token":4,"text":"a"}\n'
              b'{"id":1,"event":"token","token":4,"text":""}\n'
              b'{"id":1,"event":"done","usage":{"cached_tokens":0}}\n')

    def test_name_the_adapter(self):
        exchange = GraftLines(["law", "medicine"])
        self.assertEqual(json.loads(exchange.request(JOB))["adapter"], "medicine")
        self.assertIsNone(json.loads(exchange.request(JOB | {"adapter": None}))["adapter"])

    def test_count_tokens_in_pieces_of_any_size(self):
        for size in [1, 7, 1000]:
            exchange = GraftLines([])
            self.assertEqual(feed_in_pieces(exchange, self.answer, size), (2, True))

    def test_end_with_the_server_s_error(self):
        with self.assertRaisesRegex(ExchangeError, "adapter_not_found"):
            GraftLines([]).feed(b'{"event":"error","code":"adapter_not_found"}\n')

    def test_refuse_answers_from_the_cache(self):
        with self.assertRaisesRegex(ExchangeError, "found in the cache"):
            GraftLines([]).feed(b'{"event":"done","usage":{"cached_tokens":16}}\n')

    def test_take_adapters_by_name_and_whole_requests(self):
        exchange = GraftLines()
        self.assertEqual(json.loads(exchange.request(JOB | {"adapter": "law"}))["adapter"], "law")
        whole = exchange.request({"request": {"prompt": "a"}, "adapter": None, "count": None})
        self.assertEqual(json.loads(whole), {"id": 1, "prompt": "a"})


class LlamaStreams(unittest.TestCase):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

    def test_switch_one_adapter_on_and_the_others_off(self):
        body = LlamaCompletions(3).body(JOB)
        self.assertEqual(body["lora"], [{"id": 0, "scale": 0.0}, {"id": 1, "scale": 1.0},
                                        {"id": 2, "scale": 0.0}])
        self.assertNotIn("lora", LlamaCompletions(0).body(JOB))

    def test_add_tokens_that_had_no_event(self):
        answer = (self.head + b'data: {"content":"a","stop":false}\n\n'
                  b'data: {"content":"","stop":true,"tokens_predicted":3}\n\n')
        for size in [1, 11, 1000]:
            exchange = LlamaCompletions(0)
            exchange.request(JOB)
            self.assertEqual(feed_in_pieces(exchange, answer, size), (3, True))

    def test_refuse_another_status(self):
        exchange = LlamaCompletions(0)
        exchange.request(JOB)
        with self.assertRaisesRegex(ExchangeError, "503"):
            exchange.feed(b"HTTP/1.1 503 Busy\r\n\r\nloading")


class OpenAIStreams(unittest.TestCase):
    def test_count_the_ids_of_every_choice(self):
        answer = (b'HTTP/1.1 200 OK\r\n\r\n1f\r\n'
                  b'data: {"choices":[{"text":"a","token_ids":[4,5]}]}\r\n\r\n'
                  b'data: {"choices":[{"text":"","token_ids":null}]}\r\n\r\ndata: [DONE]\r\n\r\n')
        exchange = OpenAICompletions("base", ["law", "medicine"])
        exchange.request(JOB)
        self.assertEqual(feed_in_pieces(exchange, answer, 9), (2, True))

    def test_the_adapter_is_the_model(self):
        exchange = OpenAICompletions("base", ["law", "medicine"])
        self.assertEqual(exchange.body(JOB)["model"], "medicine")
        self.assertEqual(exchange.body(JOB | {"adapter": None})["model"], "base")
