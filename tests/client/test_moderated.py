"""What the organisers do, as a program with the Python client is told it, over a real socket."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio

import gateway.app
from actors.events import Hidden as Hide
from actors.events import Pinned as Pin
from actors.house import House
from actors.names import HOUSE, Cid, MemberId, RoomName
from actors.people.standing import Sanction
from actors.room import messages as say
from bandstand.client import (
    Hidden,
    Message,
    Pinned,
    Policy,
    Refused,
    Removed,
    Room,
    RulesNow,
    SessionOver,
    TakenOut,
    connect,
)
from gateway.app import App
from gateway.reception import Reception, Reported
from tests.cli.running import settings_of

T = TypeVar("T")
MAIN = RoomName("main")


class Quiet:
    def answer(self, value: object) -> None:
        """Nobody asked."""


def order(house: House, make: Callable[..., Any], *args: Any) -> None:
    house.refs[MAIN].urge(make(Quiet(), *args))


async def told(room: Room, kind: type[T]) -> T:
    with trio.fail_after(60):
        async for event in room:
            if isinstance(event, kind):
                return event
    raise AssertionError("the room has ended")


@contextmanager
def reports(patch: pytest.MonkeyPatch) -> Iterator[list[Reported]]:
    heard: list[Reported] = []

    async def hear(report: Reported) -> None:
        heard.append(report)

    with patch.context() as during:
        during.setattr(gateway.app, "Reception", lambda **named: Reception(**{**named, "reported": hear}))
        yield heard


async def test_a_program_follows_what_the_organisers_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with reports(monkeypatch) as heard:
        async with App(settings_of(tmp_path)).serve() as serving:
            url, house = f"ws://127.0.0.1:{serving.addresses[0].port}/ws", serving.house
            async with connect(url, nickname="Ana") as client:
                room = await client.join("main")
                house.standing.badges[MemberId(client.member)] = "Medic"
                await room.send("secret")
                assert (await told(room, Message)).badge == "Medic"
                await room.report(1, "an address")
                assert heard == [Reported(MAIN, 1, "an address", MemberId(client.member), "Ana")]
                order(house, say.Moderate, HOUSE, Cid("o1"), Hide(1, "private"))
                assert (await told(room, Hidden)).target == 1
                assert isinstance((await room.history()).items[0], Removed)
                order(house, say.Moderate, HOUSE, Cid("o2"), Pin(1))
                assert ((await told(room, Pinned)).target, room.pinned) == (1, 1)
                house.standing.lockdown = 1
                house.refs[MAIN].urge(say.RulesChanged())
                assert isinstance((await told(room, RulesNow)).policy, Policy)
                assert room.policy.lockdown == 1
                with pytest.raises(Refused) as locked:
                    await room.send("hello?")
                assert locked.value.code == "locked_down"
                order(house, say.Remove, MemberId(client.member), "goodbye")
                assert (await told(room, TakenOut)).reason == "goodbye"
                with pytest.raises(Refused):
                    await room.send("wait")


async def test_who_is_banned_does_not_come_in_again(tmp_path: Path) -> None:
    async with App(settings_of(tmp_path)).serve() as serving:
        url = f"ws://127.0.0.1:{serving.addresses[0].port}/ws"
        serving.house.standing.put(Sanction("ban", None, "127.0.0.1", reason="fireworks"))
        with trio.fail_after(60), pytest.raises((SessionOver, Refused)) as over:
            async with connect(url, nickname="Ana"):
                pass
        assert "4403" in str(over.value) or "fireworks" in str(over.value)
