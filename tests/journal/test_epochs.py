"""When a room begins anew: unclean machine restarts, missing ends, damage. And when it must not."""

import os
import random
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import trio

from actors.events import Deleted, Policy, PolicyChanged
from actors.journal import actor, verify
from actors.journal.actor import Journal
from actors.journal.epochs import new_epoch
from actors.journal.log import Durability, EpochChanged, RoomRecord, Stored
from actors.journal.marks import Mark, Marks
from actors.journal.store import Setup
from actors.names import Epoch, RoomName, epoch
from actors.refusals import Reason, Refused
from tests.journal.keeping import DAY, GUARD_S, NOON, STAGE, keeping, message, setup_for, words_on_disk

SIDE = RoomName("side-stage")


def test_epoch_names_sort_by_creation_and_pass_the_door() -> None:
    names = [new_epoch(NOON, "")]
    for step in (0.0, 0.0, 1.0, 1e6, -1e6, 0.0):
        names.append(new_epoch(NOON + step, names[-1]))
    assert names == sorted(set(names))
    assert [epoch(name) for name in names] == names


async def written(setup: Setup, entries: int = 5) -> tuple[RoomRecord, RoomRecord]:
    async with keeping(setup) as log:
        stage, side = await log.room(), await log.room(SIDE)
        await log.post(stage, PolicyChanged(Policy(frozen=True, reason="fight at the bar")))
        for number in range(entries - 1):
            await log.post(stage, f"words of the stage {number}", cid=f"stage-{number}")
        await log.post(side, "words of the side")
    return stage, side


def change(setup: Setup, sql: str, *values: object) -> None:
    assert setup.path is not None
    with closing(sqlite3.connect(setup.path, isolation_level=None)) as db:
        assert db.execute(sql, values).rowcount > 0


@pytest.mark.parametrize(
    ("durability", "boot", "renewed"),
    [
        (Durability.POWER, "boot-2", False),
        (Durability.PROCESS, "boot-1", False),
        (Durability.PROCESS, "boot-2", True),
        (Durability.PROCESS, "", True),
    ],
)
async def test_an_unclean_machine_restart_renews_what_promised_no_more_than_the_process(
    tmp_path: Path, durability: Durability, boot: str, renewed: bool
) -> None:
    setup = setup_for(durability, tmp_path)
    stage, _ = await written(setup)
    change(setup, "UPDATE meta SET value = 'no' WHERE key = 'clean'")
    async with keeping(setup_for(Durability.POWER, tmp_path, boot=lambda: boot)) as log:
        opening, _ = await log.open()
        assert (opening.record.epoch > stage.epoch) is renewed
        assert (opening.record.epoch == stage.epoch) is not renewed
        assert opening.record.head == 5
        assert [alarm.kind for alarm in log.alarms] == ["unclean"] * renewed
        assert (await log.post(opening.record, "words of the stage 0", cid="stage-0")).dup


async def test_a_clean_stop_keeps_the_epoch_over_a_machine_restart(tmp_path: Path) -> None:
    setup = setup_for(Durability.PROCESS, tmp_path)
    stage, _ = await written(setup)
    async with keeping(setup_for(Durability.PROCESS, tmp_path, boot=lambda: "boot-2")) as log:
        assert (await log.room()).epoch == stage.epoch


# Damage


def damage_type(setup: Setup) -> None:
    change(setup, "UPDATE entries SET body = replace(body, 'stage 3', 'stage 4') WHERE epoch = 1 AND seq = 5")


def damage_bit(setup: Setup) -> None:
    """One bit of one word in the file itself."""
    assert setup.path is not None
    data = bytearray(setup.path.read_bytes())
    assert data.count(b"words of the stage 2") == 1
    data[data.index(b"words of the stage 2") + 3] ^= 1
    setup.path.write_bytes(data)


