"""The alerts actor: raises, revises and ends alerts, carries them to every connection ahead of all chat, reminds.

It goes through the registry of people, never through rooms: no room that is full, frozen, quarantined or gone can keep
an alert from anybody. Whatever takes longer than a turn is a task of its own."""

from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import AbstractContextManager

import trio
from attrs import define, field

from actors.alerts import drafts, looks
from actors.alerts.attendance import Attendance, Here
from actors.alerts.board import AlertBoard
from actors.alerts.book import Case
from actors.alerts.delivery import Delivery
from actors.alerts.ledger import Ledger, Row
from actors.alerts.messages import (
    AlertsMessage,
    AllClear,
    Came,
    Cancel,
    Correct,
    EraseMember,
    Gone,
    HelpCall,
    Joined,
    Left,
    Names,
    Preview,
    Previewed,
    PutOut,
    Raise,
    Receipt,
    ResolveHelp,
    Summary,
    Update,
)
from actors.alerts.recorder import Recorder
from actors.alerts.roster import Target
from actors.alerts.vocabulary import Alert, AlertId, Draft, Kind, ReceiptState
from actors.alerts.voice import AlertVoice
from actors.clock import Clock, Now
from actors.kernel import Actor, Asks, Inbox, Ref
from actors.names import MemberId, RoomName
from actors.people.outlet import Outlet
from actors.people.precedence import Precedence
from actors.people.registry import PeopleMessage
from actors.refusals import Reason, Refused
from actors.stats.activity import Activity, Silent

RECORD_S = 0.05
"""Life safety outranks durability: an alert that is not on disk by then goes out."""
TICK_S = 0.25
FINISH_S = 1.5
TOUCH_S = 3_600.0
"""How often those who are connected are noted as seen."""
LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
KEEP_ENDED_S = 86_400.0
CALLS_TOLD = 8
"""Calls for help of one member in one alert that are events of their own; the newest note stands in the ledger."""


@define
class AlertTools:
    """What the actor works with. `zones`: of each room that is in one. `notice`: for the transcript of a room, after
    an alert of it went out. `below`: randomness."""

    people: Callable[[], Ref[PeopleMessage]]
    voice: AlertVoice
    clock: Clock
    below: Callable[[int], int]
    zones: Mapping[RoomName, str] = field(factory=dict)
    notice: Callable[[Alert], None] = lambda alert: None
    activity: Activity = field(factory=Silent)
    precedence: Precedence = field(factory=Precedence)


