"""The alerts actor: raises, revises and ends alerts, carries them to every connection ahead of all chat, reminds.

It goes through the registry of people, never through rooms: no room that is full, frozen, quarantined or gone can keep
an alert from anybody. Whatever takes longer than a turn is a task of its own: the delivery to ten thousand outlets
stops for breath between chunks, so that the rest of the house goes on."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial

import trio
from attrs import define, field

from actors.alerts import drafts
from actors.alerts.board import AlertBoard
from actors.alerts.book import Case
from actors.alerts.ledger import STATES, Ledger
from actors.alerts.messages import (
    AlertsMessage,
    AllClear,
    Came,
    Cancel,
    Correct,
    Gone,
    Joined,
    Left,
    Names,
    NamesPage,
    Preview,
    Previewed,
    Raise,
    Receipt,
    Report,
    Summary,
    Update,
)
from actors.alerts.recorder import Recorder
from actors.alerts.roster import Target
from actors.alerts.vocabulary import Alert, AlertId, Draft, Kind, Life, Reach, ReceiptState
from actors.alerts.voice import AlertVoice
from actors.clock import Clock, Now
from actors.kernel import Actor, ActorGone, Asks, Inbox, Ref
from actors.names import MemberId, RoomName
from actors.people.outlet import Outlet, Visit
from actors.people.registry import Everyone, PeopleMessage
from actors.refusals import Reason, Refused
from actors.stats.activity import Activity, Silent

CHUNK = 64
"""Outlets between two breaths: at some 15 us each, about a millisecond."""
RECORD_S = 0.05
"""Life safety outranks durability: an alert that is not on disk by then goes out."""
TICK_S = 0.25
EVERYONE_S = 2.0
FINISH_S = 1.5
TOUCH_S = 3_600.0
"""How often those who are connected are noted as seen."""
LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
KEEP_ENDED_S = 86_400.0


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


class Alerts(Actor[AlertsMessage]):
    def __init__(self, board: AlertBoard, tools: AlertTools) -> None:
        self._board = board
        self._book = board.book
        self._roster = board.roster
        self._tools = tools
        self._nursery: trio.Nursery | None = None
        self._arrivals: list[Came | Joined] = []
        """Who came while the registry was being asked who is here."""
        self._asking = 0
        self._touched_at = trio.current_time()
        self._stirred = trio.Event()
        """Something has come: there may be something to be done in time."""

    @property
    def _recorder(self) -> Recorder:
        assert self._board.recorder is not None
        return self._board.recorder

    async def started(self) -> None:
        """AlertsUnusable."""
        await self._board.open()

    async def run(self, inbox: Inbox[AlertsMessage]) -> None:
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._tick)
            await super().run(inbox)
            with trio.move_on_after(FINISH_S, shield=True):
                await self._recorder.finish()
            self._nursery.cancel_scope.cancel()

    def _soon(self, task: Callable[..., object], *args: object) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(task, *args)  # type: ignore[arg-type]

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
                self._roster.left(member, room, now.wall)
            case Gone(member):
                self._roster.gone(member, now.wall)
            case Summary(asks, alert):
                asks.answer(self._summary(alert))
            case Names():
                message.asks.answer(self._names(message))
            case Preview():
                self._soon(self._preview, message)

    # -- who is here ---------------------------------------------------------------------------------------------------

    async def _everyone(self) -> tuple[Visit, ...]:
        """Everybody who is connected. Whoever comes meanwhile is in `_arrivals`, until `_asked`."""
        self._asking += 1
        with trio.move_on_after(EVERYONE_S):
            while True:
                with suppress(ActorGone):
                    return await self._tools.people().ask(Everyone)
                await trio.sleep(0.1)
        return ()

    def _asked(self) -> None:
        self._asking -= 1
        if not self._asking:
            self._arrivals.clear()

    def _present(self, visits: Iterable[Visit]) -> dict[Outlet, tuple[MemberId, str, tuple[RoomName, ...]]]:
        present = {each.outlet: (each.member, str(each.nickname), tuple(each.seats)) for each in visits}
        for each in self._arrivals:
            rooms = present.get(each.outlet, (each.member, "", ()))[2]
            sits = (*rooms, each.room) if isinstance(each, Joined) else rooms
            present[each.outlet] = (each.member, str(each.nickname), sits)
        return present

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
        visits = await self._everyone()
        present, now = self._present(visits), self._tools.clock.now()
        self._asked()
        letters = "".join(LETTERS[self._tools.below(len(LETTERS))] for _ in range(3))
        case = self._book.begin(order.draft, rooms, letters, order.by, now)
        if isinstance(case, Refused):
            order.asks.answer(case)
            return
        whom = rooms if not order.draft.all else None
        self._book.target(case, self._roster.audience(whom, now.wall))
        self._book.target(case, self._sitting(present.values(), whom))
        await self._send_out(case, present, order.asks)

    def _sitting(
        self, present: Iterable[tuple[MemberId, str, tuple[RoomName, ...]]], whom: tuple[RoomName, ...] | None
    ) -> Iterable[Target]:
        for member, nickname, sits in present:
            rooms = self._roster.rooms_of(sits, whom)
            if rooms or whom is None:
                yield Target(member, nickname, rooms)

    async def _revise(self, order: Update | Cancel | AllClear | Correct) -> None:
        visits = await self._everyone()
        present, now = self._present(visits), self._tools.clock.now()
        self._asked()
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
        await self._send_out(case, present, order.asks)

    async def _send_out(
        self,
        case: Case,
        present: Mapping[Outlet, tuple[MemberId, str, tuple[RoomName, ...]]],
        asks: "Asks[Alert | Refused]",
    ) -> None:
        """On disk if that is quick, then to everybody whom it concerns, then into the transcripts."""
        ledger, rev = case.ledger, case.alert.rev
        with trio.move_on_after(RECORD_S):
            await self._recorder.saved(case.alert)
        alert = case.alert if case.alert.rev == rev else None
        if alert is None:  # revised in these milliseconds: the newer one is on its way
            asks.answer(case.alert)
            return
        self._tell_activity(alert, ledger)
        frames = [self._tools.voice.alert(alert)]
        if alert.state is not Life.ACTIVE:
            frames.append(self._tools.voice.over(alert))
        outlets = [(outlet, member) for outlet, (member, _, _) in present.items() if member in ledger.rows]
        asks.answer(alert)
        await self._deliver(ledger, outlets, frames)
        self._tools.notice(alert)

    def _tell_activity(self, alert: Alert, ledger: Ledger) -> None:
        said = f"{alert.id} rev {alert.rev} ({alert.draft.status} {alert.kind}): {alert.draft.headline}"
        data = {"alert": alert.id, "rev": alert.rev, "targeted": ledger.targeted, "recorded": alert.recorded}
        self._tools.activity.note("alert", said, operator=alert.by, data=data)

    # -- delivering ----------------------------------------------------------------------------------------------------

    async def _deliver(self, ledger: Ledger, outlets: list[tuple[Outlet, MemberId]], frames: list[bytes]) -> None:
        for start in range(0, len(outlets), CHUNK):
            at = self._tools.clock.now().wall
            for outlet, member in outlets[start : start + CHUNK]:
                self._offer(ledger, outlet, member, frames[0], at)
                for frame in frames[1:]:
                    outlet.alert(frame)
            await trio.lowlevel.checkpoint()

    def _offer(self, ledger: Ledger, outlet: Outlet, member: MemberId, frame: bytes, at: float) -> None:
        ledger.raise_to(member, Reach.QUEUED, at)
        outlet.alert(frame, partial(self._written, ledger, member))

    def _written(self, ledger: Ledger, member: MemberId) -> None:
        """Called by an outlet, in one atomic step between turns."""
        ledger.raise_to(member, Reach.WRITTEN, self._tools.clock.now().wall)

    async def _withdraw(self, case: Case) -> None:
        visits = await self._everyone()
        self._asked()
        frame, ledger = self._tools.voice.over(case.alert), case.ledger
        outlets = [visit.outlet for visit in visits if visit.member in ledger.rows]
        for start in range(0, len(outlets), CHUNK):
            for outlet in outlets[start : start + CHUNK]:
                outlet.alert(frame)
            await trio.lowlevel.checkpoint()

    async def _remind(self, case: Case) -> None:
        """Those below the wanted state who are here; not those for whom it still waits in a lane."""
        visits = await self._everyone()
        self._asked()
        ledger, rev = case.ledger, case.alert.rev
        if case.alert.state is not Life.ACTIVE:
            return
        late = [
            (visit.outlet, visit.member)
            for visit in visits
            if ledger.is_below(visit.member) and ledger.rows[visit.member].reach is not Reach.QUEUED
        ]
        if late and case.alert.rev == rev:
            await self._deliver(ledger, late, [self._tools.voice.alert(case.alert)])

    # -- coming and going ----------------------------------------------------------------------------------------------

    def _came(self, came: Came, now: Now) -> None:
        if self._asking:
            self._arrivals.append(came)
        self._roster.seen(came.member, str(came.nickname), now.wall)
        for alert in self._board.active_for(came.member):
            self._meet(self._book.cases[alert.id], came, (), now, anew=True)

    def _joined(self, joined: Joined, now: Now) -> None:
        if self._asking:
            self._arrivals.append(joined)
        self._roster.joined(joined.member, str(joined.nickname), joined.room, now.wall)
        for alert in self._board.active_for(joined.member, (joined.room,)):
            self._meet(self._book.cases[alert.id], joined, (joined.room,), now, anew=False)

    def _meet(self, case: Case, who: Came | Joined, rooms: tuple[RoomName, ...], now: Now, anew: bool) -> None:
        """One member, whom the alert concerns, is here: by now, or anew. Told already, or to be told."""
        alert, ledger = case.alert, case.ledger
        sits = self._roster.rooms_of(rooms, None if alert.draft.all else alert.rooms)
        new = self._book.joined_after(case, Target(who.member, str(who.nickname), sits), now.wall)
        if (alert.id, alert.rev) in who.told:
            ledger.raise_to(who.member, Reach.QUEUED, now.wall)
            who.outlet.when_idle(partial(self._written, ledger, who.member))
        elif new or anew:
            self._offer(ledger, who.outlet, who.member, self._tools.voice.alert(alert), now.wall)

    # -- receipts and looks --------------------------------------------------------------------------------------------

    def _receipt(self, receipt: Receipt, now: Now) -> None:
        member, state = receipt.member, receipt.state
        ledger = self._book.receipt(member, receipt.alert, receipt.rev, state, receipt.note, now.wall)
        if isinstance(ledger, Refused):
            receipt.reply.answer(ledger)
        elif state in (ReceiptState.ACKNOWLEDGED, ReceiptState.HELP):
            self._recorder.wait_for(ledger, member, receipt.reply)
        else:
            receipt.reply.answer(None)
        if state is ReceiptState.HELP and not isinstance(ledger, Refused):
            row = ledger.rows[member]
            data = {"alert": receipt.alert, "rooms": list(row.rooms), "note": row.note}
            self._tools.activity.note("alert", f"{row.nickname} needs help ({receipt.alert})", member=member, data=data)

    def _summary(self, name: AlertId | None) -> tuple[Report, ...]:
        cases = self._book.cases
        wanted = reversed(cases.values()) if name is None else [cases[name]] if name in cases else []
        return tuple(self._book.report(case, self._tools.zones) for case in wanted)

    def _names(self, ask: Names) -> NamesPage | Refused:
        case = self._book.cases.get(ask.alert)
        ledger = None if case is None else case.ledgers.get(case.alert.rev if ask.rev is None else ask.rev)
        if ledger is None:
            return Refused(Reason.BAD_ANCHOR, "there is no such alert or revision")
        if ask.state not in STATES or ask.page < 1:
            return Refused(Reason.BAD_FRAME, f"a state is one of {', '.join(STATES)}; pages count from 1")
        return ledger.names(ask.state, ask.room, ask.page)

    async def _preview(self, ask: Preview) -> None:
        rooms = drafts.check(ask.draft) or self._rooms(ask.draft)
        if isinstance(rooms, Refused):
            ask.asks.answer(rooms)
            return
        visits = await self._everyone()
        present, now = self._present(visits), self._tools.clock.now()
        self._asked()
        whom = None if ask.draft.all else rooms
        here = {target.member for target in self._sitting(present.values(), whom)}
        people = here | {target.member for target in self._roster.audience(whom, now.wall)}
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
                self._tools.activity.note("alert", f"{case.alert.id} has expired", data={"alert": case.alert.id})
                self._soon(self._withdraw, case)
            for case in self._book.escalations(now.wall):
                self._escalate(case)
            for case in self._book.reminders(now.mono):
                self._soon(self._remind, case)
            if now.mono - self._touched_at >= TOUCH_S:
                self._touched_at = now.mono
                await self._touch(now)

    def _escalate(self, case: Case) -> None:
        ledger = case.ledger
        said = f"{case.alert.id}: only {ledger.answered} of {ledger.targeted} have answered in time"
        self._tools.activity.note("fault", said, data={"alert": case.alert.id, "rev": case.alert.rev})
        if case.remind_at is not None:
            case.remind_at = trio.current_time() + case.alert.draft.remind_s
        self._soon(self._remind, case)

    async def _touch(self, now: Now) -> None:
        """Whoever is connected was seen now; whoever was not for a week, and what ended a day ago, is let go."""
        visits = await self._everyone()
        self._asked()
        for visit in visits:
            self._roster.seen(visit.member, "", now.wall)
        self._roster.forget(now.wall - self._roster.audience_s)
        self._book.forget(now.wall - KEEP_ENDED_S)
        self._recorder.prune()
