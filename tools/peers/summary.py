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


def zipf_choices(count, exponent, draws, seed):
    """`draws` numbers below `count`, where number k has weight 1 / (k + 1)^exponent; 0 is uniform."""
    weights = [(k + 1) ** -exponent for k in range(count)]
    bounds = list(itertools.accumulate(weights))
    generator = random.Random(seed)
    return [min(bisect.bisect(bounds, generator.random() * bounds[-1]), count - 1)
            for _ in range(draws)]


def summarize(records):
    """Throughput and latencies of one run under load.

    `records` are dictionaries with `sent`, `first` and `end` (seconds on one clock) and `tokens`
    (new ones). Throughput is new tokens a second from the first request sent to the last answer's
    end; times are in seconds.
    """
    span = max(r["end"] for r in records) - min(r["sent"] for r in records)
    latency = [r["end"] - r["sent"] for r in records]
    first = [r["first"] - r["sent"] for r in records]
    return {
        "value": sum(r["tokens"] for r in records) / span,
        "latency_p50": percentile(latency, 0.5),
        "latency_p95": percentile(latency, 0.95),
        "first_token_p50": percentile(first, 0.5),
        "first_token_p95": percentile(first, 0.95),
        "latencies": [round(value, 4) for value in sorted(latency)],
    }
