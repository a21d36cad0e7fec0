"""Coming in, coming back, going away: what is told, in which order, and who is counted as here."""

import pytest
import trio
from trio.testing import MockClock

from actors.journal.log import Stored
from actors.names import Epoch, RoomName
from actors.refusals import Reason, Refused
from actors.room.messages import Joined, Position
from tests.room.fakes import MemoryLog
from tests.room.hall import MAIN, Hall, Phone, open_hall


def talked(count: int, room: RoomName = MAIN) -> MemoryLog:
    log = MemoryLog()
    log.fill(room, count)
    return log


async def talk(phone: Phone, count: int) -> None:
    for answer in [phone.post() for _ in range(count)]:
        assert isinstance(await answer.wait(), Stored)


def kinds(phone: Phone) -> list[str]:
    return [line[0] for line in phone.lines if line[0] not in {"diff", "counts"}]


# Joining


async def test_who_is_new_gets_the_ok_then_the_tail_then_caught_up(autojump_clock: MockClock) -> None:
    async with open_hall(log=talked(30)) as hall:
        ana = await hall.guest(tail=3)
        assert kinds(ana) == ["ok", "entry", "entry", "entry", "caught_up"]
        assert ana.place().got == [28, 29, 30]
        assert ("caught_up", "30") in ana.place().told
        ok = ana.answers[0].values[0]
        assert isinstance(ok, Joined)
        assert (ok.mode, ok.head, ok.oldest, ok.counts.online, ok.nickname) == ("fresh", 30, 1, 1, "ana")


async def test_a_tail_of_none_means_caught_up_at_once(autojump_clock: MockClock) -> None:
    async with open_hall(log=talked(30)) as hall:
        ana = await hall.guest(tail=0)
        assert kinds(ana) == ["ok", "caught_up"]
        assert ("caught_up", "30") in ana.place().told


