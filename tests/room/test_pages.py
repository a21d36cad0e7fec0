"""Pages: read once, shared, kept within bytes, and never older than what an edit or a deletion made of them."""

import pytest
import trio
from attrs import evolve
from trio.testing import MockClock

from actors.events import Deleted, Edited, Entry, Message
from actors.journal.log import LogFailed
from actors.journal.sizes import ANSWER_BYTES, framed_bytes
from actors.names import Cid, Epoch, MemberId, Nickname, RoomName
from actors.room.pages import EpochOver, Framed, Pages, fitting
from tests.room.fakes import LineVoice, MemoryLog, Shelf, words

MAIN, OTHER = RoomName("main"), RoomName("other")


class Desk:
    """Pages over a log that has been talked in."""

    def __init__(self, count: int = 1_000, *, max_bytes: int = 1 << 20, size: int = 20) -> None:
        self.log = MemoryLog()
        self.voice = LineVoice()
        self.shelf: Shelf = self.log.fill(MAIN, count, size)
        self.pages = Pages(self.log, self.voice, max_bytes=max_bytes)

    async def after(self, cursor: int, room: RoomName = MAIN) -> tuple[Framed, ...]:
        return await self.pages.after(room, self.log.shelves[room].epoch, cursor)

    def change(self, body: Edited | Deleted) -> None:
        """Committed, and folded by the room."""
        entry = Entry(self.shelf.epoch, self.shelf.head + 1, 0.0, MemberId("m_past"), Cid("c"), body)
        self.shelf.put(entry)
        self.pages.changed(MAIN, entry)

    @property
    def reads(self) -> int:
        return self.log.calls["read"]


def seqs(framed: tuple[Framed, ...]) -> list[int]:
    assert [int(words(frame)[3]) for _, frame in framed] == [seq for seq, _ in framed]
    return [seq for seq, _ in framed]


def text(framed: tuple[Framed, ...], seq: int) -> str:
    return words(dict(framed)[seq])[-1]


async def test_pages_are_aligned_and_shared_by_all_who_are_within_them(autojump_clock: MockClock) -> None:
    desk = Desk()
    assert seqs(await desk.after(0)) == list(range(1, 201))
    assert seqs(await desk.after(150)) == list(range(151, 201))
    assert seqs(await desk.after(199)) == [200]
    assert (desk.reads, desk.voice.calls["entry"]) == (1, 200)
    assert seqs(await desk.after(200)) == list(range(201, 401))
    assert desk.reads == 2


async def test_the_page_that_still_grows_is_kept_as_far_as_it_went(autojump_clock: MockClock) -> None:
    desk = Desk(250)
    for cursor in (200, 201, 249):
        assert seqs(await desk.after(cursor)) == list(range(cursor + 1, 251))
    assert desk.reads == 1
    desk.log.fill(MAIN, 10)
    assert seqs(await desk.after(210)) == list(range(211, 251)), "enough to go on with"
    assert seqs(await desk.after(250)) == list(range(251, 261))
    assert seqs(await desk.after(220)) == list(range(221, 261))
    assert desk.reads == 2


async def test_there_is_nothing_after_the_head(autojump_clock: MockClock) -> None:
    desk = Desk(200)
    assert await desk.after(200) == ()
    assert await Desk(0).after(0) == ()


async def test_pages_of_long_messages_are_read_in_several_steps(autojump_clock: MockClock) -> None:
    desk = Desk(400, size=20_000)
    assert seqs(await desk.after(0)) == list(range(1, 201))
    assert desk.reads > 1


async def test_what_is_kept_stays_within_its_bytes_and_the_longest_unused_goes_first(autojump_clock: MockClock) -> None:
    one = sum(len(frame) for _, frame in await Desk().after(0))
    desk = Desk(max_bytes=round(3.5 * one))
    for cursor in (0, 200, 400, 0, 600):  # 200 has not been used for the longest
        await desk.after(cursor)
    assert desk.reads == 4
    for cursor in (0, 400, 600):
        await desk.after(cursor)
    assert desk.reads == 4
    await desk.after(200)
    assert desk.reads == 5
    assert desk.pages._bytes == sum(len(f) for kept in desk.pages._kept.values() for _, f in kept) <= 3.5 * one


