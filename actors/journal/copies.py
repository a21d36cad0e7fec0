"""Copies of our databases, whatever is in them: as of one instant, in one file, for the owner only; and the files that
go along with the journal's copy."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from attrs import frozen

from actors.journal.database import closed_on_failure
from actors.journal.log import LogFailed

STEP_PAGES = 256
"""Pages copied at a time. A commit in between does not disturb the copy: it is one reader's picture."""
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@frozen
class Kind:
    """A database of ours. `format`: the newest that this release reads. `afresh`: what is done to one that is put
    back."""

    application_id: int
    format: int
    afresh: tuple[str, ...] = ()


@frozen
class Pair:
    """A file that goes along, where it is and where it goes. `kind` None: a small text, copied line by line."""

    source: Path
    target: Path
    kind: Kind | None

    def copy(self, target: Path) -> None:
        """OSError, sqlite3.Error; LogFailed when it is not what it should be."""
        if self.kind is None:
            _copy_lines(self.source, target)
            return
        with closing(_reader(self.source)) as db:
            _identify(db, self.source, self.kind)
            copy_picture(db, target)

    def copy_afresh(self, target: Path) -> None:
        """As it is to be put back."""
        self.copy(target)
        if self.kind is not None:
            with closing(sqlite3.connect(target, isolation_level=None)) as db:
                for statement in self.kind.afresh:
                    db.execute(statement)

    def damage(self, path: Path) -> str | None:
        """What is wrong with this file of the kind, in words."""
        if self.kind is None:
            return None
        try:
            with closing(_reader(path)) as db:
                _identify(db, path, self.kind)
                (said,) = db.execute("PRAGMA integrity_check(1)").fetchone()
        except (sqlite3.Error, LogFailed) as error:
            return str(error)
        return None if said == "ok" else str(said).replace("\n", " ")


def copy_picture(db: sqlite3.Connection, target: Path) -> None:
    """What this reader sees at one instant, to a file that is not there. OSError, sqlite3.Error."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with closing(sqlite3.connect(target, isolation_level=None)) as new:
        db.execute("BEGIN")  # one picture, however many commits come while it is copied
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        db.backup(new, pages=STEP_PAGES, sleep=0.0)
        db.execute("ROLLBACK")
        new.execute("PRAGMA journal_mode=DELETE").fetchone()  # one file


def is_in_use(path: Path) -> bool:
    """Another connection to this database is open. Without one, what is left in its WAL is put into it."""
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=0.0, isolation_level=None)) as db:
            # Only who is alone with a database may take it out of WAL mode.
            db.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.Error as error:
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in BUSY  # what is damaged is in nobody's use
    return False


def _reader(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=2.0, isolation_level=None)
    with closed_on_failure(db):
        db.execute("PRAGMA query_only=ON")
    return db


def _identify(db: sqlite3.Connection, path: Path, kind: Kind) -> None:
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application_id != kind.application_id:
        raise LogFailed(f"{path} is a database of another program: nothing was changed")
    if version > kind.format:
        raise LogFailed(f"{path} was written by a newer release (format {version}): use that release")


def _copy_lines(source: Path, target: Path) -> None:
    """Whole lines: one may just be being written."""
    content = source.read_bytes()
    with open(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content[: content.rfind(b"\n") + 1])
