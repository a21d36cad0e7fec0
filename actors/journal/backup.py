"""Copies of the journal: taken while the server runs, put back while it does not."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from attrs import frozen

from actors.journal import schema
from actors.journal.epochs import new_epoch
from actors.journal.log import Durability, JournalUnusable, LogFailed
from actors.journal.marks import Marks, marks_path
from actors.journal.verify import Report, verify

STEP_PAGES = 256
"""Pages copied at a time. A commit in between does not disturb the copy: it is one reader's picture."""

SIDE_FILES = ("-wal", "-shm")


class BackupRefused(Exception):
    """It was not done, nothing was changed; the text says why and what to do."""


@frozen
class Restored:
    """What `restore` did. `rooms`: how many begin a new epoch. `replaced`: where the former journal is kept."""

    source: Path
    target: Path
    rooms: int
    entries: int
    replaced: Path | None

    def __str__(self) -> str:
        kept = f" The former journal is kept as {self.replaced}." if self.replaced else ""
        return (
            f"{self.entries} entries of {self.rooms} rooms from {self.source} are now {self.target}. Every room begins "
            f"a new epoch: clients that were here read its history anew.{kept}"
        )


def backup(source: Path, target: Path) -> Report:
    """A copy of the journal as of one instant, and whether it verifies. BackupRefused, JournalUnusable; OSError or
    LogFailed when the disk fails. The target appears only when it is whole."""
    if target.exists():
        raise BackupRefused(f"{target} is there already: give another name")
    part = target.with_name(target.name + ".part")
    _remove(part)
    try:
        with _in_words(source, part):
            _copy(source, part)
            report = verify(part)
        _sync(part)
        part.rename(target)
    finally:
        _remove(part)
    return report


def restore(source: Path, target: Path, *, force: bool = False) -> Restored:
    """Put a backup in the journal's place. With `force` over a journal that is there, which is kept beside it.
    BackupRefused when one is there, when a server runs on it, or when the backup does not verify; LogFailed when
    the disk fails."""
    report = verify(source)
    if report.problems:
        first = report.problems[0]
        raise BackupRefused(f"{source} does not verify ({first.room} {first.seq}: {first.text}): take another backup")
    if target.exists() and not force:
        raise BackupRefused(f"{target} is there already: force it to put the backup in its place")
    target.parent.mkdir(parents=True, exist_ok=True)
    marks = _hold(target)
    part = target.with_name(target.name + ".part")
    try:
        _remove(part)
        with _in_words(source, part):
            _copy(source, part)
            rooms = _begin_epochs(part)
        _sync(part)
        replaced = _move_aside(target)
        part.rename(target)
    finally:
        marks.close()
        _remove(part)
    return Restored(source, target, rooms, report.entries, replaced)


@contextmanager
def _in_words(source: Path, target: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise LogFailed(f"{source} cannot be copied to {target}: {error}; nothing was changed") from error


def _copy(source: Path, target: Path) -> None:
    if schema.is_new(source):
        raise JournalUnusable(f"there is no journal at {source}")
    with closing(schema.connect_reader(source)) as old:
        schema.identify(old, source)
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with closing(sqlite3.connect(target, isolation_level=None)) as new:
            old.execute("BEGIN")  # one picture, however many commits come while it is copied
            old.execute("SELECT 1 FROM meta").fetchone()
            old.backup(new, pages=STEP_PAGES, sleep=0.0)
            old.execute("ROLLBACK")
            new.execute("PRAGMA journal_mode=DELETE").fetchone()  # one file


def _begin_epochs(path: Path) -> int:
    """Every room under a new epoch, and a new identity for the database: its marks begin anew."""
    with closing(schema.connect(path, Durability.POWER)) as db:
        db.execute("BEGIN IMMEDIATE")
        (last,) = db.execute("SELECT max(name) FROM epochs").fetchone()
        rooms = db.execute("SELECT epoch FROM rooms ORDER BY name").fetchall()
        for (epoch_id,) in rooms:
            last = new_epoch(time.time(), last or "")
            db.execute("UPDATE epochs SET name = ? WHERE id = ?", (last, epoch_id))
        schema.set_meta(db, database=os.urandom(16).hex(), clean="yes")
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode=DELETE").fetchone()
    return len(rooms)


def _hold(target: Path) -> Marks:
    try:
        return Marks(marks_path(target))
    except BlockingIOError as error:
        raise BackupRefused(f"a server runs on {target}: stop it first") from error


def _move_aside(target: Path) -> Path | None:
    if not target.exists():
        return None
    aside = target.with_name(f"{target.name}.replaced-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    target.rename(aside)
    for ending in SIDE_FILES:  # a WAL that is left would be taken for the new database's
        side = target.with_name(target.name + ending)
        if side.exists():
            side.rename(aside.with_name(aside.name + ending))
    return aside


def _remove(path: Path) -> None:
    for ending in ("", *SIDE_FILES, "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    for each in (path, path.parent):
        fd = os.open(each, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