async def test_a_page_larger_than_all_that_may_be_kept_is_served_all_the_same(autojump_clock: MockClock) -> None:
    desk = Desk(max_bytes=100)
    assert len(await desk.after(0)) == 200
    assert (desk.pages._bytes, len(desk.pages._kept)) == (0, 0)


async def test_an_edit_makes_its_page_be_read_again_and_no_other(autojump_clock: MockClock) -> None:
    desk = Desk()
    for cursor in (0, 200, 400):
        await desk.after(cursor)
    desk.change(Edited(200, "new"))
    assert text(await desk.after(0), 200) == "new"
    assert desk.reads == 4
    await desk.after(200)
    await desk.after(400)
    assert desk.reads == 4


async def test_a_deletion_leaves_nothing_of_it_in_memory(autojump_clock: MockClock) -> None:
    desk = Desk()
    desk.change(Edited(7, "secret"))
    await desk.after(0)
    await desk.after(1_000)
    desk.change(Deleted(7))
    assert "secret" not in str(desk.pages._kept)
    assert text(await desk.after(0), 7) == ""
    assert words(dict(await desk.after(1_000))[1_001])[-2] == "Tombstone"


async def test_changes_in_one_room_leave_the_pages_of_others(autojump_clock: MockClock) -> None:
    desk = Desk()
    desk.log.fill(OTHER, 200)
    await desk.after(0, OTHER)
    desk.change(Deleted(7))
    desk.change(Edited(8, "new"))
    await desk.after(0, OTHER)
    assert desk.reads == 1


@pytest.mark.parametrize("body", [Edited(7, "new"), Deleted(7)])
async def test_a_page_that_was_read_before_a_change_and_comes_after_it_is_not_kept(
    body: Edited | Deleted, autojump_clock: MockClock
) -> None:
    desk = Desk()

    read = desk.log.read

    async def late(*a: object, **k: object) -> object:
        page = await read(*a, **k)  # type: ignore[arg-type]
        await trio.sleep(1)
        return page

    desk.log.read = late  # type: ignore[method-assign,assignment]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.after, 0)
        await trio.sleep(0.5)
        desk.change(body)
    assert text(await desk.after(0), 7) == ("new" if isinstance(body, Edited) else "")


async def test_where_retention_took_a_page_come_the_first_entries_there_are(autojump_clock: MockClock) -> None:
    desk = Desk()
    desk.log.trim(MAIN, 450)
    assert seqs(await desk.after(0))[0] == 450
    assert seqs(await desk.after(410)) == list(range(450, 601))
    desk.log.trim(MAIN, 1_001)
    assert await desk.after(700) == ()


async def test_a_new_epoch_is_told_and_its_pages_are_its_own(autojump_clock: MockClock) -> None:
    desk = Desk()
    old = desk.shelf.epoch
    await desk.after(0)
    desk.log.renewed(MAIN, 300)
    with pytest.raises(EpochOver):
        await desk.pages.after(MAIN, old, 200)
    assert words((await desk.after(0))[0][1])[2] == desk.shelf.epoch != old


async def test_a_log_in_trouble_is_told_and_nothing_is_kept_of_it(autojump_clock: MockClock) -> None:
    desk = Desk()
    desk.log.fails = {"read"}
    with pytest.raises(LogFailed):
        await desk.after(0)
    desk.log.fails = set()
    assert len(await desk.after(0)) == 200


def test_what_fits_is_counted_in_bytes_from_either_end() -> None:
    def said(seq: int, words: str) -> Entry:
        return Entry(Epoch("e"), seq, 0.0, MemberId("m"), Cid("c"), Message(Nickname("n"), words))

    entries = tuple(said(n, "é" * 50) for n in range(10))
    three = ANSWER_BYTES + 3 * framed_bytes(entries[0])
    assert fitting(entries, three, newest=False) == entries[:3]
    assert fitting(entries, three - 1, newest=False) == entries[:2]
    assert fitting(entries, three, newest=True) == entries[-3:]
    assert fitting(entries, 1, newest=True) == entries[-1:]
    assert fitting(entries, 1, newest=False) == entries[:1]
    assert fitting(entries, 4_000, newest=True) == entries
    assert fitting((), 0, newest=True) == ()
    deleted = tuple(evolve(e, body=Deleted(1)) for e in entries)
    assert fitting(deleted, three, newest=False) == deleted[:5]
