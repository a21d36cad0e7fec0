"""Finding, making and retiring rooms."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.events import Policy
from actors.journal.log import RoomRecord, Stored
from actors.names import RoomName
from actors.refusals import Reason, Refused
from actors.room.directory import Listed, Listing, RoomRules
from actors.room.messages import Joined
from tests.room.fakes import MemoryLog
from tests.room.hall import MAIN, Hall, open_hall

BLUE = RoomName("blue-room")


def no(value: Any) -> Reason:
    assert isinstance(value, Refused), value
    return value.reason


async def listing(hall: Hall) -> tuple[RoomRecord, ...]:
    with trio.fail_after(10):
        return await hall.house.directory.ask(Listing)


async def names(hall: Hall) -> list[str]:
    return [record.name for record in await listing(hall)]


# Finding


async def test_a_room_is_found_by_its_name_and_by_its_code_however_it_is_typed(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        code = ana.answers[0].values[0].code
        for text in (code, code.upper(), code.replace("-", " ")):
            joined = await hall.phone(f"m_{text}").join(text).wait()
            assert isinstance(joined, Joined)
            assert (joined.room, joined.code) == (MAIN, code)
        assert (await hall.census()).seats == 4
        assert all(MAIN in phone.seats for phone in hall.phones)


@pytest.mark.parametrize("text", ["", "x", "-dash", "UPPER", "a room", "x" * 49, "blue-stage-99", "späti"])
async def test_what_is_no_room_is_refused_in_words(text: str, autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        value = await hall.phone().join(text).wait()
        assert no(value) is Reason.UNKNOWN_ROOM
        assert value.message
        assert await names(hall) == []


async def test_rooms_that_the_log_knows_are_found_after_a_restart_of_the_server(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    async with open_hall(log=log) as hall:
        ana = await hall.guest()
        await ana.post("hello").wait()
        code = ana.answers[0].values[0].code
    async with open_hall(log=log) as hall:
        assert await names(hall) == ["main"]
        assert hall.house.refs == {}, "nobody is there, so it is not up"
        bo = hall.phone("m_bo")
        await bo.join(code).wait()
        await hall.all_level([bo])
        assert bo.place().entries == [(1, "Message", "hello")]


# Making


async def test_two_joins_at_once_make_one_room(autojump_clock: MockClock) -> None:
    log = MemoryLog(read_s=lambda: 0.1)
    async with open_hall(log=log) as hall:
        values = [await answer.wait() for answer in [hall.phone(f"m_{n}").join() for n in range(20)]]
        assert all(isinstance(value, Joined) for value in values)
        assert len({value.code for value in values}) == 1
        assert log.calls["create"] == 1
        assert (await hall.census()).seats == 20


async def test_a_code_that_is_taken_is_thrown_again(autojump_clock: MockClock) -> None:
    codes = iter([0, 0, 0, 0, 0, 0, 0, 0, 1])

    def dealt(n: int) -> int:
        return next(codes) if n < 1 << 32 else 7

    log = MemoryLog()
    async with open_hall(log=log, below=dealt) as hall:
        await hall.guest("m_ana", "first")
        await hall.guest("m_ana", "second")
        codes_made = sorted(shelf.code[-2:] for shelf in log.shelves.values())
        assert codes_made == ["10", "11"]
        assert log.calls["create"] == 3


@pytest.mark.parametrize(("create", "made"), [("anyone", True), ("operators", False), ("listed", False)])
async def test_who_may_make_a_room_by_joining_it(create: str, made: bool, autojump_clock: MockClock) -> None:
    rules = RoomRules(create=create, listed={BLUE: Listed("Blue")})
    async with open_hall(rules=rules) as hall:
        value = await hall.phone().join("green-room").wait()
        assert isinstance(value, Joined) == made
        if not made:
            assert no(value) is Reason.UNKNOWN_ROOM
        joined = await hall.phone("m_bo").join(BLUE).wait()
        assert (joined.room, joined.title) == (BLUE, "Blue")


async def test_listed_rooms_are_there_from_the_start_and_stay(autojump_clock: MockClock) -> None:
    rules = RoomRules(listed={BLUE: Listed("Blue", Policy(slow_s=3)), MAIN: Listed()}, retire_after_s=10)
    async with open_hall(rules=rules) as hall:
        assert await names(hall) == [BLUE, MAIN]
        await trio.sleep(100)
        assert sorted(hall.house.refs) == [BLUE, MAIN]
        assert (await hall.census(BLUE)).policy.slow_s == 3


async def test_a_member_makes_so_many_rooms_an_hour_and_is_told_when_the_next(autojump_clock: MockClock) -> None:
    async with open_hall(rules=RoomRules(creations_per_member_h=3)) as hall:
        ana = hall.phone()
        for n in range(3):
            assert isinstance(await ana.join(f"room-{n}").wait(), Joined)
            await trio.sleep(60)
        value = await ana.join("room-3").wait()
        assert no(value) is Reason.RATE
        assert 3_415_000 <= value.retry_after_ms <= 3_421_000
        assert isinstance(await hall.phone("m_bo").join("room-3").wait(), Joined), "others may"
        assert isinstance(await ana.join("room-3").wait(), Joined), "what there is may be joined"
        await trio.sleep(value.retry_after_ms / 1000)
        assert isinstance(await ana.join("room-4").wait(), Joined)


async def test_all_together_make_so_many_a_minute(autojump_clock: MockClock) -> None:
    async with open_hall(rules=RoomRules(creations_per_min=5)) as hall:
        values = [await hall.phone(f"m_{n}").join(f"room-{n}").wait() for n in range(6)]
        assert [type(value) for value in values] == [Joined] * 5 + [Refused]
        assert (no(values[5]), values[5].retry_after_ms) == (Reason.RATE, 10_000)
        await trio.sleep(60)
        assert isinstance(await hall.phone("m_5").join("room-5").wait(), Joined)


async def test_there_are_only_so_many_rooms(autojump_clock: MockClock) -> None:
    async with open_hall(rules=RoomRules(most_rooms=3), log=MemoryLog(read_s=lambda: 0.1)) as hall:
        values = [await answer.wait() for answer in [hall.phone(f"m_{n}").join(f"room-{n}") for n in range(5)]]
        assert [no(value) for value in values if isinstance(value, Refused)] == [Reason.FULL] * 2


async def test_where_members_may_make_none_they_are_told_so(autojump_clock: MockClock) -> None:
    """It crashed the directory: there was no first room from which to count the hour."""
    async with open_hall(rules=RoomRules(creations_per_member_h=0)) as hall:
        for _ in range(2):
            assert no(await hall.phone().join().wait()) is Reason.RATE
        assert hall.crashes == []


async def test_a_log_in_trouble_makes_no_room_and_that_does_not_count(autojump_clock: MockClock) -> None:
    """Three tries with a full disk, and nobody could make a room for an hour."""
    async with open_hall(rules=RoomRules(creations_per_member_h=1)) as hall:
        hall.log.fails = {"create"}
        ana, bo = hall.phone(), hall.phone("m_bo")
        for _ in range(3):
            values = [await answer.wait() for answer in [ana.join(), bo.join()]]
            assert [(no(value), value.retry_after_ms) for value in values] == [(Reason.UNAVAILABLE, 2_000)] * 2
        hall.log.fails = set()
        assert isinstance(await ana.join().wait(), Joined)
        assert isinstance(await bo.join("room-of-bo").wait(), Joined)


async def test_who_waits_for_a_room_is_answered_when_the_house_closes(autojump_clock: MockClock) -> None:
    """They were forgotten with the directory, and waited for ever."""
    log = MemoryLog()
    async with open_hall(log=log) as hall:
        await listing(hall)
        log.read_s = lambda: 60.0
        answers = [hall.phone(f"m_{n}").join() for n in range(3)]
        await hall.quiet()
    assert [no(answer.values[0]) for answer in answers] == [Reason.UNAVAILABLE] * 3


# Retiring

SOON = RoomRules(retire_after_s=30, creations_per_member_h=1_000)


async def test_a_room_without_people_retires_and_comes_back_with_all_it_had(autojump_clock: MockClock) -> None:
    async with open_hall(rules=SOON) as hall:
        ana = await hall.guest()
        await ana.post("hello").wait()
        await hall.set_policy(slow_s=5)
        ana.go()
        await trio.sleep(100)
        assert hall.house.refs == {}
        assert await names(hall) == ["main"]
        again = ana.come_back()
        joined = await again.rejoin().wait()
        assert (joined.mode, joined.head, joined.policy.slow_s) == ("resumed", 2, 5)
        assert isinstance(await again.post("there").wait(), Stored)
        await hall.all_level([again])
        assert hall.crashes == []


async def test_a_room_with_people_in_it_stays_however_quiet_they_are(autojump_clock: MockClock) -> None:
    async with open_hall(rules=SOON) as hall:
        await hall.guest()
        await trio.sleep(500)
        assert list(hall.house.refs) == [MAIN]
        assert (await hall.census()).seats == 1


async def test_a_room_whose_last_member_is_within_grace_stays(autojump_clock: MockClock) -> None:
    async with open_hall(rules=SOON, grace_s=100) as hall:
        ana = await hall.guest()
        await trio.sleep(25)
        ana.go()
        await trio.sleep(90)
        assert list(hall.house.refs) == [MAIN]
        await trio.sleep(60)
        assert hall.house.refs == {}


async def test_a_room_in_which_nothing_was_said_is_forgotten(autojump_clock: MockClock) -> None:
    async with open_hall(rules=SOON) as hall:
        ana = await hall.guest()
        code = ana.answers[0].values[0].code
        ana.go()
        await trio.sleep(100)
        assert await names(hall) == []
        assert hall.log.shelves == {}
        assert no(await hall.phone().join(code).wait()) is Reason.UNKNOWN_ROOM
        joined = await hall.phone("m_bo").join().wait()
        assert isinstance(joined, Joined)
        assert joined.head == 0


async def test_a_log_in_trouble_keeps_a_bare_room(autojump_clock: MockClock) -> None:
    async with open_hall(rules=SOON) as hall:
        ana = await hall.guest()
        ana.go()
        hall.log.fails = {"forget"}
        await trio.sleep(100)
        assert hall.house.refs == {}
        assert await names(hall) == ["main"]
        assert isinstance(await ana.come_back().join().wait(), Joined)


async def test_who_comes_while_a_bare_room_is_being_forgotten_gets_a_room(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    async with open_hall(rules=SOON, log=log) as hall:
        ana = await hall.guest()
        code = ana.answers[0].values[0].code
        ana.go()
        await trio.sleep(30)
        log.read_s = lambda: 5.0
        while not log.calls["forget"]:  # noqa: ASYNC110
            await trio.sleep(0.1)
        by_name, by_code = hall.phone("m_bo").join(), hall.phone("m_cy").join(code)
        assert isinstance(await by_name.wait(), Joined)
        assert no(await by_code.wait()) is Reason.UNKNOWN_ROOM


async def test_a_directory_that_restarts_knows_everything_again(autojump_clock: MockClock) -> None:
    async with open_hall(rules=SOON) as hall:
        ana = await hall.guest()
        await ana.post().wait()
        hall.house.directory.tell(None)  # type: ignore[arg-type]
        await hall.quiet()
        assert hall.crashes == ["directory"]
        assert await names(hall) == ["main"]
        bo = await hall.guest("m_bo")
        await ana.post().wait()
        await hall.all_level([ana, bo])
        for phone in (ana, bo):
            phone.go()
        await trio.sleep(100)
        assert hall.house.refs == {}


async def test_a_room_in_quarantine_is_not_retired_and_the_sweep_goes_on(autojump_clock: MockClock) -> None:
    async with open_hall(rules=SOON) as hall:
        ana, bo = await hall.guest(), await hall.guest("m_bo", "other")
        await ana.post().wait()
        await bo.post(room="other").wait()
        for _ in range(4):
            hall.faults.arm("handle Post")
            await ana.post().wait()
            await hall.quiet(0.1)
        ana.go()
        bo.go()
        assert hall.quarantines == ["room:main"]
        await trio.sleep(120)
        assert hall.house.refs == {}, "each in its time"
