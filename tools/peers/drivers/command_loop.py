"""What the drivers of in-process engines share: a command a line on standard input, its result a
line on standard output, and clients that wait for their answers.

The drivers run in the environments of their engines and import nothing from outside this folder.
"""

import json
import math
import os
import sys
import time


def serve(commands):
    """Answers commands: {"op": name, …} calls commands[name](…)."""
    # Engines print; only results may go to the original standard output.
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = {"result": commands[command.pop("op")](**command)}
        except Exception as error:  # Any failure of the engine is the answer
            answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"[:600]}
        print(json.dumps(answer), file=results, flush=True)


class ClosedLoop:
    """Clients with jobs of their own; each sends its next when its last is answered, for `seconds`."""

    def __init__(self, jobs, seconds=None):
        self.jobs = jobs
        self.next_job = [0] * len(jobs)
        now = time.monotonic()
        self.until = math.inf if seconds is None else now + seconds
        self.waiting = [(now, client) for client in range(len(jobs))]
        self.records = []

    def take(self, count):
        """Up to `count` requests that wait, oldest first: [(sent, client, job)]."""
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        requests = []
        for sent, client in taken:
            requests.append((sent, client, self.jobs[client][self.next_job[client]]))
            self.next_job[client] += 1
        return requests

    def finish(self, request, first, end, tokens):
        """Records an answer; its client sends its next request at once."""
        sent, client, job = request
        if tokens != job["count"]:
            raise RuntimeError(f"an answer had {tokens} tokens, {job['count']} were asked for")
        self.records.append({"client": client, "adapter": job["adapter"], "tokens": tokens,
                             "sent": sent, "first": first, "end": end})
        if end < self.until and self.next_job[client] < len(self.jobs[client]):
            self.waiting.append((end, client))
