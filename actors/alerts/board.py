"""What outlives an instance of the alerts actor: the book, the roster, and the way to disk. A crash of the actor loses
no alert, not even one that a full disk kept from being recorded; a crash of the process is what alerts.db is for."""

from collections.abc import Callable, Iterable
from pathlib import Path

import trio
from attrs import define, evolve, field

from actors.alerts.book import Book, Case
from actors.alerts.ledger import Key, Ledger, Row
from actors.alerts.recorder import Recorder
from actors.alerts.roster import Roster
from actors.alerts.store import AlertsUnusable, Loaded, Store
from actors.alerts.vocabulary import Alert, AlertId, Life, Reach
from actors.clock import Clock
from actors.journal.writer import Writer, WriterThread
from actors.names import MemberId, RoomName

DAY_S = 86_400.0
NOTHING = ()


@define(eq=False)
class AlertBoard:
    """`path` None: nothing survives the process. `alarm(text)`: the disk fails; "" when it is well again."""

    clock: Clock
    path: Path | None = None
    audience_s: float = DAY_S
    alarm: Callable[[str], None] = lambda text: None
    new_writer: Callable[[], Writer] = lambda: WriterThread("alerts")
    zones: dict[RoomName, str] = field(factory=dict)
    """Of each room that is in one. Kept on disk, so that an alert to a zone needs nobody else."""
    book: Book = field(init=False, factory=Book)
    roster: Roster = field(init=False)
    recorder: Recorder | None = field(init=False, default=None)
    _listed: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.roster = Roster(self.audience_s)

    async def open(self) -> None:
        """Once in a process. AlertsUnusable; a disk that fails is an alarm, and tried again."""
        if self.recorder is None:
            store = Store(self.path, self.audience_s)
            self.recorder = Recorder(
                store, self.new_writer(), self.book, self.roster, self.clock, self._loaded, self.alarm, self.zones
            )
            self.recorder.load()
        with trio.CancelScope(shield=True):
            await self.recorder.ready.wait()
        if self.recorder.fault is not None:
            raise AlertsUnusable(str(self.recorder.fault))

    def active_for(self, member: MemberId, rooms: Iterable[RoomName] = NOTHING) -> tuple[Alert, ...]:
        """What concerns a member who sits in these rooms, oldest first: what `ready` and a join's ok list. Any time."""
        if not self.book.cases:
            return NOTHING
        return tuple(self.book.listed(member, rooms, self.clock.now().wall))

    def _loaded(self, loaded: Loaded) -> None:
        """Under what this process knows already, if the disk could not be read at once."""
        now = self.clock.now()
        self.book.number = max(loaded.number, self.book.number)
        for room, zone in loaded.zones.items():
            self.zones.setdefault(room, zone)
        for member, nickname, seen, rooms in loaded.people:
            self.roster.load(member, nickname, seen, rooms)
        cases: dict[AlertId, Case] = {}
        for each in loaded.ledgers:
            alert = each.alert
            case = cases.setdefault(alert.id, Case(alert, {}))
            case.alert = alert
            ledger = Ledger(Key(alert.id, alert.rev), evolve(alert, state=Life.ACTIVE).wanted, alert.sent)
            if alert.state in (Life.CANCELLED, Life.CLEARED):
                ledger.wanted = alert.wanted
            for row in each.rows:
                ledger.add(row, saved=True)
            for target in each.rest:
                ledger.add(Row(target.member, target.nickname, target.rooms, False, Reach.UNREACHABLE, alert.sent))
            case.ledgers[alert.rev] = ledger
        for name, case in cases.items():
            if name not in self.book.cases:
                self.book.adopt(case, now)
