"""The database: tables, migrations, connections. Everything that opens the file goes through here.

`entries` is one table for all rooms, filled in the order of commits, and that is on purpose: rows that are only ever
put at the end are never moved, and rows that are moved (page splits of a table sorted by room) leave copies of
themselves behind that secure_delete does not wipe. For the same reason no column of an entry ever changes its size:
erasing overwrites in place, and the newest text of a message is found through the index `targets`."""

import sqlite3
from pathlib import Path

from actors.journal.database import MAGIC, closed_on_failure, is_empty, number, transaction
from actors.journal.log import Durability, JournalUnusable

APPLICATION_ID = 0x424E4453
"""'BNDS', in the header of the file."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE rooms (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            code TEXT NOT NULL UNIQUE,
            title TEXT NOT NULL,
            epoch INTEGER NOT NULL,      -- epochs.id of the one in force
            created REAL NOT NULL)""",
        """CREATE TABLE epochs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,  -- a number is never used twice: the marks file goes by it
            room INTEGER NOT NULL,
            name TEXT NOT NULL UNIQUE,   -- what clients see
            born TEXT NOT NULL,          -- its name when the numbering began; the chain is bound to it
            oldest INTEGER NOT NULL,     -- first seq that is served
            suspect INTEGER NOT NULL)    -- 1: found damaged, gets a new epoch when it is opened
        """,
        """CREATE TABLE heads (epoch INTEGER PRIMARY KEY, head INTEGER NOT NULL, chain BLOB NOT NULL)""",
        """CREATE TABLE entries (
            id INTEGER PRIMARY KEY,      -- rises with every commit: the last row is never removed
            epoch INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            ts REAL NOT NULL,
            kind INTEGER NOT NULL,       -- codec.py
            author TEXT NOT NULL,
            cid TEXT NOT NULL,
            target INTEGER,              -- the message that this entry edits or deletes
            body BLOB NOT NULL,          -- JSON; zeros once erased
            seal BLOB NOT NULL,          -- codec.py
            chain BLOB NOT NULL)""",
        "CREATE UNIQUE INDEX positions ON entries(epoch, seq)",
        "CREATE UNIQUE INDEX cids ON entries(author, cid)",
        "CREATE INDEX targets ON entries(epoch, target, kind, seq) WHERE target IS NOT NULL",
        "CREATE INDEX rules ON entries(epoch, seq) WHERE kind = 5",
        """-- the chain's value at a dropped entry whose successor is still there
        CREATE TABLE anchors (
            epoch INTEGER, seq INTEGER, chain BLOB NOT NULL, PRIMARY KEY (epoch, seq)) WITHOUT ROWID""",
        """CREATE TABLE reactions (
            epoch INTEGER, seq INTEGER, emoji TEXT, member TEXT, PRIMARY KEY (epoch, seq, emoji, member))
            WITHOUT ROWID""",
        """CREATE TABLE roster (
            member TEXT PRIMARY KEY, nickname TEXT NOT NULL, first_seen REAL NOT NULL, last_seen REAL NOT NULL)
            WITHOUT ROWID""",
    ),
    (
        "ALTER TABLE rooms ADD COLUMN zone TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE rooms ADD COLUMN official INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE rooms ADD COLUMN deleted REAL",  # Unix seconds since when nobody may enter; NULL: it is open
        "ALTER TABLE rooms ADD COLUMN active REAL NOT NULL DEFAULT 0",  # Unix seconds when somebody was last there
        "UPDATE rooms SET active = strftime('%s', 'now')",
        # What moderators ordered, found by what it is (codec.py: 20 and up).
        "CREATE INDEX orders ON entries(epoch, kind, seq, target) WHERE kind >= 20",
        """-- words that are still to be wiped, step by step: messages after `done` up to `upto`, and their edits
        CREATE TABLE erasures (
            epoch INTEGER, upto INTEGER, done INTEGER NOT NULL, PRIMARY KEY (epoch, upto)) WITHOUT ROWID""",
    ),
)
"""Number n takes a database from user_version n to n + 1, in one transaction."""

