"""The life of alerts: raised, revised, ended; whom each concerns, who is to be reminded. Pure: time is an argument.

    raised --> update, update ... --> cancelled | cleared | expired

Each revision has a ledger of its own over the same targets plus those who joined after. A revision that ends the alert
is shown for a while (AFTERMATH_S) to those whom the alert was for: whoever sheltered has to hear the all-clear."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from attrs import define, evolve, field

from actors.alerts.drafts import changed, closing, corrected
from actors.alerts.ledger import Key, Ledger, Row
from actors.alerts.messages import Report, Tally
from actors.alerts.roster import Target
from actors.alerts.vocabulary import Alert, AlertId, Draft, Kind, Life, Reach, ReceiptState
from actors.clock import Now
from actors.names import MemberId, RoomName
from actors.refusals import Reason, Refused
from actors.tally import AlertTally

AFTERMATH_S = 900.0
ACTIVE_MOST = 32
NOTE_LIMIT = 280
CASES_KEPT = 100
ROWS_KEPT = 300_000
ENDINGS = {Kind.CANCEL: Life.CANCELLED, Kind.ALL_CLEAR: Life.CLEARED}
HEADLINES = {Kind.CANCEL: "Cancelled: ", Kind.ALL_CLEAR: "All clear: "}
RISES = {
    ReceiptState.RECEIVED: Reach.RECEIVED,
    ReceiptState.SEEN: Reach.SEEN,
    ReceiptState.ACKNOWLEDGED: Reach.ACKNOWLEDGED,
}


@define(eq=False)
class Case:
    """One alert with all its revisions. `remind_at`, on the loop's clock; None = no more."""

    alert: Alert
    """The newest revision."""
    ledgers: dict[int, Ledger]
    remind_at: float | None = None
    escalated: bool = False
    resumed_rev: int = 0
    """Of which a delivery that a crash broke off was begun once more."""
    unsaved: dict[int, Alert] = field(factory=dict)
    """Revisions that are not on disk as they are now."""

    @property
    def ledger(self) -> Ledger:
        return self.ledgers[self.alert.rev]

    @property
    def final(self) -> Ledger | None:
        """Of the last revision in force, once the alert is over. None too where that one could not be loaded."""
        if self.alert.state is Life.ACTIVE:
            return None
        return self.ledgers.get(self.alert.rev - (self.alert.kind in ENDINGS))

    def concerns(self, member: MemberId, rooms: Iterable[RoomName]) -> bool:
        """A target, or somebody in a target room now. What is over concerns only whom it was for."""
        if member in self.ledger.rows:
            return True
        if self.alert.state is not Life.ACTIVE:
            return False
        return self.alert.draft.all or any(room in self.alert.rooms for room in rooms)

    @property
    def ended(self) -> float:
        """Unix seconds; of one that is over."""
        return self.alert.expires if self.alert.state is Life.EXPIRED else self.alert.sent

    @property
    def is_saved(self) -> bool:
        return not self.unsaved and not any(ledger.unsaved for ledger in self.ledgers.values())

    def is_listed(self, wall: float) -> bool:
        return self.alert.state is not Life.EXPIRED and wall < self.alert.expires