DAMAGES: list[Callable[[Setup], None]] = [
    damage_type,
    damage_bit,
    lambda setup: change(setup, "UPDATE entries SET body = x'00' WHERE epoch = 1 AND seq = 3"),
    lambda setup: change(setup, "UPDATE entries SET author = CAST(x'6d5fff' AS TEXT) WHERE epoch = 1 AND seq = 3"),
    lambda setup: change(setup, "UPDATE entries SET author = x'6d' WHERE epoch = 1 AND seq = 3"),
    lambda setup: change(setup, "UPDATE entries SET seal = zeroblob(16) WHERE epoch = 1 AND seq = 3"),
    lambda setup: change(setup, "UPDATE entries SET chain = zeroblob(16) WHERE epoch = 1 AND seq = 3"),
    lambda setup: change(setup, "UPDATE entries SET ts = ts + 1 WHERE epoch = 1 AND seq = 4"),
    lambda setup: change(setup, "UPDATE entries SET author = 'm_bo' WHERE epoch = 1 AND seq = 4"),
    lambda setup: change(setup, "UPDATE entries SET cid = 'other' WHERE epoch = 1 AND seq = 4"),
    lambda setup: change(setup, "UPDATE entries SET kind = 12 WHERE epoch = 1 AND seq = 4"),
    lambda setup: change(setup, "DELETE FROM entries WHERE epoch = 1 AND seq = 5"),
    lambda setup: change(setup, "DELETE FROM entries WHERE epoch = 1 AND seq = 3"),
    lambda setup: change(setup, "UPDATE heads SET head = 4 WHERE epoch = 1"),
    lambda setup: change(
        setup,
        "UPDATE heads SET (head, chain) = (SELECT seq, chain FROM entries WHERE epoch = 1 AND seq = 4) WHERE epoch = 1",
    ),
    lambda setup: change(setup, "UPDATE heads SET chain = zeroblob(16) WHERE epoch = 1"),
    lambda setup: change(setup, "UPDATE epochs SET born = 'other' WHERE id = 1"),
]
NAMES = [
    *("type", "bit", "unread", "utf-8", "blob", "seal", "chain", "ts", "author", "cid", "kind"),
    *("last-row", "middle-row", "head", "whole-head", "head-chain", "born"),
]


