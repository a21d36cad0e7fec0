"""The store on a disk that fails: every error becomes an answer, and every later call tries anew. Writer's thread only.

What an error means, and what is done (sqlite.org/rescode.html):
- full: nothing was written; the ballast goes, so that a checkpoint can end; drafts are refused.
- busy: somebody else holds the database for long; drafts are refused.
- corrupt: some page of the database is damaged. Said once a life; only what needs that page is refused. When that is
  every message, the journal has failed.
- any other, before COMMIT: nothing was written; the connection is dropped, the next call opens a new one.
- any, at COMMIT: unknown. All connections are closed, since a failed sync makes the page cache a liar; the database is
  opened again and its WAL is copied back with syncs of its own. Then the same work is committed again: the cids tell
  what was there."""

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from attrs import define, evolve, field

from actors.clock import Now
from actors.events import Message
from actors.journal.database import is_damage
from actors.journal.log import Alarm, JournalUnusable, LogFailed, Outcome, Stored
from actors.journal.readers import Readers
from actors.journal.store import Store
from actors.journal.work import CommitInDoubt, Committed, Work
from actors.names import Cid, Epoch, MemberId
from actors.refusals import Reason, Refused

T = TypeVar("T")

RETRY_AFTER_MS = 2_000
MAX_FAILED_TRIES = 20
"""Of one batch, before what fails is halved no more: enough to find two drafts among 512 (counters.MAX_BATCH)."""

_UNAVAILABLE = Refused(Reason.UNAVAILABLE, "the server cannot store this now", RETRY_AFTER_MS)
_STUMBLED = Refused(Reason.INTERNAL, "the server stumbled over this", RETRY_AFTER_MS)
_PASSING = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DISK_ERRORS = (sqlite3.Error, CommitInDoubt, JournalUnusable, OSError)


@define
class Tries:
    """What became of one batch so far. `kept_out`: the messages that damage kept out."""

    failed: int = 0
    is_damaged: bool = False
    kept_out: set[tuple[MemberId, Cid]] = field(factory=set)


