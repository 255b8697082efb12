"""Measures how long those who generate wait while others' long prompts are read, by --prefill-budget.

    tools/long-prompts --base model.bin
    tools/long-prompts --base model.bin --budgets 32,64,512 --prompt 3000

Some clients generate all the time, from short prompts; one sends a long prompt after the other and takes a
few tokens of each. No prompt comes twice. The servers take turns. Prints one JSON object: seconds from one
token to the next of those who generate, and to the first token after the long prompts. Builds graft unless
--graft or GRAFT_EXECUTABLE names it.
"""
import concurrent.futures
import contextlib
import json
import threading

from peers.summary import median, percentile

from .servers import Server, in_turns, list_of, make_parser


def parse(arguments):
    parser = make_parser("long-prompts", __doc__)
    parser.set_defaults(requests=12)
    parser.add_argument("--budgets", type=list_of(int), default=[16, 64, 512])
    parser.add_argument("--clients", type=int, default=4, help="that generate")
    parser.add_argument("--prompt", type=int, default=1000, help="tokens of a long prompt")
    return parser.parse_args(arguments)


def generate(client, name, has_ended):
    """Gaps between the tokens of one request after the other, until it is told to end."""
    gaps, number = [], 0
    while not has_ended.is_set():
        gaps += client.ask(None, f"{name} {number}", new=64).gaps
        number += 1
    return gaps


def measure(options, budget, label):
    """(gaps between tokens, seconds to the first tokens after long prompts) of one load."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server(options, None, [], "--prefill-budget", str(budget)))
        clients = [stack.enter_context(server.connect()) for _ in range(options.clients + 1)]
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(options.clients))
        has_ended = threading.Event()
        running = [pool.submit(generate, client, f"{label} {number}", has_ended)
                   for number, client in enumerate(clients[1:])]
        try:
            firsts = [clients[0].ask(None, f"{label} long {number}", options.prompt, 8).first_seconds
                      for number in range(options.requests)]
        finally:
            has_ended.set()
        return [gap for task in running for gap in task.result()], firsts


def summary(samples):
    """Of [(gaps, firsts)], one a run: medians of the runs' figures, in milliseconds."""
    def milliseconds(seconds):
        return round(1000 * median(seconds), 1)

    return {
        "next_token_ms": {"median": milliseconds([median(gaps) for gaps, _ in samples]),
                          "p95": milliseconds([percentile(gaps, 0.95) for gaps, _ in samples]),
                          "largest": milliseconds([max(gaps) for gaps, _ in samples])},
        "first_token_of_long_prompts_ms": milliseconds([median(firsts) for _, firsts in samples]),
        "tokens": round(median([len(gaps) for gaps, _ in samples]))}


def main(arguments=None):
    options = parse(arguments)
    samples = {}
    for turn, budget in in_turns(options, "--prefill-budget", options.budgets):
        samples.setdefault(budget, []).append(measure(options, budget, f"{budget} {turn}"))
    print(json.dumps({str(budget): summary(runs) for budget, runs in samples.items()}, indent=1))


if __name__ == "__main__":
    main()
