"""No task of the gateway ends the server: what goes wrong in one ends that one, and the connection it waited for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel
from attrs import define, field
from trio.testing import MockClock

from actors.admin.store import StoreFailed
from actors.admin.store_audit import AuditTable
from actors.journal.desk import Desk
from gateway.admin.watches import Watches
from gateway.barrier import Barrier, Tasks
from gateway.connection import Connection
from gateway.protocol.codes import CloseCode
from gateway.wheel import Wheel
from tests.gateway.serving import ask, command, hear, say, serving
from tests.gateway.test_admin_watches import Board, Feed, Line, payload


async def test_a_task_that_fails_ends_alone_and_says_so_once() -> None:
    ended: list[str] = []

    async def fail() -> None:
        raise ExceptionGroup("two", [RuntimeError("a bug"), ValueError("another")])

    async def go_on() -> None:
        await trio.lowlevel.checkpoint()
        ended.append("went on")

    def fails_too() -> None:
        ended.append("told")
        raise RuntimeError("a bug in the farewell")

    async with trio.open_nursery() as nursery:
        tasks = Tasks(nursery, barrier := Barrier())
        tasks.start_soon(fail, failed=fails_too)
        tasks.start_soon(go_on)
    assert sorted(ended) == ["told", "went on"]
    assert barrier.faults == 2


async def test_what_goes_on_for_ever_is_begun_anew(autojump_clock: MockClock) -> None:
    begun: list[float] = []

    async def beat() -> None:
        begun.append(trio.current_time())
        await trio.sleep(9)
        raise RuntimeError("a bug")

    with trio.move_on_after(25):
        async with trio.open_nursery() as nursery:
            Tasks(nursery, Barrier()).keep_up(beat)
    assert begun == [0, 10, 20]


async def test_a_cancellation_passes() -> None:
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            tasks = Tasks(nursery, barrier := Barrier())
            tasks.start_soon(trio.sleep_forever)
            scope.cancel()
    assert scope.cancelled_caught
    assert barrier.faults == 0


@define(eq=False)
class Look:
    fails: bool
    looks: list[float] = field(factory=list)
    failures: int = 0

    def look(self, now: float) -> float | None:
        self.looks.append(now)
        if self.fails:
            raise RuntimeError("a bug")
        return now + 1

    def failed(self) -> None:
        self.failures += 1


async def test_a_look_that_fails_is_the_last_at_that_one_and_not_at_the_others(autojump_clock: MockClock) -> None:
    wheel = Wheel(barrier := Barrier())
    broken, whole = Look(fails=True), Look(fails=False)
    wheel.add(broken, 1.0)
    wheel.add(whole, 1.0)
    with trio.move_on_after(5.5):
        await wheel.turn()
    assert (len(broken.looks), broken.failures) == (1, 1)
    assert len(whole.looks) == 5
    assert barrier.faults == 1


class BrokenBoard(Board):
    broken: bool = False

    def snapshot(self, topic: str) -> Mapping[str, Any] | None:
        return {"at": object()} if self.broken and topic == "rooms" else super().snapshot(topic)


async def test_a_snapshot_that_cannot_be_encoded_keeps_no_other_back(autojump_clock: MockClock) -> None:
    board, line = BrokenBoard(), Line()
    watches = Watches(board, Feed(), lambda: 100.25, barrier := Barrier())
    for topic in ("rooms", "stats"):
        watches.add(topic, line, None)  # type: ignore[arg-type]
    board.broken = True
    line.sent.clear()
    with trio.move_on_after(3.5):
        await watches.run()
    assert [payload(frame)["topic"] for frame in line.sent] == ["stats"] * 3
    assert barrier.faults == 3


async def test_an_export_that_cannot_be_recorded_is_refused_and_chat_goes_on(
    tmp_path: Path, quick_hashes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record of an export was written outside of what catches a full disk, in a task of the server's own nursery:
    one export ended chat and alerts for everybody."""

    async def full(*_args: object, **_named: object) -> None:
        raise StoreFailed("database or disk is full")

    with trio.fail_after(20):
        async with serving(tmp_path) as live:
            bystander, operator = await live.joined("Bo"), await live.operator()
            monkeypatch.setattr(AuditTable, "record", full)
            answer = await command(operator, "room.export", room="main-stage")
            assert (answer["type"], answer["code"], answer["retry"]) == ("error", "unavailable", True)
            assert (await ask(bystander, "heartbeat"))["type"] == "ok"
            assert live.served.listener.faults == 0


async def test_a_task_that_fails_ends_its_connection_with_4101_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_args: object) -> None:
        raise RuntimeError("a bug")

    with trio.fail_after(20):
        async with serving(tmp_path) as live:
            bystander, ready = await live.member(nickname="Bo")
            monkeypatch.setattr(Desk, "roster", broken)
            peer = await live.stranger()
            await say(peer, "auth", id=1, token=ready["token"])
            assert (await hear(peer, "bye"))["code"] == CloseCode.INTERNAL
            assert await peer.close_code() == CloseCode.INTERNAL
            assert (await ask(bystander, "heartbeat"))["type"] == "ok"
            assert live.served.listener.faults == 1


async def test_a_look_that_fails_ends_its_connection_with_4101_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(connection: Connection, now: float) -> None:
        if connection.nickname == "Ana":
            raise RuntimeError("a bug")

    with trio.fail_after(20):
        async with serving(tmp_path, heartbeat__every_s=1, heartbeat__dead_s=3) as live:
            monkeypatch.setattr(Connection, "look", broken)
            (peer, _), (bystander, _) = await live.member(nickname="Ana"), await live.member(nickname="Bo")
            assert await peer.close_code() == CloseCode.INTERNAL
            assert (await ask(bystander, "heartbeat"))["type"] == "ok"
