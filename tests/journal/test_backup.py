"""Copies: taken from a running server, whole or not at all; put back under new epochs."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import trio

from actors.journal import backup as module
from actors.journal.backup import BackupRefused, backup, restore
from actors.journal.log import Durability, EpochChanged, JournalUnusable
from actors.journal.verify import verify
from tests.journal.keeping import STAGE, keeping, message, setup_for


def names(folder: Path, start: str) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(start))


async def test_a_backup_of_a_running_server_is_whole_and_goes_back(tmp_path: Path) -> None:
    live, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    setup = setup_for(Durability.POWER, tmp_path)
    async with keeping(setup) as log:
        record, _ = await log.room(), await log.room("side-stage")
        for number in range(50):
            await log.post(record, f"{number}", cid=f"c{number}")

        async def talk() -> None:
            for number in range(50, 100):
                await log.post(record, f"{number}", cid=f"c{number}")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk)
            report = await trio.to_thread.run_sync(backup, live, copy)
        assert report.good
        assert report.rooms == 2
        assert 50 <= report.entries <= 100
        with pytest.raises(BackupRefused, match="a server runs on"):
            restore(copy, live, force=True)
    assert names(tmp_path, "copy") == ["copy.db"]
    with pytest.raises(BackupRefused, match="is there already"):
        restore(copy, live)
    restored = restore(copy, live, force=True)
    assert (restored.rooms, restored.entries) == (2, report.entries)
    assert restored.replaced is not None
    assert verify(restored.replaced).entries == 100
    assert str(restored.replaced) in str(restored)
    async with keeping(setup) as log:
        anew = (await log.open())[0].record
        assert anew.epoch > record.epoch
        assert anew.head == report.entries
        assert await log.append(record, "judged before") == EpochChanged(anew.epoch)
        assert (await log.post(anew, "7", cid="c7")).dup
        assert (await log.post(anew, "new")).seq == anew.head + 1
        assert [entry.body for entry in (await log.history(STAGE))[:50]] == [message(f"{n}") for n in range(50)]
        assert log.alarms == []
    assert verify(live).good


async def test_a_restore_into_an_empty_place(tmp_path: Path) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path / "a")) as log:
        await log.post(await log.room(), "hi")
    backup(tmp_path / "a" / "journal.db", tmp_path / "copy.db")
    assert restore(tmp_path / "copy.db", tmp_path / "b" / "journal.db").replaced is None
    async with keeping(setup_for(Durability.POWER, tmp_path / "b")) as log:
        assert len(await log.history()) == 1


async def test_a_restore_over_a_lost_database_needs_no_force(tmp_path: Path) -> None:
    setup = setup_for(Durability.POWER, tmp_path)
    async with keeping(setup) as log:
        await log.post(await log.room(), "hi")
    backup(tmp_path / "journal.db", tmp_path / "copy.db")
    (tmp_path / "journal.db").unlink()
    restore(tmp_path / "copy.db", tmp_path / "journal.db")
    async with keeping(setup) as log:
        assert len(await log.history()) == 1


async def test_a_backup_that_does_not_verify_is_not_put_back(tmp_path: Path) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        await log.post(await log.room(), "hi")
    copy = tmp_path / "copy.db"
    backup(tmp_path / "journal.db", copy)
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        db.execute("UPDATE entries SET ts = 0.0")
    report = verify(copy)
    assert [(problem.room, problem.seq) for problem in report.problems] == [(STAGE, 1)]
    with pytest.raises(BackupRefused, match="does not verify"):
        restore(copy, tmp_path / "elsewhere.db")
    assert not (tmp_path / "elsewhere.db").exists()


def test_there_must_be_something_to_copy(tmp_path: Path) -> None:
    with pytest.raises(JournalUnusable, match="no journal"):
        backup(tmp_path / "nothing.db", tmp_path / "copy.db")
    with pytest.raises(JournalUnusable, match="no journal"):
        verify(tmp_path / "nothing.db")
    (tmp_path / "there").write_text("x")
    with pytest.raises(BackupRefused):
        backup(tmp_path / "nothing.db", tmp_path / "there")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there"]


async def test_a_backup_that_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        await log.room()

    def broken(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_sync", broken)
    with pytest.raises(OSError, match="No space"):
        backup(tmp_path / "journal.db", tmp_path / "copy.db")
    assert names(tmp_path, "copy") == []