@pytest.mark.parametrize("damage", DAMAGES, ids=NAMES)
async def test_a_damaged_room_begins_anew_with_its_rules_and_others_run(
    tmp_path: Path, damage: Callable[[Setup], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = setup_for(Durability.POWER, tmp_path)
    stage, side = await written(setup)
    damage(setup)
    async with keeping(setup) as log:
        opening, listener = await log.open()
        assert opening.record.epoch > stage.epoch
        assert (opening.record.head, opening.record.oldest) == (1, 1)
        assert [entry.body for entry in opening.rules] == [
            PolicyChanged(Policy(rev=1, frozen=True, reason="fight at the bar"))
        ]
        assert await log.append(stage, "judged before") == EpochChanged(opening.record.epoch)
        assert (await log.post(opening.record, "life goes on")).seq == 2
        assert [entry.seq for entry in await listener.hear(1)] == [2]
        other, _ = await log.open(SIDE)
        assert (other.record.epoch, [entry.body for entry in other.tail]) == (
            side.epoch,
            [message("words of the side")],
        )
        assert [(alarm.kind, alarm.room) for alarm in log.alarms] == [("corrupt", STAGE)]
    monkeypatch.setattr(actor, "VERIFY_PAUSE_S", 0.0)
    async with keeping(setup) as log:  # it is settled: no second alarm
        await log.verify()
        again, _ = await log.open()
        assert (again.record.epoch, again.record.head) == (opening.record.epoch, 2)
        assert log.alarms == []
    with closing(sqlite3.connect(setup.path)) as db:
        (kept,) = db.execute("SELECT count(*) FROM entries WHERE epoch = 1").fetchone()
        assert kept >= 4  # set aside, not thrown away


async def test_a_retry_of_what_was_set_aside_is_stored_anew_where_it_can_be_read(tmp_path: Path) -> None:
    """It was answered with the old position: an ok for words that nobody was shown any more."""
    setup = setup_for(Durability.POWER, tmp_path)
    stage, side = await written(setup)
    async with keeping(setup) as log:
        await log.post(side, "of the side", cid="side")
        assert (await log.delete(stage, 3, cid="gone")) == Stored(stage.epoch, 6, NOON)
    damage_type(setup)
    async with keeping(setup) as log:
        anew = (await log.open())[0].record
        refused = Refused(Reason.FROZEN)
        assert await log.append(stage, "words of the stage 0", cid="stage-0") == EpochChanged(anew.epoch)
        assert await log.append(anew, "words of the stage 0", cid="stage-0", refusal=refused) == refused
        assert await log.append(anew, "other words", cid="stage-0") == Refused(
            Reason.CID_REUSED, "this cid already names something else of yours"
        )
        stored = await log.post(anew, "words of the stage 0", cid="stage-0")
        assert (stored.epoch, stored.seq, stored.dup) == (anew.epoch, 2, False)
        again = await log.post(anew, "words of the stage 0", cid="stage-0")
        assert (again.epoch, again.seq, again.dup) == (anew.epoch, 2, True)
        assert [entry.body for entry in await log.history()][1:] == [message("words of the stage 0")]
        deleted = await log.post(anew, "words of the stage 1", cid="stage-1")
        assert (deleted.epoch, deleted.dup) == (stage.epoch, True), "what its author took back stays away"
        assert (await log.post(anew, Deleted(3), cid="gone")).dup, "its target is of the old numbering"
        assert (await log.post(side, "of the side", cid="side")).dup
    async with keeping(setup) as log:
        assert log.alarms == []
        (kept,) = await log.desk.do(
            lambda store: store.db.execute("SELECT count(*) FROM entries WHERE epoch = 1").fetchone()
        )
        assert kept == 6, "what was set aside is kept all the same"
        change(setup, "UPDATE entries SET ts = ts + 1 WHERE epoch = 3 AND seq = 2")
        third = (await log.open())[0].record
        assert third.epoch > anew.epoch
        stored = await log.post(third, "words of the stage 0", cid="stage-0")
        assert (stored.epoch, stored.dup) == (third.epoch, False), "damaged twice"


@pytest.mark.parametrize("table", ["entries", "heads"])
async def test_damage_while_the_server_runs_is_found_when_the_room_is_opened(tmp_path: Path, table: str) -> None:
    setup = setup_for(Durability.POWER, tmp_path)
    stage, _ = await written(setup)
    async with keeping(setup) as log:
        assert (await log.open())[0].record.epoch == stage.epoch
        change(setup, f"UPDATE {table} SET chain = zeroblob(16) WHERE epoch = 1")
        assert (await log.open())[0].record.epoch > stage.epoch
        assert [alarm.kind for alarm in log.alarms] == ["corrupt"]


async def test_old_damage_is_found_in_the_background_and_waits_for_the_next_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = setup_for(Durability.POWER, tmp_path)
    stage, _ = await written(setup, entries=400)
    change(setup, "UPDATE entries SET ts = ts + 1 WHERE epoch = 1 AND seq = 30")
    scan, opened = verify.scan, threading.Event()

    def scan_late(db: sqlite3.Connection, epoch: verify.Epoch, after: int) -> verify.Scan:
        assert opened.wait(GUARD_S)
        return scan(db, epoch, after)

    monkeypatch.setattr(verify, "scan", scan_late)
    async with keeping(setup, make=Journal) as log:
        opening, _ = await log.open(tail=10)
        assert opening.record.epoch == stage.epoch
        opened.set()
        with trio.fail_after(GUARD_S):
            while not log.alarms:
                await log.history()
            while not await log.desk.do(lambda store: store.rooms[STAGE].suspect):
                await trio.lowlevel.checkpoint()  # the alarm comes first, and the writer hears of it behind that
        assert log.alarms[0].kind == "corrupt"
        assert isinstance(await log.append(stage, "nobody is thrown out"), Stored)
        anew, _ = await log.open(tail=10)
        assert anew.record.epoch > stage.epoch


async def test_a_room_that_began_anew_while_it_was_scanned_is_not_reported_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second report said that a new epoch was still to come."""
    setup = setup_for(Durability.POWER, tmp_path)
    await written(setup)
    damage_bit(setup)
    scan, opened, stage_began, side_began = verify.scan, threading.Event(), trio.Event(), trio.Event()

    def scan_late(db: sqlite3.Connection, epoch: verify.Epoch, after: int) -> verify.Scan:
        trio.from_thread.run_sync((stage_began if epoch.room == STAGE else side_began).set)
        assert opened.wait(GUARD_S)
        return scan(db, epoch, after)

    monkeypatch.setattr(verify, "scan", scan_late)
    async with keeping(setup, make=Journal) as log:
        with trio.fail_after(GUARD_S):
            await stage_began.wait()
            await log.open()
            opened.set()
            await side_began.wait()  # by then the stage has been judged
        assert [(alarm.kind, alarm.room) for alarm in log.alarms] == [("corrupt", STAGE)]


# The end is missing: marks


async def test_a_wal_that_lost_its_end_is_noticed(tmp_path: Path) -> None:
    """One flipped bit in the WAL silently drops every commit behind it; SQLite itself says nothing."""
    setup = setup_for(Durability.POWER, tmp_path / "live")
    async with keeping(setup) as log:
        stage, side = await log.room(), await log.room(SIDE)
        await log.post(side, "before")
        await log.desk.do(lambda store: store.checkpoint())
        for number in range(20):
            await log.post(stage, f"words {number}")
        shutil.copytree(tmp_path / "live", tmp_path / "crashed")
    wal = tmp_path / "crashed" / "journal.db-wal"
    data = bytearray(wal.read_bytes())
    data[len(data) // 2] ^= 1
    wal.write_bytes(data)
    async with keeping(setup_for(Durability.POWER, tmp_path / "crashed")) as log:
        assert [(alarm.kind, alarm.room) for alarm in log.alarms] == [("truncated", STAGE)]
        opening, _ = await log.open()
        assert opening.record.epoch > stage.epoch
        assert 0 < opening.record.head < 20
        assert [entry.body for entry in opening.tail] == [message(f"words {n}") for n in range(opening.record.head)]
        assert (await log.open(SIDE))[0].record.epoch == side.epoch


async def test_an_old_copy_that_was_put_back_by_hand_is_noticed(tmp_path: Path) -> None:
    setup = setup_for(Durability.POWER, tmp_path)
    stage, side = await written(setup)
    shutil.copy(tmp_path / "journal.db", tmp_path / "old")
    async with keeping(setup) as log:
        await log.post(stage, "after the copy")
    shutil.copy(tmp_path / "old", tmp_path / "journal.db")
    async with keeping(setup) as log:
        assert (await log.room()).epoch > stage.epoch
        assert (await log.room(SIDE)).epoch == side.epoch
        assert await log.append(stage, "after the copy") == EpochChanged((await log.room()).epoch)


async def test_another_past_of_the_same_length_is_noticed(tmp_path: Path) -> None:
    """The mark knows what the head was, not only how high it was."""
    setup = setup_for(Durability.POWER, tmp_path)
    stage, _ = await written(setup)
    shutil.copy(tmp_path / "journal.db", tmp_path / "old")
    marks = (tmp_path / "journal.db.marks").read_bytes()
    async with keeping(setup) as log:
        await log.post(stage, "one future")
        await log.post(stage, "and more of it")
    future = (tmp_path / "journal.db.marks").read_bytes()
    shutil.copy(tmp_path / "old", tmp_path / "journal.db")
    (tmp_path / "journal.db.marks").write_bytes(marks)
    async with keeping(setup) as log:
        for _ in range(3):
            await log.post(stage, "another future", cid=os.urandom(4).hex())
    (tmp_path / "journal.db.marks").write_bytes(future)
    async with keeping(setup) as log:
        assert [(alarm.kind, alarm.room) for alarm in log.alarms] == [("corrupt", STAGE)]


def test_a_torn_mark_counts_as_not_written(tmp_path: Path) -> None:
    path = tmp_path / "marks"
    marks = Marks(path)
    marks.begin("ab" * 16)
    whole = {number: Mark(number * 7, bytes([number]) * 16) for number in (1, 2, 9)}
    for number, mark in whole.items():
        marks.write(number, mark)
    assert marks.belongs_to("ab" * 16)
    assert not marks.belongs_to("cd" * 16)
    assert marks.read() == whole
    data = bytearray(path.read_bytes())
    bit = random.Random(1).randrange(28 * 8)
    data[2 * 32 + bit // 8] ^= 1 << bit % 8
    path.write_bytes(data[:-5])
    assert marks.read() == {1: whole[1]}
    marks.close()


async def test_retention_leaves_a_chain_that_verifies(tmp_path: Path) -> None:
    setup = setup_for(Durability.POWER, tmp_path, keep_s=8 * DAY)
    async with keeping(setup) as log:
        record = await log.room()
        for number in range(30):
            body = PolicyChanged(Policy(slow_s=number)) if number % 7 == 3 else f"words {number}"
            await log.post(record, body)
            log.clock.pass_by(DAY)
        await log.journal.keep_house()
        (rows,) = await log.desk.do(lambda store: store.db.execute("SELECT count(*) FROM entries").fetchone())
        assert rows == 8 + 3  # what is young enough, and the rules
    clock = log.clock
    async with keeping(setup, clock) as log:
        opening, _ = await log.open()
        assert opening.record.epoch == record.epoch
        assert [entry.seq for entry in opening.rules] == [4, 11, 18, 25]
        assert opening.record.oldest == 23
        assert log.alarms == []


async def test_retention_goes_on_after_everything_was_trimmed(tmp_path: Path) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path, keep_s=8 * DAY)) as log:
        record = await log.room()
        for text in ("rainy-monday", "rainy-tuesday", "rainy-friday"):
            await log.post(record, text)
            await log.post(record, text)
            log.clock.pass_by(9 * DAY)
            await log.journal.keep_house()
            assert await log.history() == ()
        await log.journal.keep_house()
        assert words_on_disk(tmp_path, ["rainy-monday", "rainy-tuesday", "rainy-friday"]) == {}


async def test_the_id_of_a_forgotten_room_is_not_taken_for_its_successor(tmp_path: Path) -> None:
    setup = setup_for(Durability.POWER, tmp_path)
    async with keeping(setup) as log:
        first = await log.room()
        assert await log.desk.forget(STAGE)
        assert not await log.desk.forget(STAGE)
        second = await log.room()
        await log.post(second, "hi")
        assert not await log.desk.forget(STAGE)
    async with keeping(setup) as log:
        assert log.alarms == []
        assert (await log.room()).epoch == second.epoch > first.epoch


async def test_two_servers_do_not_share_a_name_for_two_contents(tmp_path: Path) -> None:
    epochs: set[Epoch] = set()
    for number in range(20):
        setup = setup_for(Durability.POWER, tmp_path / str(number))
        async with keeping(setup) as log:
            epochs.add((await log.room()).epoch)
    assert len(epochs) == 20
