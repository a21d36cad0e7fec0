"""Rooms that a program gave up on its way in: the server must not think for ever that it is there."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from bandstand.client import Client, Message, Refused, Room
from gateway.protocol import client as said
from tests.client.fake_server import FakeHouse, Fault, no
from tests.client.listening import at


async def join_for(seconds: float, client: Client, room: str) -> None:
    with trio.move_on_after(seconds):
        await client.join(room)


def held_back(house: FakeHouse) -> list[Any]:
    """Joins that the server has taken and not answered yet."""
    kept: list[Any] = []

    def overhear(text: str) -> list[Any] | None:
        if '"join"' not in text:
            return None
        kept.append(text)
        return []

    house.overhear = overhear
    return kept


async def answer(house: FakeHouse, kept: list[Any]) -> None:
    house.overhear = lambda text: None
    (visit,) = house.visits
    while kept:
        await visit._take(kept.pop(0))
    await trio.sleep(1)


async def test_a_join_that_is_given_up_before_its_answer_leaves_nobody_behind(autojump_clock: MockClock) -> None:
    """A cancelled join was answered all the same: the member stood in the room, for everybody else, until the
    connection ended."""
    house = FakeHouse()
    async with at(house) as client:
        kept = held_back(house)
        await join_for(1, client, "main-stage")
        await answer(house, kept)
        assert house.room("main-stage").visits == []
        room = await client.join("main-stage")
        assert len(house.room("main-stage").visits) == 1
        await room.send("here")


async def test_who_asks_again_before_the_answer_comes_stays(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client, trio.open_nursery() as nursery:
        kept = held_back(house)
        await join_for(1, client, "main-stage-42")
        rooms: list[Room] = []

        async def again() -> None:
            rooms.append(await client.join("main-stage-42"))

        nursery.start_soon(again)
        await trio.sleep(1)
        house.room("main-stage")
        await answer(house, kept)
        await rooms[0].send("here")
        assert len(house.room("main-stage").visits) == 1


async def test_a_room_left_while_it_is_joined_again_after_a_loss_is_left(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client:
        room = await client.join("main-stage")
        kept = held_back(house)
        house.cut_all()
        await trio.sleep(30)
        assert kept
        await room.leave()
        await answer(house, kept)
        assert house.room("main-stage").visits == []


async def test_who_waited_on_a_join_that_was_given_up_joins_himself(autojump_clock: MockClock) -> None:
    """The second join got a room without a name that was left already."""
    house = FakeHouse()
    async with at(house) as client, trio.open_nursery() as nursery:
        kept = held_back(house)
        nursery.start_soon(join_for, 2, client, "main-stage")
        await trio.sleep(1)
        rooms: list[Room] = []

        async def second() -> None:
            rooms.append(await client.join("main-stage"))

        nursery.start_soon(second)
        await trio.sleep(2)
        await answer(house, kept)
        (room,) = rooms
        assert room.name == "main-stage"
        await room.send("here")
        assert len(house.room("main-stage").visits) == 1


async def test_leaving_and_coming_back_at_once_is_being_there(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client:
        for _ in range(3):
            room = await client.join("main-stage")
            await room.leave()
        room = await client.join("main-stage")
        await room.send("here")
        assert len(house.room("main-stage").visits) == 1


async def test_a_room_left_twice_does_not_end_what_came_after_it(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client:
        old = await client.join("main-stage")
        await old.leave()
        room = await client.join("main-stage")
        await old.leave()
        await room.send("here")
        with trio.fail_after(1):
            async for event in room:
                if isinstance(event, Message):
                    break


@pytest.mark.parametrize("step", range(1, 14))
async def test_a_connection_lost_while_somebody_leaves_keeps_nobody_waiting(
    step: int, autojump_clock: MockClock
) -> None:
    house = FakeHouse()
    async with at(house, patient=True) as client:
        room = await client.join("main-stage")
        house.faults[house.step + step] = Fault.CUT
        with trio.fail_after(60):
            await room.leave()
            await (await client.join("main-stage")).send("back")
        await trio.sleep(1)
        assert len(house.room("main-stage").visits) == 1


async def test_a_room_that_refuses_both_who_wait_for_it_is_refused_to_both(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    house.refuse = lambda frame: no(frame, "full") if isinstance(frame, said.Join) else None
    heard: list[str] = []
    async with at(house) as client:

        async def one() -> None:
            try:
                await client.join("main-stage")
            except Refused as refused:
                heard.append(str(refused))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one)
            nursery.start_soon(one)
    assert heard == ["full it is"] * 2
