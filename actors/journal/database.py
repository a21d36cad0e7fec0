"""What the house's three databases (journal, admin, alerts) do alike: SQLite in autocommit, where a transaction begins
when it is said. What is wrong with a file each of them says in its own words."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

MAGIC = b"SQLite format 3\0"
"""How a file begins that is not empty (sqlite.org/fileformat2.html, section 1.3)."""


def make_private(path: Path) -> None:
    """An empty file, for its owner only, where nothing is. OSError.

    A file that is there is not opened, here or anywhere else in a process that has a connection to it: with the first
    descriptor of a file that is closed POSIX drops every lock that the process has on it (sqlite.org/howtocorrupt.html,
    section 2.2). The next program that looked into the database would take its WAL away as that of a dead server."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


def is_missing(path: Path) -> bool:
    """Nothing, or an empty file. OSError."""
    try:
        return not path.stat().st_size
    except FileNotFoundError:
        return True


@contextmanager
def closed_on_failure(db: sqlite3.Connection) -> Iterator[None]:
    """While it is made ready nobody has the connection yet, so nobody else would close it."""
    with ExitStack() as failure:
        failure.callback(db.close)
        yield
        failure.pop_all()


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All that the body does, or nothing of it, whatever was raised; a COMMIT that fails is rolled back too. Raises
    sqlite3.Error, and what the body raises."""
    with db:
        db.execute("BEGIN IMMEDIATE")
        yield


def is_empty(db: sqlite3.Connection) -> bool:
    """Nobody's yet: no tables, and no application has signed it."""
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(tables == 0) and number(db, "application_id") == 0


def number(db: sqlite3.Connection, pragma: str) -> int:
    (value,) = db.execute(f"PRAGMA {pragma}").fetchone()
    return int(value)


def is_damage(error: BaseException) -> bool:
    """A page that is no page any more, not a disk that cannot be read now."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT


def is_foreign(error: BaseException) -> bool:
    """What the file begins with is no database's beginning."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOTADB


def unless_damaged(call: Callable[[], T]) -> T | None:
    """What `call` finds; None where a page that it needs is damaged. Other errors pass."""
    try:
        return call()
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return None


def is_passing(error: sqlite3.Error) -> bool:
    """Somebody else is at it; not the disk."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
