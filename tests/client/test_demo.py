"""The people of `serve --demo`, on virtual time."""

import random
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from bandstand import demo
from bandstand.client import Message, connect
from bandstand.demo_lines import ANSWERS, CHATTER, PEOPLE
from tests.client.fake_server import Close, FakeHouse, no

ROOMS = ("blue-stage", "main-stage", "lost-and-found")


async def with_bots(house: FakeHouse, monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    async with trio.open_nursery() as nursery:
        real, dial = connect, house.dialler(nursery)
        monkeypatch.setattr(demo, "connect", lambda url, **more: real(url, dial=dial, **more))
        nursery.start_soon(lambda: demo.run_bots("fake", ROOMS, dice=random.Random(5)))
        await act(nursery, dial)
        nursery.cancel_scope.cancel()


async def test_they_talk_at_a_human_pace_in_all_rooms(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = FakeHouse()

    async def act(nursery: trio.Nursery, dial: Any) -> None:
        await trio.sleep(600)

    await with_bots(house, monkeypatch, act)
    said = {room: [entry.text for entry in house.room(room).entries] for room in ROOMS}
    assert all(len(lines) >= 5 for lines in said.values()), said
    assert 30 <= sum(map(len, said.values())) <= 120
    assert any("in Typing" in line for line in house.log)


async def test_they_answer_when_spoken_to_and_not_each_other(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = FakeHouse()

    async def act(nursery: trio.Nursery, dial: Any) -> None:
        await trio.sleep(5)
        async with connect("fake", nickname="Ana", dial=dial) as client:
            room = await client.join("blue-stage", tail=0)
            for question, who in (("where is the lost bag?", "Lou"), ("Priya, do you like it?", "Priya")):
                asked = await room.send(question)
                with trio.fail_after(30):
                    async for event in room:
                        if isinstance(event, Message) and event.reply_to == asked.seq:
                            assert event.nickname == who
                            break
            nothing = await room.send("what a night")
            await trio.sleep(60)
            entries = house.room("blue-stage").entries
            assert [entry for entry in entries if entry.reply_to == nothing.seq] == []

    await with_bots(house, monkeypatch, act)
    replies = [entry for entry in house.room("blue-stage").entries if entry.reply_to]
    assert len(replies) == 2


async def test_a_crowd_of_questions_does_not_make_a_crowd_of_answers(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = FakeHouse()

    async def act(nursery: trio.Nursery, dial: Any) -> None:
        await trio.sleep(5)
        for n in range(200):
            house.room("main-stage").say("Bo", f"when does it start? {n}")
        await trio.sleep(30)
        answers = [entry for entry in house.room("main-stage").entries if entry.reply_to]
        assert 1 <= len(answers) <= demo.ANSWERS_WAITING

    await with_bots(house, monkeypatch, act)


async def test_whatever_the_server_does_they_come_back(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = FakeHouse(down=True)

    async def act(nursery: trio.Nursery, dial: Any) -> None:
        await trio.sleep(60)
        house.down = False
        await trio.sleep(60)
        house.cut_all()
        house.say_all(Close(4403))
        await trio.sleep(1)
        house.say_all(Close(4401))
        house.members.clear()
        await trio.sleep(120)
        house.refuse = lambda frame: no(frame, "frozen")
        house.cut_all()
        await trio.sleep(120)
        house.refuse = lambda frame: None
        await trio.sleep(120)
        before = house.room("blue-stage").head
        assert len(house.room("blue-stage").visits) == len(PEOPLE)
        await trio.sleep(300)
        assert house.room("blue-stage").head > before

    await with_bots(house, monkeypatch, act)


def test_everything_they_say_fits_and_belongs_to_somebody() -> None:
    lines = [each for scripts in CHATTER.values() for script in scripts for each in script]
    assert {name for name, _ in lines} <= set(PEOPLE)
    assert all(0 < len(text) <= 200 for _, text in lines)
    assert {knows for _, knows, _ in ANSWERS} <= set(PEOPLE)
    assert demo.answer("nice weather today", "blue-stage", random.Random(1)) is None
