"""What the three databases do alike: all of a transaction or nothing, and no connection left behind."""

import sqlite3
from contextlib import closing

import pytest

from actors.journal.database import closed_on_failure, is_empty, transaction


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
