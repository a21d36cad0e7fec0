"""admin.db: tables, migrations, connections. Everything that opens the file goes through here.

Several processes may use it at once (the server, and `bandstand operators` beside it), so nobody holds it for longer
than one short transaction, and each writer waits for the other."""

import sqlite3
import time
from pathlib import Path

from actors.journal.database import (
    closed_on_failure,
    is_damage,
    is_empty,
    is_foreign,
    is_passing,
    make_private,
    number,
    transaction,
)

APPLICATION_ID = 0x424E444F
"""'BNDO', in the header of the file."""
BUSY_TIMEOUT_S = 2.0
AGAIN_S = 0.005

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE operators (
            name TEXT PRIMARY KEY, role INTEGER NOT NULL, password TEXT NOT NULL,  -- argon2's own text
            disabled INTEGER NOT NULL, created REAL NOT NULL, seen REAL) WITHOUT ROWID""",
        """CREATE TABLE sessions (
            id TEXT PRIMARY KEY, operator TEXT NOT NULL, hash BLOB NOT NULL UNIQUE, address TEXT NOT NULL,
            created REAL NOT NULL, seen REAL NOT NULL, expires REAL NOT NULL) WITHOUT ROWID""",
        "CREATE INDEX sessions_of ON sessions(operator)",
        """CREATE TABLE tokens (
            id TEXT PRIMARY KEY, name TEXT NOT NULL, role INTEGER NOT NULL, hash BLOB NOT NULL UNIQUE,
            author TEXT NOT NULL, created REAL NOT NULL, expires REAL, revoked REAL, seen REAL) WITHOUT ROWID""",
        """CREATE TABLE audit (
            id INTEGER PRIMARY KEY,      -- 1, 2, 3 ... without holes
            at REAL NOT NULL, operator TEXT NOT NULL, address TEXT NOT NULL, command TEXT NOT NULL,
            args TEXT NOT NULL,          -- JSON
            reason TEXT NOT NULL, result TEXT NOT NULL, act TEXT NOT NULL,
            mac BLOB NOT NULL)           -- audit.py
        """,
        "CREATE INDEX audit_operators ON audit(operator, id)",
        "CREATE INDEX audit_commands ON audit(command, id)",
        """-- one row: where the log ends, sealed with the key
        CREATE TABLE audit_head (one INTEGER PRIMARY KEY CHECK (one = 1), id INTEGER, mac BLOB, seal BLOB)""",
        "CREATE TRIGGER audit_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is kept'); END",
        "CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is kept'); END",
        """CREATE TABLE acts (
            n INTEGER PRIMARY KEY, act TEXT NOT NULL UNIQUE, operator TEXT NOT NULL, cid TEXT NOT NULL,
            digest BLOB NOT NULL,        -- of the order's body: the same cid with another one is a mistake
            at REAL NOT NULL, command TEXT NOT NULL, body TEXT NOT NULL, outcome TEXT, undo TEXT,
            undo_until REAL, state TEXT NOT NULL, UNIQUE (operator, cid))""",
        "CREATE INDEX acts_due ON acts(undo_until) WHERE state = 'done' AND undo_until IS NOT NULL",
        """CREATE TABLE activity (
            n INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL,
            room TEXT, member TEXT, operator TEXT, act TEXT, data TEXT NOT NULL)""",
        "CREATE INDEX activity_at ON activity(at)",
        "CREATE INDEX activity_kinds ON activity(kind, n)",
        "CREATE INDEX activity_rooms ON activity(room, n) WHERE room IS NOT NULL",
        "CREATE INDEX activity_members ON activity(member) WHERE member IS NOT NULL",
        "CREATE INDEX activity_operators ON activity(operator, n) WHERE operator IS NOT NULL",
        """CREATE TABLE reports (
            id INTEGER PRIMARY KEY, at REAL NOT NULL, room TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
            member TEXT NOT NULL, why TEXT NOT NULL, outcome TEXT, resolver TEXT, resolved REAL)""",
        """-- who reports the same message twice has reported it once
        CREATE UNIQUE INDEX reports_once ON reports(room, epoch, seq, member) WHERE member != ''""",
        "CREATE INDEX reports_open ON reports(id) WHERE outcome IS NULL",
        """-- kind, key, value (JSON): sanctions, roles, badges, lockdown
        CREATE TABLE standing (kind TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID""",
    ),
)
"""Number n takes a database from user_version n to n + 1, in one transaction."""


class AdminUnusable(Exception):
    """The file is there and cannot be used; str() says which one, why, and what to do."""


def connect(path: Path | None) -> sqlite3.Connection:
    """The database, made and brought up to date where that is needed; None = a private one in memory. AdminUnusable;
    sqlite3.Error when it cannot be had now."""
    if path is not None:
        _make(path)
    try:
        return _connect(path)
    except sqlite3.OperationalError as error:
        if path is None or is_passing(error):
            raise
        return _without_room(path, error)


def is_cramped(db: sqlite3.Connection) -> bool:
    """It was had without room on the disk."""
    (mode,) = db.execute("PRAGMA locking_mode").fetchone()
    return bool(mode == "exclusive")


def _without_room(path: Path, error: sqlite3.OperationalError) -> sqlite3.Connection:
    """For looking, where the disk has not even room for the index of the WAL: in EXCLUSIVE mode that is kept in memory
    (sqlite.org/wal.html, section 6), and no other process gets in. Every write fails there, and makes the next call try
    the ordinary way. `error` again when the file cannot be read so either."""
    if not path.stat().st_size:
        raise AdminUnusable(f"{path} cannot be made ({error}): make room on the disk of {path.parent}") from error
    db = _plain(path)
    with closed_on_failure(db):
        db.execute("PRAGMA locking_mode=EXCLUSIVE").fetchone()
        if identify(db, path) != len(MIGRATIONS):
            raise error
    return db


def _connect(path: Path | None) -> sqlite3.Connection:
    db = _plain(path)
    with closed_on_failure(db):
        try:
            _prepare(db, path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise _unusable(path, error) from error
    return db


def _unusable(path: Path | None, error: sqlite3.Error) -> AdminUnusable:
    if is_foreign(error):
        return AdminUnusable(f"{path} is not a database: move it away, or set another admin.path")
    if is_damage(error):
        return AdminUnusable(f"{path} is damaged ({error}): put a backup of it in place")
    return AdminUnusable(f"{path} cannot be read ({error}): check its owner and rights")


def _prepare(db: sqlite3.Connection, path: Path | None) -> None:
    if not is_empty(db):
        identify(db, path)  # before anything is changed: it may be somebody else's
    if path is not None:
        _share(db)
        db.execute("PRAGMA synchronous=FULL")
    db.execute("PRAGMA secure_delete=ON").fetchone()
    db.execute("PRAGMA temp_store=MEMORY")
    _migrate(db, path)


def _share(db: sqlite3.Connection) -> None:
    """Write ahead from here on. SQLite's own patience does not reach this: where two processes that open a new file ask
    at once, each of them has what the other waits for, and so one is told at once that the file is locked."""
    ends = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as error:
            if not is_passing(error) or time.monotonic() >= ends:
                raise
            time.sleep(AGAIN_S)
        else:
            return


def connect_reader(path: Path) -> sqlite3.Connection:
    """For looking only. AdminUnusable, also when it is not there."""
    if not path.exists():
        raise AdminUnusable(f"there is no {path}")
    db = _plain(path)
    with closed_on_failure(db):
        try:
            db.execute("PRAGMA query_only=ON")
            identify(db, path)
        except sqlite3.Error as error:
            raise _unusable(path, error) from error
    return db


def identify(db: sqlite3.Connection, path: Path | None) -> int:
    """The format of our database. AdminUnusable when it is another's or a newer release's."""
    version = number(db, "user_version")
    if number(db, "application_id") != APPLICATION_ID:
        raise AdminUnusable(f"{path} is a database of another program: set another admin.path")
    if version > len(MIGRATIONS):
        raise AdminUnusable(
            f"{path} was written by a newer release (format {version}, this one reads up to {len(MIGRATIONS)}): "
            "start that release, or restore a backup made by this one"
        )
    return version


def _make(path: Path) -> None:
    try:
        make_private(path)
    except OSError as error:
        raise AdminUnusable(f"{path} cannot be used ({error.strerror}): check its owner and rights") from error


def _plain(path: Path | None) -> sqlite3.Connection:
    name = ":memory:" if path is None else str(path)
    db = sqlite3.connect(name, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    db.text_factory = lambda data: str(data, "utf-8", "replace")  # a flipped bit is for the audit to find
    return db


def _migrate(db: sqlite3.Connection, path: Path | None) -> None:
    """Of two processes that open a new file at once, one makes the tables and the other finds them."""
    if not is_empty(db) and identify(db, path) == len(MIGRATIONS):
        return
    with transaction(db):
        version = 0 if is_empty(db) else identify(db, path)
        for step in MIGRATIONS[version:]:
            for statement in step:
                db.execute(statement)
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
