"""Signs of life, of members and operators alike: asked in time, given up in time, and never a living one."""

from typing import Any

import pytest
import trio
from attrs import define, field
from trio.testing import MockClock

from gateway.admin.connection import AdminConnection
from gateway.barrier import Barrier, Tasks
from gateway.connection import Connection
from gateway.living import Living
from gateway.protocol.codes import CloseCode
from gateway.reception import Times
from gateway.wheel import Wheel


@define
class Arrival:
    since: float = 0.0
    failures: int = 0

    def failed(self, now: float) -> bool:
        self.failures += 1
        return False


@define
class Wire:
    arrival: Arrival = field(factory=Arrival)
    progressed_at: float = 0.0
    looks: int = 0
    paused: bool = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def check_stuck(self, now: float) -> None:
        self.looks += 1


class Someone(Living):
    def __init__(self, times: Times, *, nobody: bool = False, answers: bool = False) -> None:
        self.times, self.nobody, self.answers = times, nobody, answers
        self.asked: list[float] = []
        self.ended: list[tuple[float, int]] = []
        self.wire = Wire()
        self.first_look = self._come_to_life(self.wire, 1.0, 1.0)  # type: ignore[arg-type]

    @property
    def _times(self) -> Times:
        return self.times

    @property
    def _is_nobody(self) -> bool:
        return self.nobody

    def _ask(self, now: float) -> None:
        self.asked.append(now)
        if self.answers:
            self.heard()

    def part(self, code: int, retry_after_ms: int | None = None) -> None:
        self.ended.append((trio.current_time(), code))


async def live(someone: Someone, seconds: float) -> None:
    wheel = Wheel(Barrier())
    wheel.add(someone, someone.first_look)
    with trio.move_on_after(seconds):
        await wheel.turn()


TIMES = [Times(25.0, 0.1, 60.0, 15.0), Times(1.0, 0.0, 2.0, 1.0), Times(1.0, 0.5, 4.0, 15.0)]


@pytest.mark.parametrize("times", TIMES, ids=str)
async def test_the_silent_are_asked_once_and_given_up_when_the_settings_say(
    times: Times, autojump_clock: MockClock
) -> None:
    silent, talker, stranger = Someone(times), Someone(times, answers=True), Someone(times, nobody=True)
    reader = Someone(times)  # takes bytes, and says nothing
    async with trio.open_nursery() as nursery:
        for each in (silent, talker, stranger, reader):
            nursery.start_soon(live, each, 300.0)
        while trio.current_time() < 299:
            await trio.sleep(0.5)
            reader.wire.progressed_at = trio.current_time()
    patience_s = times.heartbeat_s * (1 + times.jitter)
    assert len(silent.asked) == 1
    assert patience_s <= silent.asked[0] <= patience_s + 1
    ((ended, code),) = silent.ended
    assert code == CloseCode.HEARTBEAT_LOST
    assert times.dead_s <= ended <= times.dead_s * 1.25 + 1
    assert talker.ended == reader.ended == []
    assert len(talker.asked) >= 300 // (patience_s + 2)
    assert len(reader.asked) == 1
    ((ended, code),) = stranger.ended
    # An overloaded radio cell makes silence by itself: it is no failure of the address.
    assert (code, stranger.wire.arrival.failures) == (CloseCode.AUTH_TIMEOUT, 0)
    assert times.authenticate_s <= ended <= times.authenticate_s * 1.1 + 1


class Speaker(Someone):
    """With the end that connections have."""

    part = Living.part

    def __init__(self, tasks: Tasks) -> None:
        super().__init__(TIMES[0])
        self.tasks = tasks
        self.outlet = self._session = self  # type: ignore[assignment]

    @property
    def _tasks(self) -> Tasks:
        return self.tasks

    def close(self) -> None: ...

    def finish(self, code: int, _retry_after_ms: int | None = None) -> None:
        self.ended.append((trio.current_time(), code))


async def test_the_wire_stands_still_until_the_last_reason_for_it_is_gone(autojump_clock: MockClock) -> None:
    """Whoever was slowed down and also waited for a full mailbox read on when the shorter of the two was over."""
    async with trio.open_nursery() as nursery:
        speaker = Speaker(Tasks(nursery, Barrier()))
        for seconds in (2.0, 1.0):
            speaker._wait_for(trio.sleep, seconds)
        for after, paused in ((0.5, True), (1.5, True), (2.5, False)):
            await trio.sleep_until(after)
            assert speaker.wire.paused is paused


async def test_who_was_told_to_fall_silent_says_nothing_more_until_the_end(autojump_clock: MockClock) -> None:
    """A drain was undone for those who just then were slowed down."""
    async with trio.open_nursery() as nursery:
        speaker = Speaker(Tasks(nursery, Barrier()))
        speaker._wait_for(trio.sleep, 1.0)
        speaker.fall_silent()
        await trio.sleep(2.0)
        assert speaker.wire.paused
        speaker.part(CloseCode.DRAINING)
        assert not speaker.wire.paused, "the peer's own close is to be heard"


async def test_what_fails_in_a_connection_s_place_ends_it(autojump_clock: MockClock) -> None:
    async def fail() -> None:
        await trio.sleep(1)
        raise RuntimeError("a bug")

    async with trio.open_nursery() as nursery:
        speaker = Speaker(Tasks(nursery, Barrier()))
        speaker._wait_for(fail)
    assert speaker.ended == [(1.0, CloseCode.INTERNAL)]
    assert not speaker.wire.paused


def test_members_and_operators_are_watched_by_the_same_rule() -> None:
    assert Connection.look is Living.look
    assert not [name for name in vars(AdminConnection) if name in ("heard", "_come_to_life")]


async def test_a_look_makes_nothing_and_starts_nothing(autojump_clock: MockClock) -> None:
    """There are fifty thousand of them."""
    someone: Any = Someone(TIMES[0], answers=True)
    tasks = trio.lowlevel.current_statistics().tasks_living
    again = someone.look(1.0)
    assert again == someone.look(1.0) == 11.0
    assert trio.lowlevel.current_statistics().tasks_living == tasks
    assert not hasattr(Living(), "__dict__"), "its fields are slots: nothing is allocated for a beat"
