"""Measures what guessed tokens (--draft-tokens) give on several kinds of text.

    tools/guessed-tokens --base model.bin
    tools/guessed-tokens --base model.bin --drafts 0,4,8,16 --clients 1,4,16

The base is asked questions, and to correct, to shorten and to list what is in texts that it is given: greedily,
and the questions also at a temperature of 0.7. Servers take turns, one for each number of guesses; the first is
what the others are compared with. Prints one JSON object: new tokens a second, the ratio to the first server's
(the median over rounds), guesses for each new token, and the share of them that was right. Builds graft unless
--graft or GRAFT_EXECUTABLE names it.
"""
import itertools

from .graft_server import GraftServer
from .options import in_turns, list_of, make_parser
from .reporting import report
from .summary import in_window, median

QUESTIONS = [
    "What is a contract?", "How do I keep tomatoes from getting too much water?",
    "Explain to a child why the sky is blue.", "Write a short story about a ferryman and a fox.",
    "Which vaccines does an adult need before a long journey?",
    "What should I ask before I rent a flat?", "List ten things to pack for a week in the mountains.",
    "Compare trains and planes for a journey of 600 kilometres."]
TEXTS = [
    "The tenant pays the rent on the first day of each month. If the rent has not arrived by the fifth day, the "
    "landlord may ask for a late fee of three percent of it. The tenant keeps the rooms clean, reports damage "
    "within two days, and changes nothing about the walls without the landlord's written consent. Either party may "
    "end this agreement with three months' written notice.",
    "The patient came on 3 March 2024 with a cough that had lasted for two weeks and a temperature of 38.4 degrees. "
    "The chest was clear on 4 March. Amoxicillin was given from 4 March to 11 March. On 12 March the patient had no "
    "fever and went home. A visit to the family doctor is planned for 26 March 2024.",
    "The board met on Monday at nine. It approved the accounts of last year, chose Ms Adeyemi as its chair for two "
    "more years, and put the decision about the new warehouse off until the survey of the ground has been read. The "
    "next meeting is on the second Monday of May at nine in the small hall.",
    "The seller delivers forty pumps of type B to the buyer's yard in Halden before the end of August. The buyer pays "
    "half of the price when the order is signed and the other half within thirty days of delivery. Pumps that fail "
    "within two years are repaired or replaced by the seller. Disputes go to the court in Oslo."]
TASKS = {
    "correcting": "Copy this text and correct its mistakes, if there are any:\n\n",
    "shortening": "Say the same in fewer words:\n\n",
    "listing": "List everything that somebody has to do, or that was done, according to this text:\n\n",
}
KINDS = ["questions", "sampled", *TASKS]


def parse(arguments):
    parser = make_parser("guessed-tokens", __doc__)
    parser.add_argument("--drafts", type=list_of(int), default=[0, 8], help="guesses of a sequence and step")
    parser.add_argument("--clients", type=list_of(int), default=[1, 8])
    parser.add_argument("--kinds", type=list_of(str), default=KINDS, help=", ".join(KINDS))
    parser.add_argument("--new", type=int, default=128, help="new tokens of an answer at most")
    options = parser.parse_args(arguments)
    for kind in options.kinds:
        if kind not in KINDS:
            parser.error(f"--kinds knows {', '.join(KINDS)}, not '{kind}'")
    return options


def loads(options):
    """{kind: jobs}, again and again."""
    def job(text, **more):
        request = {"messages": [{"role": "user", "content": text}], "max_tokens": options.new,
                   "temperature": 0} | more
        # An answer may end early.
        return {"request": request, "adapter": None, "count": None}

    kinds = {
        "questions": [job(text) for text in QUESTIONS],
        "sampled": [
            job(text, temperature=0.7, top_p=0.95, seed=seed)
            for seed, text in enumerate(QUESTIONS)]}
    for kind, task in TASKS.items():
        kinds[kind] = [job(task + text) for text in TEXTS]
    return {kind: kinds[kind] for kind in options.kinds}


def measure(server, jobs, client_count, seconds):
    """(new tokens a second, guesses for each new token, share of them that was right)."""
    before = server.statistics()
    records = server.load([itertools.cycle(jobs)] * client_count, seconds)
    after = server.statistics()
    tokens = after["completion_tokens"] - before["completion_tokens"]
    guessed, right = (after["drafts"][key] - before["drafts"][key] for key in ("tokens", "accepted"))
    return in_window(records, seconds) / seconds, guessed / max(1, tokens), right / max(1, guessed)


def summary(runs, first):
    """Of [(speed, guessed, right)], one a round, beside the first server's."""
    return {
        "tokens_per_second": round(median([speed for speed, _, _ in runs])),
        "ratio": round(median([run[0] / other[0] for run, other in zip(runs, first)]), 2),
        "guesses_per_token": round(median([guessed for _, guessed, _ in runs]), 2),
        "right": round(median([right for _, _, right in runs]), 2)}


def main(arguments=None):
    options = parse(arguments)
    samples = {}
    for _, drafts in in_turns(options, "--draft-tokens", options.drafts):
        server_options = ["--draft-tokens", drafts, "--prefix-cache", "off"]
        with GraftServer(options.graft, options.base, options.threads, options=server_options) as server:
            for kind, jobs in loads(options).items():
                for count in options.clients:
                    samples.setdefault((kind, count), {}).setdefault(drafts, []).append(
                        measure(server, jobs, count, options.seconds))
    found = {}
    for (kind, count), runs in samples.items():
        found.setdefault(kind, {})[f"{count} clients"] = {
            str(drafts): summary(runs[drafts], runs[options.drafts[0]]) for drafts in runs}
    report(options, found)


if __name__ == "__main__":
    main()
