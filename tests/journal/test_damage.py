"""Bits that flip below the rows: in a record's header, in a page of a table's tree. Found and said once; what can be
read is read, and the house goes on."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from actors.events import Deleted, Edited, Hidden, Message, Policy, PolicyChanged
from actors.journal import actor, pages, retention, schema, verify
from actors.journal.log import Durability, LogFailed, Stored
from actors.names import Nickname
from actors.refusals import Refused
from tests.journal.keeping import BO, DAY, NOON, STAGE, keeping, message, setup_for, words_on_disk

BAD = 50
MESSAGES = 200


def word(seq: int) -> str:
    return f"MARK{seq:03} hello"


async def write(folder: Path) -> bytes:
    async with keeping(setup_for(Durability.POWER, folder)) as log:
        record = await log.room()
        drafts = [log.draft(record, message(word(seq)), cid=f"cid-{seq:03}") for seq in range(1, MESSAGES + 1)]
        for draft, _ in drafts:
            log.desk.append(draft)
        for _, verdict in drafts:
            await verdict.wait()
    return (folder / "journal.db").read_bytes()


def header(raw: bytes, word: str) -> range:
    """Where the header of the record with this word is (sqlite.org/fileformat2.html, section 2.1): its length, then
    NULL for the id, then the constant 1 for the epoch, then a byte for the seq."""
    at = raw.index(word.encode())
    start = next(at for at in range(at, 0, -1) if raw[at] in (12, 13) and raw[at + 1 : at + 4] == b"\0\x09\x01")
    return range(start, start + raw[start])


def with_bad_header(raw: bytes, word: str) -> bytes:
    """Its length is more than the record's: nothing of the row can be read."""
    damaged = bytearray(raw)
    damaged[header(raw, word)[0]] ^= 1 << 7
    return bytes(damaged)


def without_a_leaf(raw: bytes) -> bytes:
    """The third page of entries is no page any more."""
    start = table(raw, "entries").start
    assert raw[start] == 5, "the root is not an inner page"
    cell = start + int.from_bytes(raw[start + 16 : start + 18], "big")
    return without_page(raw, page(raw, int.from_bytes(raw[cell : cell + 4], "big")))


def table(raw: bytes, name: str) -> range:
    """Where its root is."""
    with in_memory(raw) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    return page(raw, root)


def page(raw: bytes, number: int) -> range:
    with in_memory(raw) as db:
        (size,) = db.execute("PRAGMA page_size").fetchone()
    return range((number - 1) * size, number * size)


def without_page(raw: bytes, page: range) -> bytes:
    return raw[: page.start] + b"\xff" * 64 + raw[page.start + 64 :]


@contextmanager
def in_memory(raw: bytes) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(raw[:18] + b"\1\1" + raw[20:])  # in memory there is no WAL
        yield db


async def test_no_bit_of_a_header_costs_more_than_its_row(tmp_path: Path) -> None:
    raw = await write(tmp_path)
    path = tmp_path / "flipped.db"
    for at in header(raw, word(BAD)):
        for bit in range(8):
            damaged = bytearray(raw)
            damaged[at] ^= 1 << bit
            path.write_bytes(damaged)
            with closing(schema.connect(path, Durability.PROCESS)) as db:
                look_over(db)


def look_over(db: sqlite3.Connection) -> None:
    for how in ({"after": 0, "before": None}, {"after": None, "before": MESSAGES + 1}):
        page = pages.page(db, STAGE, limit=MESSAGES, max_bytes=1 << 20, **how)
        assert [entry.seq for entry in page.entries] == list(range(1, MESSAGES + 1))
        shown = {entry.seq: entry.body.text for entry in page.entries if isinstance(entry.body, Message)}
        assert {**shown, BAD: ""} == {seq: "" if seq == BAD else word(seq) for seq in range(1, MESSAGES + 1)}
    assert verify.scan(db, verify.epochs(db)[0], 0).bad in ((BAD, None) if BAD in shown else (BAD,))
    step = retention.older(db, NOON + 1, 0, NOON + DAY)
    assert {*range(1, MESSAGES + 1)} - {row.seq for row in step.rows} <= {BAD}
    assert (step.last, step.more) == (MESSAGES, False)


