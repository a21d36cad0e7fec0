"""The store on a disk that fails: every error becomes an answer, and every later call tries anew. Writer's thread only.

What an error means, and what is done (sqlite.org/rescode.html):
- full: nothing was written; the ballast goes, so that a checkpoint can end; drafts are refused.
- busy: somebody else holds the database for long; drafts are refused.
- any other, before COMMIT: nothing was written; the connection is dropped, the next call opens a new one.
- any, at COMMIT: unknown. All connections are closed, since a failed sync makes the page cache a liar; the database is
  opened again and its WAL is copied back with syncs of its own. Then the same work is committed again: the cids tell
  what was there."""

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from attrs import evolve

from actors.clock import Now
from actors.journal.log import Alarm, JournalUnusable, LogFailed, Outcome, Stored
from actors.journal.store import CommitInDoubt, Committed, Store, Work
from actors.names import Epoch
from actors.refusals import Reason, Refused

T = TypeVar("T")

RETRY_AFTER_MS = 2_000
_PASSING = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DISK_ERRORS = (sqlite3.Error, CommitInDoubt, JournalUnusable, OSError)


class Keeper:
    """`close_readers`: close every other connection to the database, from this thread."""

    def __init__(self, store: Store, alarm: Callable[[Alarm], None], close_readers: Callable[[], None]) -> None:
        self.store = store
        self.errors = 0
        self.failing = False
        self._alarm = alarm
        self._close_readers = close_readers

    def open(self, now: Now) -> None:
        """For the start. JournalUnusable, LogFailed."""
        try:
            self.store.open(now)
        except (sqlite3.Error, CommitInDoubt, OSError) as error:
            if self.store.disk is not None:
                self.store.disk.drop_ballast()
            self.store.abandon()
            raise LogFailed(f"the journal cannot be opened: {error}") from error
        except BaseException:
            self.store.abandon()
            raise

    def commit(self, work: Work) -> Committed:
        """Never raises."""
        try:
            committed = self._try(lambda: self.store.commit(work), work.now)
        except CommitInDoubt as error:
            return self._settle(work, error)
        except _DISK_ERRORS as error:
            return self._failed(work, error)
        except Exception as error:  # a fault of ours that one draft brings out must not take the others with it
            return self._one_by_one(work, error)
        self._recovered()
        return committed

    def do(self, job: Callable[[Store], T], now: Now) -> T:
        """Anything else. LogFailed when the disk fails; what `job` itself raises passes."""
        try:
            result = self._try(lambda: job(self.store), now)
        except CommitInDoubt as error:
            self._drop_all()
            raise self._log_failed(error) from error
        except _DISK_ERRORS as error:
            raise self._log_failed(error) from error
        self._recovered()
        return result

    def _try(self, action: Callable[[], T], now: Now) -> T:
        try:
            if not self.store.is_open:
                self.store.open(now)
            return action()
        except sqlite3.Error as error:
            self._after(error)
            raise

    def _after(self, error: sqlite3.Error) -> None:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL and self.store.disk is not None:
            self.store.disk.drop_ballast()
        if code not in _PASSING:
            self.store.drop_connection()

    def _settle(self, work: Work, doubt: CommitInDoubt) -> Committed:
        if self.store.setup.path is None:
            return self._failed(work, doubt)
        heads = {room.epoch: room.head for room in self.store.rooms.values()}
        self._drop_all()
        try:
            self.store.open(work.now)
            if not self.store.checkpoint():
                raise doubt
            committed = self.store.commit(work)
        except _DISK_ERRORS as error:
            self._drop_all()
            return evolve(self._failed(work, error), resync=True)
        self.errors += 1
        outcomes = [_first_time(outcome, heads) for outcome in committed.outcomes]
        return evolve(committed, outcomes=outcomes, resync=True)

    def _drop_all(self) -> None:
        self.store.drop_connection()
        self._close_readers()

    def _one_by_one(self, work: Work, error: Exception) -> Committed:
        self._note(error)
        if len(work.drafts) + len(work.reactions) <= 1:
            return _refused(work, Refused(Reason.INTERNAL, "the server stumbled over this", RETRY_AFTER_MS))
        parts = [self.commit(Work(work.now, [draft])) for draft in work.drafts]
        parts += [self.commit(Work(work.now, (), [reaction])) for reaction in work.reactions]
        return Committed(
            [outcome for part in parts for outcome in part.outcomes],
            [counts for part in parts for counts in part.reactions],
            {},
            sum(part.rows for part in parts),
            resync=True,
            ok=all(part.ok for part in parts),
        )

    def _failed(self, work: Work, error: Exception) -> Committed:
        self._note(error)
        return _refused(work, Refused(Reason.UNAVAILABLE, "the server cannot store this now", RETRY_AFTER_MS))

    def _log_failed(self, error: Exception) -> LogFailed:
        self._note(error)
        return LogFailed(f"the log cannot be written now: {error}", RETRY_AFTER_MS)

    def _note(self, error: Exception) -> None:
        self.errors += 1
        if not self.failing:
            self.failing = True
            self._alarm(Alarm("failed", f"the journal cannot write: {error!r}"))

    def _recovered(self) -> None:
        if self.failing:
            self.failing = False
            self._alarm(Alarm("recovered", "the journal writes again"))


def _refused(work: Work, refused: Refused) -> Committed:
    failed = [LogFailed(refused.message, RETRY_AFTER_MS) for _ in work.reactions]
    return Committed([refused] * len(work.drafts), failed, {}, 0, ok=False)


def _first_time(outcome: Outcome, heads: dict[Epoch, int]) -> Outcome:
    """Found by its cid, but only because the first try had gone through after all."""
    if isinstance(outcome, Stored) and outcome.dup and outcome.seq > heads.get(outcome.epoch, outcome.seq):
        return evolve(outcome, dup=False)
    return outcome
