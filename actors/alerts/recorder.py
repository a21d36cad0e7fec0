"""What has changed goes to disk from here: one batch at a time, alerts first, rows of the ledgers behind them.

While the disk fails nothing is lost as long as the process lives: what could not be written is put back, and tried
again every second. Only receipts that wait for their commit are refused meanwhile, so that the phone tries again."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import trio
from attrs import define, field

from actors.alerts.book import Book
from actors.alerts.ledger import Key, Ledger, Row
from actors.alerts.messages import ReceiptReply
from actors.alerts.roster import Roster, Seen, Stay
from actors.alerts.store import AlertsUnusable, Loaded, Store, Work, cells_of
from actors.alerts.vocabulary import Alert
from actors.clock import Clock
from actors.journal.writer import Writer
from actors.kernel import Asks
from actors.names import MemberId, RoomName
from actors.refusals import Reason, Refused

BATCH_ROWS = 2_000
ROSTER_WITH_AN_ALERT = 50_000
"""The roster of which an alert's targets are found again has to be on disk with it."""
RETRY_S = 1.0
PATIENCE_S = 2.0
"""A receipt that waits longer for a disk that hangs is refused, and may come again."""
NOT_NOW = Refused(Reason.UNAVAILABLE, "it was noted, and cannot be recorded yet; say it again", 2_000)

NOT_ERASED = Refused(Reason.UNAVAILABLE, "the alerts' record cannot be erased from now; try again", 2_000)


@define(eq=False)
class Batch:
    handed_over: float
    alerts: list[Alert]
    people: list[Seen]
    stays: list[Stay]
    rows: list[tuple[Ledger, Row]]
    whole: list[Ledger]
    waiting: list[ReceiptReply]
    zones: dict[RoomName, str] | None = None

    def holds(self, ledger: Ledger, member: MemberId) -> bool:
        return any(held is ledger and row.member == member for held, row in self.rows)


