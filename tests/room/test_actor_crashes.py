"""A room that stumbles wherever it can, with many people in it: it restarts alone, and nobody loses a word.

Every phone checks that what it hears is the log's entries, once and in order (tests/room/hall.py)."""

import pytest
import trio
from trio.testing import MockClock

from actors.journal.log import Stored
from actors.names import RoomName
from actors.refusals import Reason, Refused
from actors.room.messages import Joined
from tests.room.fakes import MemoryLog
from tests.room.hall import MAIN, Hall, Phone, open_hall

OTHER = RoomName("other")
CROWD = 200
WHILE_TALKING = [
    ("handle", 3),
    ("handle Post", 5),
    ("handle Join", 1),
    ("handle Leave", 1),
    ("handle Typing", 1),
    ("fold, before", 4),
    ("fold, after", 4),
    ("voice.entry", 3),
    ("voice.diff", 1),
    ("voice.typing", 1),
    ("voice.caught_up", 1),
    ("outlet.chat", 1),
    ("outlet.chat", 77),
    ("outlet.chat", CROWD + 130),
    ("outlet.page", 1),
    ("outlet.news", 130),
    ("outlet.when_idle", 1),
    ("log.react", 1),
    ("voice.reactions", 1),
]
"""(where, how many times it is passed first)"""
WHILE_SLOW = [("voice.behind", 1), ("outlet.behind", 1), ("handle FellBehind", 1), ("log.read", 2), ("outlet.page", 2)]
WHILE_STARTING = ["started, first", "started, last", "log.open", "stopped, first", "stopped, last"]


async def settle(answers: list[object]) -> list[object]:
    return [await answer.wait() for answer in answers]  # type: ignore[attr-defined]


async def say_until_heard(phone: Phone, cid: str) -> None:
    """As the clients do: the same cid again, until it is stored."""
    for _ in range(5):
        value = await phone.post("hello", cid=cid).wait()
        if isinstance(value, Stored):
            return
        assert value.reason in {Reason.INTERNAL, Reason.UNAVAILABLE}
        await trio.sleep((value.retry_after_ms or 100) / 1000)
    pytest.fail(f"{cid} was never stored")


async def everybody_talks(hall: Hall, crowd: list[Phone], bystanders: list[Phone]) -> None:
    async with trio.open_nursery() as nursery:
        for n in range(40):
            nursery.start_soon(say_until_heard, crowd[n * 5 % CROWD], f"word-{n}")
            await trio.sleep(0.001 if n % 10 == 9 else 0)
        for n in range(5):
            bystanders[0].post(f"elsewhere {n}", OTHER)
        crowd[1].react(1)
        crowd[2].leave()
        crowd[4].rejoin()
        hall.house.refs[MAIN].tell(typing(crowd[3]))
        late = hall.phone("m_late")
        answer = late.join()
        await trio.sleep(0.02)
    if not isinstance(await answer.wait(), Joined):
        await trio.sleep(0.2)
        assert isinstance(await late.join().wait(), Joined)
    await hall.all_level([late, *crowd[:2], *crowd[3:]])
    await hall.all_level(bystanders, OTHER)


def typing(phone: Phone) -> object:
    from actors.room.messages import Typing

    return Typing(phone.member, phone.nickname)


@pytest.mark.parametrize(("point", "times"), WHILE_TALKING)
async def test_only_the_room_that_stumbles_restarts_and_nobody_loses_or_repeats_a_word(
    point: str, times: int, autojump_clock: MockClock
) -> None:
    async with open_hall() as hall:
        crowd = await hall.crowd(CROWD)
        bystanders = [await hall.guest(f"m_by{n}", OTHER) for n in range(3)]
        await crowd[0].post("first").wait()
        await hall.quiet(2)
        hall.faults.arm(point, times)
        await everybody_talks(hall, crowd, bystanders)
        await hall.quiet(2)
        assert hall.faults.raised == [point]
        assert hall.crashes == ["room:main"]
        assert hall.restarts == ["room:main"]
        assert hall.head() == 41
        told = [phone.place() for phone in crowd if phone is not crowd[4]]
        assert all(place.count("caught_up") == 1 for place in told), "a restart is silent"
        assert all(place.count("behind") == place.count("gap") == 0 for place in told)
        assert hall.house.tally.catch_ups["restart"] >= CROWD - 1


