"""A program that takes its events slowly, or not at all."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair

from bandstand.client import CaughtUp, Message, connect
from bandstand.client import inbox as bounds
from tests.client.fake_server import FakeHouse, Fault


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "SOFT", 20)
    monkeypatch.setattr(bounds, "HARD", 60)


async def hear(room: Any, until: int) -> list[int]:
    heard = []
    async for event in room:
        if isinstance(event, Message):
            heard.append(event.seq)
            if event.seq == until:
                break
    return heard


async def test_the_reader_stops_when_the_program_does_and_goes_on_with_it(
    small: None, autojump_clock: MockClock
) -> None:
    house = FakeHouse()
    stage = house.room("main-stage")
    async with trio.open_nursery() as nursery:
        dial = house.dialler(nursery, lockstep_stream_pair)
        async with connect("fake", nickname="Ana", dial=dial) as client:
            room = await client.join("main-stage")
            for n in range(300):
                stage.say("Bo", str(n))
            await trio.sleep(20)
            waiting = len(client._session.inbox._queues["main-stage"])
            assert 20 <= waiting < 30, "bounded, and the rest waits on the server's side"
            assert await hear(room, 300) == list(range(1, 301))
            assert house.arrivals == 1
        nursery.cancel_scope.cancel()


async def test_an_answer_behind_a_flood_is_reached_by_a_program_that_waits_for_it(
    small: None, autojump_clock: MockClock
) -> None:
    house = FakeHouse()
    stage = house.room("main-stage")
    async with trio.open_nursery() as nursery:
        async with connect("fake", nickname="Ana", dial=house.dialler(nursery)) as client:
            room = await client.join("main-stage")
            for n in range(40):
                stage.say("Bo", str(n))
            with trio.fail_after(60):
                assert (await room.send("through it")).seq == 41
                assert await hear(room, 41) == list(range(1, 42))
        nursery.cancel_scope.cancel()


async def test_beyond_all_bounds_the_connection_is_given_up_and_nothing_is_lost(
    small: None, autojump_clock: MockClock
) -> None:
    house = FakeHouse()
    stage = house.room("main-stage")
    async with trio.open_nursery() as nursery:
        async with connect("fake", nickname="Ana", dial=house.dialler(nursery)) as client:
            room = await client.join("main-stage")
            for n in range(200):
                stage.say("Bo", str(n))
            with trio.move_on_after(30):
                await room.history()
            assert house.arrivals > 1
            assert len(client._session.inbox._queues["main-stage"]) <= 62
            assert await hear(room, 200) == list(range(1, 201))
        nursery.cancel_scope.cancel()


async def test_news_is_dropped_before_it_fills_anything(small: None, autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with trio.open_nursery() as nursery:
        async with connect("fake", nickname="Ana", dial=house.dialler(nursery)) as client:
            room = await client.join("main-stage")
            for n in range(500):
                house.say_all({"type": "typing", "room": "main-stage", "member": f"m_{n}", "nickname": "Bo"})
            house.room("main-stage").say("Bo", "words")
            await trio.sleep(1)
            assert len(client._session.inbox._queues["main-stage"]) <= 12
            assert await hear(room, 1) == [1]
            assert house.arrivals == 1
        nursery.cancel_scope.cancel()


async def test_a_program_that_only_speaks_keeps_nothing(small: None, autojump_clock: MockClock) -> None:
    house = FakeHouse()
    stage = house.room("main-stage")
    async with trio.open_nursery() as nursery:
        async with connect("fake", nickname="Ana", dial=house.dialler(nursery)) as client:
            room = await client.join("main-stage", listen=False)
            for n in range(500):
                stage.say("Bo", str(n))
            assert (await room.send("only this")).seq == 501
            assert client._session.inbox._queues == {}
        nursery.cancel_scope.cancel()


async def test_what_is_newer_than_this_client_is_ignored_or_counted(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    stage = house.room("main-stage")
    async with trio.open_nursery() as nursery:
        async with connect("fake", nickname="Ana", dial=house.dialler(nursery)) as client:
            room = await client.join("main-stage")
            stage.say("Bo", "one")
            house.say_all({"type": "weather", "id": "A1", "severity": "extreme"})
            newer = {"type": "framed", "room": "main-stage", "epoch": stage.epoch, "seq": 2, "ts": 1.5, "target": 1}
            stage.entries.append(newer)
            stage.visits[0].cursor["main-stage"] = 2
            house.say_all(newer)
            stage.say("Bo", "three")
            heard = []
            async for event in room:
                if not isinstance(event, CaughtUp):
                    heard.append((type(event).__name__, event.seq))  # type: ignore[union-attr]
                if heard[-1:] == [("Message", 3)]:
                    break
            assert heard == [("Message", 1), ("OtherEntry", 2), ("Message", 3)]
        nursery.cancel_scope.cancel()


async def test_questions_are_asked_again_after_a_loss(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    stage = house.room("main-stage")
    for n in range(30):
        stage.say("Bo", str(n))
    async with trio.open_nursery() as nursery:
        async with connect("fake", nickname="Ana", dial=house.dialler(nursery)) as client:
            room = await client.join("main-stage", tail=0)
            for step in (1, 2, 3):
                house.faults[house.step + step] = Fault.CUT
                page = await room.history(before=21, limit=10)
                assert [item.seq for item in page.items] == list(range(11, 21))
                assert (page.more, page.oldest, page.head) == (True, 1, 30)
            assert house.arrivals == 4
            await room.react(5, "🎉")
            assert (await room.history(after=4, limit=1)).items[0].reactions == {"🎉": 1}  # type: ignore[union-attr]
            assert [card.nickname for card in await room.everybody()] == ["Ana"]
            mine = await room.send("mien")
            await room.edit(mine.seq, "mine")
            await room.delete(mine.seq)
            newest = (await room.history(limit=3)).items
            assert [type(item).__name__ for item in newest] == ["Removed", "Edited", "Deleted"]
        nursery.cancel_scope.cancel()