@define(eq=False)
class Recorder:
    """`on_loaded`: what was on disk, once. `alarm(text)`: the disk fails; `alarm("")`: no longer. On the loop, all."""

    store: Store
    writer: Writer
    book: Book
    roster: Roster
    clock: Clock
    on_loaded: Callable[[Loaded], None]
    alarm: Callable[[str], None]
    zones: Mapping[RoomName, str] = field(factory=dict)
    ready: trio.Event = field(init=False, factory=trio.Event)
    """Loaded, or known to be impossible for now."""
    fault: AlertsUnusable | None = field(init=False, default=None)
    failing: bool = field(init=False, default=False)
    loaded: bool = field(init=False, default=False)
    last_commit_s: float = field(init=False, default=0.0)
    commits: int = field(init=False, default=0)
    _loading: bool = field(init=False, default=False)
    _batch: Batch | None = field(init=False, default=None)
    _retry_at: float = field(init=False, default=0.0)
    _saved: dict[Key, trio.Event] = field(init=False, factory=dict)
    _zones: Mapping[RoomName, str] = field(init=False, factory=dict)
    """As they are on disk."""
    _waiting: dict[tuple[Ledger, MemberId], list[ReceiptReply]] = field(init=False, factory=dict)
    _whole: set[Key] = field(init=False, factory=set)
    _held: list[Ledger] = field(init=False, factory=list)
    _idle: trio.Event = field(init=False, factory=trio.Event)
    _ended: bool = field(init=False, default=False)

    # -- beginning and end ---------------------------------------------------------------------------------------------

    def load(self) -> None:
        if not self._loading and not self._ended:
            self._loading = True
            wall = self.clock.now().wall
            self.writer.submit(lambda: self.store.load(wall), self._have_loaded, self._not_loaded)

    def _have_loaded(self, loaded: Loaded) -> None:
        self._loading, self.loaded = False, True
        self._whole = {Key(each.alert.id, each.alert.rev) for each in loaded.ledgers if not each.rest}
        self._zones = loaded.zones
        self.on_loaded(loaded)
        self._well()
        self.ready.set()
        self.flush()

    def _not_loaded(self, error: Exception) -> None:
        self._loading = False
        if isinstance(error, AlertsUnusable):
            self.fault = error
        self._fails(error)
        self.ready.set()

    async def finish(self) -> None:
        """All that can be written is written, and the file is closed. The deadline is the caller's."""
        while self.loaded and not self.failing and (self._batch is not None or self._has_work()):
            self._idle = trio.Event()
            self.flush()
            if self._batch is not None:
                await self._idle.wait()
        self._ended = True
        self.writer.submit(self.store.close, lambda _: None, lambda _: None)
        self.writer.end()

    # -- what is to be recorded ----------------------------------------------------------------------------------------

    def save(self, alert: Alert) -> trio.Event:
        """Set when this revision is on disk."""
        event = self._saved.setdefault(Key(alert.id, alert.rev), trio.Event())
        self.flush()
        return event

    @contextmanager
    def holding(self, ledger: Ledger) -> Iterator[None]:
        """Every row of it is about to change: they are written once, afterwards. No receipt waits for that."""
        self._held.append(ledger)
        try:
            yield
        finally:
            self._held.remove(ledger)
            self.flush()

    def _free(self) -> list[Ledger]:
        """Whose rows may be written now."""
        every = (ledger for case in self.book.cases.values() for ledger in case.ledgers.values())
        return [ledger for ledger in every if ledger not in self._held]

    def wait_for(self, ledger: Ledger, member: MemberId, reply: ReceiptReply) -> None:
        """`reply` hears None when the member's row, as it is now, is on disk; at once when it is."""
        if member in ledger.unsaved:
            self._waiting.setdefault((ledger, member), []).append(reply)
            self.flush()
        elif self._batch is not None and self._batch.holds(ledger, member):
            self._batch.waiting.append(reply)
        else:
            reply.answer(None)

    def tick(self) -> None:
        """A few times a second: what waits for nobody, and what waits too long."""
        now = trio.current_time()
        if self._batch is not None and now - self._batch.handed_over > PATIENCE_S:
            self._turn_down(self._batch.waiting)
            self._turn_down_all()
        if not self.loaded and now >= self._retry_at:
            self.load()
        self.flush()

    def prune(self) -> None:
        """Once an hour."""
        wall = self.clock.now().wall
        self._whole &= {ledger.key for case in self.book.cases.values() for ledger in case.ledgers.values()}
        if self.loaded and not self.failing and not self._ended:
            self.writer.submit(lambda: self.store.prune(wall), lambda _: None, self._fails)

    def erase(self, member: MemberId, asks: "Asks[Refused | None]") -> None:
        """On disk, behind the batch that is under way: it may still hold the name."""

        def erased(whole: bool) -> None:
            asks.answer(None if whole else NOT_ERASED)

        if not self.loaded or self._ended:
            asks.answer(NOT_ERASED)
        else:
            self.writer.submit(lambda: self.store.erase(member), erased, lambda _: erased(False))

    def flush(self) -> None:
        """Hand over what has gathered, if the writer is free and the disk not known to fail."""
        if self._batch is not None or self._ended or trio.current_time() < self._retry_at or not self._has_work():
            return
        if not self.loaded:
            self._turn_down_all()
            return
        batch = self._batch = self._gather()
        work = Work(
            batch.alerts,
            batch.people,
            batch.stays,
            [(ledger.key, cells_of(row)) for ledger, row in batch.rows],
            [ledger.key for ledger in batch.whole],
            batch.zones,
        )
        self.writer.submit(
            partial(self.store.save, work, batch.handed_over),
            partial(self._committed, batch),
            partial(self._failed, batch),
        )

    @property
    def is_quiet(self) -> bool:
        """Nothing to record, nothing under way, nothing failing."""
        return self.loaded and self._batch is None and not self.failing and not self._has_work()

    def _has_work(self) -> bool:
        roster = self.roster
        return (
            bool(roster.unsaved_people or roster.unsaved_stays or self._waiting)
            or self.zones != self._zones
            or any(case.unsaved for case in self.book.cases.values())
            or any(ledger.unsaved for ledger in self._free())
        )

    def _gather(self) -> Batch:
        cases = self.book.cases.values()
        alerts = [alert for case in cases for alert in case.unsaved.values()]
        people, stays = self.roster.take_unsaved(ROSTER_WITH_AN_ALERT if alerts else BATCH_ROWS)
        rows: list[tuple[Ledger, Row]] = []
        waiting: list[ReceiptReply] = []
        for (ledger, member), replies in self._waiting.items():
            if ledger.unsaved.pop(member, member) is None:
                rows.append((ledger, ledger.rows[member]))
            waiting += replies
        self._waiting.clear()
        whole: list[Ledger] = []
        if not alerts:  # an alert's commit is the one that it is waited for
            ledgers = self._free()
            for ledger in ledgers:
                rows += [(ledger, row) for row in ledger.take_unsaved(BATCH_ROWS - len(rows))]
            whole = [each for each in ledgers if not each.unsaved and each.key not in self._whole]
        zones = None if self.zones == self._zones else dict(self.zones)
        return Batch(trio.current_time(), alerts, people, stays, rows, whole, waiting, zones)

    # -- what has become of it -----------------------------------------------------------------------------------------

    def _committed(self, batch: Batch, _: None) -> None:
        self._batch = None
        self.commits += 1
        self.last_commit_s = trio.current_time() - batch.handed_over
        self._well()
        for alert in batch.alerts:
            self.book.recorded(alert)
            event = self._saved.pop(Key(alert.id, alert.rev), None)
            if event is not None:
                event.set()
        self._whole.update(ledger.key for ledger in batch.whole)
        self._zones = self._zones if batch.zones is None else batch.zones
        for reply in batch.waiting:
            reply.answer(None)
        self.flush()
        if self._batch is None:
            self._idle.set()

    def _failed(self, batch: Batch, error: Exception) -> None:
        self._batch = None
        self.roster.put_back(batch.people, batch.stays)
        for ledger, row in batch.rows:
            ledger.unsaved.setdefault(row.member)
        self._turn_down(batch.waiting)
        self._turn_down_all()
        self._fails(error)
        self._idle.set()

    def _fails(self, error: Exception) -> None:
        self._retry_at = trio.current_time() + RETRY_S
        if not self.failing:
            self.failing = True
            self.alarm(f"alerts cannot be recorded, and go out all the same: {error!r}")

    def _well(self) -> None:
        if self.failing:
            self.failing = False
            self.alarm("")

    def _turn_down_all(self) -> None:
        for replies in self._waiting.values():
            self._turn_down(replies)
        self._waiting.clear()

    def _turn_down(self, replies: list[ReceiptReply]) -> None:
        for reply in replies:
            reply.answer(NOT_NOW)
        replies.clear()
