"""The alerts actor over the real registry of people, in virtual time, with a store that a test may break."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from sqlite3 import OperationalError
from typing import Any

import trio
import trio.testing
from attrs import define, field

from actors.alerts.actor import Alerts, AlertTools
from actors.alerts.board import AlertBoard
from actors.alerts.messages import AlertsMessage, Came, Gone, Joined, Raise, Receipt, Report, Summary
from actors.alerts.store import Store
from actors.alerts.vocabulary import Alert, AlertId, ReceiptState
from actors.alerts.voice import NoVoice
from actors.clock import Now
from actors.journal.writer import WriterOnLoop
from actors.kernel import Child, Ref, Supervisor
from actors.names import MemberId, Nickname, RoomName
from actors.people.precedence import Precedence
from actors.people.registry import Arrived, Departed, People, PeopleMessage
from actors.stats.activity import Event, Silent
from tests.alerts.making import Phone, Reply, draft, member

WALL = 1_790_000_000.0


class LoopClock:
    def now(self) -> Now:
        mono = trio.current_time()
        return Now(WALL + mono, mono)


class Diary(Silent):
    def __init__(self) -> None:
        self.notes: list[tuple[str, str]] = []
        self.events: list[Event] = []

    def note(self, kind: str, text: str, **more: Any) -> None:
        self.notes.append((kind, text))
        self.events.append(Event(len(self.events) + 1, WALL, kind, text, **more))

    def about(self, words: str) -> Event:
        (found,) = [event for event in self.events if words in event.text]
        return found


@define
class Station:
    board: AlertBoard
    alerts: Ref[AlertsMessage]
    people: Ref[PeopleMessage]
    diary: Diary
    supervisor: Supervisor
    alarms: list[str]
    precedence: Precedence
    phones: dict[int, Phone] = field(factory=dict)

    def arrive(self, number: int, *rooms: RoomName, called: str = "") -> Phone:
        """As a connection does it: told by `ready` and the joins what is listed."""
        phone = self.phones[number] = Phone(member(number), Nickname(called or f"n{number}"))
        self.people.tell(Arrived(phone))
        self.alerts.tell(Came(phone.member, phone.nickname, phone.outlet, self.told(phone.member)))
        for room in rooms:
            self.join(phone, room)
        return phone

    def join(self, phone: Phone, room: RoomName) -> None:
        phone.sit(room)
        told = self.told(phone.member, room)
        self.alerts.tell(Joined(phone.member, phone.nickname, room, phone.outlet, told))

    def told(self, who: MemberId, *rooms: RoomName) -> tuple[tuple[AlertId, int], ...]:
        return tuple((alert.id, alert.rev) for alert in self.board.active_for(who, rooms))

    def leave(self, phone: Phone) -> None:
        self.people.tell(Departed(phone))
        self.alerts.tell(Gone(phone.member))

    async def start(self, **changes: Any) -> Alert:
        made = draft(**changes)
        alert = await self.alerts.ask(lambda asks: Raise(asks, made, "ana"), urgent=True)
        assert isinstance(alert, Alert), alert
        await trio.testing.wait_all_tasks_blocked()
        return alert

    async def report(self) -> Report:
        return (await self.alerts.ask(Summary))[0]

    def receipt(self, number: int, alert: Alert, state: ReceiptState, note: str = "") -> Reply:
        reply = Reply()
        self.alerts.tell(Receipt(reply, member(number), alert.id, alert.rev, state, note))
        return reply


@asynccontextmanager
async def station(
    path: Path | None = None, board: AlertBoard | None = None, kill: bool = False
) -> AsyncIterator[Station]:
    """`kill`: at the end the file is left as it is, as kill -9 leaves it."""
    alarms: list[str] = []
    board = board or AlertBoard(LoopClock(), path, alarm=alarms.append, new_writer=WriterOnLoop)
    supervisor, diary = Supervisor(), Diary()
    people = supervisor.start(Child("people", lambda: People({}), capacity=16_384))
    tools = AlertTools(lambda: people, NoVoice(), LoopClock(), lambda below: 0, activity=diary)
    alerts = supervisor.start(Child("alerts", lambda: Alerts(board, tools), capacity=16_384))
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        with trio.CancelScope(shield=True):
            while board.recorder is None or not board.recorder.ready.is_set():
                await trio.testing.wait_all_tasks_blocked()
        yield Station(board, alerts, people, diary, supervisor, alarms, tools.precedence)
        if not kill:
            await supervisor.shutdown()
        nursery.cancel_scope.cancel()


class BrokenDisk:
    """Breaks `save` of a station's store until it is well."""

    def __init__(self, store: Store) -> None:
        self._store, self._save = store, store.save
        self.tries = 0
        store.save = self._fail  # type: ignore[method-assign]

    def _fail(self, *_: object) -> None:
        self.tries += 1
        raise OperationalError("database or disk is full")

    def heal(self) -> None:
        self._store.save = self._save  # type: ignore[method-assign]
