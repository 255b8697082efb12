"""What the clients of a server ask: prompts, adapters, lengths."""

import dataclasses

from .summary import zipf_choices

PROMPT_TOKENS = 64
NEW_TOKENS = 64


@dataclasses.dataclass(frozen=True)
class Workload:
    """Clients that each wait for an answer before they send their next request.

    `adapters` is the number of different adapters, 0 for the base alone. With `exponent` None the
    clients take them in turn, client by client; else each request draws its adapter with a Zipf
    popularity of that exponent.
    """

    clients: int
    requests: int
    adapters: int = 0
    exponent: float | None = None
    seed: int = 1

    def adapters_of(self):
        """adapter[client][request], None for the base."""
        if self.adapters == 0:
            return [[None] * self.requests for _ in range(self.clients)]
        if self.exponent is None:
            return [[(client + request * self.clients) % self.adapters
                     for request in range(self.requests)] for client in range(self.clients)]
        draws = zipf_choices(
            self.adapters, self.exponent, self.clients * self.requests, self.seed)
        return [draws[c * self.requests:(c + 1) * self.requests] for c in range(self.clients)]

    def jobs(self, prompt_tokens):
        """jobs[client] = [{tokens, adapter, count}]; `prompt_tokens(count, seed)` makes prompts."""
        jobs = []
        for client, adapters in enumerate(self.adapters_of()):
            jobs.append([
                {"tokens": prompt_tokens(PROMPT_TOKENS, (self.seed * 1000 + client) * 1000 + number),
                 "adapter": adapter, "count": NEW_TOKENS}
                for number, adapter in enumerate(adapters)])
        return jobs
