"""Counters sampled once a second, and what they grew by within the last second, minute, quarter of an hour and day.

Pure. A window keeps marks at steps of its own, so a day costs 290 of them, not 86,400; it then reaches back to the
newest mark that is old enough, one step more than its span at most, and rates are by the time that really passed."""

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import pairwise

from attrs import define, field, frozen

SLACK_S = 0.25
"""Ticks of a second come early or late by so much: not a mark more or less for that."""
SPANS: Mapping[str, tuple[float, float]] = {
    "1s": (1, 1),
    "1m": (60, 1),
    "15m": (900, 10),
    "24h": (86_400, 300),
}
"""Name -> span and step, seconds."""


@frozen
class Sample:
    """All counters at one moment, in an order that their owner knows. `at`: seconds on a clock that never goes back."""

    at: float
    values: tuple[float, ...]


@frozen
class Growth:
    """What the counters grew by within `seconds`."""

    seconds: float
    values: tuple[float, ...]

    def rate(self, place: int) -> float:
        return self.values[place] / self.seconds if self.seconds > 0 else 0.0


@define
class Window:
    """Holds at most span / (step - SLACK_S) + 2 marks."""

    span_s: float
    step_s: float
    _marks: deque[Sample] = field(factory=deque, init=False)

    def add(self, sample: Sample) -> None:
        marks = self._marks
        if not marks or sample.at - marks[-1].at >= self.step_s - SLACK_S:
            marks.append(sample)
        reach = sample.at - self.span_s + SLACK_S
        while len(marks) > 1 and marks[1].at <= reach:
            marks.popleft()

    def growth(self, now: Sample) -> Growth:
        """From the newest mark that is as old as the span - the oldest, while none is - to `now`, which is added."""
        base = self._marks[0]
        if base.values is now.values:
            return Growth(now.at - base.at, (0.0,) * len(now.values))
        return Growth(now.at - base.at, tuple(new - old for new, old in zip(now.values, base.values, strict=True)))

    def __len__(self) -> int:
        return len(self._marks)


def percentile(bounds: Sequence[float], counts: Sequence[float], part: float) -> float | None:
    """The value under which `part` (0..1) of the observations lie, as evenly spread within a bucket; None: there were
    none. What lies beyond the last bound is told as that bound: at least so much."""
    total = sum(counts)
    if total <= 0:
        return None
    rest = part * total
    for (low, high), count in zip(pairwise((0.0, *bounds)), counts, strict=False):
        if count and rest <= count:
            return low + (high - low) * rest / count
        rest -= count
    return bounds[-1]


def milliseconds(bounds: Sequence[float], counts: Sequence[float], part: float) -> float | None:
    value = percentile(bounds, counts, part)
    return None if value is None else round(value * 1_000, 2)
