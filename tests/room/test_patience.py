"""Rooms and the directory start on a log that does not answer for a while: it is waited for. It is no crash.

A room that started while its journal restarted, or while a disk could not be read for 300 ms, crashed four times in
three milliseconds, and was shut for half a minute and more."""

import pytest
import trio
from trio.testing import MockClock

from actors.events import Policy
from actors.journal.log import Stored
from actors.kernel import ActorGone
from actors.refusals import Reason, Refused
from actors.room import messages as say
from actors.room.directory import Listed, Listing, RoomRules
from actors.room.messages import Joined
from actors.room.orders import DeleteRoom, ListRooms, RoomOrder, UpdateRoom
from tests.room.fakes import MemoryLog
from tests.room.hall import MAIN, Answer, Hall, Phone, open_hall


def unharmed(hall: Hall) -> bool:
    return hall.crashes == hall.quarantines == []


async def test_a_join_waits_for_a_log_that_stumbles(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        hall.log.fill(MAIN, 5)
        await hall.house.directory.ask(Listing)
        hall.log.fails = {"open"}
        ana = hall.phone()
        answer = ana.join()
        await trio.sleep(0.3)
        assert not answer.given
        hall.log.fails = set()
        assert isinstance(await answer.wait(0.5), Joined)
        await hall.all_level([ana])
        assert unharmed(hall)


async def test_when_it_takes_long_everybody_is_told_to_try_again_and_then_let_in(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        await hall.house.directory.ask(Listing)
        hall.log.fails = {"open"}
        ana, bo = hall.phone("m_ana"), hall.phone("m_bo")
        first = await ana.join().wait(10)
        await trio.sleep(600)
        later = await bo.join().wait(0.1)
        for told in (first, later):
            assert isinstance(told, Refused)
            assert told.reason is Reason.UNAVAILABLE
            assert 0 < (told.retry_after_ms or 0) <= 5_000
        hall.log.fails = set()
        await trio.sleep(5)
        assert isinstance(await ana.join().wait(0.1), Joined)
        assert unharmed(hall)


async def test_the_pauses_grow_and_are_bounded(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        await hall.house.directory.ask(Listing)
        hall.log.fails = {"open"}
        hall.phone().join()
        await trio.sleep(2)
        assert hall.log.calls["open"] <= 8
        before = hall.log.calls["open"]
        await trio.sleep(3_600)
        assert 700 <= hall.log.calls["open"] - before <= 750


async def test_a_room_that_crashed_while_its_log_was_away_goes_on_where_everybody_stood(
    autojump_clock: MockClock,
) -> None:
    async with open_hall() as hall:
        phones = await hall.crowd(5)
        assert isinstance(await phones[0].post("one").wait(), Stored)
        await hall.all_level(phones)
        hall.log.fails = {"open"}
        hall.faults.arm("handle Post")
        await phones[0].post("lost").wait()
        waiting = phones[1].post("two")
        await trio.sleep(1)
        hall.log.fails = set()
        assert isinstance(await waiting.wait(2), Stored)
        await hall.all_level(phones)
        assert hall.crashes == ["room:main"]
        assert all([text for _, _, text in phone.place().entries] == ["one", "two"] for phone in phones)


async def test_who_leaves_or_goes_meanwhile_is_not_there_when_it_opens(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo, cy = await hall.crowd(3)
        hall.log.fails = {"open"}
        hall.faults.arm("handle Post")
        await ana.post("lost").wait()
        await trio.sleep(10)
        assert isinstance(await ana.leave().wait(0.1), say.Done)
        bo.go()
        with pytest.raises(ActorGone):
            await hall.census()
        await trio.sleep(60)
        hall.log.fails = set()
        await trio.sleep(6)
        census = await hall.census()
        assert (census.online, census.seats) == (1, 1)
        await cy.post("here").wait()
        await hall.all_level([cy])
        assert "here" not in [text for _, _, text in ana.place().entries]


async def test_a_room_that_was_deleted_meanwhile_opens_with_nobody_in_it(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        hall.log.fails = {"open"}
        hall.faults.arm("handle Post")
        await ana.post("lost").wait()
        await trio.sleep(10)
        deleted = Answer()
        hall.house.directory.urge(DeleteRoom(deleted, MAIN))
        await deleted.wait()
        hall.log.fails = set()
        await trio.sleep(6)
        assert (await hall.census()).seats == 0
        assert ana.seats[MAIN].removed
        assert ana.place().count("removed") == 1


# While the rules of the settings are on their way

RULED = RoomRules(listed={MAIN: Listed("Main", Policy(slow_s=1.0))})


async def between_the_log_and_the_rules(hall: Hall, count: int) -> list[Phone]:
    """A crowd in a room that the log has opened late, and that turns mail away until its rules are written."""
    phones = await hall.crowd(count)
    await hall.quiet()
    hall.log.fails = {"open", "append"}
    hall.faults.arm("handle Typing")
    hall.house.refs[MAIN].offer(say.Typing(phones[0].member, phones[0].nickname))
    while hall.crashes == []:  # noqa: ASYNC110
        await trio.sleep(0.01)
    hall.log.hold()
    await trio.sleep(5)  # longer than mail waits
    hall.log.fails = set()
    while not hall.log.shelves[MAIN].followings:  # noqa: ASYNC110
        await trio.sleep(0.01)
    return phones


async def ordered(hall: Hall, order: RoomOrder) -> None:
    hall.house.directory.urge(order)
    assert isinstance(order.reply, Answer)
    await order.reply.wait()


def ruled_hall() -> tuple[MemoryLog, RoomRules]:
    """Its rules were refused at first, so they are still to be written when it opens late."""
    log = MemoryLog()
    log.fails = {"append"}
    return log, RULED


async def test_who_leaves_or_goes_while_the_rules_are_written_is_not_there(autojump_clock: MockClock) -> None:
    """The room asked who is there, and then waited up to two seconds for the rules of the settings while it turned
    mail away: who left in between was told `done`, and stayed for good, and so did who went."""
    log, rules = ruled_hall()
    async with open_hall(rules=rules, log=log) as hall:
        ana, bo, cy = await between_the_log_and_the_rules(hall, 3)
        left = bo.leave()
        cy.go()
        assert isinstance(await left.wait(0.5), say.Done)
        log.let_go()
        await trio.sleep(60)
        census = await hall.census()
        assert (census.online, census.seats, census.policy.slow_s) == (1, 1, 1.0)
        assert isinstance(await ana.post("hi").wait(), Stored)
        await hall.all_level([ana])
        assert [text for _, _, text in bo.place().entries] == []
        assert hall.crashes == ["room:main"]


async def test_a_room_that_is_deleted_while_its_rules_are_written_opens_with_nobody_in_it(
    autojump_clock: MockClock,
) -> None:
    """It was turned away with the rest of the mail, and the room knew its record as it was before: it stayed open."""
    log, rules = ruled_hall()
    async with open_hall(rules=rules, log=log) as hall:
        ana, bo = await between_the_log_and_the_rules(hall, 2)
        await ordered(hall, DeleteRoom(Answer(), MAIN))
        await trio.sleep(0.1)
        log.let_go()
        await trio.sleep(5)
        census = await hall.census()
        assert (census.online, census.seats) == (0, 0)
        assert [phone.place().count("removed") for phone in (ana, bo)] == [1, 1]
        assert ana.seats[MAIN].removed


async def test_a_room_that_is_called_otherwise_while_its_rules_are_written_knows_it(autojump_clock: MockClock) -> None:
    log, rules = ruled_hall()
    async with open_hall(rules=rules, log=log) as hall:
        ana, bo = await between_the_log_and_the_rules(hall, 2)
        told = ana.place().count("rules")
        await ordered(hall, UpdateRoom(Answer(), MAIN, title="New", official=True))
        await trio.sleep(0.1)
        log.let_go()
        await trio.sleep(5)
        again = await bo.come_back().join().wait()
        assert isinstance(again, Joined)
        assert (again.title, again.policy.official) == ("New", True)
        assert ana.place().count("rules") == told + 1


async def test_rules_of_the_house_that_change_while_a_room_waits_are_told_when_it_opens(
    autojump_clock: MockClock,
) -> None:
    log, rules = ruled_hall()
    async with open_hall(rules=rules, log=log) as hall:
        ana, _ = await between_the_log_and_the_rules(hall, 2)
        told = ana.place().count("rules")
        hall.house.refs[MAIN].urge(say.RulesChanged())
        await trio.sleep(0.1)
        log.let_go()
        await trio.sleep(5)
        assert ana.place().count("rules") == told + 1


async def test_a_room_that_waits_can_be_stopped(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        await hall.house.directory.ask(Listing)
        hall.log.fails = {"open"}
        hall.phone().join()
        await trio.sleep(10)
        began = trio.current_time()
        await hall.house.rooms.stop_and_wait("room:main")
        assert trio.current_time() - began < 0.1


async def test_a_directory_waits_for_the_log_and_answers_what_it_was_asked(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    log.fails = {"create"}
    async with open_hall(rules=RoomRules(listed={MAIN: Listed("Main")}), log=log) as hall:
        ana = hall.phone()
        refused = await ana.join().wait(10)
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.UNAVAILABLE
        order = Answer()
        hall.house.directory.urge(ListRooms(order))
        assert isinstance(await order.wait(0.1), Refused)
        found: list[str] = []

        async def ask() -> None:
            found.extend(record.name for record in await hall.house.directory.ask(Listing))

        hall.nursery.start_soon(ask)
        await trio.sleep(60)
        assert found == []
        log.fails = set()
        await trio.sleep(5)
        assert found == [MAIN]
        assert isinstance(await ana.join().wait(1), Joined)
        assert unharmed(hall)
