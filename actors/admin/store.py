"""What the operators' side keeps: who they are, what they did, what stands because of it. admin.db, written and read on
one thread of its own; the loop never waits for a disk.

    async with await AdminStore.open(path) as store:
        await store.operators.add("ana", Role.OWNER, hashed)
        await store.audit.append(...)

Every method may raise StoreFailed: nothing was written, or it is unknown, and the same call may be made again after
`retry_after_s`. A call that is cancelled may still be carried out. The command line opens the same file beside the
server: each call is one short transaction."""

import sqlite3
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import inf
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import trio

from actors.admin.audit import AuditKey
from actors.admin.keyfile import AdminKeyError, load_or_create
from actors.admin.store_activity import ActivityTable, ReportTable
from actors.admin.store_acts import ActTable
from actors.admin.store_audit import AuditTable
from actors.admin.store_operators import OperatorTable
from actors.admin.store_recorded import Describe, Recorded, expired
from actors.admin.store_run import StoreFailed
from actors.admin.store_schema import AdminUnusable, connect, is_cramped
from actors.admin.store_sessions import SessionTable, TokenTable
from actors.admin.store_standing import StandingTable
from actors.journal.database import is_passing, transaction
from actors.journal.writer import Writer, WriterOnLoop, WriterThread

__all__ = ["AdminKeyError", "AdminStore", "AdminUnusable", "StoreFailed", "heads_path", "key_path"]

T = TypeVar("T")
WAITING_LIMIT = 1_000
"""Calls that wait for the thread. An order of an operator is one or two; more than this is a disk that stands still."""
HEADS_EVERY_S = 60.0
PRUNE_EVERY_S = 3_600.0


def key_path(database: Path) -> Path:
    return database.with_suffix(".key")


def heads_path(database: Path) -> Path:
    return database.with_suffix(".heads")


