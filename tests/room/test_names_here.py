"""One member has one name in a room: in its list, in what they say, on every connection of theirs, and after it has
stumbled."""

import trio
from trio.testing import MockClock

from actors.names import MemberId, Nickname
from actors.people.registry import Rename
from actors.room.messages import Renamed
from tests.room.hall import MAIN, Hall, Phone, open_hall


def diffs(phone: Phone) -> list[str]:
    """The names in them."""
    return [line[3] for line in phone.place().told if line[0] == "diff"]


async def quarantined(hall: Hall, phone: Phone) -> None:
    for _ in range(4):
        hall.faults.arm("handle Post")
        await phone.post().wait()
        await hall.quiet(0.1)
    assert hall.quarantines == ["room:main"]


async def call(hall: Hall, member: str, nickname: str) -> None:
    """As an order does it."""
    who, name = MemberId(member), Nickname(nickname)
    rooms = await hall.house.people.ask(lambda asks: Rename(who, name, asks))
    assert rooms == (MAIN,)


# The member's own


async def test_who_comes_back_under_another_name_is_called_so(autojump_clock: MockClock) -> None:
    """The room went on with the name of the first join, while `ready` had said the new one."""
    async with open_hall() as hall:
        ana, bo = await hall.guest("m_ana"), await hall.guest("m_bo")
        await hall.quiet(1)
        bo.go()
        again = hall.phone("m_bo", "ana")
        assert (await again.rejoin().wait()).nickname == "ana-2"
        await hall.quiet(1.5)
        assert again.seats[MAIN].nickname == "ana-2"
        assert await ana.members() == ["ana", "ana-2"]
        assert diffs(ana)[-1] == "ana-2"


async def test_the_other_connections_of_the_member_are_called_so_too(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest("m_ana")
        other = hall.phone("m_ana", "Zoe")
        assert (await other.join().wait()).nickname == "Zoe"
        assert ana.seats[MAIN].nickname == "Zoe"
        assert await ana.members() == ["Zoe"]


async def test_a_name_that_is_only_guessed_is_no_new_one(autojump_clock: MockClock) -> None:
    """Where the roster cannot be read, whoever comes back is a guest; a room that knows better is not told so."""
    async with open_hall() as hall:
        ana = await hall.guest("m_ana")
        ana.go()
        again = hall.phone("m_ana", "Guest")
        again.guessed = True
        assert (await again.rejoin().wait()).nickname == "ana"
        assert await again.members() == ["ana"]
        new = hall.phone("m_new", "Guest")
        new.guessed = True
        assert (await new.join().wait()).nickname == "Guest"


# By order, while the room is out of order


async def test_a_room_in_quarantine_reads_the_new_name_when_it_starts(autojump_clock: MockClock) -> None:
    async with open_hall(grace_s=100.0) as hall:
        ana, bo, cy = [await hall.guest(who) for who in ("m_ana", "m_bo", "m_cy")]
        cy.go()
        await quarantined(hall, ana)
        await call(hall, "m_bo", "ana")
        await call(hall, "m_cy", "ana")
        await trio.sleep(34)
        assert hall.restarts[-1] == "room:main"
        assert await ana.members() == ["ana", "ana-2", "ana-3"]
        assert {ana.seats[MAIN].nickname, bo.seats[MAIN].nickname} == {"ana", "ana-2"}
        assert ana.seats[MAIN].nickname == "ana", "who had it keeps it"


async def test_a_restart_leaves_suffixes_as_they_are(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest("m_ana")
        phones = [hall.phone(f"m_{n}", "ana") for n in range(3)]
        for phone in phones:
            await phone.join().wait()
        before = [phone.seats[MAIN].nickname for phone in phones]
        assert before == ["ana-2", "ana-3", "ana-4"]
        ana.go()
        hall.faults.arm("handle Post")
        await phones[0].post().wait()
        await hall.quiet(1)
        assert hall.restarts == ["room:main"]
        assert [phone.seats[MAIN].nickname for phone in phones] == before
        assert await phones[0].members() == ["ana", *before]


async def test_whoever_is_in_grace_keeps_the_new_name_over_a_restart(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.guest("m_ana"), await hall.guest("m_bo")
        bo.go()
        await call(hall, "m_bo", "ana")
        hall.house.refs[MAIN].urge(Renamed(MemberId("m_bo"), Nickname("ana")))
        assert await ana.members() == ["ana", "ana-2"]
        hall.faults.arm("handle Post")
        await ana.post().wait()
        await hall.quiet(1)
        assert hall.restarts == ["room:main"]
        assert await ana.members() == ["ana", "ana-2"]


async def test_typing_says_the_name_that_holds_when_it_is_told(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.guest("m_ana"), await hall.guest("m_bo")
        await hall.quiet(2)
        bo.type()
        await hall.quiet(0.1)
        bo.type()
        await call(hall, "m_bo", "Zoe")
        hall.house.refs[MAIN].urge(Renamed(MemberId("m_bo"), Nickname("Zoe")))
        await hall.quiet(2)
        assert [line[2] for line in ana.place().told if line[0] == "typing"] == ["bo", "Zoe"]
