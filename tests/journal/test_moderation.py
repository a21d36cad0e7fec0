"""What moderators order, as the log keeps it: hidden words are on no page, cleared ones come back until they are
erased, and then no byte of them is left."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve

from actors.events import (
    Body,
    Cleared,
    Deleted,
    Edited,
    Erased,
    Hidden,
    Message,
    Notice,
    Pinned,
    Policy,
    PolicyChanged,
    Restored,
    Tombstone,
    Uncleared,
)
from actors.journal import pages, schema
from actors.journal.codec import MESSAGE, POLICY, decode
from actors.journal.log import Durability, Stored
from actors.journal.verify import verify
from actors.names import HOUSE, Nickname, RoomCode
from actors.refusals import Reason, Refused
from tests.journal.keeping import BO, DAY, NOON, STAGE, Keeping, keeping, setup_for, words_on_disk

VEILED, VEILED_EDIT = Tombstone(hidden=True), Tombstone(1, hidden=True)


async def bodies(log: Keeping) -> list[Body]:
    return [entry.body for entry in await log.history()]


async def test_a_hidden_message_is_on_no_page_and_neither_are_its_edits(tmp_path: Path) -> None:
    setup = setup_for(Durability.POWER, tmp_path)
    async with keeping(setup) as log:
        record = await log.room()
        await log.post(record, "my address")
        await log.edit(record, 1, "my new address")
        await log.desk.react(STAGE, 1, BO, "+1", True)
        await log.post(record, Hidden(1, "private"), author=HOUSE)
        await log.edit(record, 1, "once more")
        assert await bodies(log) == [VEILED, VEILED_EDIT, Hidden(1, "private"), VEILED_EDIT]
        assert (await log.desk.read(STAGE, after=0, before=None, limit=9, max_bytes=9)).reactions == {}
    async with keeping(setup) as log:
        assert (await bodies(log))[0] == VEILED
        opening, _ = await log.open()
        assert isinstance(opening.tail[0].body, Message), "the room has the words, for when they are restored"
        assert [entry.seq for entry in opening.rules] == [3]
        await log.post(record, Restored(1), author=HOUSE)
        assert [each.text for each in await bodies(log) if isinstance(each, Message | Edited)] == [
            "once more", "my new address", "once more",
        ]  # fmt: skip
        await log.post(record, Hidden(1), author=HOUSE)
        assert (await bodies(log))[0] == VEILED


async def test_an_edit_far_from_its_hidden_message_is_hidden_on_a_page_of_its_own(tmp_path: Path) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        await log.post(record, "a")
        await log.post(record, Hidden(1), author=HOUSE)
        for _ in range(3):
            await log.post(record, "b")
        edit = await log.edit(record, 1, "secret")
        assert isinstance(edit, Stored)
        page = await log.desk.read(STAGE, after=edit.seq - 1, before=None, limit=1, max_bytes=99)
        assert page.entries[0].body == VEILED_EDIT


async def test_what_is_cleared_comes_back_when_that_is_taken_back(tmp_path: Path) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        for text in ("a", "b"):
            await log.post(record, text)
        await log.post(record, Cleared(2), author=HOUSE)
        await log.post(record, "c")
        assert [isinstance(each, Tombstone) for each in await bodies(log)] == [True, True, False, False]
        await log.post(record, Uncleared(2), author=HOUSE)
        assert [each.text for each in await bodies(log) if isinstance(each, Message)] == ["a", "b", "c"]


async def test_what_is_erased_is_gone_at_once_for_readers_and_soon_after_on_disk(tmp_path: Path) -> None:
    words = ["first-secret", "second-secret", "edited-secret"]
    async with keeping(setup_for(Durability.POWER, tmp_path / "live")) as log:
        record = await log.room()
        for text in words[:2]:
            await log.post(record, text)
        await log.post(record, Cleared(2), author=HOUSE)
        await log.edit(record, 1, "edited-secret")
        await log.post(record, "kept-words")
        await log.post(record, Erased(2), author=HOUSE)
        shutil.copytree(tmp_path / "live", tmp_path / "crashed")
        assert await log.edit(record, 1, "too late") == Refused(Reason.BAD_ANCHOR, "there is no such message any more")
        await log.post(record, Uncleared(2), author=HOUSE)
        assert (await bodies(log))[:2] == [Tombstone(), Tombstone()]
        await log.journal.keep_house()
        assert words_on_disk(tmp_path / "live", [*words, "kept-words"]).keys() == {"kept-words"}
    assert verify(tmp_path / "live" / "journal.db").good
    assert words_on_disk(tmp_path / "crashed", words), "the crash came before the wiping"
    async with keeping(setup_for(Durability.POWER, tmp_path / "crashed")) as log:
        await log.journal.keep_house()
        await log.journal.keep_house()  # at the start somebody else may be reading
        assert words_on_disk(tmp_path / "crashed", words) == {}


@pytest.mark.parametrize("body", [Hidden(2), Restored(9), Pinned(2), Hidden(3)])
async def test_only_messages_that_are_there_can_be_moderated(tmp_path: Path, body: Body) -> None:
    async with keeping(setup_for(Durability.MEMORY, tmp_path)) as log:
        record = await log.room()
        await log.post(record, "a")
        await log.post(record, Notice("hello"), author=HOUSE)
        await log.post(record, "gone")
        await log.delete(record, 3)
        outcome = await log.append(record, body, author=HOUSE)
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.BAD_ANCHOR
        assert isinstance(await log.append(record, Pinned(None), author=HOUSE), Stored)


async def test_a_deleted_message_stays_deleted_whatever_was_hidden(tmp_path: Path) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        await log.post(record, "a")
        await log.post(record, Hidden(1), author=HOUSE)
        await log.post(record, Deleted(1))
        assert (await bodies(log))[0] == Tombstone()


async def test_a_room_carries_its_zone_and_can_be_purged(tmp_path: Path) -> None:
    setup = setup_for(Durability.POWER, tmp_path)
    async with keeping(setup) as log:
        record = await log.room()
        other = await log.room("other")
        changed = evolve(record, title="T", code=RoomCode("red-stage-11"), zone="north", official=True, deleted=NOON)
        assert await log.desk.update(changed) == changed
        with pytest.raises(KeyError):
            await log.desk.update(evolve(changed, code=other.code))
        await log.post(record, "purged-words", cid="c")
    async with keeping(setup) as log:
        assert {each.name: each.zone for each in await log.desk.rooms()} == {STAGE: "north", "other": ""}
        assert await log.desk.purge(STAGE)
        assert not await log.desk.purge(STAGE)
        await log.journal.keep_house()
        assert words_on_disk(tmp_path, ["purged-words"]) == {}
        anew = await log.room()
        assert (anew.head, anew.epoch > record.epoch) == (0, True)
        again = await log.append(anew, "purged-words", cid="c")
        assert isinstance(again, Refused), "its cid still names what is gone"
        await log.post(anew, "hello")
    assert verify(tmp_path / "journal.db").good


async def test_a_database_of_the_first_format_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        await log.post(record, "old words")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in ("DROP TABLE erasures", "DROP INDEX orders", "PRAGMA user_version=1"):
            db.execute(statement)
        for column in ("zone", "official", "deleted", "active"):
            db.execute(f"ALTER TABLE rooms DROP COLUMN {column}")
    assert len(schema.MIGRATIONS) >= 2
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        (room,) = await log.desk.rooms()
        assert (room.name, room.zone, room.official, room.deleted) == (STAGE, "", False, None)
        assert room.active > 1_600_000_000, "nothing old is taken for abandoned"
        await log.post(room, Hidden(1), author=HOUSE)
        assert (await bodies(log))[0] == VEILED


async def test_what_happened_at_a_look_up_uses_an_index(tmp_path: Path) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        await log.room()
        plans = await log.desk.look(
            lambda db: [
                row[3]
                for query in (
                    "SELECT kind, target FROM entries WHERE epoch = 1 AND kind IN (23, 24, 25) AND kind >= 20",
                    "SELECT seq FROM entries WHERE epoch = 1 AND kind >= 20 AND kind < 30 AND seq >= 1",
                )
                for row in db.execute("EXPLAIN QUERY PLAN " + query)
            ]
        )
        assert all("INDEX orders" in plan for plan in plans if "entries" in plan), plans


def test_bodies_that_an_earlier_release_wrote_are_read() -> None:
    words = b'{"nickname":"Ana","text":"hi","reply_to":null,"edited":0}'
    assert decode(MESSAGE, words) == Message(Nickname("Ana"), "hi")
    rules = (
        b'{"policy":{"rev":3,"frozen":true,"slow_s":0.0,"max_members":9,"history":1,"presence":"auto",'
        b'"expires":null,"reason":""}}'
    )
    assert decode(POLICY, rules) == PolicyChanged(Policy(3, frozen=True, max_members=9, history=1))


@pytest.mark.parametrize("keep_days", [3, 10])
async def test_words_of_a_hidden_message_stay_hidden_when_the_order_is_past_its_time(
    tmp_path: Path, keep_days: int
) -> None:
    """Its author had edited it: the edit was younger than the order, and was served with its words once retention had
    taken that."""
    setup = setup_for(Durability.POWER, tmp_path, keep_s=keep_days * DAY, keep_cids_s=keep_days * DAY)
    async with keeping(setup) as log:
        record = await log.room()
        target = (await log.post(record, "nasty")).seq
        await log.append(record, Hidden(target), author=BO)
        log.clock.pass_by((keep_days - 0.5) * DAY)
        await log.edit(record, target, "nasty again")
        log.clock.pass_by(DAY)
        await log.journal.keep_house()
        assert [entry.body for entry in await log.history()] == [Tombstone(target)]
        opening, _ = await log.open()
        assert [entry.body for entry in opening.tail] == [Tombstone(target)]
        page = await log.desk.do(
            lambda store: pages.page(store.db, STAGE, after=0, before=None, limit=9, max_bytes=999, veiled=False)
        )
        assert [entry.body for entry in page.entries] == [Tombstone(target)]
