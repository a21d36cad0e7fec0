"""FrameGuard as a table: bytes in, verdict out, however the bytes are cut."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.guard import FrameGuard
from gateway.wire.limits import WireLimits
from tests.wire.frames import CASES, PING, PONG, Case, close, frame, more, text


def verdict_of(pieces: Iterable[bytes]) -> int | None:
    guard = FrameGuard(WireLimits())
    for piece in pieces:
        verdict = guard.feed(piece, 0.0)
        if verdict is not None:
            assert verdict.reason
            return verdict.code
        if guard.closed:
            break
    return None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(case: Case) -> None:
    assert verdict_of([case.sent]) == case.guard


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict_does_not_depend_on_where_the_bytes_are_cut(case: Case) -> None:
    assert verdict_of(case.sent[i : i + 1] for i in range(len(case.sent))) == case.guard
    assert verdict_of(case.sent[i : i + 7] for i in range(0, len(case.sent), 7)) == case.guard


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 80
    assert len({case.name for case in CASES}) == len(CASES)


def test_a_length_of_two_to_the_62_is_refused_with_its_header_and_not_later() -> None:
    header = frame(1, claim=2**62)[:10]
    assert verdict_of([header]) == 1009


def test_control_frames_are_allowed_at_their_rate_for_ever() -> None:
    guard = FrameGuard(WireLimits(control_per_s=8.0))
    assert guard.feed(frame(PING) * 20, 0.0) is None
    for eighth in range(1, 1000):
        assert guard.feed(frame(PONG), eighth / 8) is None
    verdict = guard.feed(frame(PONG) * 2, 125.0)
    assert verdict is not None
    assert verdict.code == 4429


def test_only_whole_messages_are_counted() -> None:
    guard = FrameGuard(WireLimits())
    guard.feed(text("a") + text("b", fin=False) + frame(PING), 0.0)
    assert guard.messages == 1
    guard.feed(more("c"), 0.0)
    assert guard.messages == 2
    assert not guard.closed
    guard.feed(close(1000)[:-1], 0.0)
    assert not guard.closed
    guard.feed(close(1000)[-1:], 0.0)
    assert guard.closed


@pytest.mark.parametrize("size", [0, 1, 125, 126, 16 * 1024])
def test_whole_text_finds_the_end_of_one_complete_text_frame(size: int) -> None:
    guard, sent = FrameGuard(WireLimits()), text("x" * size)
    assert guard.whole_text(sent + b"rest", 0) == len(sent)
    assert guard.whole_text(b"before" + sent, 6) == 6 + len(sent)
    assert guard.whole_text(sent[:-1], 0) == 0


def test_whole_text_leaves_alone_what_is_not_ordinary() -> None:
    guard = FrameGuard(WireLimits())
    for odd in (
        text("a", fin=False),
        frame(PING),
        frame(1, b"x", rsv=4),
        frame(1, b"x" * 9, masked=False),
        frame(1, b"x", width=2),
        text("x" * (16 * 1024 + 1)),
        close(1000),
    ):
        assert guard.whole_text(odd, 0) == 0
    guard.feed(text("a", fin=False), 0.0)
    assert guard.whole_text(text("b"), 0) == 0, "inside a message it would be a protocol error"


@given(st.lists(st.sampled_from(CASES), max_size=4), st.data())
def test_any_cut_of_any_cases_gives_the_verdict_of_the_whole(cases: list[Case], data: st.DataObject) -> None:
    sent = b"".join(case.sent for case in cases)[:2_000]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=6)))
    pieces = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    assert verdict_of(pieces) == verdict_of([sent])
