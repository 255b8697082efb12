"""Clients that wait for an answer before they send their next request, on one thread.

One thread with a selector costs the measured server little: the clients share its processor.
"""

import selectors
import socket
import time

from .exchanges import ExchangeError


class Client:
    """One client's jobs, its connection and what came back."""

    def __init__(self, number, jobs, address, exchange):
        self.number, self.jobs, self.address, self.exchange = number, jobs, address, exchange
        self.next_job = 0
        self.connection = None
        self.records = []

    def connect(self):
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        self.connection = socket.socket(family, socket.SOCK_STREAM)
        if family == socket.AF_INET:
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.connect(self.address)

    def send(self):
        job = self.jobs[self.next_job]
        self.next_job += 1
        data = self.exchange.request(job)
        self.records.append({"client": self.number, "adapter": job["adapter"], "tokens": 0,
                             "sent": time.monotonic(), "first": None, "end": None,
                             "expected": job["count"]})
        self.connection.sendall(data)

    def receive(self):
        """Reads what there is; true when the answer is complete."""
        data = self.connection.recv(1 << 16)
        now = time.monotonic()
        count, done = self.exchange.feed(data)
        record = self.records[-1]
        record["tokens"] += count
        if count and record["first"] is None:
            record["first"] = now
        if done:
            record["end"] = now
            check(record)
        elif not data:
            raise ExchangeError("the server closed the connection in the middle of an answer")
        return done


def check(record):
    """An answer of the wrong length would make the comparison worthless."""
    if record["tokens"] != record.pop("expected"):
        raise ExchangeError(f"an answer had {record['tokens']} tokens, which is not what was asked")


def run_load(jobs, address, make_exchange, time_limit):
    """Runs all clients to their end; `jobs[client]` are theirs. Returns one record a request."""
    selector = selectors.DefaultSelector()
    clients = [Client(n, own, address, make_exchange()) for n, own in enumerate(jobs)]
    deadline = time.monotonic() + time_limit
    try:
        for client in clients:
            begin(client, selector)
        while selector.get_map():
            if time.monotonic() > deadline:
                raise ExchangeError(f"no end after {time_limit} s")
            for key, _ in selector.select(timeout=5):
                if key.data.receive():
                    finish(key.data, selector)
    finally:
        for client in clients:
            if client.connection is not None:
                client.connection.close()
        selector.close()
    return [record for client in clients for record in client.records]


def begin(client, selector):
    client.connect()
    selector.register(client.connection, selectors.EVENT_READ, client)
    client.send()


def finish(client, selector):
    more = client.next_job < len(client.jobs)
    if more and client.exchange.keeps_connection:
        client.send()
        return
    selector.unregister(client.connection)
    client.connection.close()
    client.connection = None
    if more:
        begin(client, selector)