CHECKPOINT_PAGES = 16_000
"""The writer's own checkpoint comes at 64 MiB of WAL, as a backstop: ordinarily another thread copies the WAL back
long before, without holding up a commit."""


def connect(path: Path | None, durability: Durability) -> sqlite3.Connection:
    """The writing connection to our database, up to date and made if there was none; None = a private one in memory.
    JournalUnusable when it is not ours; sqlite3.Error when it cannot be had.

    synchronous: FULL syncs the WAL at every commit. NORMAL syncs only at checkpoints, which costs nothing per commit
    and keeps the database whole over a power cut (OFF does not, and is not faster here)."""
    db = _plain(":memory:" if path is None else str(path))
    with closed_on_failure(db):
        if not is_empty(db):
            identify(db, path)
        if path is not None:
            db.execute("PRAGMA journal_mode=WAL").fetchone()
            db.execute(f"PRAGMA synchronous={'FULL' if durability is Durability.POWER else 'NORMAL'}")
            db.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}").fetchone()
            db.execute(f"PRAGMA journal_size_limit={CHECKPOINT_PAGES * 4096}").fetchone()
        db.execute("PRAGMA secure_delete=ON").fetchone()
        db.execute("PRAGMA temp_store=MEMORY")  # no deleted word in a temporary file either
        db.execute("PRAGMA cache_size=-16000")
        migrate(db)
    return db


def connect_reader(path: Path) -> sqlite3.Connection:
    db = _plain(str(path))
    with closed_on_failure(db):
        db.execute("PRAGMA query_only=ON")
        db.execute("PRAGMA cache_size=-8000")
    return db


def _plain(name: str) -> sqlite3.Connection:
    db = sqlite3.connect(name, timeout=2.0, isolation_level=None, check_same_thread=False, cached_statements=256)
    db.text_factory = _text
    return db


def _text(data: bytes) -> str:
    """A flipped bit may leave no UTF-8. The chain finds it; reading must get that far."""
    return str(data, "utf-8", "replace")


def is_new(path: Path) -> bool:
    """Nothing is there yet. JournalUnusable: something is, and it is not a SQLite database. Not for a process that has
    a connection to it: `database.make_private` says why."""
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except FileNotFoundError:
        return True
    except OSError as error:
        raise JournalUnusable(f"{path} cannot be read ({error.strerror}): check its owner and rights") from error
    if start and start != MAGIC:
        raise JournalUnusable(f"{path} is not a database: move it away, or give another path for the journal")
    return not start


def identify(db: sqlite3.Connection, path: Path | None) -> None:
    """JournalUnusable unless this is our database in a version we can read or bring up to date."""
    where = "the database in memory" if path is None else str(path)
    if number(db, "application_id") != APPLICATION_ID:
        raise JournalUnusable(f"{where} is a database of another program: give another path for the journal")
    version = number(db, "user_version")
    if version > len(MIGRATIONS):
        raise JournalUnusable(
            f"{where} was written by a newer release (format {version}, this one reads up to {len(MIGRATIONS)}): "
            "start that release, or restore a backup made by this one"
        )


def migrate(db: sqlite3.Connection) -> None:
    """Bring an identified or new database up to date, each step in a transaction of its own."""
    for version in range(number(db, "user_version"), len(MIGRATIONS)):
        with transaction(db):
            for statement in MIGRATIONS[version]:
                db.execute(statement)
            db.execute(f"PRAGMA application_id={APPLICATION_ID}")
            db.execute(f"PRAGMA user_version={version + 1}")


def checkpoint_passively(path: Path, durability: Durability) -> None:
    """Copy what is in the WAL into the database without holding up anybody. sqlite3.Error."""
    db = _plain(str(path))
    try:
        db.execute(f"PRAGMA synchronous={'FULL' if durability is Durability.POWER else 'NORMAL'}")
        db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    finally:
        db.close()


def get_meta(db: sqlite3.Connection, key: str) -> str | None:
    found: tuple[str] | None = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if found is None else found[0]


def set_meta(db: sqlite3.Connection, **values: str) -> None:
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(values.items()))
