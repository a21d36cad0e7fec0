"""What is counted for an entry is no less than what it costs on the wire, and not much more."""

from pathlib import Path

import pytest

from actors.events import (
    AlertNotice,
    Body,
    Cleared,
    Deleted,
    Edited,
    Entry,
    Erased,
    Hidden,
    Message,
    Moved,
    Notice,
    Pinned,
    Policy,
    PolicyChanged,
    Restored,
    Tombstone,
    Uncleared,
)
from actors.journal.log import Durability, Page
from actors.journal.sizes import ANSWER_BYTES, fitting, framed_bytes
from actors.names import Cid, Epoch, MemberId, Nickname, RoomName
from gateway import voice
from tests.journal.keeping import BO, STAGE, keeping, message, setup_for

BIG = 2**53 - 1
LONG_ROOM, LONG_EPOCH, LONG_CID = RoomName("r" * 48), Epoch("z" * 32), Cid("c" * 64)
KIB_64 = 1 << 16

BODIES: list[Body] = [
    message("hi"), message("\x01" * 1_900), message('"' * 600), message("é" * 600),
    Message(Nickname("N" * 32), "x", BIG, BIG, "coordinator"),
    Tombstone(), Tombstone(BIG), Tombstone(BIG, hidden=True), Edited(BIG, "x" * 99), Deleted(BIG),
    PolicyChanged(Policy(BIG, True, 1.5, BIG, BIG, "auto", 1_790_000_000.123456, "why", True, 5, True)),
    PolicyChanged(Policy()), Hidden(BIG, "why"), Restored(BIG), Pinned(BIG), Pinned(None), Cleared(BIG), Uncleared(BIG),
    Erased(BIG), Moved(LONG_ROOM, "why"), Notice("words", "badge"), AlertNotice("a" * 20, BIG, "h", "t", "exercise"),
]  # fmt: skip


def answered(entries: tuple[Entry, ...], reactions: dict[int, dict[str, int]]) -> int:
    epoch = Epoch(LONG_EPOCH)
    return len(voice.answer_history(BIG, LONG_ROOM, Page(epoch, entries, True, BIG, BIG, reactions)))


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
@pytest.mark.parametrize("counts", [{}, {"\U0001f44d": 1}, {f"e{n}": BIG for n in range(20)}])
def test_the_estimate_is_what_it_costs_at_most(body: Body, counts: dict[str, int]) -> None:
    entry = Entry(LONG_EPOCH, BIG, 1_790_000_000.123456, MemberId("m_" + "0" * 26), LONG_CID, body)
    assert answered((), {}) <= ANSWER_BYTES
    costs = answered((entry,), {BIG: counts} if counts else {}) - answered((), {})
    assert costs <= framed_bytes(entry, counts) <= costs + 256


@pytest.mark.parametrize("text", ["hi", "x" * 200, '"' * 600, "\x01" * 1_900])
async def test_a_page_from_disk_is_no_longer_than_it_was_asked_for(tmp_path: Path, text: str) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        drafts = [log.draft(record, message(text)) for _ in range(200)]
        for draft, _ in drafts:
            log.desk.append(draft)
        for _, verdict in drafts:
            await verdict.wait()
        await log.edit(record, 1, text + "!")
        await log.desk.react(STAGE, 1, BO, "+1", True)
        whole = await log.desk.read(STAGE, after=0, before=None, limit=1_000, max_bytes=1 << 24)
        assert len(whole.entries) == 201
        for where in ({"after": 0, "before": None}, {"after": None, "before": 1_000}):
            page = await log.desk.read(STAGE, limit=200, max_bytes=KIB_64, **where)
            size = len(voice.answer_history(1, STAGE, page))
            assert size <= KIB_64
            assert len(page.entries) == 200 or size > 50_000
            assert page.more
            newest = where["after"] is None
            asked = whole.entries[-200:] if newest else whole.entries[:200]
            assert page.entries == fitting(asked, KIB_64, newest=newest, reactions=whole.reactions)
