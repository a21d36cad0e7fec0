"""What only shows in the whole app: times that are told, and the kernel's part."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event

import pytest
import trio
from attrs import astuple, evolve
from trio.testing import MockClock

from actors.house import Deadlines
from actors.journal.writer import WriterThread
from actors.kernel import Supervisor
from gateway.connection import Connection
from gateway.protocol.codes import CloseCode
from tests.gateway.serving import hear, say, serving
from tests.wire.frames import PING, frame
from tests.wire.peer import settled


async def test_whoever_sends_too_many_pings_is_told_when_to_come_back(tmp_path: Path) -> None:
    with trio.fail_after(20):
        async with serving(tmp_path) as live:
            peer, _ = await live.member(nickname="Ana")
            await peer.send(frame(PING, b"x") * 60)
            frames, _ = await peer.ending()
            goodbye = json.loads(frames[-1][1])
            assert (goodbye["code"], goodbye["retry_after_ms"]) == (CloseCode.ABUSIVE, 60_000)


@asynccontextmanager
async def stopwatch() -> AsyncIterator[Callable[[], float]]:
    """Seconds of ours: those in which a busy machine gave the loop no turn are not counted."""
    late_s = 0.0

    async def look() -> None:
        nonlocal late_s
        while True:
            due = trio.current_time() + 0.01
            await trio.sleep_until(due)
            late_s += trio.current_time() - due

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        yield lambda: trio.current_time() - late_s
        nursery.cancel_scope.cancel()


async def test_a_stop_takes_as_long_as_the_settings_say_whatever_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The house had deadlines of its own, 19.9 s in all, whatever drain_s was. Behind the gateway's half they were more
    than a process manager waits for."""

    async def hang(*_args: object) -> None:
        await trio.sleep_forever()

    with trio.fail_after(30):
        async with stopwatch() as now:
            async with serving(tmp_path, drain_s=2) as live:
                await live.joined("Ana")
                house = live.served.house
                monkeypatch.setattr(Supervisor, "stop_and_wait", hang)
                began = now()
            assert now() - began < 2.5
        assert sum(astuple(house.deadlines)) < 2


@pytest.fixture
def writers(monkeypatch: pytest.MonkeyPatch) -> dict[str, WriterThread]:
    """The threads that write, by name, as they come to be."""
    made: dict[str, WriterThread] = {}

    def init(self: WriterThread, name: str = "journal", begin: Callable[..., None] = WriterThread.__init__) -> None:
        begin(self, name)
        made[name] = self

    monkeypatch.setattr(WriterThread, "__init__", init)
    return made


@pytest.mark.parametrize("name", ["admin", "journal", "alerts"])
async def test_a_disk_that_hangs_holds_no_stop_up(tmp_path: Path, writers: dict[str, WriterThread], name: str) -> None:
    """It took as long as the disk of the operators' record, and ten seconds with the journal's."""
    disk = Event()
    with trio.fail_after(30):  # nor the loop, which the stopwatch would not see
        try:
            async with stopwatch() as now:
                async with serving(tmp_path, drain_s=2) as live:
                    await live.joined("Ana")
                    writers[name].submit(lambda: disk.wait(60), lambda _: None, lambda _: None)
                    began = now()
                assert now() - began < 2.5
        finally:
            disk.set()


async def test_a_commit_that_is_stuck_leaves_time_to_say_when_to_come_back(
    tmp_path: Path, writers: dict[str, WriterThread]
) -> None:
    """What was said last was waited for until the time was up in which everybody is told: up to drain_s = 4, they heard
    4200 without a time, and all came back at once."""
    disk = Event()
    with trio.fail_after(30):
        try:
            async with serving(tmp_path, drain_s=2) as live:
                ana = await live.joined("Ana")
                live.peers.remove(ana)  # she stays
                writers["journal"].submit(lambda: disk.wait(60), lambda _: None, lambda _: None)
                await say(ana, "send", id=8, room="main-stage", cid="c", text="hi")
                await settled(lambda: live.served.desk.counters.in_flight)
            goodbye = await hear(ana, "bye")
            assert goodbye["code"] == CloseCode.DRAINING
            assert goodbye["retry_after_ms"] >= 500
            ana.sock.close()
        finally:
            disk.set()


@pytest.mark.parametrize("stood_still_s", [1.5, 5.0])
async def test_a_loop_that_stood_still_while_all_fell_silent_still_says_when_to_come_back(
    tmp_path: Path, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch, stood_still_s: float
) -> None:
    """The time in which everybody is told was over by then, and nobody was: on a machine that has much else to do all
    heard 4200 without a time, and came back at once. Past the whole of drain_s the house had less than no time, which
    ended the stop with a fault."""
    fall_silent = Connection.fall_silent

    def slowly(connection: Connection) -> None:
        fall_silent(connection)
        mock_clock.jump(stood_still_s)

    monkeypatch.setattr(Connection, "fall_silent", slowly)
    mock_clock.rate = 1  # time goes on, and jumps when they fall silent
    with trio.fail_after(60):
        async with serving(tmp_path, drain_s=2) as live:
            ana = await live.joined("Ana")
            live.peers.remove(ana)  # she stays
            monkeypatch.setattr(live.served.desk, "counters", evolve(live.served.desk.counters, in_flight=1))
        assert (await hear(ana, "bye"))["retry_after_ms"] >= 500
        ana.sock.close()


def test_deadlines_are_only_ever_shortened() -> None:
    assert Deadlines().within(60) == Deadlines()
    short = Deadlines().within(5)
    assert sum(astuple(short)) == pytest.approx(5)
    assert short.journal_s / short.rooms_s == pytest.approx(8 / 6)
    assert set(astuple(Deadlines().within(-1))) == {0}, "trio takes no time below none: the stop would never end"
