"""What the clients of a server ask: prompts, adapters, lengths."""

import dataclasses
import itertools

from loads.summary import zipf_draws

PROMPT_TOKENS = 64
NEW_TOKENS = 64
# Of each client: more than any answers while it is measured, so that the seeds of their prompts differ.
MOST_REQUESTS = 1000


@dataclasses.dataclass(frozen=True)
class Workload:
    """Clients that each wait for an answer before they send their next request.

    `adapters` is the number of different adapters, 0 for the base alone. With `exponent` None the
    clients take them in turn, client by client; else each request draws its adapter with a Zipf
    popularity of that exponent.
    """

    clients: int
    adapters: int = 0
    exponent: float | None = None
    seed: int = 1

    def adapters_of(self, client):
        """The adapters that a client asks for, without end; None is the base."""
        if self.adapters == 0:
            return itertools.repeat(None)
        if self.exponent is None:
            return ((client + request * self.clients) % self.adapters for request in itertools.count())
        return zipf_draws(self.adapters, self.exponent, f"{self.seed} {client}")

    def jobs(self, prompt_tokens):
        """jobs[client] yields {tokens, adapter, count}; `prompt_tokens(count, seed)` makes prompts."""
        return [self.jobs_of(client, prompt_tokens) for client in range(self.clients)]

    def jobs_of(self, client, prompt_tokens):
        for number, adapter in zip(range(MOST_REQUESTS), self.adapters_of(client)):
            seed = (self.seed * 1000 + client) * MOST_REQUESTS + number
            yield {"tokens": prompt_tokens(PROMPT_TOKENS, seed), "adapter": adapter, "count": NEW_TOKENS}
