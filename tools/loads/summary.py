"""Medians, percentiles and draws: the arithmetic of the measurements, without any package."""

import bisect
import itertools
import random


def percentile(values, share):
    """The value below which `share` (0…1) of them lie, between neighbours in proportion."""
    if not values:
        raise ValueError("percentile of nothing")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def median(values):
    return percentile(values, 0.5)


def zipf_draws(count, exponent, seed):
    """Numbers below `count` without end, where number k has weight 1 / (k + 1)^exponent; 0 is uniform."""
    weights = [(k + 1) ** -exponent for k in range(count)]
    bounds = list(itertools.accumulate(weights))
    generator = random.Random(seed)
    while True:
        yield min(bisect.bisect(bounds, generator.random() * bounds[-1]), count - 1)


def in_window(records, seconds):
    """New tokens that came in the `seconds` from the first request on.

    Of an answer that ended later, those count that came before, in even steps from its first token on.
    Raises ValueError where the load was shorter or no token came.
    """
    start = min(r["sent"] for r in records)
    until = start + seconds
    if max(r["end"] for r in records) < until:
        raise ValueError(
            f"the load ended after {max(r['end'] for r in records) - start:.1f} s: a sample lasts "
            f"{seconds:g} s")
    total = 0
    for r in records:
        if r["end"] <= until:
            total += r["tokens"]
        elif r["first"] <= until:
            total += 1 + (r["tokens"] - 1) * (until - r["first"]) / (r["end"] - r["first"])
    if not total:
        raise ValueError(f"no token came in the {seconds:g} s of the sample")
    return total


def summarize(records, seconds):
    """Throughput and latencies of one run under load.

    `records` are dictionaries with `sent`, `first` and `end` (seconds on one clock) and `tokens`
    (new ones). Throughput is new tokens a second in the `seconds` from the first request on, while all
    clients were busy; times are those of all requests, in seconds.
    """
    latency = [r["end"] - r["sent"] for r in records]
    first = [r["first"] - r["sent"] for r in records]
    return {
        "value": in_window(records, seconds) / seconds,
        "latency_p50": percentile(latency, 0.5),
        "latency_p95": percentile(latency, 0.95),
        "first_token_p50": percentile(first, 0.5),
        "first_token_p95": percentile(first, 0.95),
        "latencies": [round(value, 4) for value in thinned(latency)],
    }


def thinned(values, most=101):
    """The values in order, or as many of their percentiles."""
    if len(values) <= most:
        return sorted(values)
    return [percentile(values, step / (most - 1)) for step in range(most)]
