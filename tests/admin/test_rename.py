"""A member whom the operators call differently: every room where they are says so at once, and means the same by it.

The order wrote the new name to the connections alone. The room went on with the old one: two people of one name spoke
there, the list of members had neither, and whoever came back within their grace was called as before."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from attrs import frozen
from trio.testing import MockClock

from actors.kernel import MailboxFull, Ref
from actors.names import Nickname, RoomName
from actors.room.messages import Members, MembersPage, Renamed, SeatLost
from tests.admin.office import ROOMS, Office, Person, open_office
from tests.room.fakes import FakeOutlet
from tests.room.hall import Answer

MAIN, QUIET = map(RoomName, ROOMS)
SECOND = 1.1


@frozen
class Two:
    """In one room, in which everybody has been told of both."""

    office: Office
    ann: Person
    ben: Person

    async def call(self, nickname: str) -> str:
        """By order; which act it was."""
        done = await self.office.do("member.update", {"member": self.ben.member, "nickname": nickname})
        return done.act

    async def members(self, room: RoomName = MAIN) -> list[str]:
        heard = Answer()
        await self.office.house.refs[room].send(Members(heard, 1))
        page: MembersPage = await heard.wait()
        return [card.nickname for card in page.members]

    async def told(self) -> list[str]:
        """The names in the diffs that Ann has heard since the last time."""
        await trio.sleep(SECOND)
        names = [line[4] for line in self.ann.told("diff")]
        self.ann.heard.clear()
        return names

    async def go(self) -> None:
        """Ben's connection breaks."""
        self.office.house.visits.depart(self.ben)
        for room, seat in self.ben.seats.items():
            await self.office.house.refs[room].send(SeatLost(seat))

    async def come_back(self, nickname: str, *rooms: RoomName) -> Person:
        again = Person(self.ben.member, Nickname(nickname), FakeOutlet(self.office.nursery))
        self.office.house.visits.arrive(again)
        for room in rooms:
            await self.office.join(again, room)
        return again


@asynccontextmanager
async def two(*rooms: str) -> AsyncIterator[Two]:
    async with open_office() as office:
        ann, ben = await office.come(1), await office.come(2)
        for person, nickname in ((ann, "Ann"), (ben, "Ben")):
            person.nickname = Nickname(nickname)
            office.house.log.seen(person.member, person.nickname)
            for room in rooms or (MAIN,):
                await office.join(person, room, presence=True)
        both = Two(office, ann, ben)
        await both.told()
        yield both


async def test_a_new_name_is_told_at_once_and_told_apart_from_its_look_alike(autojump_clock: MockClock) -> None:
    async with two() as both:
        await both.call("Ann")
        assert await both.members() == ["Ann", "Ann-2"]
        assert both.ben.seats[MAIN].nickname == "Ann-2", "what their messages carry"
        assert both.ben.nickname == "Ann", "in the next room they are called as ordered"
        assert await both.told() == ["Ann-2"]


async def test_the_undo_gives_the_old_name_back_in_the_same_way(autojump_clock: MockClock) -> None:
    async with two() as both:
        act = await both.call("Ann")
        await both.told()
        await both.office.do("act.undo", {"act": act})
        assert await both.members() == ["Ann", "Ben"]
        assert both.ben.seats[MAIN].nickname == "Ben"
        assert await both.told() == ["Ben"]


async def test_the_undo_gives_back_the_suffix_that_was_had_too(autojump_clock: MockClock) -> None:
    async with two() as both:
        await both.call("Ann")
        act = await both.call("Zoe")
        await both.office.do("act.undo", {"act": act})
        assert await both.members() == ["Ann", "Ann-2"]


async def test_every_room_of_theirs_learns_it(autojump_clock: MockClock) -> None:
    async with two(*ROOMS) as both:
        await both.call("Zoe")
        assert [await both.members(room) for room in (MAIN, QUIET)] == [["Ann", "Zoe"]] * 2
        assert {seat.nickname for seat in both.ben.seats.values()} == {"Zoe"}


async def test_all_connections_of_the_member_are_called_alike(autojump_clock: MockClock) -> None:
    async with two() as both:
        other = await both.come_back("Ben", MAIN)
        await both.call("Ann")
        await both.members()
        assert [each.seats[MAIN].nickname for each in (both.ben, other)] == ["Ann-2", "Ann-2"]


async def test_a_room_where_they_are_only_in_grace_learns_it_too(autojump_clock: MockClock) -> None:
    async with two() as both:
        await both.go()
        await both.call("Ann")
        assert await both.members() == ["Ann", "Ann-2"]
        assert await both.told() == ["Ann-2"]
        again = await both.come_back("Ann", MAIN)
        assert again.seats[MAIN].nickname == "Ann-2"
        assert await both.told() == [], "who comes back within their grace is no news"


async def test_a_room_whose_lane_is_full_is_told_all_the_same(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    urge = Ref.urge

    def full(self: Ref[object], message: object) -> None:
        if isinstance(message, Renamed):
            raise MailboxFull("room:main-stage")
        urge(self, message)

    monkeypatch.setattr(Ref, "urge", full)
    async with two() as both:
        await both.call("Zoe")
        assert await both.members() == ["Ann", "Zoe"]
