"""alerts.db: alerts, their ledgers, and who was where. Plain sqlite3, synchronous, for one writer's thread only.

A file of its own, because what the chat's disk or database suffers must not touch it. WAL and synchronous=FULL: what
`save` has returned from survives a power cut (tests/journal proves the setting)."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path

from attrs import evolve, field, frozen

from actors.alerts.book import ROWS_KEPT
from actors.alerts.drafts import as_json, draft_of
from actors.alerts.ledger import Key, Row
from actors.alerts.roster import Seen, Stay, Target
from actors.alerts.vocabulary import ERASED, Alert, AlertId, Draft, Kind, Life, Reach
from actors.journal.database import (
    closed_on_failure,
    is_empty,
    is_foreign,
    is_passing,
    make_private,
    number,
    transaction,
)
from actors.journal.disk import Disk
from actors.names import MemberId, RoomName

APPLICATION_ID = 0x424E4441
"""'BNDA', in the header of the file."""
VERSION = 1
BUSY_MS = 2_000
BALLAST_BYTES = 4 << 20
"""Room for some ten thousand rows on a full disk."""
KEEP_ROSTER_S = 7 * 86_400.0
LOAD_ROWS = ROWS_KEPT
"""Of ledgers that are over, the newest ones are loaded at a start up to so many rows; the rest stays on disk."""

SCHEMA = (
    """CREATE TABLE revisions (
        id INTEGER PRIMARY KEY,
        alert TEXT NOT NULL,
        rev INTEGER NOT NULL,
        kind TEXT NOT NULL,
        draft TEXT NOT NULL,         -- JSON, drafts.as_json
        sent REAL NOT NULL,
        expires REAL NOT NULL,
        author TEXT NOT NULL,
        rooms TEXT NOT NULL,         -- the target rooms, with spaces between; empty = all
        state TEXT NOT NULL,
        roster INTEGER NOT NULL,     -- the roster's revision that the targets were taken from
        whole INTEGER NOT NULL,      -- 1: every target has its row; 0: they are found from `roster`
        UNIQUE (alert, rev))""",
    """CREATE TABLE ledger (
        revision INTEGER, member TEXT, nickname TEXT NOT NULL, rooms TEXT NOT NULL, joined_after INTEGER NOT NULL,
        reach INTEGER NOT NULL, at REAL NOT NULL,
        help INTEGER NOT NULL,       -- 1: asked for; 2: and dealt with
        note TEXT NOT NULL,
        PRIMARY KEY (revision, member)) WITHOUT ROWID""",
    "CREATE TABLE people (member TEXT PRIMARY KEY, nickname TEXT NOT NULL, seen REAL NOT NULL) WITHOUT ROWID",
    """CREATE TABLE stays (
        member TEXT, room TEXT, came INTEGER, left INTEGER,  -- revisions of the roster; left NULL = still there
        joined_at REAL NOT NULL, left_at REAL, PRIMARY KEY (member, room, came)) WITHOUT ROWID""",
    "CREATE TABLE roster (rev INTEGER NOT NULL)",
    "INSERT INTO roster VALUES (0)",
    f"PRAGMA application_id={APPLICATION_ID}",
    f"PRAGMA user_version={VERSION}",
)
ZONES = "CREATE TABLE IF NOT EXISTS zones (room TEXT PRIMARY KEY, zone TEXT NOT NULL) WITHOUT ROWID"
"""Younger than the rest, and made where it is missing: who does not look for it is not hurt by it."""

Cells = tuple[str, str, str, int, int, float, int, str]
"""A row of a ledger as it is now: member, nickname, rooms, joined_after, reach, at, help, note."""


class AlertsUnusable(Exception):
    """The file is there and is not one that this release can use; says which and what to do."""


def cells_of(row: Row) -> Cells:
    return (
        row.member, row.nickname, " ".join(row.rooms), int(row.joined_after),
        int(row.reach), row.at, row.help + row.helped, row.note,
    )  # fmt: skip


@frozen
class Work:
    """What goes to disk together."""

    alerts: Sequence[Alert] = ()
    people: Sequence[Seen] = ()
    stays: Sequence[Stay] = ()
    rows: Sequence[tuple[Key, Cells]] = ()
    whole: Sequence[Key] = ()
    """Ledgers of which every target is on disk with this."""
    zones: Mapping[RoomName, str] | None = None
    """Of each room that is in one, as it is from now on; None: as it was."""


@frozen
class LoadedLedger:
    alert: Alert
    rows: tuple[Row, ...]
    rest: tuple[Target, ...]
    """Targets that have no row yet: the process died first."""


@frozen
class Loaded:
    ledgers: tuple[LoadedLedger, ...]
    """By alert and revision, oldest first."""
    people: tuple[tuple[MemberId, str, float, tuple[RoomName, ...]], ...]
    number: int
    zones: Mapping[RoomName, str] = field(factory=dict)
    """For a start at which nobody else knows the rooms."""


class Store:
    """`path` None: in memory. Any call may raise sqlite3.Error: nothing was written then, or it is unknown, and the
    same work may be saved again. After an error the connection is dropped, and the next call opens a new one."""

    def __init__(self, path: Path | None, audience_s: float, ballast_bytes: int = BALLAST_BYTES) -> None:
        self.path = path
        self._audience_s = audience_s
        self._db: sqlite3.Connection | None = None
        self._cramped = False
        self._disk = None if path is None else Disk(path, 0, ballast_bytes=ballast_bytes)

    def open(self) -> None:
        """AlertsUnusable, sqlite3.Error, OSError."""
        if self._db is not None:
            return
        if self.path is not None:
            make_private(self.path)  # names and notes
        try:
            self._db, self._cramped = self._connect(), False
        except sqlite3.OperationalError as error:
            if self.path is None or not self.path.stat().st_size or is_passing(error):
                raise
            self._db, self._cramped = self._connect(cramped=True), True
        except sqlite3.DatabaseError as error:
            if not is_foreign(error):
                raise
            raise AlertsUnusable(f"{self.path} is not a database: move it away, or set another alerts.path") from error

    def _connect(self, cramped: bool = False) -> sqlite3.Connection:
        """`cramped`: the disk has not even room for the index of the WAL. In EXCLUSIVE mode that is kept in memory
        (sqlite.org/wal.html, section 6): what is in force can be read, and nothing be written."""
        name = ":memory:" if self.path is None else str(self.path)
        db = sqlite3.connect(name, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
        with closed_on_failure(db):
            if cramped:
                db.execute("PRAGMA locking_mode=EXCLUSIVE").fetchone()
            self._prepare(db)
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Whose it is comes first: nothing is changed in somebody else's file."""
        is_new, version = is_empty(db), number(db, "user_version")
        if not is_new and number(db, "application_id") != APPLICATION_ID:
            raise AlertsUnusable(f"{self.path} is a database of another program: set another alerts.path")
        if not is_new and version != VERSION:
            raise AlertsUnusable(f"{self.path} was written by another release (format {version}): start that release")
        if self.path is not None:
            db.execute("PRAGMA journal_mode=WAL").fetchone()
            db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA secure_delete=ON").fetchone()
        db.execute("PRAGMA temp_store=MEMORY")  # no erased name in a temporary file either
        if is_new:
            with transaction(db):
                for statement in SCHEMA:
                    db.execute(statement)

    def save(self, work: Work, mono: float) -> None:
        """All of it, durably, or none. On a full disk the ballast goes, and it is tried once more at once."""
        try:
            self._save(work)
        except sqlite3.Error as error:
            self._drop()
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_FULL or self._disk is None:
                raise
            self._disk.drop_ballast()
            try:
                self._save(work)
            except sqlite3.Error:
                self._drop()
                raise
        else:
            if self._cramped:
                self._drop()  # there is room again: the next one lets others read beside it
            if self._disk is not None:
                self._disk.look(mono)

    def _save(self, work: Work) -> None:
        self.open()
        db = self._db
        assert db is not None
        with transaction(db):
            rev = self._save_roster(db, work)
            for alert in work.alerts:
                self._save_alert(db, alert, rev)
            ids = {key: self._revision(db, key) for key in {key for key, _ in work.rows}}
            db.executemany(
                "INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(ids[key], *cells) for key, cells in work.rows],
            )
            db.executemany(
                "UPDATE revisions SET whole = 1 WHERE alert = ? AND rev = ?",
                [(key.alert, key.rev) for key in work.whole],
            )
            if work.zones is not None:
                db.execute(ZONES)
                db.execute("DELETE FROM zones")
                db.executemany("INSERT INTO zones VALUES (?, ?)", work.zones.items())

    def _save_roster(self, db: sqlite3.Connection, work: Work) -> int:
        """Its revision afterwards."""
        db.executemany(
            "INSERT INTO people VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET nickname = excluded.nickname, "
            "seen = excluded.seen",
            [(each.member, each.nickname, each.at) for each in work.people],
        )
        (rev,) = db.execute("SELECT rev FROM roster").fetchone()
        if not work.stays:
            return int(rev)
        rev += 1
        db.execute("UPDATE roster SET rev = ?", (rev,))
        for stay in work.stays:
            if stay.here:
                db.execute(
                    "INSERT INTO stays SELECT ?1, ?2, ?3, NULL, ?4, NULL WHERE NOT EXISTS "
                    "(SELECT 1 FROM stays WHERE member = ?1 AND room = ?2 AND left IS NULL)",
                    (stay.member, stay.room, rev, stay.at),
                )
            else:
                db.execute(
                    "UPDATE stays SET left = ?, left_at = ? WHERE member = ? AND room = ? AND left IS NULL",
                    (rev, stay.at, stay.member, stay.room),
                )
        return int(rev)

    def _save_alert(self, db: sqlite3.Connection, alert: Alert, roster: int) -> None:
        db.execute(
            "INSERT INTO revisions (alert, rev, kind, draft, sent, expires, author, rooms, state, roster, whole) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT (alert, rev) DO UPDATE SET state = excluded.state",
            (
                alert.id, alert.rev, alert.kind, json.dumps(as_json(alert.draft)), alert.sent, alert.expires, alert.by,
                " ".join(alert.rooms), alert.state, roster,
            ),
        )  # fmt: skip

    def _revision(self, db: sqlite3.Connection, key: Key) -> int:
        (found,) = db.execute("SELECT id FROM revisions WHERE alert = ? AND rev = ?", (key.alert, key.rev)).fetchone()
        return int(found)

    def prune(self, wall: float) -> None:
        """Of people not seen for a week nothing is kept here. Ledgers are kept: they are the record of an emergency."""
        self.open()
        assert self._db is not None
        before = wall - KEEP_ROSTER_S
        with transaction(self._db):
            self._db.execute("DELETE FROM stays WHERE left_at < ?", (before,))
            self._db.execute("DELETE FROM stays WHERE member IN (SELECT member FROM people WHERE seen < ?)", (before,))
            self._db.execute("DELETE FROM people WHERE seen < ?", (before,))

    def erase(self, member: MemberId) -> bool:
        """Nickname and notes, and then every byte of them. Rows that move between pages leave copies of themselves
        behind, which secure_delete does not wipe: only a database that is written anew has none, and a WAL that is cut
        to nothing. False: somebody who reads is in the way; the rows are erased, and it may be done again.

        *Measured*: 0.3 s for 50,000 rows. An alert that comes meanwhile goes out unrecorded, and is recorded then."""
        self.open()
        db = self._db
        assert db is not None
        try:
            with transaction(db):
                db.execute("UPDATE ledger SET nickname = ?1, note = '' WHERE member = ?2", (ERASED, member))
                db.execute("UPDATE people SET nickname = ?1 WHERE member = ?2", (ERASED, member))
            db.execute("VACUUM")
            return self._cut_wal(db)
        except sqlite3.Error:
            self._drop()
            raise

    def _cut_wal(self, db: sqlite3.Connection) -> bool:
        if self.path is None:
            return True
        db.execute("PRAGMA busy_timeout=0").fetchone()  # an alert may be waiting for this thread
        try:
            (busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            db.execute(f"PRAGMA busy_timeout={BUSY_MS}").fetchone()
        return not busy

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _drop(self) -> None:
        """An error may leave a connection whose view of the disk is not to be trusted. The one in memory is all."""
        if self.path is not None:
            with suppress(sqlite3.Error):
                self.close()

    # -- loading -------------------------------------------------------------------------------------------------------

    def load(self, wall: float) -> Loaded:
        """AlertsUnusable, sqlite3.Error, OSError."""
        self.open()
        assert self._db is not None
        db = self._db
        if self._disk is not None:
            self._disk.look(0.0)
        rooms: dict[str, list[RoomName]] = {}
        for member, room in db.execute("SELECT member, room FROM stays WHERE left IS NULL"):
            rooms.setdefault(member, []).append(RoomName(room))
        people = tuple(
            (MemberId(member), nickname, seen, tuple(rooms.get(member, ())))
            for member, nickname, seen in db.execute("SELECT member, nickname, seen FROM people WHERE seen >= ?",
                (wall - self._audience_s,))
        )  # fmt: skip
        (count,) = db.execute("SELECT count(DISTINCT alert) FROM revisions").fetchone()
        return Loaded(tuple(self._ledgers(db)), people, count, self._zones(db))

    def _zones(self, db: sqlite3.Connection) -> dict[RoomName, str]:
        if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'zones'").fetchone() is None:
            return {}
        return {RoomName(room): zone for room, zone in db.execute("SELECT room, zone FROM zones")}

    def _ledgers(self, db: sqlite3.Connection) -> Iterator[LoadedLedger]:
        """Whether an alert is loaded is decided by its newest revision, which comes first, by its number and not by a
        clock that may have been put back: an earlier one still says `active` of an alert that was ended."""
        found: list[LoadedLedger] = []
        left = LOAD_ROWS
        loads: dict[str, bool] = {}
        columns = "id, alert, rev, kind, draft, sent, expires, author, rooms, state, roster, whole"
        order = "max(sent) OVER (PARTITION BY alert) DESC, alert, rev DESC"
        for record in db.execute(f"SELECT {columns} FROM revisions ORDER BY {order}").fetchall():  # noqa: S608
            alert = _alert(record)
            is_wanted = alert is not None and (left > 0 or alert.state is Life.ACTIVE)
            if not loads.setdefault(record[1], is_wanted) or alert is None:
                continue
            rows = tuple(_row(each) for each in db.execute("SELECT * FROM ledger WHERE revision = ?", (record[0],)))
            left -= len(rows)
            rest = () if record[11] else tuple(self._rest(db, alert, record[10]))
            found.append(LoadedLedger(alert, rows, rest))
        began: dict[AlertId, float] = {}
        for each in found:
            began[each.alert.id] = min(each.alert.sent, began.get(each.alert.id, inf))
        return iter(sorted(found, key=lambda each: (began[each.alert.id], each.alert.id, each.alert.rev)))

    def _rest(self, db: sqlite3.Connection, alert: Alert, roster: int) -> Iterator[Target]:
        """The targets of a revision whose rows are not all there: those of the one before, and of the first one out of
        the roster as it was then."""
        before = "SELECT id, sent, roster, whole FROM revisions WHERE alert = ? AND rev = ?"
        found = db.execute(before, (alert.id, alert.rev - 1)).fetchone()
        if found is not None:
            id, sent, roster, whole = found
            people = db.execute("SELECT member, nickname, rooms FROM ledger WHERE revision = ?", (id,))
            yield from (Target(MemberId(member), nickname, _rooms(rooms)) for member, nickname, rooms in people)
            if not whole:
                yield from self._rest(db, evolve(alert, rev=alert.rev - 1, sent=sent), roster)
            return
        wanted = set(alert.rooms)
        sat: dict[str, list[RoomName]] = {}
        then = "SELECT member, room FROM stays WHERE came <= ?1 AND (left IS NULL OR left > ?1)"
        for member, room in db.execute(then, (roster,)):
            if not wanted or room in wanted:
                sat.setdefault(member, []).append(RoomName(room))
        lately = "SELECT member, nickname FROM people WHERE seen >= ?"
        for member, nickname in db.execute(lately, (alert.sent - self._audience_s,)):
            if member in sat or alert.draft.all:
                yield Target(MemberId(member), nickname, tuple(sat.get(member, ())))


def _alert(record: Sequence[str]) -> Alert | None:
    """None: a draft that this release cannot read; better one alert less than no alerts."""
    _, name, rev, kind, draft, sent, expires, by, rooms, state, *_ = record
    read = draft_of(json.loads(draft))
    if not isinstance(read, Draft):
        return None
    alert = Alert(AlertId(name), int(rev), Kind(kind), read, float(sent), float(expires), by, _rooms(rooms))
    return evolve(alert, state=Life(state))


def _row(record: tuple[int, str, str, str, int, int, float, int, str]) -> Row:
    _, member, nickname, rooms, joined_after, reach, at, help, note = record
    asked = (help > 0, note, help > 1)
    return Row(MemberId(member), nickname, _rooms(rooms), bool(joined_after), Reach(reach), at, *asked)


def _rooms(text: str) -> tuple[RoomName, ...]:
    return tuple(RoomName(room) for room in text.split())
