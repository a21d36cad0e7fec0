"""How an alert ends for a program that was not there to hear of it. Virtual time, a server from memory.

Who was offline at the all-clear had the alarm in `client.alerts` for ever: whatever was not called back was kept."""

import json
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.alerts.vocabulary import Kind
from bandstand.client import Alert, AlertOver, Client, PrivateNote
from gateway.alerts import frame_of
from gateway.protocol import orders, server
from gateway.protocol.client import Join
from gateway.protocol.codec import encode
from tests.alerts.making import draft
from tests.alerts.test_cap import alert
from tests.client.fake_server import FakeHouse, no
from tests.client.listening import at, listen

EXPIRES_S = 600
NAME = alert(draft()).id


def frame(rev: int = 1, kind: Kind = Kind.ALERT) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(encode(frame_of(alert(draft(expires_s=EXPIRES_S), rev, kind))))
    return made


async def away(house: FakeHouse, seconds: float) -> None:
    house.down = True
    house.cut_all()
    await trio.sleep(seconds)


def told(heard: list[Any]) -> list[Alert | AlertOver]:
    return [event for event in heard if isinstance(event, Alert | AlertOver)]


async def with_an_alert(client: Client, house: FakeHouse, nursery: trio.Nursery) -> list[Any]:
    house.say_all(frame())
    heard: list[Any] = []
    nursery.start_soon(listen, client.events(), heard)
    await trio.sleep(1)
    assert list(client.alerts) == [NAME]
    return heard


async def test_what_is_not_listed_any_more_is_over(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client, trio.open_nursery() as nursery:
        heard = await with_an_alert(client, house, nursery)
        await away(house, 30)
        assert list(client.alerts) == [NAME], "nobody has said that it is over"
        house.down = False
        await trio.sleep(30)
        assert not client.alerts
        assert told(heard)[-1] == AlertOver(NAME, 1, "")
        nursery.cancel_scope.cancel()


async def test_what_may_come_with_a_room_is_kept_until_that_is_joined_again(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client, trio.open_nursery() as nursery:
        await client.join("main-stage", listen=False)
        heard = await with_an_alert(client, house, nursery)
        house.refuse = lambda asked: no(asked, "busy", 60_000) if isinstance(asked, Join) else None
        house.cut_all()
        await trio.sleep(30)
        assert client.online
        assert list(client.alerts) == [NAME]
        house.refuse = lambda asked: None
        house.alerts = (frame(),)
        await trio.sleep(60)
        assert list(client.alerts) == [NAME]
        assert len(told(heard)) == 1
        house.alerts = ()
        house.cut_all()
        await trio.sleep(30)
        assert not client.alerts
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("connected", [True, False])
async def test_it_is_over_at_its_time_with_or_without_a_server(connected: bool, autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client, trio.open_nursery() as nursery:
        heard = await with_an_alert(client, house, nursery)
        if not connected:
            await away(house, 0)
        await trio.sleep(EXPIRES_S - 2 - trio.current_time())
        assert client.alerts
        await trio.sleep(3)
        assert not client.alerts
        assert told(heard)[-1] == AlertOver(NAME, 1, "expired")
        house.down, house.alerts = False, (frame(),)
        house.cut_all()
        await trio.sleep(60)
        assert len(told(heard)) == 2, "a late listing does not bring it back"
        nursery.cancel_scope.cancel()


async def test_last_words_that_were_missed_are_told_and_end_it(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client, trio.open_nursery() as nursery:
        heard = await with_an_alert(client, house, nursery)
        await away(house, 10)
        house.down, house.alerts = False, (frame(2, Kind.ALL_CLEAR),)
        await trio.sleep(30)
        assert not client.alerts
        last, over = told(heard)[-2:]
        assert isinstance(last, Alert)
        assert (last.rev, last.kind, over) == (2, "all_clear", AlertOver(NAME, 2, "cleared"))
        house.say_all(server.AlertOver(NAME, 2, "cleared"))
        house.cut_all()
        await trio.sleep(30)
        assert len(told(heard)) == 3
        nursery.cancel_scope.cancel()


async def test_a_note_to_this_member_alone_is_an_event(autojump_clock: MockClock) -> None:
    """It was taken off the line and thrown away."""
    house = FakeHouse()
    heard: list[Any] = []
    async with at(house) as client, trio.open_nursery() as nursery:
        nursery.start_soon(listen, client.events(), heard)
        house.say_all(orders.NoteFrame(1_790_000_000.0, "please come to the gate"))
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    notes = [event for event in heard if isinstance(event, PrivateNote)]
    assert notes == [PrivateNote(1_790_000_000.0, "please come to the gate")]