class AdminStore:
    """Made by `open`. The tables are its attributes; each has its own page. They share one connection, so a call sees
    what every earlier call of this process did."""

    def __init__(
        self,
        path: Path | None,
        key: AuditKey,
        heads: Path | None,
        wall: Callable[[], float],
        alarm: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.path = path
        self.wall = wall
        self._alarm = alarm
        self._failing = False
        self._cramped = False
        """Read from a disk that has no room, and so not to be shared with other processes."""
        self._wrote = False
        self._db: sqlite3.Connection | None = None
        self._stood = False
        """It could be used once, so that what is wrong with it now is the disk's and may pass."""
        self._waiting = 0
        self._ended = False
        self._writer: Writer = WriterOnLoop() if path is None else WriterThread("admin")
        self.operators = OperatorTable(self, wall)
        self.sessions = SessionTable(self, wall)
        self.tokens = TokenTable(self, wall)
        self.audit = AuditTable(self, wall, key, heads)
        self.acts = ActTable(self)
        self.activity = ActivityTable(self)
        self.reports = ReportTable(self)
        self.standing = StandingTable(self)

    @classmethod
    async def open(
        cls,
        path: Path | None,
        key: Path | None = None,
        heads: Path | None = None,
        wall: Callable[[], float] = time.time,
        alarm: Callable[[str], None] = lambda text: None,
    ) -> "AdminStore":
        """`path` None: in memory, with a key of its own. `key` and `heads`: beside the database unless given.
        `alarm(text)`: nothing can be recorded; "": it can again. A disk that is full to the last byte is read from.
        AdminUnusable or AdminKeyError with what to do about it; StoreFailed when the disk will not have it now."""
        if path is None:
            store = cls(None, AuditKey.random(), None, wall)
        else:
            if not path.parent.is_dir():
                raise AdminUnusable(f"there is no folder {path.parent}: make it first")
            secret = await trio.to_thread.run_sync(load_or_create, key or key_path(path))
            store = cls(path, secret, heads or heads_path(path), wall, alarm)
        try:
            await store.run(lambda db: None)
            if store._cramped:
                store._note(f"the disk of {path} is full: what operators do cannot be recorded")
        except BaseException:  # a cancellation too: without an owner the thread would stay
            store._writer.end()
            raise
        return store

    async def close(self, within_s: float = inf) -> None:
        """Copies the end of the audit out and lets go of the file. Twice is once. A disk that hangs is waited for
        `within_s`; should it come back later, both are still done."""
        if self._ended:
            return
        with trio.move_on_after(within_s, shield=True):
            try:
                with suppress(StoreFailed, OSError):
                    await self.audit.copy_head()
            finally:  # asked for also when nobody waits any more
                with suppress(StoreFailed):
                    await self.run(lambda db: self._drop())
        self._ended = True
        self._writer.end()

    async def __aenter__(self) -> "AdminStore":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def keep(self, seconds: float = HEADS_EVERY_S, old: Callable[[], float] | None = None) -> None:
        """A task for as long as the store is open: copies the end of the audit out each minute, ends what has expired,
        and removes each hour what is from before `old()` (Unix seconds). A failure is met by trying again a minute
        later."""
        due = trio.current_time()
        while True:
            with suppress(StoreFailed, OSError):
                await self.audit.copy_head()
                await self.recorded(expired).sessions.forget_expired()
                if old is not None and trio.current_time() >= due:
                    await self.prune(old())
                    due = trio.current_time() + PRUNE_EVERY_S
            await trio.sleep(seconds)

    async def prune(self, before: float) -> int:
        """Events, and acts that are over, from before then (Unix seconds) go; how many did. In small transactions, so
        that others come in between. The audit stays."""
        gone = 0
        for table in (self.activity, self.acts):
            while some := await table.prune(before):
                gone += some
        return gone

    def recorded(self, describe: Describe) -> Recorded:
        """The tables of operators, sessions, tokens and acts, with a record of what is changed through them."""
        return Recorded(self, self.audit, self.wall, describe)

    async def run(self, job: Callable[[sqlite3.Connection], T], *, write: bool = False) -> T:
        """Do this on the thread, after everything that was asked for before. `write`: as one transaction, begun
        IMMEDIATE, so that what it reads no other process changes under it. StoreFailed."""
        if self._ended:
            raise StoreFailed("the record of the operators is closed")
        if self._waiting >= WAITING_LIMIT:
            raise StoreFailed("too many wait for the disk")
        settled = trio.Event()
        values: deque[T] = deque()
        errors: deque[Exception] = deque()

        def done(value: T) -> None:
            self._waiting -= 1
            if write and self._wrote:
                self._note("")
            values.append(value)
            settled.set()

        def failed(error: Exception) -> None:
            self._waiting -= 1
            if _is_lasting(error.__cause__):
                self._note(str(error))
            errors.append(error)
            settled.set()

        self._waiting += 1
        self._writer.submit(lambda: self._do(job, write), done, failed)
        await settled.wait()
        if errors:
            raise errors[0]
        return values[0]

    @property
    def failing(self) -> bool:
        """The disk takes nothing, and the alarm about it stands."""
        return self._failing

    def _note(self, trouble: str) -> None:
        if bool(trouble) != self._failing:
            self._failing = bool(trouble)
            self._alarm(trouble)

    # On the thread

    def _do(self, job: Callable[[sqlite3.Connection], T], write: bool) -> T:
        try:
            db = self._connection()
            if not write:
                return job(db)
            before = db.total_changes
            value = _transaction(db, job)
            self._wrote = db.total_changes != before
            if self._cramped and self._wrote:
                self._drop()  # there is room again: the next call lets others in beside it
            return value
        except sqlite3.Error as error:
            if self.path is not None:
                with suppress(sqlite3.Error):
                    self._drop()  # an error may leave a connection whose view of the disk is not to be trusted
            raise StoreFailed(f"the record of the operators cannot be used now ({error})") from error

    def _connection(self) -> sqlite3.Connection:
        """AdminUnusable only where it was never had: to whoever starts the server."""
        if self._db is not None:
            return self._db
        try:
            self._db = connect(self.path)
        except (AdminUnusable, OSError) as error:
            if not self._stood:
                raise
            raise StoreFailed(f"the record of the operators cannot be used now: {error}") from error
        self._stood = True
        self._cramped = self.path is not None and is_cramped(self._db)
        return self._db

    def _drop(self) -> None:
        if self._db is not None:
            db, self._db = self._db, None
            db.close()


def _is_lasting(cause: BaseException | None) -> bool:
    """It does not go away by waiting for another process."""
    return isinstance(cause, AdminUnusable | OSError) or (isinstance(cause, sqlite3.Error) and not is_passing(cause))


def _transaction(db: sqlite3.Connection, job: Callable[[sqlite3.Connection], T]) -> T:
    with transaction(db):
        return job(db)
