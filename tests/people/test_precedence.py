"""Alerts overtake chat: what is being broadcast or replayed waits between two chunks, and loses nothing by it."""

import pytest
import trio
from trio.testing import MockClock

from actors.people.precedence import GIVE_WAY_S, Precedence
from tests.room.hall import open_hall


async def test_chat_goes_on_when_the_last_alert_is_through(autojump_clock: MockClock) -> None:
    precedence, passed = Precedence(), list[float]()

    async def chat() -> None:
        await precedence.give_way()
        passed.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        began = trio.current_time()
        await chat()
        with precedence.first():
            with precedence.first():
                nursery.start_soon(chat)
                await trio.sleep(0.25)
            nursery.start_soon(chat)
            await trio.sleep(0.25)
    await chat()
    assert [round(at - began, 2) for at in passed] == [0, 0.5, 0.5, 0.5]


async def test_chat_slows_down_and_does_not_stand_still(autojump_clock: MockClock) -> None:
    precedence = Precedence()
    with precedence.first():
        began = trio.current_time()
        for _ in range(3):
            await precedence.give_way()
        assert trio.current_time() - began == pytest.approx(3 * GIVE_WAY_S)


async def test_a_broadcast_stops_for_an_alert_and_everybody_hears_it_afterwards(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setattr("actors.room.fanout.CHUNK", 3)
    async with open_hall() as hall:
        crowd = await hall.crowd(9)
        with hall.house.precedence.first():
            crowd[0].post()
            await trio.sleep(GIVE_WAY_S / 2)
            heard = [len(phone.place().got) for phone in crowd]
            assert heard == [1, 1, 1, 0, 0, 0, 0, 0, 0]
        await hall.all_level(crowd)
        assert all(phone.place().got == [1] for phone in crowd)
