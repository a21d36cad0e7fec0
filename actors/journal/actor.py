"""The journal: opens the database, keeps it in order, and closes it. Drafts and pages go through the desk."""

import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Never, TypeVar

import trio

from actors.journal import schema, verify
from actors.journal.desk import Desk, Line
from actors.journal.disk import WAL_BYTES
from actors.journal.keeper import Keeper
from actors.journal.log import Alarm, LogFailed
from actors.journal.readers import Readers
from actors.journal.store import Setup, Store
from actors.journal.work import CommitInDoubt
from actors.journal.writer import Writer, WriterOnLoop, WriterThread
from actors.kernel import Actor, Asks, Inbox
from actors.kernel.child import cause_of

T = TypeVar("T")

TICK_S = 1.0
PRUNE_EVERY_S = 60.0
ROSTER_EVERY_S = 3_600.0
PRUNE_STEPS = 20  # a tick: at most 10,000 rows, in steps that let commits pass
VERIFY_PAUSE_S = 0.1
FINISH_S = 10.0
"""Where nobody says how long it may take to finish."""


class JournalFault(Exception):
    """The desk stumbled over itself; the cause says how."""


class Journal(Actor[Never]):
    """One life of the journal. `Child("journal", lambda: Journal(desk, setup))`: the desk is what rooms hold, and it
    survives this actor's crashes; drafts that were under way are refused and may be handed in again. `finish_s()`: how
    long a disk is waited for at the end; asked for then."""

    def __init__(self, desk: Desk, setup: Setup, finish_s: Callable[[], float] = lambda: FINISH_S) -> None:
        self._desk = desk
        self._setup = setup
        self._finish_s = finish_s
        self._writer: Writer | None = None
        self._close: Callable[[], None] = _nothing
        self._prune_due = self._roster_due = 0.0
        self._rows_copied = 0

    async def started(self) -> None:
        """JournalUnusable, LogFailed."""
        token, path = trio.lowlevel.current_trio_token(), self._setup.path

        def alarm(alarm: Alarm) -> None:
            token.run_sync_soon(self._desk.raise_alarm, alarm)

        store = Store(self._setup, alarm)
        readers = None if path is None else Readers(path)
        keeper = Keeper(store, alarm, readers)
        self._writer = WriterOnLoop() if path is None else WriterThread()
        now = self._desk.clock.now()
        try:
            with trio.CancelScope(shield=True):
                await _submit(self._writer, lambda: keeper.open(now))
        except BaseException:  # a cancellation too: without an owner the thread would stay
            self._writer.end()
            raise
        self._close = keeper.close
        self._desk.attach(Line(self._writer, keeper, readers))

    async def run(self, inbox: Inbox[Never]) -> None:
        cause: BaseException | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_house)
                nursery.start_soon(self._watch_for_faults)
                if self._setup.path is not None:
                    nursery.start_soon(self._verify)
                await super().run(inbox)
                nursery.cancel_scope.cancel()
        except BaseException as error:  # whatever it was, only the words differ in which drafts are refused
            cause = cause_of(error)
            raise
        finally:
            await self._finish(stopping=_is_ordered(cause))

    def handle(self, message: Never) -> None:
        """Nobody writes to the journal's mailbox; it is there to be closed."""

    def stopped(self, cause: BaseException | None) -> None:
        self._desk.detach(stopped=_is_ordered(cause))

    async def keep_house(self) -> None:
        """What is done once a second. LogFailed."""
        desk, now = self._desk, self._desk.clock.now()
        desk.housekeep()
        for _ in range(PRUNE_STEPS):
            if not await desk.do(Store.wipe):
                break
        erased = await desk.do(lambda store: store.tick(now))
        if self._setup.path is not None:
            await self._copy_back(self._setup.path, erased)
        if erased:
            await desk.do(Store.checkpoint)
        if now.mono >= self._prune_due:
            await self._prune()

    async def _keep_house(self) -> None:
        while True:
            await trio.sleep(TICK_S)
            try:
                await self.keep_house()
            except LogFailed:
                continue  # the keeper has raised the alarm

    async def _copy_back(self, path: Path, erased: bool) -> None:
        """Most of a checkpoint, in a thread of its own, so that commits never wait for much of one."""
        rows = self._desk.counters.rows
        if rows == self._rows_copied or not (erased or _size(path) > WAL_BYTES):
            return
        self._rows_copied = rows
        copy = partial(schema.checkpoint_passively, path, self._setup.durability)
        try:
            await trio.to_thread.run_sync(copy)
        except sqlite3.Error as error:
            raise LogFailed(f"the WAL cannot be copied back: {error}") from error

    async def _prune(self) -> None:
        try:
            for _ in range(PRUNE_STEPS):
                now = self._desk.clock.now()
                if not await self._desk.do(lambda store, now=now: store.prune(now)):  # type: ignore[misc]
                    self._prune_due = now.mono + PRUNE_EVERY_S
                    break
        finally:  # a step that fails may have come a part of its way
            self._desk.trimmed(await self._desk.do(Store.oldest))
        if self._desk.clock.now().mono >= self._roster_due:
            await self._forget_members()

    async def _forget_members(self) -> None:
        """Only once it is known whom to spare."""
        spares = self._desk.spares
        if spares is None:
            return
        for _ in range(PRUNE_STEPS):
            now, spared = self._desk.clock.now(), frozenset(spares())
            if not await self._desk.do(lambda store, now=now, spared=spared: store.forget_members(now, spared)):  # type: ignore[misc]
                self._roster_due = now.mono + ROSTER_EVERY_S
                return

    async def _verify(self) -> None:
        """The whole log once a life, slowly. Damage waits for the room's next opening: no room is torn down under its
        members for an old entry."""
        for epoch in await self._patiently(verify.epochs):
            found = verify.Scan(0, None, not epoch.served)
            while not found.done and found.bad is None:
                found = await self._patiently(partial(verify.scan, epoch=epoch, after=found.last))
                await trio.sleep(VERIFY_PAUSE_S)
            if found.bad is not None:
                await self._report(epoch, found.bad)

    async def _report(self, epoch: verify.Epoch, bad: int) -> None:
        if await self._desk.do(lambda store: store.suspect(epoch.id)):
            text = f"entry {bad} of {epoch.room} does not verify; the room gets a new epoch when it is opened next"
            self._desk.raise_alarm(Alarm("corrupt", text))

    async def _patiently(self, read: Callable[[sqlite3.Connection], T]) -> T:
        while True:
            try:
                return await self._desk.look(read)
            except LogFailed:
                await trio.sleep(TICK_S)

    async def _watch_for_faults(self) -> None:
        await self._desk.faulted.wait()
        raise JournalFault from self._desk.fault

    async def _finish(self, stopping: bool) -> None:
        """Commit what is held, checkpoint, mark the clean stop, close. In real seconds, not the loop's: a thread and a
        disk are waited for, and virtual time would be over at once."""
        assert self._writer is not None
        with trio.CancelScope(shield=True) as scope:
            token = trio.lowlevel.current_trio_token()
            timer = threading.Timer(self._finish_s(), token.run_sync_soon, [scope.cancel])
            timer.start()
            try:
                if not self._desk.faulted.is_set():
                    await self._desk.drain(stopping)
            finally:
                closed = self._hand_in_the_keys(self._writer, stopping)
            try:
                await closed.wait()
            except (sqlite3.Error, CommitInDoubt) as error:
                self._desk.raise_alarm(Alarm("failed", f"the journal could not be closed cleanly: {error}"))
            finally:
                timer.cancel()

    def _hand_in_the_keys(self, writer: Writer, stopping: bool) -> Asks[None]:
        """The close is the last that the writer hears, and it hears it in any case: a store that nobody closes would
        keep every later life out. So the desk lets go of the writer first."""
        self._desk.detach(stopping)
        closed: Asks[None] = Asks()
        writer.submit(self._close, closed.answer, closed.refuse)
        writer.end()
        return closed


async def _submit(writer: Writer, job: Callable[[], T]) -> T:
    asks: Asks[T] = Asks()
    writer.submit(job, asks.answer, asks.refuse)
    return await asks.wait()


def _is_ordered(cause: BaseException | None) -> bool:
    """Stopped, and not crashed."""
    return cause is None or isinstance(cause, trio.Cancelled)


def _nothing() -> None: ...


def _size(path: Path) -> int:
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except OSError:
        return 0
