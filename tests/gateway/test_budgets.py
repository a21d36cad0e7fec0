"""Laws of the buckets, and the three steps of the pace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.budgets import Budget, Excess, Granted, Pace, SessionLimits, Strikes, TokenBucket

rates = st.floats(0.1, 100)
bursts = st.integers(1, 50)
gaps = st.lists(st.floats(0, 5), max_size=80)


@given(rates, bursts, gaps)
def test_no_window_gets_more_than_burst_and_rate(per_s: float, burst: int, waits: list[float]) -> None:
    bucket, now, taken = TokenBucket(per_s, burst), 0.0, []
    for wait in waits:
        now += wait
        if bucket.take(now):
            taken.append(now)
    for first, start in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + (taken[last] - start) * per_s + 1e-6


@given(rates, bursts, gaps)
def test_who_waits_as_long_as_told_is_served(per_s: float, burst: int, waits: list[float]) -> None:
    bucket, now = TokenBucket(per_s, burst), 0.0
    for wait in waits:
        now += wait
        told = bucket.wait_s(now)
        assert 0 <= told <= 1 / per_s + 1e-9
        assert bucket.take(now + told + 1e-6)
        now += told + 1e-6


@given(rates, bursts, st.floats(0, 1e9))
def test_silence_saves_up_for_no_more_than_the_burst(per_s: float, burst: int, silence: float) -> None:
    bucket = TokenBucket(per_s, burst)
    assert bucket.take(0)
    assert sum(bucket.take(silence) for _ in range(2 * burst + 2)) <= burst


def test_a_clock_that_goes_back_changes_nothing() -> None:
    bucket = TokenBucket(1, 2)
    assert bucket.take(100)
    assert bucket.take(50)
    assert not bucket.take(50)
    assert not bucket.take(100.5)
    assert bucket.take(101)


def test_refunds_fill_up_to_the_burst() -> None:
    bucket = TokenBucket(0.1, 2)
    bucket.refund(5)
    assert [bucket.take(0) for _ in range(3)] == [True, True, False]
    bucket.refund()
    assert [bucket.take(0) for _ in range(2)] == [True, False]


def test_what_is_larger_than_the_bucket_waits_for_a_full_one_and_leaves_a_debt() -> None:
    bucket = TokenBucket(10, 20)
    assert bucket.take(0, 50)
    assert bucket.wait_s(0, 50) == pytest.approx(5)
    assert bucket.wait_s(0, 1) == pytest.approx(3.1)


def test_strikes_count_within_the_window() -> None:
    strikes = Strikes(3, 5.0)
    assert [strikes.strike(at) for at in (0, 4, 5, 8, 8.5)] == [False, False, False, True, True]


def excess_s(verdict: Granted | Excess) -> float:
    assert isinstance(verdict, Excess)
    return verdict.wait_s


def pace(**changes: float) -> Pace:
    return Pace(SessionLimits(**{"messages_per_s": 5, "burst": 10, **changes}))  # type: ignore[arg-type]


def test_first_reading_is_put_off_for_two_seconds_in_all_and_then_it_is_refused() -> None:
    here = pace()
    verdicts = [here.judge(Budget.MESSAGES, 100, 0.0) for _ in range(16)]
    assert verdicts[:10] == [Granted()] * 10
    pauses = [verdict.pause_s for verdict in verdicts[10:] if isinstance(verdict, Granted)]
    assert pauses == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert sum(pauses) == pytest.approx(2.0)
    assert isinstance(verdicts[14], Excess)
    assert verdicts[14].wait_s == pytest.approx(1.0)
    assert verdicts[14] == verdicts[15]


def test_someone_who_is_paused_and_goes_on_is_held_to_the_rate() -> None:
    """The wire reads nothing during a pause, so the next text comes after it."""
    here, now, done = pace(), 0.0, 0
    while now < 10:
        verdict = here.judge(Budget.MESSAGES, 100, now)
        done += isinstance(verdict, Granted)
        now += verdict.pause_s if isinstance(verdict, Granted) else verdict.wait_s
    assert done == pytest.approx(10 + 10 * 5, abs=1)


def test_what_is_refused_costs_nothing() -> None:
    here = pace(backpressure_s=0)
    for _ in range(10):
        here.judge(Budget.MESSAGES, 100, 0.0)
    for _ in range(100):
        assert excess_s(here.judge(Budget.MESSAGES, 100, 0.0)) == pytest.approx(0.2)
    assert here.judge(Budget.MESSAGES, 100, 0.2001) == Granted()


def test_bytes_count_whatever_they_say() -> None:
    here = pace(backpressure_s=0)
    for _ in range(4):
        assert here.judge(None, 16_384, 0.0) == Granted()
    assert excess_s(here.judge(None, 16_384, 0.0)) == pytest.approx(0.25)
    assert isinstance(here.judge(Budget.CONTROL, 10, 0.0), Excess)


def test_budgets_are_apart() -> None:
    here = pace(backpressure_s=0)
    while isinstance(here.judge(Budget.JOINS, 10, 0.0), Granted):
        pass
    assert here.judge(Budget.RESUMES, 10, 0.0) == here.judge(Budget.MESSAGES, 10, 0.0) == Granted()


@pytest.mark.parametrize(
    ("budget", "burst"),
    [(Budget.MESSAGES, 10), (Budget.JOINS, 10), (Budget.RESUMES, 32), (Budget.TYPING, 3), (Budget.CONTROL, 20)],
)
def test_bursts_of_the_house(budget: Budget, burst: int) -> None:
    here = pace()
    assert sum(here.quietly(budget, 0.0) for _ in range(100)) == burst


@given(st.lists(st.tuples(st.sampled_from([*Budget][:5]), st.integers(1, 16_384), st.floats(0, 1)), max_size=100))
def test_pauses_grow_by_no_more_than_the_allowance(steps: list[tuple[Budget, int, float]]) -> None:
    here, now, paused = pace(), 0.0, 0.0
    for budget, size, wait in steps:
        now += wait
        verdict = here.judge(budget, size, now)
        if isinstance(verdict, Granted):
            assert verdict.pause_s <= 2.0
            paused += verdict.pause_s
        assert paused <= 2.0 + now * 0.1 + 1e-6
