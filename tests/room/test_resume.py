"""Where a member begins: docs/protocol.md, join and resume."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.events import Policy
from actors.names import Epoch
from actors.room.messages import Position
from actors.room.resume import Gap, Plan, allowance, hasten, page_budget, plan

OLD, NOW = Epoch("e1"), Epoch("e2")


def since(seq: int, epoch: Epoch = NOW) -> Position:
    return Position(epoch, seq)


CASES: list[tuple[str, Position | None, int, int, int, int, int, Plan]] = [
    # what, since, tail, at_most, head, oldest, history -> plan
    ("fresh", None, 50, 1000, 100, 1, 1000, Plan("fresh", 50, 100)),
    ("fresh, no tail", None, 0, 1000, 100, 1, 1000, Plan("fresh", 100, 100)),
    ("fresh, more than there is", None, 200, 1000, 30, 1, 1000, Plan("fresh", 0, 30)),
    ("fresh, an empty room", None, 50, 1000, 0, 1, 1000, Plan("fresh", 0, 0)),
    ("fresh, the rest trimmed", None, 50, 1000, 100, 90, 1000, Plan("fresh", 89, 100)),
    ("fresh, all trimmed", None, 50, 1000, 100, 101, 1000, Plan("fresh", 100, 100)),
    ("fresh, bound by max", None, 50, 7, 100, 1, 1000, Plan("fresh", 93, 100)),
    ("fresh, bound by the room", None, 50, 1000, 100, 1, 3, Plan("fresh", 97, 100)),
    ("fresh, a negative tail", None, -4, 1000, 100, 1, 1000, Plan("fresh", 100, 100)),
    ("nothing missed", since(100), 50, 1000, 100, 1, 1000, Plan("resumed", 100, 100)),
    ("nothing missed, all trimmed", since(100), 50, 1000, 100, 101, 1000, Plan("resumed", 100, 100)),
    ("nothing missed, no history", since(100), 50, 0, 100, 1, 0, Plan("resumed", 100, 100)),
    ("one missed; tail does not count", since(99), 50, 1000, 100, 1, 1000, Plan("resumed", 99, 100)),
    ("from the start", since(0), 0, 1000, 100, 1, 1000, Plan("resumed", 0, 100)),
    ("from before the start", since(-5), 0, 1000, 100, 1, 1000, Plan("resumed", 0, 100)),
    ("exactly max", since(90), 0, 10, 100, 1, 1000, Plan("resumed", 90, 100)),
    ("one more than max", since(89), 0, 10, 100, 1, 1000, Plan("gap", 90, 100, Gap(90, 90, "too_many"))),
    ("the room's bound", since(10), 0, 1000, 100, 1, 10, Plan("gap", 90, 100, Gap(11, 90, "too_many"))),
    ("max of none", since(10), 0, 0, 100, 1, 1000, Plan("gap", 100, 100, Gap(11, 100, "too_many"))),
    ("up to the trim", since(49), 0, 1000, 100, 50, 1000, Plan("resumed", 49, 100)),
    ("one trimmed", since(48), 0, 1000, 100, 50, 1000, Plan("gap", 49, 100, Gap(49, 49, "trimmed"))),
    ("all trimmed", since(48), 0, 1000, 100, 101, 1000, Plan("gap", 100, 100, Gap(49, 100, "trimmed"))),
    ("trimmed, and too many", since(20), 0, 10, 100, 50, 1000, Plan("gap", 90, 100, Gap(21, 90, "too_many"))),
    ("trimmed, and one too many", since(20), 0, 49, 100, 51, 1000, Plan("gap", 51, 100, Gap(21, 51, "too_many"))),
    ("trimmed exactly to max", since(20), 0, 51, 100, 50, 1000, Plan("gap", 49, 100, Gap(21, 49, "trimmed"))),
    ("dead epoch", since(9000, OLD), 20, 1000, 100, 1, 1000, Plan("gap", 80, 100, Gap(1, 80, "epoch"))),
    ("an epoch yet to come", since(5, Epoch("e3")), 20, 1000, 100, 1, 1000, Plan("gap", 80, 100, Gap(1, 80, "epoch"))),
    ("dead epoch, all sent", since(5, OLD), 200, 1000, 100, 1, 1000, Plan("gap", 0, 100, Gap(1, 0, "epoch"))),
    ("dead epoch, no tail", since(5, OLD), 0, 1000, 100, 1, 1000, Plan("gap", 100, 100, Gap(1, 100, "epoch"))),
    ("dead epoch, new one empty", since(5, OLD), 9, 1000, 0, 1, 1000, Plan("gap", 0, 0, Gap(1, 0, "epoch"))),
    ("dead epoch, trimmed", since(5, OLD), 50, 1000, 100, 95, 1000, Plan("gap", 94, 100, Gap(1, 94, "epoch"))),
    ("beyond the head", since(101), 50, 1000, 100, 1, 1000, Plan("gap", 100, 100, beyond_head=True)),
    ("beyond an empty room", since(1), 50, 1000, 0, 1, 1000, Plan("gap", 0, 0, beyond_head=True)),
]


@pytest.mark.parametrize(
    ("where", "tail", "at_most", "head", "oldest", "history", "wanted"),
    [c[1:] for c in CASES],
    ids=[c[0] for c in CASES],
)
def test_a_member_begins(
    *, where: Position | None, tail: int, at_most: int, head: int, oldest: int, history: int, wanted: Plan
) -> None:
    assert plan(where, tail, at_most, NOW, head, oldest, Policy(history=history)) == wanted


sizes = st.integers(0, 30)


@given(
    where=st.none() | st.builds(Position, st.sampled_from([OLD, NOW]), sizes),
    tail=sizes,
    at_most=sizes,
    head=sizes,
    trimmed=sizes,
    history=sizes,
)
def test_gap_and_replay_together_are_all_that_was_missed(
    *, where: Position | None, tail: int, at_most: int, head: int, trimmed: int, history: int
) -> None:
    oldest = min(trimmed, head) + 1
    got = plan(where, tail, at_most, NOW, head, oldest, Policy(history=history))
    replayed = range(got.cursor + 1, got.target + 1)
    assert got.target == head
    assert len(replayed) <= min(at_most, history)
    assert all(seq >= oldest for seq in replayed), "only what can be read is promised"
    if where is None:
        assert (got.mode, got.gap, len(replayed)) == ("fresh", None, min(tail, at_most, history, head - oldest + 1))
        return
    if where.epoch == NOW and where.seq > head:
        assert got.beyond_head
        return
    held = where.seq if where.epoch == NOW else 0
    missed = list(range(held + 1, head + 1))
    named = [] if got.gap is None else list(range(got.gap.start, got.gap.end + 1))
    assert named + list(replayed) == missed
    assert (got.mode == "gap") == (got.gap is not None)
    if where.epoch == NOW:
        assert got.gap is None or named, "an empty gap is said of a dead epoch only"
        assert len(replayed) == min(len(missed), at_most, history, head - oldest + 1), "as much as the bounds allow"


@pytest.mark.parametrize(
    ("cursor", "head", "rate", "mean", "wanted"),
    [
        (0, 1000, None, 200.0, 0),
        (0, 1000, 1_000.0, 200.0, 950),
        (950, 1000, 1_000.0, 200.0, 950),
        (0, 1000, 0.0, 200.0, 990),
        (0, 1000, 1.0, 200.0, 990),
        (0, 10, 0.0, 200.0, 0),
        (1000, 1000, 0.0, 200.0, 1000),
        (0, 1000, 1e9, 200.0, 0),
        (0, 1000, 10.0, 0.0, 900),
    ],
)
def test_a_slow_seat_is_taken_ahead_to_what_it_can_read_in_time(
    cursor: int, head: int, rate: float | None, mean: float, wanted: int
) -> None:
    assert hasten(cursor, head, rate, mean) == wanted


def test_patience_and_floor_are_the_callers() -> None:
    assert hasten(0, 1000, 1_000.0, 100.0, 1.0, 5) == 990
    assert hasten(0, 1000, 100.0, 100.0, 1.0, 5) == 995


@given(st.integers(0, 2000), st.integers(0, 2000), st.floats(0, 1e7), st.floats(0, 1e5))
def test_hastening_never_goes_back_nor_past_the_newest(cursor: int, ahead: int, rate: float, mean: float) -> None:
    head = cursor + ahead
    moved = hasten(cursor, head, rate, mean)
    assert cursor <= moved <= head
    assert moved == cursor or head - moved >= 10


@pytest.mark.parametrize(
    ("rate", "wanted"),
    [
        (None, 65536),
        (0.0, 2048),
        (682.0, 2048),
        (1_000.0, 3_000),
        (21_845.0, 65_535),
        (21_846.0, 65_536),
        (1e9, 65_536),
    ],
)
def test_a_page_is_what_leaves_in_three_seconds(rate: float | None, wanted: int) -> None:
    assert page_budget(rate) == wanted


@pytest.mark.parametrize(
    ("before", "owed", "rate", "wanted"),
    [
        (2_048, 0, None, 4_096),
        (65_536, 0, None, 65_536),
        (8_192, 5_000, None, 8_192),
        (8_192, 9_000, None, 8_192),
        (65_536, 0, 1_000.0, 2_048),
        (2_048, 9_000, 50_000.0, 50_000),
    ],
)
def test_what_a_slow_line_may_owe_grows_while_all_arrives_until_its_speed_is_known(
    before: int, owed: int, rate: float | None, wanted: int
) -> None:
    assert allowance(before, owed, rate) == wanted
