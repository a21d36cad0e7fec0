"""Rules that the settings give a listed room."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from actors.events import Entry, Policy, PolicyChanged
from actors.house import House
from actors.journal.actor import Journal
from actors.journal.desk import Desk
from actors.journal.log import Durability, Opening, RoomRecord, Stored
from actors.kernel import Child
from actors.names import HOUSE, Cid, Epoch, MemberId, RoomCode
from actors.refusals import Refused
from actors.room import messages as say
from actors.room.directory import Listed, RoomRules
from actors.room.settled import say_something_new
from tests.journal.keeping import setup_for
from tests.room.fakes import LineVoice, MemoryLog
from tests.room.hall import MAIN, Answer, LoopClock, open_hall

CALM, SLOW, FROZEN = Policy(slow_s=5.0), Policy(slow_s=10.0), Policy(slow_s=5.0, frozen=True, reason="fight")


def listed(policy: Policy | None = None) -> RoomRules:
    return RoomRules(listed={MAIN: Listed("Main", policy)})


def opening(*rules: tuple[str, Policy]) -> Opening:
    """By cid; an operator's is anything else."""
    record = RoomRecord(MAIN, RoomCode("blue-stage-42"), "", Epoch("e"), len(rules), 1, 0.0)
    entries = tuple(
        Entry(Epoch("e"), seq, 0.0, MemberId("m_op") if cid == "op" else HOUSE, Cid(cid), PolicyChanged(policy))
        for seq, (cid, policy) in enumerate(rules, 1)
    )
    return Opening(record, entries, ())


@pytest.mark.parametrize(
    ("rules", "new"),
    [
        ([], True),
        ([("settings-1", CALM)], False),
        ([("settings-1", CALM), ("op", FROZEN)], False),
        ([("settings-1", SLOW)], True),
        ([("settings-1", CALM), ("settings-2", SLOW)], True),
        ([("op", CALM)], True),
        ([("carried-e0-e1", FROZEN)], False),
        ([("carried-e0-e1", CALM)], False),
        ([("carried-e0-e1", FROZEN), ("op", CALM)], False),
        ([("settings-carried-e0-e1", CALM), ("carried-e0-e1", FROZEN)], False),
        ([("settings-carried-e0-e1", SLOW), ("carried-e0-e1", FROZEN)], True),
    ],
)
def test_what_the_settings_say_is_new(rules: list[tuple[str, Policy]], new: bool) -> None:
    assert say_something_new(CALM, opening(*rules)) is new


class Server:
    """A server that is started again and again over one folder, with one listed room."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def policy(self, order: Policy | None = None) -> Policy:
        desk = Desk(LoopClock())
        journal = Child("journal", lambda: Journal(desk, setup_for(Durability.POWER, self.folder)))
        house = House(desk, journal, LineVoice(), listed(CALM), clock=LoopClock())
        with trio.fail_after(30):
            async with house.open():
                while MAIN not in house.refs:  # noqa: ASYNC110
                    await trio.sleep(0.01)
                if order is not None:
                    answer = Answer()
                    house.refs[MAIN].urge(say.SetPolicy(answer, order, Cid("op-1"), MemberId("m_op")))
                    await answer.wait()
                    while (await house.refs[MAIN].ask(say.Census)).policy.frozen != order.frozen:  # noqa: ASYNC110
                        await trio.sleep(0.01)
                return (await house.refs[MAIN].ask(say.Census)).policy


async def test_damage_does_not_lift_a_freeze_in_a_room_with_rules_of_its_own(tmp_path: Path) -> None:
    """The rules in force were carried into the new epoch; the room did not find that the settings had been applied
    there, and applied them."""
    server = Server(tmp_path)
    assert (await server.policy(FROZEN)).frozen
    assert (await server.policy()).frozen
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db:
        db.execute("UPDATE entries SET seal = zeroblob(16) WHERE seq = 1")
        db.commit()
    damaged = await server.policy()
    assert (damaged.frozen, damaged.slow_s, damaged.reason) == (True, 5.0, "fight")


# A disk that refuses them


async def test_rules_of_the_settings_that_the_disk_refused_are_tried_again(autojump_clock: MockClock) -> None:
    """They were written once; a room that never retires then went without them until the next restart."""
    log = MemoryLog()
    log.fails = {"append"}
    async with open_hall(rules=listed(Policy(slow_s=10.0)), log=log) as hall:
        await hall.quiet(30)
        assert (await hall.census()).policy.slow_s == 0
        log.fails = set()
        await trio.sleep(35)
        assert (await hall.census()).policy.slow_s == 10
        assert hall.head() == 1


async def test_they_are_not_tried_again_over_the_head_of_an_operator(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    log.fails = {"append"}
    async with open_hall(rules=listed(Policy(slow_s=10.0)), log=log) as hall:
        await hall.quiet(10)
        log.fails = set()
        await hall.set_policy(frozen=True)
        await trio.sleep(120)
        census = await hall.census()
        assert (census.policy.frozen, census.policy.slow_s, hall.head()) == (True, 0, 1)


async def test_they_are_not_tried_again_over_an_order_that_is_on_its_way(autojump_clock: MockClock) -> None:
    """What counted was the rules in force: an operator's freeze that was still being written when the settings' rules
    were tried again was answered `ok`, and lifted by them in the same commit."""
    log = MemoryLog()
    log.fails = {"append"}
    async with open_hall(rules=listed(Policy(slow_s=10.0)), log=log) as hall:
        while log.calls["append"] == 0 or log.batches == []:  # noqa: ASYNC110
            await trio.sleep(0.01)
        log.fails = set()
        log.hold()
        hall.nursery.start_soon(lambda: hall.set_policy(frozen=True))
        await trio.sleep(60)
        log.let_go()
        await trio.sleep(120)
        census = await hall.census()
        assert (census.policy.frozen, census.policy.slow_s, hall.head()) == (True, 0, 1)


async def test_an_order_that_was_written_and_not_read_back_yet_counts(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    log.fails = {"append"}
    async with open_hall(rules=listed(Policy(slow_s=10.0)), log=log) as hall:
        await hall.quiet()
        log.fails, log.wakes = set(), False
        assert isinstance(await hall.set_policy(frozen=True), Stored)
        await trio.sleep(60)
        log.wakes = True
        log.wake_up()
        await trio.sleep(1)
        assert ((await hall.census()).policy.frozen, hall.head()) == (True, 1)


async def test_an_order_that_the_disk_refused_as_well_does_not_stand_in_their_way(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    log.fails = {"append"}
    async with open_hall(rules=listed(Policy(slow_s=10.0)), log=log) as hall:
        await hall.quiet()
        assert isinstance(await hall.set_policy(frozen=True), Refused)
        log.fails = set()
        await trio.sleep(60)
        census = await hall.census()
        assert (census.policy.frozen, census.policy.slow_s, hall.head()) == (False, 10, 1)
