"""Rooms that retire while people come: no join is lost, whatever the schedule."""

import random

import pytest
import trio

from actors.journal.log import Stored
from actors.refusals import Reason, Refused
from actors.room.directory import RoomRules
from actors.room.messages import Joined
from tests.room.fakes import MemoryLog
from tests.room.hall import Answer, Hall, Phone, open_hall
from tests.room.test_actor_random import run_seeded

ROOMS = ["pit", "stage", "camp"]
RULES = RoomRules(retire_after_s=1.5, creations_per_member_h=1_000_000, creations_per_min=1_000_000)


async def visit(hall: Hall, dice: random.Random, name: str, said: dict[str, int]) -> None:
    """Come in, perhaps say something, and be gone: rooms are empty most of the time."""
    room = dice.choice(ROOMS)
    await trio.sleep(dice.choice([0.0, 0.5, 1.5, 2.0, 2.5]) + dice.choice([0.0, 0.0, 0.001, 0.01]))
    phone = hall.phone(name)
    answer = phone.join(room)
    value = await answer.wait()
    if isinstance(value, Refused):
        assert value.reason is Reason.UNAVAILABLE, value
        assert value.retry_after_ms
        value = await phone.join(room).wait()
    assert isinstance(value, Joined), value
    assert await hall.census(room), "who has joined finds the room up"
    if dice.random() < 0.3:
        stored = await phone.post("hi", room).wait()
        assert isinstance(stored, Stored)
        said[room] = max(said.get(room, 0), stored.seq)
    if dice.random() < 0.5:
        await phone.leave(room).wait()
    phone.go()


async def come_and_go(seed: int) -> None:
    dice = random.Random(seed)
    log = MemoryLog(read_s=lambda: dice.choice([0.0, 0.0, 0.001, 0.3]))
    async with open_hall(log=log, rules=RULES, grace_s=0.1, shaky=None) as hall:
        said: dict[str, int] = {}
        for round in range(6):
            async with trio.open_nursery() as nursery:
                for n in range(6):
                    nursery.start_soon(visit, hall, dice, f"m_{round}_{n}", said)
        await trio.sleep(20)
        assert hall.house.refs == {}, "all have retired"
        assert {name: shelf.head for name, shelf in log.shelves.items()} == said, (
            "bare ones are forgotten, others whole"
        )
        assert hall.crashes == []
        for room in ROOMS:
            late: Phone = hall.phone("m_late")
            answer: Answer = late.join(room)
            joined = await answer.wait()
            assert joined.head == said.get(room, 0)


@pytest.mark.parametrize("seed", range(40))
def test_a_join_that_races_with_retirement_is_never_lost(seed: int) -> None:
    run_seeded(come_and_go, seed)
