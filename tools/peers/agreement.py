"""How far the answers of two engines agree."""

# Of the prompts' first tokens, this share must be equal: near-ties fall differently with rounding,
# but an engine that computes something else agrees on none of some ten thousand tokens.
LEAST_SHARE = 0.5


def compare(ours, theirs):
    """How far greedy answers agree: {first_equal, prompts, equal, tokens, ok}."""
    first = sum(a[:1] == b[:1] for a, b in zip(ours, theirs))
    equal = sum(common_prefix(a, b) for a, b in zip(ours, theirs))
    return {"first_equal": first, "prompts": len(ours), "equal": equal,
            "tokens": sum(map(len, ours)), "ok": first >= LEAST_SHARE * len(ours)}


def common_prefix(first, second):
    """How many tokens two answers have in common from their beginning."""
    count = 0
    for a, b in zip(first, second):
        if a != b:
            break
        count += 1
    return count
