"""Percentiles out of the raw rows that the hot loop left behind. Runs after the clock was stopped."""

import math
from array import array
from bisect import bisect_right
from collections.abc import Sequence

from attrs import frozen

from bench.stream import ReferenceStream

SAMPLES = 400_000
"""At most so many deliveries are timed, evenly spread over the run; the maximum is over all of them."""


@frozen
class Quantiles:
    """Milliseconds. `samples`: how many deliveries were timed."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    samples: int


def quantile(ordered: Sequence[float], q: float) -> float:
    """The smallest value that at least a share q of them does not exceed."""
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


def quantiles(seconds: Sequence[float], longest: float | None = None) -> Quantiles | None:
    if not seconds:
        return None
    ordered = sorted(seconds)
    p50, p90, p99 = (quantile(ordered, q) * 1000 for q in (0.5, 0.9, 0.99))
    return Quantiles(p50, p90, p99, (ordered[-1] if longest is None else longest) * 1000, len(ordered))


def delivery_latency(rooms: Sequence[ReferenceStream], deliveries: int) -> Quantiles | None:
    """Over all rows of these rooms; `deliveries` is about how many frames they cover."""
    stride = max(1, deliveries // SAMPLES)
    if stride % 2 == 0:
        stride += 1  # members are served in the same order each time: do not meet the same half for ever
    seconds: array[float] = array("d")
    skip, worst = 0, 0.0
    for room in rooms:
        ends, timed_from = room.ends, room.timed_from
        spans: dict[tuple[int, int], tuple[int, int]] = {}
        for at, *span in zip(room.arrivals.at, room.arrivals.since, room.arrivals.until, strict=True):
            key = (span[0], span[1])
            if key not in spans:
                spans[key] = (bisect_right(ends, span[0]), bisect_right(ends, span[1]))
            first, last = spans[key]
            if first < last:
                worst = max(worst, at - timed_from[first])
            k = first + skip
            while k < last:
                seconds.append(at - timed_from[k])
                k += stride
            skip = k - last
    return quantiles(seconds, worst)
