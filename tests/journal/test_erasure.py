"""No byte of what was deleted is left, in any file, whatever the pages went through."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from actors.events import Deleted, Tombstone
from actors.journal import store
from actors.journal.log import Durability, LogFailed
from actors.journal.store import Store
from actors.journal.work import Committed, Work
from actors.names import Nickname
from tests.journal.keeping import ANA, BO, DAY, STAGE, keeping, message, setup_for, words_on_disk


async def test_nothing_is_left_after_rooms_grew_side_by_side(tmp_path: Path) -> None:
    """A table sorted by room splits its pages when rooms grow side by side, and a page that was split keeps copies of
    the rows that moved out: secure_delete wipes deleted rows only. *Measured* with such a table: 15 of 6,000 deleted
    texts were still in the file. Hence one table in the order of commits."""
    chance = random.Random(7)
    async with keeping(setup_for(Durability.PROCESS, tmp_path)) as log:
        rooms = [await log.room(f"room-{number:02}") for number in range(12)]
        texts: dict[tuple[str, int], str] = {}
        heads = dict.fromkeys(rooms, 0)
        drafts = []
        for number in range(1_500):
            room = chance.choice(rooms)
            text = f"secret{number:05}-" + "z" * chance.choice([5, 80, 200, 1_500])
            drafts.append(log.draft(room, message(text)))
            heads[room] += 1
            texts[room.name, heads[room]] = text
            log.desk.append(drafts[-1][0])
        for _, verdict in drafts:
            await verdict.wait()
        for room in rooms:
            for seq in range(1, heads[room] + 1, 5):
                await log.edit(room, seq, texts[room.name, seq] + "edited")
        await log.journal.keep_house()
        doomed = chance.sample(sorted(texts), 1_000)
        by_name = {room.name: room for room in rooms}
        verdicts = []
        for name, seq in doomed:
            draft, verdict = log.draft(by_name[name], Deleted(seq))
            log.desk.append(draft)
            verdicts.append(verdict)
        for verdict in verdicts:
            await verdict.wait()
        await log.journal.keep_house()
        assert words_on_disk(tmp_path, [texts[place][:11] for place in doomed]) == {}
        kept = [text[:11] for place, text in texts.items() if place not in set(doomed)]
        assert len(words_on_disk(tmp_path, kept)) == len(kept)  # the search finds what is there


async def test_the_erasure_waits_for_a_reader_and_is_not_forgotten(tmp_path: Path) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        await log.post(record, "the-secret")
        with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM entries").fetchone()
            await log.delete(record, 1)
            await log.journal.keep_house()
            assert words_on_disk(tmp_path, ["the-secret"]) == {"the-secret": ["journal.db-wal"]}
            assert isinstance((await log.history())[0].body, Tombstone)  # gone for everybody at once
        await log.journal.keep_house()
        assert words_on_disk(tmp_path, ["the-secret"]) == {}


async def test_an_erasure_that_a_crash_cut_short_is_finished_at_the_next_start(tmp_path: Path) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path / "live")) as log:
        record = await log.room()
        await log.post(record, "the-secret")
        await log.delete(record, 1)
        shutil.copytree(tmp_path / "live", tmp_path / "crashed")
    assert words_on_disk(tmp_path / "crashed", ["the-secret"])
    async with keeping(setup_for(Durability.POWER, tmp_path / "crashed")) as log:
        await log.journal.keep_house()
        assert words_on_disk(tmp_path / "crashed", ["the-secret"]) == {}


@pytest.mark.parametrize("keep_days", [1, 10])
async def test_what_is_past_its_time_is_erased_too(tmp_path: Path, keep_days: int) -> None:
    """Also when the rows stay for the sake of their cids."""
    async with keeping(setup_for(Durability.POWER, tmp_path, keep_s=keep_days * DAY)) as log:
        record = await log.room()
        await log.post(record, "the-old-secret", cid="c")
        await log.edit(record, 1, "the-edited-secret")
        await log.desk.react(STAGE, 1, BO, "+1", True)
        log.clock.pass_by((keep_days + 1) * DAY)
        await log.post(record, "young-words")
        await log.journal.keep_house()
        await log.journal.keep_house()
        gone = ["the-old-secret", "the-edited-secret"]
        assert words_on_disk(tmp_path, [*gone, "young-words"]).keys() == {"young-words"}
        assert (await log.post(record, "the-old-secret", cid="c")).dup is (keep_days == 1)


async def test_a_message_from_the_future_keeps_nothing_else(tmp_path: Path) -> None:
    """Retention ended at the first row that was young enough: one message while the clock was wrong, and everything
    said after it was kept for ever."""
    async with keeping(setup_for(Durability.POWER, tmp_path, keep_s=3_600)) as log:
        record = await log.room()
        await log.post(record, "before-it")
        log.clock.wall += 365 * DAY
        for number in range(3):
            await log.post(record, f"next-year-{number}")
        log.clock.wall -= 365 * DAY
        await log.post(record, "after-it")
        log.clock.pass_by(2 * 3_600)
        await log.post(record, "young-words")
        await log.journal.keep_house()
        await log.journal.keep_house()
        assert [entry.body for entry in await log.history()] == [message("young-words")]
        words = ["before-it", "next-year-0", "next-year-2", "after-it", "young-words"]
        assert words_on_disk(tmp_path, words).keys() == {"young-words"}


async def test_a_clock_that_is_slow_erases_nothing(tmp_path: Path) -> None:
    """Then everything is from the future."""
    async with keeping(setup_for(Durability.POWER, tmp_path, keep_s=3_600)) as log:
        record = await log.room()
        await log.post(record, "good-words")
        log.clock.wall -= 365 * DAY
        await log.post(record, "last-year")
        await log.journal.keep_house()
        assert len(await log.history()) == 2


async def test_the_words_of_an_erased_message_cannot_be_guessed_from_what_is_left(tmp_path: Path) -> None:
    """What stays is a hash over 16 random bytes that are gone: the same words hash differently every time."""
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        for _ in range(2):
            seq = (await log.post(record, "yes", author=ANA)).seq
            await log.delete(record, seq)
        rows = await log.desk.do(
            lambda store: store.db.execute("SELECT kind, body, seal FROM entries WHERE kind > 9").fetchall()
        )
        assert len(rows) == 2
        assert all(set(body) == {0} for _, body, _ in rows)
        assert rows[0][2] != rows[1][2]


async def test_a_failed_commit_brings_no_erased_nickname_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was on its way when the member was erased; what the disk refuses of the roster is written another time."""
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        commit = Store.commit

        def fail_once(store: Store, work: Work) -> Committed:
            monkeypatch.setattr(Store, "commit", commit)
            raise full_disk()

        monkeypatch.setattr(Store, "commit", fail_once)
        log.desk.seen(ANA, Nickname("Ana"))
        log.desk.seen(BO, Nickname("Bob Real Name"))
        log.desk.housekeep()
        await log.desk.erase_member(BO)
        await log.journal.keep_house()
        assert await log.desk.roster(BO) is None
        row = await log.desk.roster(ANA)
        assert row is not None
        assert row.nickname == "Ana"


async def test_a_room_hears_what_is_past_its_time_although_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fading and dropping are two commits; when the second failed, the first was told to nobody, and those in the room
    went on reading what was gone from the disk."""
    async with keeping(setup_for(Durability.POWER, tmp_path, keep_s=DAY, keep_cids_s=2 * DAY)) as log:
        record, other = await log.room(), await log.room("other-stage")
        await log.post(record, "to-be-dropped")
        log.clock.pass_by(1.5 * DAY)
        await log.post(record, "the-secret")
        _, listener = await log.open()
        log.clock.pass_by(1.1 * DAY)
        await log.post(other, "young-words")

        def refuse(*_: object) -> None:
            raise full_disk()

        monkeypatch.setattr(store, "drop", refuse)
        with pytest.raises(LogFailed):
            await log.journal.keep_house()
        assert listener.following.oldest == 3
        monkeypatch.undo()
        await log.journal.keep_house()
        await log.journal.keep_house()
        assert words_on_disk(tmp_path, ["to-be-dropped", "the-secret"]) == {}


def full_disk() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error