class Keeper:
    """`readers`: all other connections to the database; None when it is in memory."""

    def __init__(self, store: Store, alarm: Callable[[Alarm], None], readers: Readers | None = None) -> None:
        self.store = store
        self.errors = 0
        self.failing = False
        self._alarm = alarm
        self._readers = readers
        self._over = False
        self._damaged = False
        self._kept_out: set[tuple[MemberId, Cid]] = set()
        """The messages that damage kept out since anything was stored."""

    def open(self, now: Now) -> None:
        """For the start. JournalUnusable, LogFailed."""
        try:
            self.store.open(now)
        except (sqlite3.Error, CommitInDoubt, OSError) as error:
            if self.store.disk is not None:
                self.store.disk.drop_ballast()
            self.store.abandon()
            raise LogFailed(f"the journal cannot be opened: {error}") from error
        except BaseException:  # JournalUnusable, or a fault of ours: neither leaves files open and locked
            self.store.abandon()
            raise

    def close(self) -> None:
        """For good: nothing opens the database again. The readers first, so that SQLite takes the WAL away with the
        writer. sqlite3.Error, CommitInDoubt: it was not clean."""
        self._over = True
        if self._readers is not None:
            self._readers.end()
        self.store.close()

    def commit(self, work: Work) -> Committed:
        """Never raises."""
        tries = Tries()
        committed = self._commit(work, tries)
        if tries.is_damaged:  # after the batch, since opening costs more than the tries: a page may have been misread
            self.store.drop_connection()
        if committed.rows:
            self._kept_out.clear()
            self._recovered()
        else:
            self._note_kept_out(tries.kept_out)
        return committed

    def _commit(self, work: Work, tries: Tries) -> Committed:
        try:
            committed = self._try(lambda: self.store.commit(work), work.now)
        except CommitInDoubt as error:
            return self._settle(work, error, tries)
        except _DISK_ERRORS as error:
            return self._in_parts(work, error, tries) if is_damage(error) else self._failed(work, error)
        except LogFailed:
            return _refused(work, _UNAVAILABLE, again=True)
        except Exception as error:  # a fault of ours that one draft brings out must not take the others with it
            return self._in_parts(work, error, tries)
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
            if is_damage(error):
                self.store.drop_connection()
            raise self._log_failed(error) from error
        self._recovered()
        return result

    def _try(self, action: Callable[[], T], now: Now) -> T:
        try:
            if self._over:
                raise LogFailed("the log is closed", RETRY_AFTER_MS)
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
        if code not in _PASSING and not is_damage(error):
            self.store.drop_connection()

    def _settle(self, work: Work, doubt: CommitInDoubt, tries: Tries) -> Committed:
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
        except Exception as error:  # a fault of ours, as above
            return self._in_parts(work, error, tries)
        self.errors += 1
        outcomes = [_first_time(outcome, heads) for outcome in committed.outcomes]
        return evolve(committed, outcomes=outcomes, resync=True)

    def _drop_all(self) -> None:
        self.store.drop_connection()
        if self._readers is not None:
            self._readers.close()

    def _in_parts(self, work: Work, error: Exception, tries: Tries) -> Committed:
        """Half by half, until what brings the error out is alone, or it is plain that most of the batch does."""
        self._note(error)
        tries.failed += 1
        tries.is_damaged = tries.is_damaged or is_damage(error)
        halves = _halves(work) if self.store.is_open and tries.failed < MAX_FAILED_TRIES else None
        if halves is None:
            return self._left_out(work, error, tries)
        parts = [self._commit(half, tries) for half in halves]
        return Committed(
            [outcome for part in parts for outcome in part.outcomes],
            [counts for part in parts for counts in part.reactions],
            {},
            sum(part.rows for part in parts),
            {member: one for part in parts for member, one in part.again.items()},
            resync=True,
            ok=False,
        )

    def _left_out(self, work: Work, error: Exception, tries: Tries) -> Committed:
        """The roster's part is not tried again: it would only be in the way of the next batch."""
        if is_damage(error):
            tries.kept_out |= {(draft.author, draft.cid) for draft in work.drafts if isinstance(draft.body, Message)}
            return _refused(work, _UNAVAILABLE)
        return _refused(work, _STUMBLED if len(work.drafts) == 1 else _UNAVAILABLE)

    def _failed(self, work: Work, error: Exception) -> Committed:
        self._note(error)
        return _refused(work, _UNAVAILABLE, again=True)

    def _log_failed(self, error: Exception) -> LogFailed:
        self._note(error)
        return LogFailed(f"the log cannot be written now: {error}", RETRY_AFTER_MS)

    def _note(self, error: Exception) -> None:
        self.errors += 1
        if is_damage(error):
            self._note_damage(error)
        else:
            self._fail(f"the journal cannot write: {error!r}")

    def _fail(self, text: str) -> None:
        if not self.failing:
            self.failing = True
            self._alarm(Alarm("failed", text))

    def _note_damage(self, error: Exception) -> None:
        if not self._damaged:
            self._damaged = True
            self._alarm(Alarm("corrupt", f"a part of the database is damaged: {error}"))

    def _note_kept_out(self, messages: set[tuple[MemberId, Cid]]) -> None:
        self._kept_out |= messages
        if self._is_shut:
            self._fail("no message can be stored: the database is damaged")

    @property
    def _is_shut(self) -> bool:
        """One message alone may be a retry of one that is damaged; two can hardly be."""
        return len(self._kept_out) > 1

    def _recovered(self) -> None:
        if self.failing and not self._is_shut:
            self.failing = False
            self._alarm(Alarm("recovered", "the journal writes again"))


def _halves(work: Work) -> tuple[Work, Work] | None:
    """What waits for an answer first, then the roster. None: it is one thing."""
    now, drafts, reactions, seen = work.now, work.drafts, work.reactions, tuple(work.seen.items())
    if len(drafts) + len(reactions) + len(seen) <= 1:
        return None
    if seen and (drafts or reactions):
        return Work(now, drafts, reactions), Work(now, seen=work.seen)
    if drafts and reactions:
        return Work(now, drafts), Work(now, (), reactions)
    d, r, s = len(drafts) // 2, len(reactions) // 2, len(seen) // 2
    return Work(now, drafts[:d], reactions[:r], dict(seen[:s])), Work(now, drafts[d:], reactions[r:], dict(seen[s:]))


def _refused(work: Work, refused: Refused, again: bool = False) -> Committed:
    failed = [LogFailed(refused.message, RETRY_AFTER_MS) for _ in work.reactions]
    return Committed([refused] * len(work.drafts), failed, {}, 0, work.seen if again else {}, ok=False)


def _first_time(outcome: Outcome, heads: dict[Epoch, int]) -> Outcome:
    """Found by its cid, but only because the first try had gone through after all."""
    if isinstance(outcome, Stored) and outcome.dup and outcome.seq > heads.get(outcome.epoch, outcome.seq):
        return evolve(outcome, dup=False)
    return outcome
