"""What is not our database is never served from, and never overwritten: the text says what, where and what to do."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from actors.journal import schema
from actors.journal.log import Durability, JournalUnusable
from tests.journal.keeping import STAGE, keeping, setup_for


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE bookmarks (url TEXT)")


def newer(path: Path) -> None:
    schema.connect(path, Durability.POWER).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=99")


def damaged(path: Path) -> None:
    schema.connect(path, Durability.POWER).close()
    data = bytearray(path.read_bytes())
    data[100:2_000] = b"\xaa" * 1_900
    path.write_bytes(data)


def text(path: Path) -> None:
    path.write_text("Dear diary, today it rained on the stage.")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (foreign, "another program"),
        (newer, "newer release"),
        (damaged, "restore a backup"),
        (text, "not a database"),
        (lambda path: path.mkdir(), "cannot be read"),
    ],
)
async def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path, make: Callable[[Path], None], says: str) -> None:
    path = tmp_path / "journal.db"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(JournalUnusable, match=says) as refused:
        async with keeping(setup_for(Durability.POWER, tmp_path)):
            pass
    assert str(path) in str(refused.value)
    assert (path.read_bytes() if path.is_file() else b"") == before


async def test_a_database_that_is_gone_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    setup = setup_for(Durability.POWER, tmp_path)
    async with keeping(setup) as log:
        await log.post(await log.room(), "hi")
    path = tmp_path / "journal.db"
    kept = path.read_bytes()
    for wreck in (path.unlink, lambda: path.write_bytes(b"")):
        wreck()
        with pytest.raises(JournalUnusable, match=r"restore a backup, or remove journal\.db\.marks"):
            async with keeping(setup):
                pass
    path.write_bytes(kept)
    async with keeping(setup) as log:
        assert len(await log.history(STAGE)) == 1


async def test_two_servers_cannot_share_a_database(tmp_path: Path) -> None:
    setup = setup_for(Durability.POWER, tmp_path)
    async with keeping(setup) as log:
        with pytest.raises(JournalUnusable, match="another server"):
            async with keeping(setup):
                pass
        await log.post(await log.room(), "hi")
    async with keeping(setup):
        pass


def test_a_database_of_the_first_format_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.db"
    schema.connect(path, Durability.POWER).close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("CREATE TABLE extra (x)",)))
    with closing(schema.connect(path, Durability.POWER)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS),)
        assert db.execute("SELECT count(*) FROM extra").fetchone() == (0,)


def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.db"
    schema.connect(path, Durability.POWER).close()
    before = (len(schema.MIGRATIONS),)
    broken = ("CREATE TABLE extra (x)", "CREATE TABLE extra (x)")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    with pytest.raises(sqlite3.OperationalError):
        schema.connect(path, Durability.POWER)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == before
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'extra'").fetchone() == (0,)
