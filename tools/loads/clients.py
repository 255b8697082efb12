"""Clients that wait for an answer before they send their next request, on one thread.

One thread with a selector costs the measured server little: the clients share its processor. Every engine
gets the same: a new TCP connection for each request, and every event of the answer parsed.
"""

import selectors
import socket
import time

from .exchanges import ExchangeError


class Client:
    """One client's jobs, its connection and what came back."""

    def __init__(self, number, jobs, address, exchange):
        self.number, self.jobs, self.address, self.exchange = number, iter(jobs), address, exchange
        self.connection = None
        self.records = []

    def begin(self):
        """Connects and sends the next request; false when there is none."""
        job = next(self.jobs, None)
        if job is None:
            return False
        data = self.exchange.request(job)
        self.records.append({
            "client": self.number, "adapter": job["adapter"], "tokens": 0, "sent": time.monotonic(),
            "first": None, "end": None, "moments": [], "expected": job["count"]})
        self.connection = socket.create_connection(self.address)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.sendall(data)
        return True

    def receive(self):
        """Reads what there is; true when the answer is complete."""
        data = self.connection.recv(1 << 16)
        now = time.monotonic()
        count, done = self.exchange.feed(data)
        record = self.records[-1]
        record["tokens"] += count
        record["moments"] += [now] * count
        if count and record["first"] is None:
            record["first"] = now
        if done:
            record["end"] = now
            record["last"] = self.exchange.last
            check(record)
        elif not data:
            raise ExchangeError("the server closed the connection in the middle of an answer")
        return done

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def check(record):
    """An answer of the wrong length would make the comparison worthless; None: of any length but 0."""
    expected = record.pop("expected")
    if record["tokens"] != expected and not (expected is None and record["tokens"]):
        raise ExchangeError(f"an answer had {record['tokens']} tokens, which is not what was asked")


def run_load(jobs, address, make_exchange, time_limit, seconds=None):
    """Runs all clients to their end; `jobs[client]` are theirs, asked for one by one. Clients may share an
    iterator. None sends another request when `seconds` have passed since the first was sent. Returns one
    record a request.
    """
    clients = [Client(n, own, address, make_exchange()) for n, own in enumerate(jobs)]
    start = time.monotonic()
    selector = selectors.DefaultSelector()

    def first_sent():
        return min((client.records[0]["sent"] for client in clients if client.records), default=time.monotonic())

    def begin(client):
        # By the end of the client's last answer, not by now: the load must reach beyond its seconds.
        last = client.records[-1]["end"] if client.records else time.monotonic()
        if seconds is not None and last >= first_sent() + seconds:
            return
        if client.begin():
            selector.register(client.connection, selectors.EVENT_READ, client)

    try:
        for client in clients:
            begin(client)
        while selector.get_map():
            if time.monotonic() > start + time_limit:
                raise ExchangeError(f"no end after {time_limit} s")
            for key, _ in selector.select(timeout=5):
                client = key.data
                if client.receive():
                    selector.unregister(client.connection)
                    client.close()
                    begin(client)
    finally:
        for client in clients:
            client.close()
        selector.close()
    return [record for client in clients for record in client.records]
