"""What the three databases do alike: all of a transaction or nothing, and no connection left behind."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from actors.admin import store_schema
from actors.alerts.store import Store
from actors.journal.database import closed_on_failure, is_empty, make_private, transaction
from actors.journal.doctor import open_database
from actors.journal.log import Durability
from actors.journal.marks import lock, marks_path


def connected() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


def half_done(db: sqlite3.Connection, fault: BaseException) -> None:
    with transaction(db):
        db.execute("INSERT INTO words VALUES ('half')")
        raise fault


@pytest.mark.parametrize("fault", [ValueError("ours"), KeyboardInterrupt(), sqlite3.OperationalError("theirs")])
def test_a_transaction_is_all_or_nothing_whatever_is_raised(fault: BaseException) -> None:
    with closing(connected()) as db:
        assert is_empty(db)
        with transaction(db):
            db.execute("CREATE TABLE words (word TEXT)")
            db.execute("INSERT INTO words VALUES ('kept')")
        assert not db.in_transaction
        with pytest.raises(type(fault)):
            half_done(db, fault)
        assert not db.in_transaction
        assert db.execute("SELECT word FROM words").fetchall() == [("kept",)]


def test_a_commit_that_fails_leaves_no_transaction_open() -> None:
    with closing(connected()) as db:
        db.execute("PRAGMA foreign_keys=ON")
        db.execute("CREATE TABLE rooms (room TEXT PRIMARY KEY)")
        db.execute("CREATE TABLE stays (room TEXT REFERENCES rooms DEFERRABLE INITIALLY DEFERRED)")
        with pytest.raises(sqlite3.IntegrityError), transaction(db):
            db.execute("INSERT INTO stays VALUES ('nowhere')")
        assert not db.in_transaction
        assert db.execute("SELECT count(*) FROM stays").fetchone() == (0,)


def test_who_cannot_make_a_connection_ready_closes_it() -> None:
    db = connected()
    with pytest.raises(KeyboardInterrupt), closed_on_failure(db):
        raise KeyboardInterrupt
    with pytest.raises(sqlite3.ProgrammingError):
        db.execute("SELECT 1")
    with closing(connected()) as kept:
        with closed_on_failure(kept):
            pass
        assert kept.execute("SELECT 1").fetchone() == (1,)


ANOTHER_PROGRAM = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("SELECT count(*) FROM sqlite_master").fetchone()
db.close()
"""


def journal(path: Path) -> sqlite3.Connection:
    return open_database(path, Durability.POWER)


def look_for_marks(path: Path) -> None:
    marks_path(path).write_bytes(b"marks")
    lock(path).close()


def alerts(path: Path) -> sqlite3.Connection:
    store = Store(path, 60.0)
    store.open()
    assert store._db is not None
    return store._db


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (journal, lambda path: journal(path).close()),
        (journal, look_for_marks),
        (store_schema.connect, lambda path: store_schema.connect_reader(path).close()),
        (store_schema.connect, lambda path: store_schema.connect(path).close()),
        (alerts, lambda path: alerts(path).close()),
        (alerts, make_private),
    ],
)
def test_no_second_look_at_a_database_lets_another_program_take_its_wal_away(
    tmp_path: Path, first: Callable[[Path], sqlite3.Connection], again: Callable[[Path], None]
) -> None:
    """The server checked its audit, which opened and closed the file and so gave up its locks. `operators list` closed
    as the last one would, the WAL was gone, and orders that were answered ok were not there after the next start."""
    path = tmp_path / "some.db"
    with closing(first(path)) as db:
        db.execute("CREATE TABLE words (word TEXT)")
        again(path)
        subprocess.run([sys.executable, "-c", ANOTHER_PROGRAM, str(path)], check=True, timeout=60)
        assert path.with_name("some.db-wal").exists()
        db.execute("INSERT INTO words VALUES ('kept')")
        assert oct(path.stat().st_mode & 0o777) == "0o600"
    with closing(sqlite3.connect(path)) as left:
        assert left.execute("SELECT word FROM words").fetchall() == [("kept",)]
