"""The database as the one writer sees it: plain, synchronous, for one thread. Rooms are kept in memory, so that a batch
reads nothing but what its drafts name."""

import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from attrs import frozen

from actors.clock import Now
from actors.events import PolicyChanged
from actors.journal import doctor, schema
from actors.journal.batch import Batch
from actors.journal.database import unless_damaged
from actors.journal.disk import BALLAST_BYTES, Disk, free_bytes
from actors.journal.epochs import boot_id
from actors.journal.log import Alarm, Durability, RoomRecord
from actors.journal.marks import Mark, Marks, lock
from actors.journal.pages import Room
from actors.journal.reactions import react
from actors.journal.register import Register
from actors.journal.retention import (
    CID_KEEP_S,
    STEP_ROWS,
    Old,
    drop,
    due_wiping,
    erase_words,
    fade,
    forget_members,
    newest,
    older,
    oldest_behind,
    wiped,
)
from actors.journal.work import CommitInDoubt, Committed, Seen, Work
from actors.names import Epoch, MemberId, RoomCode, RoomName

T = TypeVar("T")


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
                self._marks = lock(path)
            self._db = doctor.open_database(path, self.setup.durability)
        try:
            self._begin(now)
        except BaseException:  # whatever it was: what did not begin is not open
            self.drop_connection()
            raise

    def _begin(self, now: Now) -> None:
        """Know the rooms, and give those a new epoch that need one."""
        db = self.db
        self._register.load(db)
        self._faded = int(schema.get_meta(db, "faded") or 0)
        self._dropped = int(schema.get_meta(db, "dropped") or 0)
        boot, database = self.setup.boot(), schema.get_meta(db, "database") or os.urandom(16).hex()
        marks = self._known_marks(database)
        is_unclean = not self._begun and doctor.stopped_uncleanly(db, boot)
        # Before the transaction: one that has met a damaged page writes no more.
        findings = [] if is_unclean else list(doctor.examine(db, self.rooms.values(), marks))
        rules = {found.room: doctor.newest_policy(db, self.rooms[found.room].epoch_id) for found in findings}
        with self._transaction():
            if is_unclean:
                self._settle_unclean(now)
            for finding in findings:
                self._settle(now, finding, rules[finding.room])
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

    def _settle_unclean(self, now: Now) -> None:
        self._alarm(Alarm("unclean", "the machine restarted without a clean stop: every room begins a new epoch"))
        for room in self.rooms.values():
            self._register.rename_epoch(self.db, room, now.wall)

    def _settle(self, now: Now, finding: doctor.Finding, rules: PolicyChanged | None) -> None:
        self._alarm(Alarm(finding.kind, finding.text, finding.room))
        room = self.rooms[finding.room]
        if finding.kind == "truncated":
            self._register.rename_epoch(self.db, room, now.wall)
        else:
            self._register.set_aside(self.db, room, now.wall, rules)

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
            reactions = [react(self.db, self.rooms, reaction, low) for reaction in work.reactions]
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
        except BaseException:  # a fault of the body's too: half a transaction is none
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
        except BaseException:  # what was rolled back on disk is also taken back in memory
            if self._db is not None:
                self._register.load(self._db)
            raise

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

    def set_aside(self, name: RoomName, epoch_id: int, now: Now) -> RoomRecord:
        """A new epoch in place of this one, which does not verify. KeyError: no such room."""
        room = self.rooms[name]
        if room.epoch_id != epoch_id:
            return room.record  # done already
        rules = doctor.newest_policy(self.db, epoch_id)
        with self._change_of_rooms() as db:
            room = self._register.set_aside(db, room, now.wall, rules)
        self._write_marks({room.epoch_id: Mark(room.head, room.chain)})
        return room.record

    def suspect(self, epoch_id: int) -> bool:
        """False: its room was opened meanwhile, and has a new epoch already."""
        with self._change_of_rooms() as db:
            self._register.suspect(db, epoch_id)
        return any(room.epoch_id == epoch_id for room in self.rooms.values())

    # keeping house

    def prune(self, now: Now) -> bool:
        """One short step of retention. True: there is more to do."""
        db, keep = self.db, self.setup.keep_s
        keep_cids = max(keep, self.setup.keep_cids_s)
        fading = older(db, now.wall - keep, self._faded, now.wall)
        self._around_damage(lambda rows: self._fade(rows, erase=keep < keep_cids), fading.rows)
        self._faded = fading.last
        # At once: what comes next may fail, and these words are gone.
        self.has_erased = self.has_erased or bool(fading.rows)
        first = oldest_behind(fading.rows)
        for room in self.rooms.values():
            room.oldest = max(room.oldest, first.get(room.epoch_id, 0))
        dropping = older(db, now.wall - keep_cids, self._dropped, now.wall).until(min(fading.last, newest(db) - 1))
        self.has_erased = self.has_erased or bool(dropping.rows)
        if dropping.rows and not unless_damaged(partial(self._in_transaction, self._drop, dropping.rows)):
            # Beside a damaged page rows cannot be removed, since SQLite would merge the two; but overwritten they can.
            self._around_damage(partial(erase_words, db), [(row.epoch, row.seq) for row in dropping.rows])
            self._around_damage(self._drop, dropping.rows)
        self._dropped = dropping.last
        return fading.more or dropping.more

    def _fade(self, rows: Sequence[Old], erase: bool) -> None:
        fade(self.db, rows, erase)
        schema.set_meta(self.db, faded=str(rows[-1].id))

    def _drop(self, rows: Sequence[Old]) -> None:
        drop(self.db, rows)
        schema.set_meta(self.db, dropped=str(rows[-1].id))

    def _around_damage(self, act: Callable[[Sequence[T]], None], items: Sequence[T]) -> None:
        """In one transaction; where a damaged page is in the way, in one for each, without those that need it."""
        if items and not unless_damaged(partial(self._in_transaction, act, items)):
            for item in items:
                unless_damaged(partial(self._in_transaction, act, [item]))

    def _in_transaction(self, act: Callable[[Sequence[T]], None], items: Sequence[T]) -> bool:
        with self._transaction():
            act(items)
        return True

    def forget_members(self, now: Now, spared: Collection[MemberId]) -> bool:
        """One short step of retention in the roster. True: there is more to do."""
        before = now.wall - max(self.setup.keep_s, self.setup.keep_cids_s)
        with self._transaction():
            forgotten = forget_members(self.db, before, spared)
        self.has_erased = self.has_erased or forgotten > 0
        return forgotten == STEP_ROWS

    def erase_member(self, member: MemberId) -> None:
        with self._transaction():
            self.db.execute("UPDATE roster SET nickname = '' WHERE member = ?", (member,))
        self.has_erased = True

    def oldest(self) -> dict[RoomName, tuple[Epoch, int]]:
        """How far retention has come in each room."""
        return {room.name: (room.epoch, room.oldest) for room in self.rooms.values()}

    def wipe(self) -> bool:
        """One short step of an ordered erasure. True: there may be more to do."""
        step = due_wiping(self.db)
        if step is None:
            return False
        self._around_damage(partial(erase_words, self.db), step.positions)
        with self._transaction():
            wiped(self.db, step)
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