@pytest.mark.parametrize(("point", "times"), WHILE_SLOW)
async def test_a_crash_while_slow_readers_are_fed_loses_nothing(
    point: str, times: int, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.room.resume.PATIENCE_S", 1e9)
    async with open_hall(tail=10) as hall:
        crowd = await hall.crowd(20)
        for slow in crowd[:5]:
            slow.outlet.bound_frames = 5
            slow.outlet.at_pace(300)
        hall.faults.arm(point, times)
        for n in range(60):
            await say_until_heard(crowd[6 + n % 10], f"word-{n}")
        await trio.sleep(30)
        for slow in crowd[:5]:
            slow.outlet.at_pace(None)
        await hall.all_level(crowd)
        assert hall.faults.raised == [point]
        assert hall.crashes == ["room:main"]
        assert all(phone.place().got[-1] == 60 for phone in crowd)
        assert all(slow.outlet.overflows for slow in crowd[:5])


@pytest.mark.parametrize("point", WHILE_STARTING)
async def test_a_crash_while_it_starts_or_stops_is_one_more_crash_and_no_more(
    point: str, autojump_clock: MockClock
) -> None:
    async with open_hall() as hall:
        crowd = await hall.crowd(30)
        hall.faults.arm("handle Post")
        hall.faults.arm(point)
        await say_until_heard(crowd[0], "word")
        await hall.all_level(crowd)
        assert hall.faults.raised[0] == "handle Post"
        assert set(hall.faults.raised) == {"handle Post", point}
        assert len(hall.crashes) == (1 if point.startswith("stopped") else 2)


@pytest.mark.parametrize("seat", [0, 1, 99, 198, 199])
async def test_a_crash_in_the_midst_of_a_broadcast_is_taken_up_where_each_one_stands(
    seat: int, autojump_clock: MockClock
) -> None:
    async with open_hall() as hall:
        crowd = await hall.crowd(CROWD)
        hall.faults.arm("outlet.chat", seat + 1)
        assert isinstance(await crowd[0].post("hello").wait(), Stored)
        await hall.all_level(crowd)
        assert all(phone.place().got == [1] for phone in crowd)
        assert len(hall.crashes) == 1


async def test_what_waited_in_the_mailbox_is_done_by_the_next_instance(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        crowd = await hall.crowd(10)
        hall.faults.arm("handle Post", 3)
        values = await settle([phone.post() for phone in crowd])
        assert [isinstance(value, Stored) for value in values] == [True, True, False, *[True] * 7]
        refused = values[2]
        assert isinstance(refused, Refused)
        assert (refused.reason, refused.retry_after_ms) == (Reason.INTERNAL, 100)
        await hall.all_level(crowd)


async def test_oks_do_not_die_with_the_instance_that_took_the_post(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        crowd = await hall.crowd(5)
        hall.log.hold()
        answers = [phone.post() for phone in crowd]
        await hall.quiet()
        hall.faults.arm("handle Typing")
        hall.house.refs[MAIN].tell(typing(crowd[0]))
        await hall.quiet()
        assert hall.restarts == ["room:main"]
        hall.log.let_go()
        assert all(isinstance(value, Stored) for value in await settle(list(answers)))
        await hall.all_level(crowd)


async def test_presence_is_silent_about_a_restart(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        crowd = await hall.crowd(10)
        crowd[9].go()
        await hall.quiet(5)
        told = [len(phone.place().told) for phone in crowd]
        hall.faults.arm("handle Post")
        await crowd[0].post().wait()
        await hall.quiet(5)
        assert hall.restarts == ["room:main"]
        assert [len(phone.place().told) for phone in crowd] == told
        assert len(await crowd[0].members()) == 10, "who was within grace is still here"
        await trio.sleep(20)
        assert len(await crowd[0].members()) == 9, "and their grace goes on"


async def test_the_fourth_crash_in_five_seconds_quarantines_and_everyone_goes_on_afterwards(
    autojump_clock: MockClock,
) -> None:
    async with open_hall() as hall:
        crowd = await hall.crowd(50)
        bystander = await hall.guest("m_by", OTHER)
        await say_until_heard(crowd[0], "before")
        for n in range(4):
            assert hall.quarantines == []
            hall.faults.arm("handle Post")
            assert (await crowd[n].post().wait()).reason is Reason.INTERNAL
            await hall.quiet(0.1)
        assert hall.quarantines == ["room:main"]
        closed = await hall.phone("m_new").join().wait()
        assert isinstance(closed, Refused)
        assert closed.reason is Reason.UNAVAILABLE
        assert 29_000 <= closed.retry_after_ms <= 33_000
        assert (await crowd[0].post().wait()).reason is Reason.UNAVAILABLE
        await say_elsewhere(hall, bystander)
        crowd[7].go()
        await trio.sleep(34)
        assert hall.restarts[-1] == "room:main"
        await say_until_heard(crowd[0], "after")
        await hall.all_level([*crowd[:7], *crowd[8:]])
        assert crowd[1].place().got == [1, 2]
        assert isinstance(await hall.phone("m_new").join().wait(), Joined)
        await trio.sleep(30)
        assert (await hall.census()).online == 50, "who left meanwhile is gone, who came is here"


async def say_elsewhere(hall: Hall, bystander: Phone) -> None:
    assert isinstance(await bystander.post("hello", OTHER).wait(), Stored)
    await hall.all_level([bystander], OTHER)


async def test_crashes_spread_over_time_are_forgiven(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        crowd = await hall.crowd(5)
        for _ in range(10):
            hall.faults.arm("handle Post")
            await crowd[0].post().wait()
            await trio.sleep(3)
        assert hall.quarantines == []
        await say_until_heard(crowd[0], "word")
        await hall.all_level(crowd)


async def test_who_was_within_grace_when_the_room_was_in_quarantine_is_gone_afterwards(
    autojump_clock: MockClock,
) -> None:
    async with open_hall() as hall:
        crowd = await hall.crowd(5)
        crowd[4].go()
        for _ in range(4):
            hall.faults.arm("handle Post")
            await crowd[0].post().wait()
            await hall.quiet(0.1)
        await trio.sleep(34)
        assert len(await crowd[0].members()) == 4


async def test_an_outlet_may_call_back_while_its_room_goes_down(autojump_clock: MockClock) -> None:
    """The callback started a feeder in a nursery that had closed: RuntimeError, in the connection's own task."""
    log = MemoryLog()
    log.fill(MAIN, 400, size=200)
    async with open_hall(log=log, tail=10) as hall:
        crowd = await hall.crowd(12)
        for n, phone in enumerate(crowd):
            phone.outlet.at_pace(4_000 + 17 * n)
        for n in range(12):
            await crowd[n].rejoin().wait()
        for _ in range(60):
            for _ in range(3):
                hall.faults.arm("handle Typing")
                hall.house.refs[MAIN].tell(typing(crowd[0]))
                await trio.sleep(0.3)
            await trio.sleep(5)
        await hall.all_level(crowd)


@pytest.mark.parametrize("order", ["freeze first", "crash first"])
async def test_a_freeze_outlives_crashes_and_quarantine(order: str, autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        if order == "freeze first":
            await hall.set_policy(frozen=True)
        for _ in range(4):
            hall.faults.arm("handle Post")
            await ana.post().wait()
            await hall.quiet(0.1)
        assert hall.quarantines == ["room:main"]
        if order == "crash first":
            hall.nursery.start_soon(lambda: hall.set_policy(frozen=True))
        await trio.sleep(34)
        value = await ana.post().wait()
        assert isinstance(value, Refused)
        assert value.reason is Reason.FROZEN, "an order given in quarantine is kept"
