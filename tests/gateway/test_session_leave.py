"""Leaving a room, over real sockets, when the room cannot hear of it at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.kernel import Quarantined
from actors.names import RoomName
from actors.room.messages import Census, RoomCensus
from gateway import requests
from tests.gateway.serving import Live, ask, serving

MAIN = RoomName("main-stage")


class FullMailbox:
    """A room's address, for as long as nothing more goes in."""

    closed = False

    def offer(self, message: object) -> bool:
        return False

    async def send(self, message: object) -> None:
        await trio.sleep_forever()


class InQuarantine:
    closed = False

    def offer(self, message: object) -> bool:
        raise Quarantined("room:main-stage", 30.0)


@contextmanager
def full(live: Live) -> Iterator[None]:
    """Nobody waits long for it, but for everything else as long as ever."""
    with pytest.MonkeyPatch.context() as impatient, instead(live, FullMailbox()):
        impatient.setattr(requests, "PATIENCE_SECONDS", 0.05)
        yield


@contextmanager
def instead(live: Live, ref: Any) -> Iterator[None]:
    refs = live.served.house.refs
    real, refs[MAIN] = refs[MAIN], ref
    yield
    refs[MAIN] = real


async def census(live: Live) -> RoomCensus:
    return await live.served.house.refs[MAIN].ask(Census)


async def nobody_sits(live: Live) -> None:
    with trio.fail_after(60):
        while (await census(live)).seats:  # noqa: ASYNC110
            await trio.sleep(0.01)


async def test_a_leave_that_is_refused_changes_nothing_and_the_next_one_does(tmp_path: Path) -> None:
    """The connection forgot its seat at once, whatever the room would say: chat went on, and a second leave was told
    `not_joined`."""
    async with serving(tmp_path) as live:
        ana = await live.joined("Ana")
        with full(live):
            refused = await ask(ana, "leave", room=MAIN)
        assert (refused["type"], refused["code"]) == ("error", "busy")
        assert (await census(live)).seats == 1
        assert (await ask(ana, "send", room=MAIN, cid="c1", text="still here"))["type"] == "ok"
        assert (await ask(ana, "leave", room=MAIN))["type"] == "ok"
        assert (await census(live)).online == 0
        assert (await ask(ana, "send", room=MAIN, cid="c2", text="gone"))["code"] == "not_joined"


async def test_who_is_cut_off_after_a_leave_that_was_refused_is_missed_in_the_room(tmp_path: Path) -> None:
    """A ghost stayed behind for ever, since the connection that ended knew of no seat any more."""
    async with serving(tmp_path) as live:
        ana = await live.joined("Ana")
        with full(live):
            assert (await ask(ana, "leave", room=MAIN))["code"] == "busy"
        ana.sock.close()
        await nobody_sits(live)


async def test_a_room_in_quarantine_can_be_left(tmp_path: Path) -> None:
    """Its next instance asks who is there."""
    async with serving(tmp_path) as live:
        ana = await live.joined("Ana")
        with instead(live, InQuarantine()):
            assert (await ask(ana, "leave", room=MAIN))["type"] == "ok"
            assert live.served.house.visits.seated(MAIN).seats == ()


async def test_old_messages_of_a_room_that_was_purged_just_now_are_of_no_room(tmp_path: Path) -> None:
    """The log knows no such room, which is no mistake of the connection's."""
    async with serving(tmp_path) as live:
        ana = await live.joined("Ana")
        with instead(live, InQuarantine()):
            await live.served.desk.purge(MAIN)
            answer = await ask(ana, "history", room=MAIN)
        assert (answer["type"], answer["code"]) == ("error", "unknown_room")
        assert (await ask(ana, "join", room="elsewhere"))["type"] == "ok"