@pytest.mark.parametrize("damage", [lambda raw: with_bad_header(raw, word(BAD)), without_a_leaf], ids=["row", "page"])
async def test_damage_below_the_rows_is_found_said_once_and_outlived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
) -> None:
    """It was asked for again every second for ever: nothing behind it was verified, nothing of any room was pruned,
    the alarm failed and recovered with each tick, and a page of the room's history could not be read."""
    (tmp_path / "journal.db").write_bytes(damage(await write(tmp_path)))
    monkeypatch.setattr(actor, "VERIFY_PAUSE_S", 0.0)
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        other = await log.room("other-stage")
        await log.post(other, "words-of-others")
        await log.verify()
        assert [alarm.kind for alarm in log.alarms] == ["corrupt"]
        record = await log.room()
        texts = [entry.body.text for entry in await log.history() if isinstance(entry.body, Message)]
        assert set(texts) < {word(seq) for seq in range(1, MESSAGES + 1)}
        assert len(await log.history()) == MESSAGES
        assert len(texts) >= MESSAGES - 40
        await log.post(record, "young-words")
        log.clock.pass_by(31 * DAY)
        await log.post(record, "younger-words")
        await log.journal.keep_house()
        await log.journal.keep_house()
        assert [entry.body for entry in await log.history()] == [message("younger-words")]
        left = words_on_disk(tmp_path, [*texts, "words-of-others", "younger-words"]).keys()
        assert "younger-words" in left
        assert len(left) <= 3  # SQLite cannot even overwrite the two rows right beside a damaged page
        assert [alarm.kind for alarm in log.alarms] == ["corrupt"]


async def test_whoever_touches_a_damaged_row_takes_nobody_with_him(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(with_bad_header(await write(tmp_path), word(BAD)))
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = (await log.open(tail=20))[0].record
        log.gather()
        bodies = [message("one"), Deleted(BAD), message("two"), Edited(BAD, "x"), Hidden(BAD), message("three")]
        drafts = [log.draft(record, body) for body in bodies]
        drafts.append(log.draft(record, message(word(BAD)), cid=f"cid-{BAD:03}"))
        for draft, _ in drafts:
            log.desk.append(draft)
        with pytest.raises((LogFailed, KeyError)):
            await log.desk.react(STAGE, BAD, BO, "+1", True)
        outcomes = [await verdict.wait() for _, verdict in drafts]
        assert [type(outcome) for outcome in outcomes] == [Stored, Refused, Stored, Refused, Refused, Stored, Refused]
        assert [outcome.seq for outcome in outcomes if isinstance(outcome, Stored)] == [201, 202, 203]
        assert [alarm.kind for alarm in log.alarms] == ["corrupt"]


async def test_a_damaged_roster_keeps_no_message_out(tmp_path: Path) -> None:
    """What could not be written of it was put back, and went along with the next batch: while it was quiet, every
    message that came alone was refused."""
    raw = await write(tmp_path)
    (tmp_path / "journal.db").write_bytes(without_page(raw, table(raw, "roster")))
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        log.desk.seen(BO, Nickname("Bo"))
        for number in range(3):
            await log.post(record, str(number))
        await log.journal.keep_house()
        assert log.desk.counters.failed_commits == 1
        assert [alarm.kind for alarm in log.alarms] == ["corrupt"]


async def test_a_room_whose_newest_rules_cannot_be_read_opens_with_those_before(tmp_path: Path) -> None:
    """It never opened again: the rules that were to be carried along were read all at once."""
    raw = await write(tmp_path)
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        for reason in ("FIRST-RULES", "NEWEST-RULES"):
            await log.post(record, PolicyChanged(Policy(frozen=True, reason=reason)))
    raw = (tmp_path / "journal.db").read_bytes()
    damaged = bytearray(raw)
    at = raw.index(b"NEWEST-RULES")
    start = next(at for at in range(at, 0, -1) if raw[at] in (12, 13) and raw[at + 1 : at + 4] == b"\0\x09\x02")
    damaged[start] ^= 1 << 7
    (tmp_path / "journal.db").write_bytes(damaged)
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        opening, _ = await log.open()
        assert opening.record.epoch > record.epoch
        assert [rule.body.policy.reason for rule in opening.rules if isinstance(rule.body, PolicyChanged)] == [
            "FIRST-RULES"
        ]
