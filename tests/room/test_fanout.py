"""Slow readers: what they are told, how they are fed, and that nobody else waits for them."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.journal.log import Stored
from actors.names import RoomName
from actors.room.messages import Position
from gateway.line_speed import LineSpeed
from tests.room.fakes import MemoryLog
from tests.room.hall import MAIN, Hall, Phone, open_hall

OTHER = RoomName("other")


async def talk(phone: Phone, count: int, size: int = 20, room: RoomName = MAIN) -> None:
    for answer in [phone.post("x" * size, room) for _ in range(count)]:
        assert isinstance(await answer.wait(), Stored)


def slow_down(phone: Phone, pace: float, frames: int = 10) -> None:
    phone.outlet.bound_frames = frames
    phone.outlet.at_pace(pace)


def since_start(hall: Hall) -> Position:
    return Position(hall.log.shelves[MAIN].epoch, 0)


# Falling behind


async def test_who_is_too_slow_is_told_once_then_fed_and_level_again(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.crowd(2)
        slow_down(bo, 0)
        for _ in range(15):
            await talk(ana, 1)
        bo.outlet.at_pace(None)
        await hall.all_level([ana, bo])
        assert bo.place().got == list(range(1, 16))
        assert [line[0] for line in bo.place().told if line[0] != "diff"] == ["ok", "caught_up", "behind", "caught_up"]
        assert hall.house.tally.catch_ups["slow"] == 1
        await talk(ana, 1)
        await hall.all_level([ana, bo])
        assert bo.place().count("behind") == 1


async def test_each_drop_is_told_once_however_many_there_are(autojump_clock: MockClock) -> None:
    """The overflow was told by the pass that met it and once more by the outlet's report, which by then could find the
    member level again and sent them back behind."""
    async with open_hall() as hall:
        ana, bo = await hall.crowd(2)
        for round in range(5):
            slow_down(bo, 0)
            for _ in range(15):
                await talk(ana, 1)
            bo.outlet.at_pace(None)
            await hall.all_level([ana, bo])
            assert bo.outlet.overflows == bo.place().count("behind") == round + 1
        assert bo.place().count("caught_up") == 6


async def test_nobody_waits_for_a_slow_reader(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        crowd = await hall.crowd(10)
        for slow in crowd[5:]:
            slow_down(slow, 10)
        for _ in range(40):
            before = trio.current_time()
            await talk(crowd[0], 1)
            await hall.all_level(crowd[:5], within=0.2)
            assert trio.current_time() - before < 0.2
        assert all(slow.place().seen < 40 for slow in crowd[5:])
        census = await hall.census()
        assert (census.level, census.behind) == (5, 5)


async def test_a_line_that_is_stalled_costs_nothing_until_it_moves(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.crowd(2)
        await hall.all_level([ana, bo])  # else its first page measures the stall, and it is taken ahead
        slow_down(bo, 0)
        for _ in range(15):
            await talk(ana, 1)
        offered, pages = bo.outlet.offered, len(bo.outlet.pages)
        for _ in range(50):
            await talk(ana, 1)
        assert (bo.outlet.offered, len(bo.outlet.pages)) == (offered, pages)
        bo.outlet.at_pace(None)
        await hall.all_level([ana, bo])
        assert bo.place().got == list(range(1, 66))


async def test_a_line_that_dies_while_it_is_fed_leaves_the_others_alone(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    log.fill(MAIN, 400)
    async with open_hall(log=log) as hall:
        crowd = await hall.crowd(8, tail=0)
        for phone in crowd[4:]:
            phone.outlet.at_pace(3_000)
            await phone.join(since=since_start(hall)).wait()
        await trio.sleep(0.5)
        for phone in crowd[4:6]:
            phone.go()
        await hall.all_level([*crowd[:4], *crowd[6:]])
        assert (await hall.census()).seats == 6


# Feeding


async def test_pages_are_what_leaves_in_three_seconds(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    log.fill(MAIN, 600, size=400)
    async with open_hall(log=log, tail=10) as hall:
        ana = hall.phone()
        ana.outlet.at_pace(4_000)
        await ana.join(since=since_start(hall)).wait()
        await hall.all_level([ana])
        assert ana.place().got == list(range(1, 601))
        sizes = [len(page.blob) for page in ana.outlet.pages]
        assert sizes[0] <= 64 * 1024, "the rate is not known yet"
        assert all(size <= 3 * 4_000 for size in sizes[1:])
        assert len(sizes) <= 25
        assert ana.place().count("gap") == 0, "who was away is not hurried"


async def test_pages_are_shared_by_all_who_need_them(autojump_clock: MockClock) -> None:
    """The last page of the log, which still grows, was read and framed for every single member."""
    log = MemoryLog()
    log.fill(MAIN, 390)
    async with open_hall(log=log, tail=10) as hall:
        crowd = await hall.crowd(50, tail=0)
        for answer in [phone.join(since=since_start(hall)) for phone in crowd]:
            await answer.wait()
        await hall.all_level(crowd)
        assert all(phone.place().got == list(range(1, 391)) for phone in crowd)
        assert log.calls["read"] <= 2 * 4, "two pages, at most once for each feeder"
        assert hall.voice.calls["entry"] <= 2 * 4 * 200 + 10


async def test_at_most_four_pages_are_read_at_once(autojump_clock: MockClock) -> None:
    under_way = most = 0

    class Watched(MemoryLog):
        async def read(self, room: RoomName, **how: object) -> object:  # type: ignore[override]
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            try:
                return await super().read(room, **how)  # type: ignore[arg-type]
            finally:
                under_way -= 1

    log = Watched(read_s=lambda: 0.1)
    log.fill(MAIN, 600)
    async with open_hall(log=log, tail=10) as hall:
        crowd = await hall.crowd(30, tail=0)
        epoch = log.shelves[MAIN].epoch
        for answer in [phone.join(since=Position(epoch, n * 15)) for n, phone in enumerate(crowd)]:
            await answer.wait()
        await hall.all_level(crowd)
        assert most == 4


async def test_a_broadcast_is_cut_into_blobs_of_64_kib(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.crowd(2)
        sizes: list[int] = []
        chat = bo.outlet.chat
        bo.outlet.chat = lambda batch: (sizes.append(len(batch.blob)), chat(batch))[1]  # type: ignore[method-assign]
        hall.log.hold()
        answers = [ana.post("x" * 2_000) for _ in range(90)]
        await hall.quiet()
        hall.log.let_go()
        for answer in answers:
            await answer.wait()
        await hall.all_level([ana, bo])
        assert len(hall.log.batches) == 1
        assert len(sizes) == 3
        assert all(60_000 < size <= 65_536 for size in sizes[:-1])


async def test_nobody_is_fed_beyond_what_the_room_has_folded(autojump_clock: MockClock) -> None:
    """A page came with entries that the room had not heard of: the member stood ahead of every later batch, counted as
    level, and heard nothing more."""
    log = MemoryLog()
    log.fill(MAIN, 300)
    async with open_hall(log=log, tail=10) as hall:
        ana, bo = await hall.crowd(2, tail=0)
        log.wakes = False
        await talk(ana, 50)
        cy = hall.phone("m_cy")
        joined = await cy.join(since=Position(log.shelves[MAIN].epoch, 250)).wait()
        assert joined.head == 300
        await hall.quiet(3)
        assert cy.place().seen == 300
        log.wakes = True
        log.wake_up()
        await talk(bo, 5)
        await hall.all_level([ana, bo, cy])
        assert cy.place().got == list(range(251, 356))


async def test_what_else_waits_in_the_line_does_not_break_the_order(autojump_clock: MockClock) -> None:
    """Two rooms on one slow line: what one of them drops of the other is fed again."""
    async with open_hall() as hall:
        ana = await hall.guest("m_ana")
        await ana.join(OTHER).wait()
        bo = await hall.guest("m_bo")
        await bo.join(OTHER).wait()
        slow_down(bo, 600, frames=6)
        for n in range(80):
            await talk(ana, 1 + n % 3, room=OTHER if n % 5 == 0 else MAIN)
            await trio.sleep(0.1)
        await hall.all_level([ana, bo], within=600)
        await hall.all_level([ana, bo], OTHER, within=600)
        assert bo.outlet.overflows > 1
        assert bo.place().count("behind") >= 1
        assert bo.place(OTHER).count("behind") >= 1


async def test_a_page_that_was_dropped_is_fed_again(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    log.fill(MAIN, 60)
    log.fill(OTHER, 5)
    async with open_hall(log=log) as hall:
        ana = await hall.guest("m_ana", OTHER)
        bo = await hall.guest("m_bo", OTHER)
        slow_down(bo, 500, frames=8)
        await bo.join(MAIN, tail=50).wait()
        await trio.sleep(1)
        page = bo.outlet.pages[-1]
        assert page.room == MAIN
        for _ in range(10):
            await talk(ana, 1, room=OTHER)
        assert bo.outlet.overflows == 1
        assert bo.seats[MAIN].rewound or not bo.seats[MAIN].level
        bo.outlet.at_pace(5_000)
        await hall.all_level([bo])
        await hall.all_level([ana, bo], OTHER)
        assert bo.place().got == list(range(11, 61))
        assert bo.place().count("caught_up") == 1


# Far too slow


async def test_who_is_far_too_slow_is_taken_ahead_with_a_gap(autojump_clock: MockClock) -> None:
    async with open_hall(tail=10) as hall:
        ana, bo = await hall.crowd(2)
        slow_down(bo, 1_000, frames=20)
        for _ in range(60):
            await talk(ana, 20, size=200)
            await trio.sleep(0.1)
        await hall.all_level([bo], within=90)
        gaps = [line for line in bo.place().told if line[0] == "gap"]
        assert gaps
        assert {line[3] for line in gaps} == {"too_many"}
        told = len(bo.place().got) + sum(int(end) - int(start) + 1 for _, start, end, _ in gaps)
        assert told == hall.head() == 1_200, "nothing is skipped silently"


async def test_who_is_slow_gets_no_page_while_the_kernel_has_enough_for_them(autojump_clock: MockClock) -> None:
    """A kernel that took page after page held 20 KB of old words, which a phone at 1 kB/s read before the new ones."""
    async with open_hall(tail=10) as hall:
        ana, bo = await hall.crowd(2)
        slow_down(bo, 1_000, frames=20)
        for _ in range(20):
            await talk(ana, 20, size=200)
            await trio.sleep(0.1)
        await trio.sleep(5)
        assert bo.seats[MAIN].hurried
        bo.outlet.owed = 20_000
        bo.outlet.at_pace(None)
        await trio.sleep(1)
        pages = len(bo.outlet.pages)
        await trio.sleep(60)
        assert len(bo.outlet.pages) == pages
        bo.outlet.owed = 0
        await hall.all_level([ana, bo], within=60)


async def test_who_came_back_over_a_slow_line_gets_everything(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    log.fill(MAIN, 300, size=200)
    async with open_hall(log=log, tail=10) as hall:
        ana = hall.phone()
        ana.outlet.at_pace(500)
        await ana.join(since=since_start(hall)).wait()
        await hall.all_level([ana], within=900)
        assert ana.place().got == list(range(1, 301))


# Retention, and a log in trouble


async def test_who_is_behind_what_retention_took_is_told_so(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    log.fill(MAIN, 900)
    async with open_hall(log=log, tail=10) as hall:
        ana = hall.phone()
        ana.outlet.at_pace(2_000)
        await ana.join(since=since_start(hall)).wait()
        await trio.sleep(2)
        log.trim(MAIN, 700)
        ana.outlet.at_pace(None)
        await hall.all_level([ana])
        gap = next(line for line in ana.place().told if line[0] == "gap")
        assert (gap[2], gap[3]) == ("699", "trimmed")
        assert ana.place().got[-201:] == list(range(700, 901))


async def test_who_finds_nothing_left_to_read_becomes_level(autojump_clock: MockClock) -> None:
    """The page was empty, which read like a log in trouble: it was asked for once a second, for ever."""
    log = MemoryLog()
    log.fill(MAIN, 300)
    async with open_hall(log=log, tail=10) as hall:
        ana = hall.phone()
        ana.outlet.at_pace(500)
        await ana.join(since=since_start(hall)).wait()
        await trio.sleep(1)
        log.trim(MAIN, 301)
        hall.house.refs[MAIN].tell(typing(ana))
        ana.outlet.at_pace(None)
        await hall.all_level([ana], within=10)
        bo = hall.phone("m_bo")
        await bo.join(since=since_start(hall)).wait()
        await talk(ana, 1)
        await hall.all_level([ana, bo], within=10)


def typing(phone: Phone) -> object:
    from actors.room.messages import Typing

    return Typing(phone.member, phone.nickname)


async def test_a_log_that_cannot_read_is_asked_again_and_nobody_restarts(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    log.fill(MAIN, 400)
    async with open_hall(log=log, tail=10) as hall:
        log.fails = {"read"}
        crowd = [hall.phone(f"m_{n}") for n in range(30)]
        for phone in crowd:
            await phone.join(since=since_start(hall)).wait()
        await trio.sleep(20)
        assert all(phone.place().seen == 0 for phone in crowd)
        assert log.calls["read"] <= 21 * 4, "once a second"
        log.fails = set()
        await hall.all_level(crowd, within=3)
        assert hall.crashes == []
        assert all(phone.place().got == list(range(1, 401)) for phone in crowd)


async def test_who_can_be_fed_from_memory_does_not_wait_for_the_disk(autojump_clock: MockClock) -> None:
    """Each of the four feeders slept for a second over a page that the log could not give, while others waited."""
    log = MemoryLog()
    log.fill(MAIN, 400)
    async with open_hall(log=log, tail=100) as hall:
        log.fails = {"read"}
        crowd = [hall.phone(f"m_{n}") for n in range(40)]
        for phone in crowd:
            await phone.join(since=since_start(hall)).wait()
        await trio.sleep(2)
        late = hall.phone("m_late")
        await late.join(tail=50).wait()
        await hall.all_level([late], within=0.5)


async def test_who_leaves_while_fed_is_fed_no_more(autojump_clock: MockClock) -> None:
    log = MemoryLog(read_s=lambda: 0.5)
    log.fill(MAIN, 400)
    async with open_hall(log=log, tail=10) as hall:
        ana = hall.phone()
        await ana.join(since=since_start(hall)).wait()
        await ana.leave().wait()
        await trio.sleep(5)
        assert ana.place().got == []
        assert (await hall.census()).behind == 0


@pytest.mark.parametrize("round_trip", [0.02, 0.05, 0.2])
async def test_who_comes_out_of_a_tunnel_is_level_in_seconds_and_misses_nothing(
    round_trip: float, autojump_clock: MockClock
) -> None:
    """On a line whose acknowledgements take a round trip nothing had ever arrived at the look after a page: a phone
    that had fallen behind once was fed 4 KiB a rest for ten seconds, and then cut with a gap for being so slow."""
    async with open_hall(tail=10) as hall:
        ana, bo = await hall.crowd(2)
        slow_down(bo, 0, frames=20)
        for _ in range(100):
            await talk(ana, 20, size=200)
        line = Line(bo.outlet, round_trip)
        began = trio.current_time()
        bo.outlet.at_pace(None)
        await hall.all_level([ana, bo], within=6)
        assert trio.current_time() - began < 6
        assert bo.place().count("gap") == 0
        assert line.total > 400_000


class Line:
    """What an outlet has sent is acknowledged one round trip later; its speed is what the gateway makes of that."""

    def __init__(self, outlet: Any, round_trip: float) -> None:
        self._sent: list[tuple[float, int]] = []
        self.total = 0
        self._outlet, self._round_trip, self._hear = outlet, round_trip, outlet.hear
        self._speed: LineSpeed | None = None
        outlet.hear, outlet.look, outlet._left = self.hear, self.look, lambda run: None

    def hear(self, frame: bytes) -> None:
        self.total += len(frame)
        self._sent.append((trio.current_time() + self._round_trip, len(frame)))
        self._hear(frame)

    def look(self) -> int:
        now = trio.current_time()
        arrived = sum(size for at, size in self._sent if at <= now)
        if self._speed is None:
            self._speed = LineSpeed(now, arrived)
        self._speed.look(now, arrived, self.total - arrived)
        self._outlet.bytes_per_s = self._speed.bytes_per_s
        return self.total - arrived
