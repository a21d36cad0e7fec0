"""Windows against a model that keeps everything, and percentiles against the observations themselves."""

from bisect import bisect_left
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.stats.windows import SLACK_S, SPANS, Growth, Sample, Window, milliseconds, percentile

BOUNDS = (0.001, 0.01, 0.1, 1.0)
samples = st.lists(
    st.tuples(st.floats(0.8, 1.2), st.integers(0, 1_000), st.integers(0, 5)), min_size=1, max_size=200
).map(lambda steps: [*_summed(steps)])


def _summed(steps: list[tuple[float, int, int]]) -> list[Sample]:
    at, first, second, made = 0.0, 0, 0, []
    for pause, more, other in steps:
        at, first, second = at + pause, first + more, second + other
        made.append(Sample(at, (first, second)))
    return made


def _model(seen: list[Sample], span: float, step: float) -> Growth:
    """Of all samples: those that are marks, and of these the newest that is old enough, or else the first."""
    marks, last = [], -inf
    for sample in seen:
        if sample.at - last >= step - SLACK_S:
            marks.append(sample)
            last = sample.at
    now = seen[-1]
    old = [mark for mark in marks if mark.at <= now.at - span + SLACK_S]
    base = old[-1] if old else marks[0]
    return Growth(now.at - base.at, tuple(a - b for a, b in zip(now.values, base.values, strict=True)))


@pytest.mark.parametrize(("span", "step"), [(1, 1), (10, 2), (60, 5), (60, 1), (30, 10)])
@given(seen=samples)
def test_a_window_says_what_a_model_says_that_keeps_everything(span: float, step: float, seen: list[Sample]) -> None:
    window = Window(span, step)
    for count, sample in enumerate(seen, 1):
        window.add(sample)
        assert window.growth(sample) == _model(seen[:count], span, step)
        assert len(window) <= span / (step - SLACK_S) + 2


def test_a_day_takes_a_bounded_number_of_marks() -> None:
    windows = {name: Window(span, step) for name, (span, step) in SPANS.items()}
    for second in range(100_000):
        sample = Sample(float(second), (second * 2.0,))
        for window in windows.values():
            window.add(sample)
    assert {name: len(window) for name, window in windows.items()} == {"1s": 2, "1m": 61, "15m": 91, "24h": 289}
    assert {round(window.growth(sample).rate(0), 6) for window in windows.values()} == {2.0}


def test_nothing_is_known_at_the_first_look() -> None:
    window, sample = Window(60, 1), Sample(5.0, (7.0,))
    window.add(sample)
    assert window.growth(sample).rate(0) == 0.0


@given(st.lists(st.floats(0, 2), min_size=1, max_size=300), st.floats(0.01, 1))
def test_a_percentile_lies_in_the_bucket_of_the_true_one(seen: list[float], part: float) -> None:
    counts = [0] * (len(BOUNDS) + 1)
    for value in seen:
        counts[bisect_left(BOUNDS, value)] += 1
    told = percentile(BOUNDS, counts, part)
    true = sorted(seen)[max(0, -int(-part * len(seen) // 1) - 1)]
    assert told is not None
    at = bisect_left(BOUNDS, true)
    low, high = (0.0, *BOUNDS)[at], (*BOUNDS, BOUNDS[-1])[at]
    assert low - 1e-9 <= told <= high + 1e-9


def test_where_nothing_was_observed_there_is_no_percentile() -> None:
    assert percentile(BOUNDS, [0, 0, 0, 0, 0], 0.99) is None
    assert milliseconds(BOUNDS, [0, 4, 0, 0, 0], 0.5) == 5.5
    assert milliseconds(BOUNDS, [0, 0, 0, 0, 3], 0.5) == 1_000.0