class Book:
    def __init__(self) -> None:
        self.cases: dict[AlertId, Case] = {}
        """Oldest first."""
        self.number = 0
        """Of the newest alert."""
        self.tally = AlertTally()

    # -- a life --------------------------------------------------------------------------------------------------------

    def begin(self, draft: Draft, rooms: tuple[RoomName, ...], letters: str, by: str, now: Now) -> Case | Refused:
        """`letters`: three, random. The targets are put in by `target`."""
        if sum(case.alert.state is Life.ACTIVE for case in self.cases.values()) >= ACTIVE_MOST:
            return Refused(Reason.FULL, f"{ACTIVE_MOST} alerts are active; end one first")
        self.number += 1
        name = AlertId(f"A{self.number:03d}-{letters}")
        alert = Alert(name, 1, Kind.ALERT, draft, now.wall, now.wall + draft.expires_s, by, rooms, recorded=False)
        case = Case(alert, {1: Ledger(Key(name, 1), alert.wanted, now.wall)})
        self._time(case, now)
        case.unsaved[1] = alert
        self.cases[name] = case
        self._count(alert)
        return case

    def adopt(self, case: Case, now: Now) -> None:
        """From the store. What is known already stands."""
        self._time(case, now)
        known = {case.alert.id: case, **self.cases}
        self.cases = dict(sorted(known.items(), key=lambda each: each[1].ledgers[min(each[1].ledgers)].sent))

    def target(self, case: Case, targets: Iterable[Target]) -> None:
        """Who it is for: they are unreachable until they are found connected."""
        ledger, at = case.ledger, case.alert.sent
        for each in targets:
            ledger.add(Row(each.member, each.nickname, each.rooms, False, Reach.UNREACHABLE, at))

    def joined_after(self, case: Case, target: Target, at: float) -> bool:
        """False: a target, or known already."""
        row = Row(target.member, target.nickname, target.rooms, True, Reach.UNREACHABLE, at)
        return case.ledger.add(row)

    def update(self, name: AlertId, changes: Mapping[str, object], by: str, now: Now) -> Case | Refused:
        return self._revise(name, Kind.UPDATE, lambda draft: changed(draft, changes), by, now)

    def correct(self, name: AlertId, by: str, now: Now) -> Case | Refused:
        return self._revise(name, Kind.UPDATE, corrected, by, now)

    def end(self, name: AlertId, kind: Kind, text: str, by: str, now: Now) -> Case | Refused:
        """Kind.CANCEL or Kind.ALL_CLEAR."""

        def last_words(draft: Draft) -> Draft | Refused:
            return closing(draft, (HEADLINES[kind] + draft.headline)[:160], text)

        return self._revise(name, kind, last_words, by, now)

    def _revise(
        self, name: AlertId, kind: Kind, make: Callable[[Draft], Draft | Refused], by: str, now: Now
    ) -> Case | Refused:
        case = self.cases.get(name)
        if case is None:
            return Refused(Reason.BAD_ANCHOR, f"there is no alert {name[:32]}")
        if case.alert.state is not Life.ACTIVE:
            return Refused(Reason.FORBIDDEN, f"{name} is over: it was {case.alert.state}")
        draft = make(case.alert.draft)
        if isinstance(draft, Refused):
            return draft
        before, rev = case.ledger, case.alert.rev + 1
        lasts_s = AFTERMATH_S if kind in ENDINGS else draft.expires_s
        case.alert = Alert(
            name, rev, kind, draft, now.wall, now.wall + lasts_s, by, case.alert.rooms,
            ENDINGS.get(kind, Life.ACTIVE), recorded=False,
        )  # fmt: skip
        case.ledgers[rev] = before.successor(Key(name, rev), case.alert.wanted, now.wall)
        case.unsaved[rev] = case.alert
        self._time(case, now)
        self._count(case.alert)
        return case

    def _count(self, alert: Alert) -> None:
        sort = (alert.kind.value, alert.draft.severity.value, alert.draft.status.value)
        self.tally.sent[sort] = self.tally.sent.get(sort, 0) + 1

    def _time(self, case: Case, now: Now) -> None:
        every = case.alert.draft.remind_s
        case.remind_at = now.mono + every if every and case.alert.state is Life.ACTIVE else None
        case.escalated = False

    # -- what is due ---------------------------------------------------------------------------------------------------

    def expire(self, wall: float) -> list[Case]:
        """Those whose time is over, expired now."""
        over = [case for case in self.active() if wall >= case.alert.expires]
        for case in over:
            case.alert = case.alert.with_state(Life.EXPIRED)
            case.unsaved[case.alert.rev] = case.alert
            case.remind_at = None
        return over

    def escalations(self, wall: float) -> list[Case]:
        """Those of which too few have answered in time; each once a revision. Their reminders are due at once."""
        due: list[Case] = []
        for case in self.active():
            after, draft = case.alert.draft.escalate_s, case.alert.draft
            if after is None or case.escalated or wall < case.alert.sent + after:
                continue
            case.escalated = True
            if case.ledger.answered_part < draft.escalate_below:
                due.append(case)
        return due

    def reminders(self, mono: float) -> list[Case]:
        due = [case for case in self.active() if case.remind_at is not None and mono >= case.remind_at]
        for case in due:
            case.remind_at = mono + case.alert.draft.remind_s
        return due

    def active(self) -> list[Case]:
        return [case for case in self.cases.values() if case.alert.state is Life.ACTIVE]

    # -- receipts ------------------------------------------------------------------------------------------------------

    def receipt(
        self, member: MemberId, name: AlertId, rev: int, state: ReceiptState, note: str, at: float
    ) -> Ledger | Refused:
        """The ledger that it is in now; idempotent. A receipt for an earlier revision counts there."""
        case = self.cases.get(name)
        if case is None:
            return Refused(Reason.BAD_ANCHOR, "there is no such alert")
        ledger = case.ledgers.get(rev)
        if ledger is None:
            return Refused(Reason.BAD_ANCHOR, "there is no such revision of this alert")
        if member not in ledger.rows:
            return Refused(Reason.FORBIDDEN, "this alert was not for you")
        if state is ReceiptState.HELP:
            for each in case.ledgers.values():  # needs somebody again: better once too often than never
                each.resolve_help(member, False)
            ledger.ask_help(member, note[:NOTE_LIMIT], at)
            if ledger is not case.ledger:  # whoever needs help needs it in every revision
                row = ledger.rows[member]
                case.ledger.add(Row(member, row.nickname, row.rooms, row.joined_after, Reach.UNREACHABLE, at))
                case.ledger.ask_help(member, note[:NOTE_LIMIT], at)
        else:
            ledger.raise_to(member, RISES[state], at)
        self.tally.receipts[state.value] += 1
        return ledger

    def help_call(self, name: AlertId, member: MemberId) -> bool | Refused:
        """Whether it has been dealt with."""
        case = self.cases.get(name)
        row = None if case is None else case.ledger.rows.get(member)
        if row is None or not row.help:
            return Refused(Reason.BAD_ANCHOR, f"nobody of that id has called for help in {name[:32]}")
        return row.helped

    def resolve_help(self, name: AlertId, member: MemberId, done: bool) -> Ledger | Refused:
        """The newest ledger, where it stands so now. In every revision: it is one call."""
        known = self.help_call(name, member)
        if isinstance(known, Refused):
            return known
        for ledger in self.cases[name].ledgers.values():
            ledger.resolve_help(member, done)
        return self.cases[name].ledger

    # -- looking -------------------------------------------------------------------------------------------------------

    def listed(self, member: MemberId, rooms: Iterable[RoomName], wall: float) -> Iterator[Alert]:
        """What somebody who comes now, or is in these rooms, has to see; oldest first."""
        sits = tuple(rooms)
        return (case.alert for case in self.cases.values() if case.is_listed(wall) and case.concerns(member, sits))

    def report(self, case: Case, zones: Mapping[RoomName, str]) -> Report:
        """`zones`: of each room that is in one."""
        ledger = case.ledger
        rooms = ledger.by_room()
        by_zone: dict[str, list[Tally]] = {}
        for room, tally in rooms.items():
            if room in zones:
                by_zone.setdefault(zones[room], []).append(tally)
        totals = {zone: _sum(tallies) for zone, tallies in by_zone.items()}
        last = case.final
        score = (last or ledger).score() if case.alert.is_drill else None
        final = None if last is None else last.final()
        before = case.ledgers.get(case.alert.rev - 1)
        replaced_sent = None if before is None else before.sent
        return Report(case.alert, ledger.tally(), rooms, totals, score, final, replaced_sent)

    def recorded(self, alert: Alert) -> None:
        """This very revision, as it was handed over, is on disk."""
        case = self.cases.get(alert.id)
        if case is None:
            return
        if case.unsaved.get(alert.rev) == alert:
            del case.unsaved[alert.rev]
        if case.alert.rev == alert.rev:
            case.alert = evolve(case.alert, recorded=True)

    def erase(self, member: MemberId) -> None:
        for case in self.cases.values():
            for ledger in case.ledgers.values():
                ledger.erase(member)

    def forget(self, before: float) -> list[AlertId]:
        """Cases that ended before, the oldest first, while there are more of them or of their rows than are kept in
        memory: their ledgers stay on disk only."""
        rows = {name: sum(map(len, (each.rows for each in case.ledgers.values()))) for name, case in self.cases.items()}
        gone: list[AlertId] = []
        for name, case in list(self.cases.items()):
            if len(self.cases) <= CASES_KEPT and sum(rows.values()) <= ROWS_KEPT:
                break
            if case.alert.state is not Life.ACTIVE and case.ended < before and case.is_saved:
                del self.cases[name], rows[name]
                gone.append(name)
        return gone


def _sum(tallies: list[Tally]) -> Tally:
    """A member of two rooms of a zone counts in both."""
    return Tally(
        *(
            sum(getattr(tally, name) for tally in tallies)
            for name in (*(reach.word for reach in Reach), "help", "joined_after", "helped")
        )
    )
