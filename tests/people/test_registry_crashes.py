"""A registry of people that crashes loses nobody: neither for alerts, nor for the rooms, nor whoever has gone.

The table died with the instance once. After one fault in it an alert reached none of those who were connected, a room
that restarted later had no seats, and whoever went was never missed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors.house
from actors.alerts.messages import Raise
from actors.alerts.vocabulary import Alert
from actors.kernel import ActorGone
from actors.names import MemberId, RoomName
from actors.people.registry import Everyone, People, PeopleMessage, VisitsOf
from actors.people.visits import Visits
from tests.alerts.making import draft
from tests.room.hall import Faults, Hall, Phone, open_hall

TURNS = ["handle, before", "handle, after", "end, before", "end, after", "tell, before", "tell, after"]


def shaky_people(faults: Faults) -> type[People]:
    class ShakyPeople(People):
        def handle(self, message: PeopleMessage) -> None:
            faults.at("handle, before")
            super().handle(message)
            faults.at("handle, after")

        def _tell(self, room: RoomName, member: MemberId) -> bool:
            faults.at("tell, before")
            told = super()._tell(room, member)
            faults.at("tell, after")
            return told

    return ShakyPeople


def shaky_visits(faults: Faults) -> type[Visits]:
    class ShakyVisits(Visits):
        def end_grace(self) -> None:
            faults.at("end, before")
            super().end_grace()
            faults.at("end, after")

    return ShakyVisits


@asynccontextmanager
async def shaky_hall() -> AsyncIterator[tuple[Hall, Faults]]:
    faults = Faults()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(actors.house, "People", shaky_people(faults))
        patch.setattr(actors.house, "Visits", shaky_visits(faults))
        async with open_hall() as hall:
            yield hall, faults


async def ask(hall: Hall, who: str = "m_ana") -> None:
    """A turn of the registry, whatever becomes of it."""
    with suppress(ActorGone):
        await hall.house.people.ask(lambda asks: VisitsOf(MemberId(who), asks))
    await hall.quiet(0.001)


async def raise_alert(hall: Hall) -> None:
    with trio.fail_after(10):
        raised = await hall.house.alerts.ask(partial(_raise, draft(rooms=None, all=True)))
    assert isinstance(raised, Alert), raised
    await hall.quiet()


def _raise(wanted: Any, asks: Any) -> Raise:
    return Raise(asks, wanted, "tester")


def missed(phones: list[Phone]) -> list[str]:
    return [phone.member for phone in phones if len(phone.alerts) != 1]


@pytest.mark.parametrize("turn", ["handle, before", "handle, after"])
async def test_after_a_crash_an_alert_reaches_everybody_who_is_connected(turn: str, autojump_clock: MockClock) -> None:
    async with shaky_hall() as (hall, faults):
        phones = [*await hall.crowd(20), hall.phone("m_in_no_room")]
        faults.arm(turn)
        await ask(hall)
        assert hall.crashes == ["people"]
        phones.append(hall.phone("m_late"))
        await raise_alert(hall)
        assert missed(phones) == []


@pytest.mark.parametrize("turn", ["handle, before", "handle, after"])
async def test_an_alert_whose_own_question_meets_the_crash_reaches_everybody(
    turn: str, autojump_clock: MockClock
) -> None:
    async with shaky_hall() as (hall, faults):
        phones = await hall.crowd(20)
        faults.arm(turn)
        await raise_alert(hall)
        assert hall.crashes == ["people"]
        assert missed(phones) == []


async def test_while_the_registry_rests_after_many_crashes_an_alert_still_reaches_everybody(
    autojump_clock: MockClock,
) -> None:
    """Who came and went meanwhile was told to a mailbox that took nothing."""
    async with shaky_hall() as (hall, faults):
        phones = await hall.crowd(20)
        for _ in range(4):
            faults.arm("handle, before")
            await ask(hall)
        assert hall.quarantines == ["people"]
        phones.append(hall.phone("m_late"))
        phones.pop(0).go()
        await raise_alert(hall)
        assert missed(phones) == []
        assert set(await hall.house.people.ask(Everyone)) == set(phones)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("crashes", [1, 6])
async def test_whoever_has_gone_is_missed_whenever_the_registry_crashes(
    turn: str, crashes: int, autojump_clock: MockClock
) -> None:
    async with shaky_hall() as (hall, faults):
        phones = await hall.crowd(10)
        for phone in phones[:5]:
            phone.go()
        for n in range(crashes):
            faults.arm(turn)
            if turn.startswith("handle"):
                await ask(hall)
            await hall.quiet(19.9 if n == 0 else 0.05)
        await trio.sleep(5)
        assert faults.raised
        census = await hall.census()
        assert (census.online, census.seats) == (5, 5)
        assert hall.house.visits.lapsed == {}
        faults.disarm()
        for phone in phones[5:]:
            phone.go()
        await trio.sleep(60)
        assert (await hall.census()).online == 0


async def test_a_grace_that_ran_while_the_registry_crashed_is_as_long_as_ever(autojump_clock: MockClock) -> None:
    async with shaky_hall() as (hall, faults):
        ana, bo = await hall.guest("m_ana"), await hall.guest("m_bo")
        ana.go()
        bo.go()
        await trio.sleep(10)
        faults.arm("handle, before")
        await ask(hall)
        back = bo.come_back()
        await back.rejoin().wait()
        await trio.sleep(9)
        assert (await hall.census()).online == 2
        await trio.sleep(2)
        assert (await hall.census()).online == 1


async def test_a_room_that_restarts_after_the_registry_did_has_its_seats(autojump_clock: MockClock) -> None:
    async with shaky_hall() as (hall, faults):
        ana, bo = await hall.guest("m_ana"), await hall.guest("m_bo")
        faults.arm("handle, after")
        await ask(hall)
        hall.faults.arm("handle Post")
        await ana.post("lost").wait()
        await hall.quiet()
        assert hall.crashes == ["people", "room:main"]
        await ana.post("heard").wait()
        await hall.all_level([ana, bo])
        assert [text for _, _, text in bo.place().entries] == ["heard"]


async def test_a_room_starts_while_the_registry_rests(autojump_clock: MockClock) -> None:
    async with shaky_hall() as (hall, faults):
        for _ in range(4):
            faults.arm("handle, before")
            await ask(hall)
        assert hall.quarantines == ["people"]
        ana = await hall.guest("m_ana")
        assert hall.is_level(ana)
        assert hall.crashes == ["people"] * 4