async def test_the_first_one_in_an_empty_room_is_caught_up_too(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        assert ("caught_up", "0") in ana.place().told


@pytest.mark.parametrize("seen", [0, 100, 250, 299, 300])
async def test_who_comes_back_gets_exactly_what_was_missed(seen: int, autojump_clock: MockClock) -> None:
    """From memory or from the log, over several pages or none."""
    async with open_hall(log=talked(300), tail=20) as hall:
        epoch = hall.log.shelves[MAIN].epoch
        ana = hall.phone()
        joined = await ana.join(since=Position(epoch, seen), tail=5).wait()
        await hall.all_level([ana])
        assert joined.mode == "resumed"
        assert ana.place().got == list(range(seen + 1, 301)), "tail does not count for who has a position"
        assert ana.place().count("caught_up") == 1
        assert ana.place().count("gap") == 0


async def test_who_missed_too_much_is_told_so_and_gets_the_newest(autojump_clock: MockClock) -> None:
    async with open_hall(log=talked(300)) as hall:
        ana = hall.phone()
        joined = await ana.join(since=Position(hall.log.shelves[MAIN].epoch, 10), most=40).wait()
        await hall.all_level([ana])
        assert joined.mode == "gap"
        assert ("gap", "11", "260", "too_many") in ana.place().told
        assert ana.place().got == list(range(261, 301))
        assert kinds(ana)[:3] == ["ok", "gap", "entry"]


async def test_who_missed_what_retention_took_is_told_so(autojump_clock: MockClock) -> None:
    log = talked(300)
    log.trim(MAIN, 100)
    async with open_hall(log=log) as hall:
        ana = hall.phone()
        await ana.join(since=Position(log.shelves[MAIN].epoch, 10)).wait()
        await hall.all_level([ana])
        assert ("gap", "11", "99", "trimmed") in ana.place().told
        assert ana.place().got == list(range(100, 301))


async def test_who_comes_from_an_epoch_that_is_over_gets_the_tail(autojump_clock: MockClock) -> None:
    async with open_hall(log=talked(30)) as hall:
        ana = hall.phone()
        ana.place().epoch = Epoch("gone")
        joined = await ana.join(since=Position(Epoch("gone"), 5_000), tail=10).wait()
        await hall.all_level([ana])
        assert joined.mode == "gap"
        assert ("gap", "1", "20", "epoch") in ana.place().told
        assert ana.place().got == list(range(21, 31))


async def test_who_claims_to_have_seen_more_than_there_is_gets_the_tail_and_is_counted(
    autojump_clock: MockClock,
) -> None:
    async with open_hall(log=talked(30)) as hall:
        epoch = hall.log.shelves[MAIN].epoch
        ana = hall.phone()
        joined = await ana.join(since=Position(epoch, 31), tail=10).wait()
        await hall.all_level([ana])
        assert joined.mode == "gap"
        assert (joined.epoch, hall.log.shelves[MAIN].epoch) == (epoch, epoch), "nobody else loses their place"
        assert hall.house.tally.beyond_head == 1


async def test_caught_up_comes_once_although_people_go_on_talking(autojump_clock: MockClock) -> None:
    async with open_hall(log=talked(500), tail=10) as hall:
        bo = await hall.guest("m_bo")
        ana = hall.phone()
        ana.outlet.at_pace(2_000)
        epoch = hall.log.shelves[MAIN].epoch
        await ana.join(since=Position(epoch, 0)).wait()
        for _ in range(20):
            await talk(bo, 1)
            await trio.sleep(0.5)
        await hall.all_level([ana])
        assert ana.place().got == list(range(1, 521))
        told = [line for line in ana.place().told if line[0] == "caught_up"]
        assert len(told) == 1
        assert 500 <= int(told[0][1]) < 520, "as of the head at the join"


async def test_joins_in_the_midst_of_a_broadcast_lose_and_repeat_nothing(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setattr("actors.room.fanout.CHUNK", 2)
    async with open_hall() as hall:
        crowd = await hall.crowd(9)
        for n in range(40):
            crowd[n % 9].post()
            if n % 4 == 0:
                late = hall.phone(f"m_late{n}")
                late.join(tail=n % 3)
                crowd.append(late)
            for _ in range(n % 7):
                await trio.lowlevel.checkpoint()
        await hall.all_level(crowd)
        assert all(phone.place().count("caught_up") == 1 for phone in crowd)
        census = await hall.census()
        assert (census.seats, census.level, census.behind) == (19, 19, 0)


async def test_a_room_that_is_full_says_so_but_lets_its_own_come_back(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.crowd(2)
        await hall.set_policy(max_members=2)
        full = await hall.phone("m_cy").join().wait()
        assert isinstance(full, Refused)
        assert (full.reason, full.retry_after_ms) == (Reason.FULL, 10_000)
        ana.go()
        await hall.quiet()
        assert isinstance(await ana.come_back().rejoin().wait(), Joined), "within grace"
        assert isinstance(await hall.phone(bo.member).join().wait(), Joined), "another connection of who is here"


async def test_names_are_told_apart_within_a_room(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        await hall.phone("m_1", "Ana").join().wait()
        joined = await hall.phone("m_2", "ana").join().wait()
        assert joined.nickname == "ana-2"
        assert await hall.phones[0].members() == ["Ana", "ana-2"]


# Joining again


async def test_a_join_on_the_same_connection_begins_anew_and_nothing_of_before_comes_after_its_ok(
    autojump_clock: MockClock,
) -> None:
    """The earlier seat was fed on until it was given up, in a later turn: what was said meanwhile came twice."""
    async with open_hall(log=talked(100), tail=10) as hall:
        bo = await hall.guest("m_bo")
        ana = hall.phone()
        ana.outlet.at_pace(300)
        await ana.join(since=Position(hall.log.shelves[MAIN].epoch, 0)).wait()
        await trio.sleep(2)
        for n in range(5):
            answers = [bo.post() for _ in range(3)]
            await ana.rejoin().wait()
            for answer in answers:
                await answer.wait()
            await trio.sleep(n / 3)
        await hall.all_level([ana, bo])
        census = await hall.census()
        assert (census.seats, census.online) == (2, 2)


async def test_a_join_again_of_who_is_up_to_date_repeats_nothing(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.crowd(2)
        await talk(bo, 3)
        await hall.all_level([ana, bo])
        for answer in [ana.rejoin(), bo.post(), bo.post()]:
            await answer.wait()
        await hall.all_level([ana, bo])
        assert ana.place().got == [1, 2, 3, 4, 5]
        assert ana.place().count("behind") == 0
        assert ana.place().count("caught_up") == 2


async def test_a_join_that_fails_leaves_the_earlier_seat_as_it_was(autojump_clock: MockClock) -> None:
    async with open_hall(log=talked(50)) as hall:
        bo = await hall.guest("m_bo")
        ana = hall.phone()
        ana.outlet.at_pace(200)
        await ana.join(tail=50).wait()
        await trio.sleep(1)
        hall.faults.arm("outlet.when_idle")
        value = await ana.rejoin().wait()
        assert isinstance(value, Refused)
        await talk(bo, 2)
        await hall.all_level([ana, bo])
        assert ana.place().got == list(range(1, 53))


# Leaving


async def test_who_leaves_hears_no_more_and_is_gone_at_once(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.crowd(2)
        await hall.quiet(2)
        await bo.leave().wait()
        await talk(ana, 1)
        await hall.quiet(2)
        assert bo.place().got == []
        assert await ana.members() == ["0"]
        assert ana.place().told[-1][4] == "m_1"
        assert (await hall.census()).seats == 1


async def test_who_leaves_with_one_of_two_connections_is_still_here(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        phone, laptop = await hall.guest("m_bo"), await hall.guest("m_bo")
        await laptop.leave().wait()
        assert await ana.members() == ["ana", "bo"]
        await talk(ana, 1)
        await hall.all_level([ana, phone])
        await phone.leave().wait()
        assert await ana.members() == ["ana"]


async def test_what_still_waits_of_a_room_is_dropped_when_its_member_leaves(autojump_clock: MockClock) -> None:
    async with open_hall(log=talked(50)) as hall:
        ana = hall.phone()
        ana.outlet.at_pace(100)
        await ana.join(tail=50).wait()
        await trio.sleep(2)
        await ana.leave().wait()
        lines = len(ana.lines)
        await trio.sleep(60)
        assert len(ana.lines) <= lines + 1, "at most the frame that was under way"


async def test_who_leaves_and_joins_gets_nothing_twice(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.crowd(2)
        bo.outlet.at_pace(400)
        for n in range(30):
            ana.post("x" * 30)
            if n % 10 == 9:
                bo.leave()
                await bo.rejoin().wait()
            await trio.sleep(0.1)
        await hall.all_level([ana, bo])


# A member's presence


async def test_a_blink_of_the_network_is_silent(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.crowd(2)
        await hall.quiet(3)
        told = len(ana.place().told)
        bo.go()
        await trio.sleep(15)
        again = bo.come_back()
        await again.rejoin().wait()
        await trio.sleep(60)
        assert ana.place().told[told:] == []
        assert await ana.members() == ["0", "1"]


async def test_who_stays_away_is_announced_as_gone_after_their_grace(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.crowd(2)
        await hall.quiet(3)
        bo.go()
        await trio.sleep(19)
        assert await ana.members() == ["0", "1"]
        await trio.sleep(3)
        assert await ana.members() == ["0"]
        diffs = [line for line in ana.place().told if line[0] == "diff"]
        assert diffs[-1][4] == "m_1"


async def test_who_comes_back_keeps_their_name_and_nobody_else_got_it(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        first = hall.phone("m_1", "Ana")
        await first.join().wait()
        first.go()
        await trio.sleep(10)
        other = await hall.phone("m_2", "Ana").join().wait()
        back = await first.come_back().rejoin().wait()
        assert (other.nickname, back.nickname) == ("Ana-2", "Ana")


async def test_a_join_that_is_answered_after_its_connection_went_leaves_nobody_behind(
    autojump_clock: MockClock,
) -> None:
    """The seat was given up, but no grace ever ended it: the member stayed on the list for ever."""
    async with open_hall() as hall:
        ana = await hall.guest()
        bo = hall.phone("m_bo")
        bo.join()
        bo.go()
        await trio.sleep(30)
        assert await ana.members() == ["ana"]
        census = await hall.census()
        assert (census.seats, census.online) == (1, 1)


async def everyone_gone(hall: Hall) -> bool:
    census = await hall.census()
    return (census.seats, census.online, census.level, census.behind) == (0, 0, 0, 0)


async def test_a_storm_of_departures_leaves_an_empty_room(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        phones = await hall.crowd(300)
        for phone in phones:
            phone.go()
        await trio.sleep(30)
        assert await everyone_gone(hall)
