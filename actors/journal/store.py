"""The database as the one writer sees it: plain, synchronous, for one thread. Rooms are kept in memory, so that a batch
reads nothing but what its drafts name."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import field, frozen

from actors.clock import Now
from actors.events import Entry
from actors.journal import doctor, pages, schema
from actors.journal.batch import Batch
from actors.journal.disk import BALLAST_BYTES, Disk, free_bytes
from actors.journal.epochs import boot_id
from actors.journal.log import Alarm, Draft, Durability, JournalUnusable, LogFailed, Outcome, RoomRecord
from actors.journal.marks import Mark, Marks, marks_path
from actors.journal.pages import Room
from actors.journal.register import Register
from actors.journal.retention import CID_KEEP_S, drop, fade, wipe
from actors.names import MemberId, Nickname, RoomCode, RoomName

MAX_EMOJI = 20


@frozen
class Setup:
    """How a journal is to be kept. `path` is None with MEMORY only. `keep_s`: how long entries are served;
    `keep_cids_s`, not less: how long their cids are recognised."""

    path: Path | None
    durability: Durability
    keep_s: float
    min_free_bytes: int = 256 << 20
    free: Callable[[Path], int] = free_bytes
    boot: Callable[[], str] = boot_id
    keep_cids_s: float = CID_KEEP_S
    ballast_bytes: int = BALLAST_BYTES


@frozen
class Reaction:
    room: RoomName
    seq: int
    member: MemberId
    emoji: str
    on: bool


@frozen
class Seen:
    nickname: Nickname
    ts: float


@frozen
class Work:
    """What goes into one commit."""

    now: Now
    drafts: Sequence[Draft] = ()
    reactions: Sequence[Reaction] = ()
    seen: Mapping[MemberId, Seen] = field(factory=dict)


@frozen
class Committed:
    """`reactions`: the counts, or why there are none. `resync`: the log may have moved further than the news say. `ok`:
    False when something of the work could not be written, so that all of it may be tried again."""

    outcomes: Sequence[Outcome]
    reactions: Sequence[dict[str, int] | KeyError | LogFailed]
    news: Mapping[RoomName, Sequence[Entry]]
    rows: int
    resync: bool = False
    ok: bool = True


class CommitInDoubt(Exception):
    """COMMIT itself failed: what it was to write may or may not be there. The cause says why."""


class Store:
    """Raises sqlite3.Error and CommitInDoubt; which of them end the connection, the keeper decides. JournalUnusable:
    the file is not one that we can serve from. Whatever fails leaves nothing half done, in the tables or in memory."""

    def __init__(self, setup: Setup, alarm: Callable[[Alarm], None]) -> None:
        self.setup = setup
        self.disk = (
            None if setup.path is None else Disk(setup.path, setup.min_free_bytes, setup.free, setup.ballast_bytes)
        )
        self.has_erased = False
        """Erased words may still stand in the WAL."""
        self._alarm = alarm
        self._register = Register()
        self._db: sqlite3.Connection | None = None
        self._marks: Marks | None = None
        self._begun = False
        self._faded = 0
        self._dropped = 0

    @property
    def rooms(self) -> Mapping[RoomName, Room]:
        return self._register.rooms

    @property
    def is_open(self) -> bool:
        return self._db is not None

    @property
    def db(self) -> sqlite3.Connection:
        assert self._db is not None, "the store is not open"
        return self._db

    # opening and closing

    def open(self, now: Now) -> None:
        """JournalUnusable; sqlite3.Error for what may pass by itself."""
        path = self.setup.path
        if path is None:
            self._db = schema.connect(None, self.setup.durability)
        else:
            if self._marks is None:
                self._marks = _lock(path)
            self._db = doctor.open_database(path, self.setup.durability)
        try:
            self._begin(now)
        except BaseException:
            self.drop_connection()
            raise

    def _begin(self, now: Now) -> None:
        """Know the rooms, and give those a new epoch that need one."""
        db = self.db
        self._register.load(db)
        self._faded = int(schema.get_meta(db, "faded") or 0)
        self._dropped = int(schema.get_meta(db, "dropped") or 0)
        boot, database = self.setup.boot(), schema.get_meta(db, "database") or os.urandom(16).hex()
        with self._transaction():
            self._settle_epochs(now, boot, self._known_marks(database))
            schema.set_meta(db, database=database, boot=boot, durability=self.setup.durability, clean="no")
        self._begun = True
        self.has_erased = True  # an earlier life may have ended between an erasure and its checkpoint
        self._write_marks({room.epoch_id: Mark(room.head, room.chain) for room in self.rooms.values()})

    def _known_marks(self, database: str) -> dict[int, Mark]:
        if self._marks is None:
            return {}
        if not self._marks.belongs_to(database):
            self._marks.begin(database)
        return self._marks.read()

    def _settle_epochs(self, now: Now, boot: str, marks: Mapping[int, Mark]) -> None:
        db, register = self.db, self._register
        if not self._begun and doctor.stopped_uncleanly(db, boot):
            self._alarm(Alarm("unclean", "the machine restarted without a clean stop: every room begins a new epoch"))
            for room in self.rooms.values():
                register.rename_epoch(db, room, now.wall)
            return
        for finding in list(doctor.examine(db, self.rooms.values(), marks)):
            self._alarm(Alarm(finding.kind, finding.text, finding.room))
            change = register.rename_epoch if finding.kind == "truncated" else register.set_aside
            change(db, self.rooms[finding.room], now.wall)

    def close(self) -> None:
        """Checkpoint, mark the clean stop, and go. sqlite3.Error: it was not clean; the connection is closed anyway."""
        try:
            if self._db is not None:
                self.checkpoint()
                with self._transaction():
                    schema.set_meta(self._db, clean="yes")
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of everything, as it is."""
        if self._db is not None:
            self._db.close()
            self._db = None
        if self._marks is not None:
            self._marks.close()
            self._marks = None

    def drop_connection(self) -> None:
        """After a fault: the connection and what is cached of it. The lock stays; `open` begins anew. A database in
        memory is never dropped: it would be gone."""
        if self._db is not None and self.setup.path is not None:
            self._db.close()
            self._db = None

    # commits

    def commit(self, work: Work) -> Committed:
        """All of it or nothing."""
        self._look_at_disk(work.now)
        low = self.disk is not None and self.disk.low
        with self._transaction():
            batch = Batch(self.db, self.rooms, work.drafts, work.now.wall, low)
            batch.write()
            reactions = [self._react(reaction) for reaction in work.reactions]
            self._see(work.seen)
        for name in batch.news:
            room = self.rooms[name]
            mark = batch.marks[room.epoch_id]
            room.head, room.chain = mark.head, mark.chain
        self.has_erased = self.has_erased or bool(batch.erased)
        self._write_marks(batch.marks)
        return Committed(batch.outcomes, reactions, batch.news, len(batch.rows))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._rollback(db)
            raise
        try:
            db.execute("COMMIT")
        except sqlite3.Error as error:
            raise CommitInDoubt(str(error)) from error

    def _rollback(self, db: sqlite3.Connection) -> None:
        """Some errors have rolled back by themselves, and on a broken disk this may fail as well: the transaction is
        then undone by whoever opens the database next."""
        try:
            if db.in_transaction:
                db.execute("ROLLBACK")
        except sqlite3.Error:
            self.drop_connection()

    @contextmanager
    def _change_of_rooms(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._transaction():
                yield self.db
        except BaseException:
            if self._db is not None:
                self._register.load(self._db)
            raise

    def _react(self, reaction: Reaction) -> dict[str, int] | KeyError:
        room = self.rooms.get(reaction.room)
        if room is None or not pages.is_message(self.db, room, reaction.seq):
            return KeyError(f"{reaction.room} has no message {reaction.seq}")
        key = (room.epoch_id, reaction.seq, reaction.emoji, reaction.member)
        counts = self._counts(room, reaction.seq)
        if not reaction.on:
            self.db.execute("DELETE FROM reactions WHERE epoch = ? AND seq = ? AND emoji = ? AND member = ?", key)
        elif reaction.emoji in counts or len(counts) < MAX_EMOJI:
            self.db.execute("INSERT OR IGNORE INTO reactions VALUES (?, ?, ?, ?)", key)
        return self._counts(room, reaction.seq)

    def _counts(self, room: Room, seq: int) -> dict[str, int]:
        return pages.reactions_between(self.db, room.epoch_id, seq, seq).get(seq, {})

    def _see(self, seen: Mapping[MemberId, Seen]) -> None:
        rows = [(member, one.nickname, one.ts, one.ts) for member, one in seen.items()]
        query = """INSERT INTO roster VALUES (?, ?, ?, ?) ON CONFLICT (member)
            DO UPDATE SET nickname = excluded.nickname, last_seen = excluded.last_seen"""
        self.db.executemany(query, rows)

    def _write_marks(self, marks: Mapping[int, Mark]) -> None:
        if self._marks is None:
            return
        try:
            for epoch, mark in marks.items():
                self._marks.write(epoch, mark)
        except OSError:
            return  # an old mark only finds less

    def _look_at_disk(self, now: Now) -> None:
        if self.disk is None or not self.disk.look(now.mono):
            return
        if self.disk.low:
            self._alarm(Alarm("disk_low", f"less than {self.disk.min_free >> 20} MiB free: messages are refused"))
        else:
            self._alarm(Alarm("disk_ok", "the disk has room again: messages are taken"))

    # rooms

    def create(self, name: RoomName, code: RoomCode, title: str, now: Now) -> RoomRecord:
        """KeyError: the code is another room's."""
        if name in self.rooms:
            return self.rooms[name].record
        with self._change_of_rooms() as db:
            return self._register.create(db, name, code, title, now.wall).record

    def forget(self, name: RoomName) -> bool:
        room = self.rooms.get(name)
        if room is None or self.db.execute("SELECT 1 FROM entries WHERE epoch = ?", (room.epoch_id,)).fetchone():
            return False
        with self._change_of_rooms() as db:
            self._register.forget(db, room)
        return True

    def update(self, record: RoomRecord) -> RoomRecord:
        """KeyError: no such room, or the code is another's."""
        room = self.rooms[record.name]
        with self._change_of_rooms() as db:
            return self._register.update(db, room, record).record

    def purge(self, name: RoomName) -> bool:
        room = self.rooms.get(name)
        if room is None:
            return False
        with self._change_of_rooms() as db:
            self._register.purge(db, room)
        return True

    def renew(self, name: RoomName, now: Now) -> RoomRecord:
        """KeyError: no such room."""
        room = self.rooms[name]
        with self._change_of_rooms() as db:
            return self._register.rename_epoch(db, room, now.wall).record

    def set_aside(self, name: RoomName, epoch_id: int, now: Now) -> RoomRecord:
        """A new epoch in place of this one, which does not verify. KeyError: no such room."""
        room = self.rooms[name]
        if room.epoch_id != epoch_id:
            return room.record  # done already
        with self._change_of_rooms() as db:
            room = self._register.set_aside(db, room, now.wall)
        self._write_marks({room.epoch_id: Mark(room.head, room.chain)})
        return room.record

    def suspect(self, epoch_id: int) -> None:
        with self._change_of_rooms() as db:
            self._register.suspect(db, epoch_id)

    # keeping house

    def prune(self, now: Now) -> bool:
        """One short step of retention. True: there is more to do."""
        db, keep = self.db, self.setup.keep_s
        keep_cids = max(keep, self.setup.keep_cids_s)
        with self._transaction():
            faded = fade(db, now.wall - keep, self._faded, erase=keep < keep_cids)
            dropped = drop(db, now.wall - keep_cids, self._dropped, faded.last)
            if (faded.last, dropped.last) != (self._faded, self._dropped):
                schema.set_meta(db, faded=str(faded.last), dropped=str(dropped.last))
        self._faded, self._dropped = faded.last, dropped.last
        self.has_erased = self.has_erased or bool(faded.oldest) or dropped.rows > 0
        for room in self.rooms.values():
            room.oldest = max(room.oldest, faded.oldest.get(room.epoch_id, 0))
        return faded.more or dropped.more

    def wipe(self) -> bool:
        """One short step of an ordered erasure. True: there may be more to do."""
        if self.db.execute("SELECT 1 FROM erasures LIMIT 1").fetchone() is None:
            return False
        with self._transaction():
            wipe(self.db)
        self.has_erased = True
        return True

    def tick(self, now: Now) -> bool:
        """Once a second. True: a checkpoint is due, because something was erased."""
        self._look_at_disk(now)
        if self.disk is not None and not self.has_erased:
            self.disk.lengthen_wal()
        return self.has_erased

    def checkpoint(self) -> bool:
        """Copy the WAL back and cut it to nothing, so that no erased word is left in it. False: a reader is in the way;
        try again. Commits wait for this, so most of it is better copied beforehand (schema.checkpoint_passively)."""
        if self.setup.path is None:
            self.has_erased = False
            return True
        self.db.execute("PRAGMA busy_timeout=0").fetchone()
        try:
            (busy, _, _) = self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self.db.execute("PRAGMA busy_timeout=2000").fetchone()
        if not busy:
            self.has_erased = False
        return not busy


def _lock(path: Path) -> Marks:
    marks = marks_path(path)
    if marks.exists() and marks.stat().st_size > 0 and schema.is_new(path):
        raise JournalUnusable(
            f"{path} is missing or empty, but {marks.name} beside it says that there was a journal: "
            f"restore a backup, or remove {marks.name} to begin with nothing"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return Marks(marks)
    except BlockingIOError as error:
        raise JournalUnusable(f"{path} is in use by another server: stop that one first") from error
    except OSError as error:
        raise JournalUnusable(f"{marks} cannot be written ({error.strerror}): check the disk and its rights") from error
