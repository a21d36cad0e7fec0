"""Words that are not to be seen any more are not kept in memory either: deleted, veiled, or too old."""

import gc
from collections.abc import Iterator

import pytest
import trio
from trio.testing import MockClock

from actors.events import Body, Cleared, Erased, Hidden
from actors.names import HOUSE, Cid
from actors.room import messages as say
from actors.room.directory import RoomRules
from actors.room.fanout import Fanout
from actors.room.messages import Joined, Position
from actors.room.pages import Pages
from tests.room.fakes import MemoryLog
from tests.room.hall import MAIN, Answer, Hall, open_hall

SECRET = b"SECRETWORD"


def kept_frames(hall: Hall) -> Iterator[bytes]:
    """In the fan-out and in the cache of pages."""
    room = [each for each in gc.get_objects() if type(each) is Fanout and each._pages._log is hall.log]
    for fanout in room:
        yield from (frame for _, frame in fanout._frames.values())
    for pages in {id(fanout._pages): fanout._pages for fanout in room}.values():
        yield from (frame for framed in pages._kept.values() for _, frame in framed)


def cached(hall: Hall) -> list[int]:
    pages: list[Pages] = [each for each in gc.get_objects() if type(each) is Pages and each._log is hall.log]
    return sorted(start for _, _, start in pages[0]._kept)


def keeps_the_secret(hall: Hall) -> bool:
    return any(SECRET in frame for frame in kept_frames(hall))


async def order(hall: Hall, body: Body) -> None:
    answer = Answer()
    hall.house.refs[MAIN].urge(say.Moderate(answer, HOUSE, Cid("order"), body))  # type: ignore[arg-type]
    await answer.wait()
    await hall.quiet()


@pytest.mark.parametrize("how", ["deleted", "edited", "hidden", "cleared", "erased"])
async def test_the_frame_of_a_message_goes_with_its_words(how: str, autojump_clock: MockClock) -> None:
    """It was kept beside the entry until a hundred others had come."""
    async with open_hall() as hall:
        ana = await hall.guest()
        seq = (await ana.post(SECRET.decode()).wait()).seq
        await hall.quiet()
        assert keeps_the_secret(hall)
        match how:
            case "deleted":
                await ana.delete(seq).wait()
            case "edited":
                await ana.edit(seq, "never mind").wait()
            case "hidden":
                await order(hall, Hidden(seq, "rude"))
            case "cleared":
                await order(hall, Cleared(seq))
            case _:
                await order(hall, Erased(seq))
        await hall.quiet()
        assert not keeps_the_secret(hall)


async def test_the_frames_of_its_edits_go_too(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        seq = (await ana.post("hi").wait()).seq
        await ana.edit(seq, SECRET.decode()).wait()
        await hall.quiet()
        assert keeps_the_secret(hall)
        await ana.delete(seq).wait()
        await hall.quiet()
        assert not keeps_the_secret(hall)


async def test_what_retention_has_taken_is_not_served_out_of_memory(autojump_clock: MockClock) -> None:
    """The cache of pages knew nothing of retention, and a room whose newest hundred were fresh took its log to be as
    long as ever."""
    log = MemoryLog()
    log.fill(MAIN, 900)
    async with open_hall(log=log) as hall:
        ana = hall.phone("m_ana")
        epoch = log.shelves[MAIN].epoch
        await ana.join(since=Position(epoch, 0), most=1_000).wait()
        await hall.all_level([ana])
        assert cached(hall) == [0, 200, 400, 600]
        log.trim(MAIN, 451)
        await hall.quiet()
        assert cached(hall) == [600]
        bo = hall.phone("m_bo")
        answer = await bo.join(since=Position(epoch, 0), most=1_000).wait()
        assert isinstance(answer, Joined)
        assert (answer.oldest, answer.mode) == (451, "gap")
        await hall.all_level([bo])
        assert bo.place().got == list(range(451, 901))
        assert ("gap", "1", "450", "trimmed") in bo.place().told
        page = await bo.history(before=500, limit=100).wait()
        assert (page.oldest, page.more, page.entries[0].seq) == (451, False, 451)


async def test_a_tail_that_retention_has_taken_is_gone_without_anybody_asking(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        for text in (SECRET.decode(), "two", "three"):
            await ana.post(text).wait()
        await hall.quiet()
        hall.log.trim(MAIN, 3)
        await hall.quiet()
        census = await hall.census()
        assert (census.oldest, census.tail) == (3, 1)
        assert not keeps_the_secret(hall)
        hall.log.trim(MAIN, 4)
        await hall.quiet()
        assert (await hall.census()).tail == 0
        await ana.post("four").wait()
        await hall.all_level([ana])


async def test_of_a_room_that_sleeps_no_page_is_kept(autojump_clock: MockClock) -> None:
    """Nor of one that was purged, or that is in another epoch: nobody would ask for it again."""
    log = MemoryLog()
    log.fill(MAIN, 500)
    rules = RoomRules(retire_after_s=10.0)
    async with open_hall(log=log, rules=rules, grace_s=1.0) as hall:
        ana = hall.phone()
        await ana.join(since=Position(log.shelves[MAIN].epoch, 0)).wait()
        await hall.all_level([ana])
        assert cached(hall)
        ana.go()
        await trio.sleep(60)
        assert hall.house.refs == {}
        assert cached(hall) == []
