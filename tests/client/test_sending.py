"""Said once, stored once, in the order of saying; and what a refusal does."""

from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from bandstand.client import (
    Refused,
)
from gateway.protocol import client as asked
from tests.client.fake_server import FakeHouse, Fault, no
from tests.client.listening import at


@pytest.mark.parametrize("code", ["rate", "slow_mode", "busy", "unavailable"])
async def test_what_only_needs_time_is_sent_again_after_that_time(code: str, autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client:
        room = await client.join("main-stage")
        tries: list[float] = []

        def refuse(frame: Any) -> Any:
            if not isinstance(frame, asked.Send):
                return None
            tries.append(trio.current_time())
            return no(frame, code, 8_000) if len(tries) < 3 else None

        house.refuse = refuse
        stored = await room.send("patience")
        assert not stored.dup
        assert [round(b - a, 1) for a, b in pairwise(tries)] == [8.0, 8.0]
        assert client.waiting == 0


@pytest.mark.parametrize("code", ["frozen", "muted", "forbidden", "banned", "too_big", "cid_reused"])
async def test_a_real_no_reaches_the_sender(code: str, autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client:
        room = await client.join("main-stage")
        house.refuse = lambda frame: no(frame, code)
        with pytest.raises(Refused) as refused:
            await room.send("no")
        assert refused.value.code == code
        assert client.waiting == 0
        house.refuse = lambda frame: None
        assert (await room.send("yes")).seq == 1


async def test_words_stay_in_the_order_in_which_they_were_said(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client:
        room = await client.join("main-stage")
        refusals = iter([True, False, True, True] + [False] * 100)
        house.refuse = lambda frame: (
            no(frame, "rate", 300) if isinstance(frame, asked.Send) and next(refusals) else None
        )
        async with trio.open_nursery() as nursery:
            for n in range(8):
                nursery.start_soon(room.send, f"word {n}")
                await trio.testing.wait_all_tasks_blocked()
        assert [entry.text for entry in house.room("main-stage").entries] == [f"word {n}" for n in range(8)]


async def test_a_cancelled_send_is_withdrawn_and_its_cid_finds_it_again(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client:
        room = await client.join("main-stage")
        house.faults[house.step + 2] = Fault.STALL
        with trio.move_on_after(1) as scope:
            await room.send("hello?", cid="mine-1")
        assert scope.cancelled_caught
        assert client.waiting == 0
        house.cut_all()
        assert (await room.send("hello?", cid="mine-1")).dup
        assert house.room("main-stage").head == 1
