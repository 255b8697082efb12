"""Measures how long those who generate wait while others' long prompts are read, by --prefill-budget.

    tools/long-prompts --base model.bin
    tools/long-prompts --base model.bin --budgets 32,64,512 --prompt 3000

Some clients generate all the time, from short prompts; one sends a long prompt after the other and takes a
few tokens of each. No prompt comes twice. The servers take turns. Prints one JSON object: seconds from one
token to the next of those who generate, and to the first token after the long prompts. Builds graft unless
--graft or GRAFT_EXECUTABLE names it.
"""
import itertools
import time

from .adapters import inspect
from .graft_server import GraftServer, random_job
from .options import in_turns, list_of, make_parser
from .reporting import report
from .summary import median, percentile


def parse(arguments):
    parser = make_parser("long-prompts", __doc__)
    parser.add_argument("--budgets", type=list_of(int), default=[16, 64, 512])
    parser.add_argument("--clients", type=int, default=4, help="that generate")
    parser.add_argument("--prompt", type=int, default=1000, help="tokens of a long prompt")
    return parser.parse_args(arguments)


def jobs(name, vocabulary, *lengths):
    """Requests without end."""
    return (random_job(None, f"{name} {number}", vocabulary, *lengths) for number in itertools.count())


def until(moment, endless):
    """What is asked for before the moment, and one at least."""
    yield next(endless)
    while time.monotonic() < moment():
        yield next(endless)


def gaps(record):
    """Seconds from one token to the next."""
    return [after - before for before, after in itertools.pairwise(record["moments"])]


def measure(options, vocabulary, budget, label):
    """(gaps between tokens, seconds to the first tokens after long prompts) of one load."""
    with GraftServer(options.graft, options.base, options.threads,
                     options=["--prefill-budget", budget]) as server:
        end = time.monotonic() + options.seconds
        is_read = False

        def long_prompts():
            nonlocal is_read
            yield from until(lambda: end, jobs(f"{label} long", vocabulary, options.prompt, 8))
            is_read = True

        # The others generate as long as somebody's prompt is read.
        others = [until(lambda: 0 if is_read else end * 2, jobs(f"{label} {number}", vocabulary, 32, 64))
                  for number in range(options.clients)]
        records = server.load([long_prompts(), *others])
        return ([gap for record in records if record["client"] for gap in gaps(record)],
                [record["first"] - record["sent"] for record in records if not record["client"]])


def summary(samples):
    """Of [(gaps, firsts)], one a run: medians of the runs' figures, in milliseconds."""
    def milliseconds(seconds):
        return round(1000 * median(seconds), 1)

    return {
        "next_token_ms": {"median": milliseconds([median(waits) for waits, _ in samples]),
                          "p95": milliseconds([percentile(waits, 0.95) for waits, _ in samples]),
                          "largest": milliseconds([max(waits) for waits, _ in samples])},
        "first_token_of_long_prompts_ms": milliseconds([median(firsts) for _, firsts in samples]),
        "tokens": round(median([len(waits) for waits, _ in samples]))}


def main(arguments=None):
    options = parse(arguments)
    vocabulary, samples = inspect(options)["vocab_size"], {}
    for turn, budget in in_turns(options, "--prefill-budget", options.budgets):
        samples.setdefault(budget, []).append(measure(options, vocabulary, budget, f"{budget} {turn}"))
    report(options, {str(budget): summary(runs) for budget, runs in samples.items()})


if __name__ == "__main__":
    main()
