"""Who is connected, and the grace after a lost connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from attrs import define, field
from trio.testing import MockClock

from actors.kernel import Actor, Child, Ref, Supervisor
from actors.names import Epoch, MemberId, Nickname, RoomName
from actors.people.outlet import Seat, Visit
from actors.people.registry import Arrived, Departed, Everyone, People, PeopleMessage, SeatsIn
from actors.people.visits import REPLACED, Seated, Visits
from actors.room.messages import Lapsed, RoomMessage
from tests.room.fakes import FakeOutlet

STAGE, PIT = RoomName("stage"), RoomName("pit")


class Listener(Actor[RoomMessage]):
    """A room that only notes what it is told, and when. `deaf`: it takes no turn before that moment."""

    def __init__(self, heard: list[tuple[float, str]], deaf: trio.Event | None = None) -> None:
        self.heard = heard
        self.deaf = deaf

    async def started(self) -> None:
        if self.deaf is not None:
            await self.deaf.wait()

    def handle(self, message: RoomMessage) -> None:
        assert isinstance(message, Lapsed)
        self.heard.append((round(trio.current_time(), 3), message.member))


class Stranger:
    """A connection."""

    def __init__(self, member: str, outlet: FakeOutlet, *rooms: RoomName) -> None:
        self.member = MemberId(member)
        self.nickname = Nickname(member)
        self.outlet = outlet
        self.seats: dict[RoomName, Seat] = {}
        self.parted: list[int] = []
        for room in rooms:
            self.sit(room)

    def sit(self, room: RoomName) -> Seat:
        seat = self.seats[room] = Seat(room, self.member, self.nickname, self.outlet, Epoch("e"))
        return seat

    def fall_silent(self) -> None: ...

    def part(self, code: int, retry_after_ms: int | None = None) -> None:
        self.parted.append(code)


as_visit: type[Visit] = Stranger


@define(repr=False)
class Registry:
    visits: Visits
    people: Ref[PeopleMessage]
    supervisor: Supervisor
    rooms: dict[RoomName, Ref[RoomMessage]]
    nursery: trio.Nursery
    heard: dict[RoomName, list[tuple[float, str]]] = field(factory=dict)

    def room(self, name: RoomName, *, capacity: int = 256, deaf: trio.Event | None = None) -> None:
        heard = self.heard.setdefault(name, [])
        child = Child(f"room:{name}", lambda: Listener(heard, deaf), capacity=capacity)
        self.rooms[name] = self.supervisor.start(child)

    def arrives(self, member: str, *rooms: RoomName) -> Stranger:
        visit = Stranger(member, FakeOutlet(self.nursery), *rooms)
        self.visits.arrive(visit)
        return visit

    def departs(self, *visits: Stranger) -> None:
        for visit in visits:
            self.visits.depart(visit)

    async def seated(self, room: RoomName = STAGE) -> Seated:
        with trio.fail_after(10):
            return await self.people.ask(lambda asks: SeatsIn(room, asks))

    async def everyone(self) -> tuple[Visit, ...]:
        with trio.fail_after(10):
            return await self.people.ask(Everyone)


@asynccontextmanager
async def registry(*, grace_s: float = 20.0, most: int = 4) -> AsyncIterator[Registry]:
    supervisor, rooms = Supervisor(), dict[RoomName, Ref[RoomMessage]]()
    visits = Visits(grace_s=grace_s, most=most)
    people = supervisor.start(Child("people", lambda: People(rooms, visits)))
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        here = Registry(visits, people, supervisor, rooms, nursery)
        here.room(STAGE)
        here.room(PIT)
        yield here
        await supervisor.shutdown()
        nursery.cancel_scope.cancel()


# Connections


async def test_a_fifth_connection_makes_the_oldest_go(autojump_clock: MockClock) -> None:
    async with registry() as here:
        visits = [here.arrives("ana") for _ in range(4)]
        here.arrives("bo")
        await here.everyone()
        assert [visit.parted for visit in visits] == [[]] * 4
        here.arrives("ana")
        await here.everyone()
        assert [visit.parted for visit in visits] == [[REPLACED], [], [], []]


async def test_however_many_come_before_the_oldest_are_gone_only_the_newest_four_stay(
    autojump_clock: MockClock,
) -> None:
    """Only ever the very oldest was told to go: while it said goodbye, the ones after it stayed."""
    async with registry() as here:
        visits = [here.arrives("ana") for _ in range(9)]
        await here.everyone()
        assert [bool(visit.parted) for visit in visits] == [True] * 5 + [False] * 4
        assert {code for visit in visits for code in visit.parted} == {REPLACED}


async def test_one_that_left_makes_room(autojump_clock: MockClock) -> None:
    async with registry() as here:
        visits = [here.arrives("ana") for _ in range(4)]
        here.departs(visits[2])
        here.arrives("ana")
        assert len(await here.everyone()) == 4
        assert not any(visit.parted for visit in visits)


async def test_everyone_is_everyone_who_is_connected(autojump_clock: MockClock) -> None:
    async with registry() as here:
        ana, bo, ana2 = here.arrives("ana"), here.arrives("bo"), here.arrives("ana")
        assert set(await here.everyone()) == {ana, bo, ana2}
        here.departs(bo, bo)
        assert set(await here.everyone()) == {ana, ana2}


async def test_a_departure_of_nobody_is_nothing(autojump_clock: MockClock) -> None:
    async with registry() as here:
        here.departs(Stranger("ana", FakeOutlet(here.nursery), STAGE))
        await trio.sleep(60)
        assert here.heard[STAGE] == []


async def test_whoever_has_the_address_only_may_say_it_there(autojump_clock: MockClock) -> None:
    async with registry() as here:
        ana = Stranger("ana", FakeOutlet(here.nursery), STAGE)
        here.people.tell(Arrived(ana))
        here.people.tell(Arrived(ana))
        assert await here.everyone() == (ana,)
        here.people.tell(Departed(ana))
        assert await here.everyone() == ()
        await trio.sleep(60)
        assert here.heard[STAGE] == [(20.0, "ana")]


# Grace


async def test_who_stays_away_lapses_in_every_room_when_the_grace_is_over(autojump_clock: MockClock) -> None:
    async with registry() as here:
        ana = here.arrives("ana", STAGE, PIT)
        await trio.sleep(5)
        here.departs(ana)
        await trio.sleep(19.9)
        assert here.heard == {STAGE: [], PIT: []}
        await trio.sleep(1)
        assert here.heard == {STAGE: [(25.0, "ana")], PIT: [(25.0, "ana")]}


async def test_who_comes_back_within_the_grace_was_never_away(autojump_clock: MockClock) -> None:
    async with registry() as here:
        here.departs(here.arrives("ana", STAGE, PIT))
        await trio.sleep(19)
        here.arrives("ana", STAGE)
        await trio.sleep(60)
        assert here.heard == {STAGE: [], PIT: [(20.0, "ana")]}, "to one room of two"


async def test_who_blinks_again_has_a_grace_of_their_own_each_time(autojump_clock: MockClock) -> None:
    """The first departure's grace ended while the second one's ran: a flapping phone was announced as gone."""
    async with registry() as here:
        here.departs(here.arrives("ana", STAGE))
        await trio.sleep(10)
        again = here.arrives("ana", STAGE)
        await trio.sleep(5)
        here.departs(again)
        await trio.sleep(10)
        assert here.heard[STAGE] == []
        await trio.sleep(60)
        assert here.heard[STAGE] == [(35.0, "ana")]


async def test_one_of_two_connections_is_nobody_lost(autojump_clock: MockClock) -> None:
    async with registry() as here:
        phone, laptop = here.arrives("ana", STAGE), here.arrives("ana", STAGE)
        here.departs(phone)
        await trio.sleep(60)
        assert here.heard[STAGE] == []
        here.departs(laptop)
        await trio.sleep(60)
        assert here.heard[STAGE] == [(80.0, "ana")]


async def test_a_join_that_came_through_after_the_connection_went_is_ended_too(autojump_clock: MockClock) -> None:
    async with registry() as here:
        ana = here.arrives("ana")
        here.departs(ana)
        await trio.sleep(1)
        ana.sit(STAGE)
        assert (await here.seated()).graced == (ana.seats[STAGE],)
        await trio.sleep(60)
        assert here.heard[STAGE] == [(20.0, "ana")]


async def test_who_left_a_room_before_they_went_is_not_awaited_there(autojump_clock: MockClock) -> None:
    async with registry() as here:
        ana = here.arrives("ana", STAGE, PIT)
        del ana.seats[STAGE]
        here.departs(ana)
        await trio.sleep(60)
        assert here.heard == {STAGE: [], PIT: [(20.0, "ana")]}


async def test_a_room_that_is_not_up_needs_no_word(autojump_clock: MockClock) -> None:
    async with registry() as here:
        here.departs(here.arrives("ana", RoomName("elsewhere"), STAGE))
        await here.seated()
        here.supervisor.stop("room:pit")
        here.departs(here.arrives("bo", PIT))
        await trio.sleep(60)
        assert here.heard[STAGE] == [(20.0, "ana")]
        assert (await here.seated()) == Seated((), ())


async def test_a_room_with_a_full_mailbox_holds_up_nobody_and_is_told_in_the_end(autojump_clock: MockClock) -> None:
    """The graces of the whole house waited in line behind the one that could not be told."""
    async with registry() as here:
        deaf, late = RoomName("deaf"), trio.Event()
        here.room(deaf, capacity=2, deaf=late)
        guests = [here.arrives(f"m{n}", deaf) for n in range(10)]
        here.departs(*guests, here.arrives("ana", STAGE))
        await trio.sleep(30)
        assert here.heard[STAGE] == [(20.0, "ana")]
        late.set()
        await trio.sleep(5)
        assert sorted(who for _, who in here.heard[deaf]) == [f"m{n}" for n in range(10)]


# What a room that restarts asks


async def test_a_room_is_given_every_seat_and_who_is_within_grace(autojump_clock: MockClock) -> None:
    async with registry() as here:
        ana, bo, cy = here.arrives("ana", STAGE), here.arrives("bo", STAGE, PIT), here.arrives("cy", STAGE)
        ana2 = here.arrives("ana", STAGE)
        here.arrives("di", PIT)
        here.departs(cy, ana2)
        seated = await here.seated()
        assert set(map(id, seated.seats)) == {id(ana.seats[STAGE]), id(bo.seats[STAGE])}
        assert seated.graced == (cy.seats[STAGE],), "who has another connection is not within grace"
        await trio.sleep(21)
        assert (await here.seated()).graced == ()


async def test_who_is_within_grace_is_named_as_in_that_room(autojump_clock: MockClock) -> None:
    async with registry() as here:
        ana = here.arrives("ana", STAGE)
        ana.seats[STAGE].nickname = Nickname("ana-2")
        here.departs(ana)
        assert (await here.seated()).graced == (ana.seats[STAGE],)


# Storms


async def test_ten_thousand_who_go_at_once_lapse_in_time_and_nothing_is_kept_of_them(
    autojump_clock: MockClock,
) -> None:
    async with registry() as here:
        visits = [here.arrives(f"m{n}", STAGE) for n in range(10_000)]
        assert len(await here.everyone()) == 10_000
        here.departs(*visits)
        await trio.sleep(19)
        assert here.heard[STAGE] == []
        await trio.sleep(60)
        assert len(here.heard[STAGE]) == len({who for _, who in here.heard[STAGE]}) == 10_000
        assert max(when for when, _ in here.heard[STAGE]) < 30
        assert await here.everyone() == ()
        assert await here.seated() == Seated((), ())


@pytest.mark.parametrize("back", [0, 5_000, 10_000])
async def test_a_cut_cable_is_silent_for_all_who_are_back_in_time(back: int, autojump_clock: MockClock) -> None:
    async with registry() as here:
        visits = [here.arrives(f"m{n}", STAGE) for n in range(10_000)]
        await here.everyone()
        here.departs(*visits)
        await trio.sleep(10)
        for n in range(back):
            here.arrives(f"m{n}", STAGE)
        await trio.sleep(60)
        assert len(here.heard[STAGE]) == 10_000 - back
        assert len((await here.seated()).seats) == back