class Alerts(Actor[AlertsMessage]):
    def __init__(self, board: AlertBoard, tools: AlertTools) -> None:
        self._board = board
        self._book = board.book
        self._roster = board.roster
        self._tools = tools
        self._nursery: trio.Nursery | None = None
        self._attendance = Attendance(tools.people)
        self._delivery = Delivery(board.book, tools.voice, tools.clock, self._attendance, self._holding)
        self._left: dict[tuple[MemberId, RoomName], None] = {}
        """Who has left with one connection, and may sit there with another."""
        self._calls_told: dict[tuple[MemberId, AlertId], int] = {}
        self._touched_at = trio.current_time()
        self._stirred = trio.Event()
        """Something has come: there may be something to be done in time."""

    @property
    def _recorder(self) -> Recorder:
        assert self._board.recorder is not None
        return self._board.recorder

    def _holding(self, ledger: Ledger) -> AbstractContextManager[None]:
        return self._recorder.holding(ledger)

    async def started(self) -> None:
        """AlertsUnusable."""
        await self._board.open()

    async def run(self, inbox: Inbox[AlertsMessage]) -> None:
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._tick)
            self._resume(self._tools.clock.now())
            await super().run(inbox)
            with trio.move_on_after(FINISH_S, shield=True):
                await self._recorder.finish()
            self._nursery.cancel_scope.cancel()

    def _soon(self, task: Callable[..., object], *args: object) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(task, *args)  # type: ignore[arg-type]

    def _resume(self, now: Now) -> None:
        """The instance before may have crashed while it carried an alert; after a start nobody is here yet. Once for
        each revision: should the crash lie in it, alerts to come must not go down with it."""
        for case in self._book.cases.values():
            if case.is_listed(now.wall) and case.resumed_rev < case.alert.rev:
                case.resumed_rev = case.alert.rev
                self._soon(self._delivery.resume, case)

    def handle(self, message: AlertsMessage) -> None:
        now = self._tools.clock.now()
        self._stirred.set()
        match message:
            case Raise():
                self._soon(self._raise, message)
            case Update() | Cancel() | AllClear() | Correct():
                self._soon(self._revise, message)
            case Receipt():
                self._receipt(message, now)
            case Came():
                self._came(message, now)
            case Joined():
                self._joined(message, now)
            case Left(member, room):
                self._leave(member, room, now)
            case PutOut(members, room):
                self._roster.put_out(members, room, now.wall)
            case Gone(member):
                self._roster.gone(member, now.wall)
            case Summary() | Names() | HelpCall() | Preview():
                self._look(message)
            case ResolveHelp():
                self._resolve_help(message)
            case EraseMember(asks, member):
                self._book.erase(member)
                self._roster.erase(member)
                self._recorder.erase(member, asks)

    # -- orders --------------------------------------------------------------------------------------------------------

    def _rooms(self, draft: Draft) -> tuple[RoomName, ...] | Refused:
        if not draft.zones:
            return draft.rooms
        zones = self._tools.zones
        empty = [zone for zone in draft.zones if zone not in zones.values()]
        if empty:
            return Refused(Reason.UNKNOWN_ROOM, f"no room is in the zone {empty[0]}")
        return tuple(room for room, zone in zones.items() if zone in draft.zones)

    async def _raise(self, order: Raise) -> None:
        rooms = drafts.check(order.draft) or self._rooms(order.draft)
        if isinstance(rooms, Refused):
            order.asks.answer(rooms)
            return
        with self._tools.precedence.first():
            await self._begin(order, rooms)

    async def _begin(self, order: Raise, rooms: tuple[RoomName, ...]) -> None:
        present, now = await self._attendance.present(), self._tools.clock.now()
        letters = "".join(LETTERS[self._tools.below(len(LETTERS))] for _ in range(3))
        case = self._book.begin(order.draft, rooms, letters, order.by, now)
        if isinstance(case, Refused):
            order.asks.answer(case)
            return
        saved = self._recorder.save(case.alert)  # while the targets are found
        whom = rooms if not order.draft.all else None
        self._book.target(case, self._roster.audience(whom, now.wall))
        self._book.target(case, self._sitting(present.values(), whom, case.ledger.rows))
        await self._send_out(case, present, saved, order.asks)

    def _sitting(
        self, present: Iterable[Here], whom: tuple[RoomName, ...] | None, known: Container[MemberId]
    ) -> Iterable[Target]:
        for member, nickname, sits in present:
            if member in known:
                continue
            rooms = self._roster.rooms_of(sits(), whom)
            if rooms or whom is None:
                yield Target(member, nickname, rooms)

    async def _revise(self, order: Update | Cancel | AllClear | Correct) -> None:
        with self._tools.precedence.first():
            await self._renew(order)

    async def _renew(self, order: Update | Cancel | AllClear | Correct) -> None:
        present, now = await self._attendance.present(), self._tools.clock.now()
        match order:
            case Update():
                case = self._book.update(order.alert, order.changes, order.by, now)
            case Correct():
                case = self._book.correct(order.alert, order.by, now)
            case Cancel():
                case = self._book.end(order.alert, Kind.CANCEL, order.text, order.by, now)
            case AllClear():
                case = self._book.end(order.alert, Kind.ALL_CLEAR, order.text, order.by, now)
        if isinstance(case, Refused):
            order.asks.answer(case)
            return
        await self._send_out(case, present, self._recorder.save(case.alert), order.asks)

    async def _send_out(
        self,
        case: Case,
        present: Mapping[Outlet, Here],
        saved: trio.Event,
        asks: "Asks[Alert | Refused]",
    ) -> None:
        """On disk if that is quick, then to everybody whom it concerns, then into the transcripts."""
        rev = case.alert.rev
        with trio.move_on_after(RECORD_S):
            await saved.wait()
        alert = case.alert if case.alert.rev == rev else None
        if alert is None:  # revised in these milliseconds: the newer one is on its way
            asks.answer(case.alert)
            return
        self._tell_activity(case)
        parcel = self._delivery.pack(case, present)
        asks.answer(alert)
        await self._delivery.carry(parcel)
        self._tools.notice(alert)

    def _tell_activity(self, case: Case) -> None:
        said, data = looks.told(case)
        self._tools.activity.note("alert", said, operator=case.alert.by, data=data)

    # -- coming and going ----------------------------------------------------------------------------------------------

    def _came(self, came: Came, now: Now) -> None:
        self._attendance.note(came)
        self._roster.seen(came.member, str(came.nickname), now.wall)
        for alert in self._board.active_for(came.member):
            self._meet(self._book.cases[alert.id], came, (), now, anew=True)

    def _joined(self, joined: Joined, now: Now) -> None:
        self._attendance.note(joined)
        self._roster.joined(joined.member, str(joined.nickname), joined.room, now.wall)
        for alert in self._board.active_for(joined.member, (joined.room,)):
            self._meet(self._book.cases[alert.id], joined, (joined.room,), now, anew=False)

    def _leave(self, member: MemberId, room: RoomName, now: Now) -> None:
        self._roster.left(member, room, now.wall)
        self._left[member, room] = None
        if len(self._left) == 1:
            self._soon(self._look_again)

    async def _look_again(self) -> None:
        """Whoever sits there with another connection has not left."""
        while self._left:
            member, room = next(iter(self._left))
            if await self._attendance.sits(member, room):
                self._roster.joined(member, "", room, self._tools.clock.now().wall)
            self._left.pop((member, room), None)

    def _meet(self, case: Case, who: Came | Joined, rooms: tuple[RoomName, ...], now: Now, anew: bool) -> None:
        """One member, whom the alert concerns, is here: by now, or anew. Told already, or to be told."""
        alert = case.alert
        sits = self._roster.rooms_of(rooms, None if alert.draft.all else alert.rooms)
        new = self._book.joined_after(case, Target(who.member, str(who.nickname), sits), now.wall)
        if (alert.id, alert.rev) in who.told:
            self._delivery.told(case, who.member, who.outlet)
        elif new or anew:
            self._delivery.offer(case, who.member, who.outlet)

    # -- receipts and looks --------------------------------------------------------------------------------------------

    def _look(self, question: Summary | Names | HelpCall | Preview) -> None:
        match question:
            case Summary(asks, alert):
                asks.answer(looks.summary(self._book, self._tools.zones, alert))
            case Names():
                question.asks.answer(looks.names(self._book, question))
            case HelpCall(asks, alert, member):
                asks.answer(self._book.help_call(alert, member))
            case Preview():
                self._soon(self._preview, question)

    def _receipt(self, receipt: Receipt, now: Now) -> None:
        member, state = receipt.member, receipt.state
        helped = self._asked_for_help(receipt)
        ledger = self._book.receipt(member, receipt.alert, receipt.rev, state, receipt.note, now.wall)
        if isinstance(ledger, Refused):
            receipt.reply.answer(ledger)
        elif state in (ReceiptState.ACKNOWLEDGED, ReceiptState.HELP):
            self._recorder.wait_for(ledger, member, receipt.reply)
        else:
            receipt.reply.answer(None)
        if not isinstance(ledger, Refused) and self._asked_for_help(receipt) != helped:
            self._tell_help(ledger.rows[member], receipt.alert)

    def _tell_help(self, row: Row, alert: AlertId) -> None:
        """Only what is new, and so often only: whoever says it a thousand times hides nobody else's call."""
        told = self._calls_told.get((row.member, alert), 0)
        if told < CALLS_TOLD:
            self._calls_told[row.member, alert] = told + 1
            data = {"alert": alert, "rooms": list(row.rooms), "note": row.note}
            self._tools.activity.note("alert", f"{row.nickname} needs help ({alert})", member=row.member, data=data)

    def _resolve_help(self, order: ResolveHelp) -> None:
        ledger = self._book.resolve_help(order.alert, order.member, order.done)
        if isinstance(ledger, Refused):
            order.asks.answer(ledger)
            return
        if order.done:  # what comes from there now is news again
            self._calls_told.pop((order.member, order.alert), None)
        self._recorder.wait_for(ledger, order.member, order.asks)

    def _asked_for_help(self, receipt: Receipt) -> tuple[bool, str, bool] | None:
        """With what note, and whether it was dealt with, as far as is known now."""
        case = self._book.cases.get(receipt.alert)
        ledger = None if case is None else case.ledgers.get(receipt.rev)
        row = None if ledger is None else ledger.rows.get(receipt.member)
        return None if row is None else (row.help, row.note, row.helped)

    async def _preview(self, ask: Preview) -> None:
        rooms = drafts.check(ask.draft) or self._rooms(ask.draft)
        if isinstance(rooms, Refused):
            ask.asks.answer(rooms)
            return
        present, now = await self._attendance.present(), self._tools.clock.now()
        whom = None if ask.draft.all else rooms
        people = set(self._roster.members(whom, now.wall))
        people |= {target.member for target in self._sitting(present.values(), whom, people)}
        online = {member for member, _, _ in present.values()} & people
        name, expires = AlertId("A000-000"), now.wall + ask.draft.expires_s
        alert = Alert(name, 1, Kind.ALERT, ask.draft, now.wall, expires, "", rooms)
        ask.asks.answer(Previewed(len(people), len(online), rooms, self._tools.voice.shown(alert)))

    # -- time ----------------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            if not self._book.active() and self._recorder.is_quiet:
                self._stirred = trio.Event()
                with trio.move_on_after(TOUCH_S):
                    await self._stirred.wait()
            await trio.sleep(TICK_S)
            now = self._tools.clock.now()
            self._recorder.tick()
            for case in self._book.expire(now.wall):
                said, data = looks.told_expired(case)
                self._tools.activity.note("alert", said, data=data)
                self._soon(self._delivery.withdraw, case)
            for case in self._book.escalations(now.wall):
                self._escalate(case)
            for case in self._book.reminders(now.mono):
                self._soon(self._delivery.remind, case)
            if now.mono - self._touched_at >= TOUCH_S:
                self._touched_at = now.mono
                await self._touch(now)

    def _escalate(self, case: Case) -> None:
        ledger = case.ledger
        said = f"{case.alert.id}: only {ledger.answered} of {ledger.targeted} have answered in time"
        self._tools.activity.note("fault", said, data={"alert": case.alert.id, "rev": case.alert.rev})
        if case.remind_at is not None:
            case.remind_at = trio.current_time() + case.alert.draft.remind_s
        self._soon(self._delivery.remind, case)

    async def _touch(self, now: Now) -> None:
        """Whoever is connected was seen now; whoever was not for a week, and what ended a day ago, is let go."""
        for visit in await self._attendance.everyone():
            self._roster.seen(visit.member, "", now.wall)
        self._roster.forget(now.wall - self._roster.audience_s)
        self._book.forget(now.wall - KEEP_ENDED_S)
        self._calls_told = {call: told for call, told in self._calls_told.items() if call[1] in self._book.cases}
        self._recorder.prune()
