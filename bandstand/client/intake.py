"""Where each frame that the server pushes goes: to its room's membership and on to the inbox, or to the alerts."""

from collections.abc import Callable

from attrs import frozen

from bandstand.client.alerts import Alerts
from bandstand.client.connection import Pushed, Unknown
from bandstand.client.errors import Refused
from bandstand.client.events import LogEntry, PrivateNote, RoomEvent, TakenOut
from bandstand.client.inbox import Inbox, Overflow
from bandstand.client.membership import Membership, entry_of, unknown_entry
from bandstand.client.rooms import Rooms
from bandstand.socket import SocketClosed
from gateway.protocol import orders, server


@frozen
class Intake:
    """`echo`: answers a heartbeat. `drop`: for a room that the server has put us out of."""

    rooms: Rooms
    inbox: Inbox
    alerts: Alerts
    echo: Callable[[float], None]
    drop: Callable[[Membership, Refused], None]

    def push(self, frame: Pushed) -> None:
        """Raises SocketClosed where the program is too slow for this connection to go on."""
        match frame:
            case server.HeartbeatFrame(t=t):
                self.echo(t)
            case server.AlertFrame():
                self.alerts.come(frame)
            case server.AlertOver():
                self.alerts.over(frame)
            case orders.NoteFrame(ts=ts, text=text):
                self.inbox.put_urgent(PrivateNote(ts, text))
            case Unknown(type=kind, fields=fields):
                entry = unknown_entry(kind, fields)
                if entry is not None:
                    self._entry(entry)
            case _ if isinstance(frame, server.EntryFrame):
                self._entry(entry_of(frame))
            case _:
                self._about_a_room(frame)

    def _about_a_room(self, frame: Pushed) -> None:
        membership = self.rooms.named(getattr(frame, "room", ""))
        if membership is None:
            return
        match frame:
            case orders.RemovedFrame(room, reason, until, to):
                self._give(membership, [TakenOut(room, reason, until, to)])
                self.drop(membership, Refused("not_joined", reason or "taken out of this room"))
            case server.CaughtUp() | server.Behind() | server.Gap():
                self._give(membership, membership.mark(frame))
            case server.RulesFrame():
                self._give(membership, membership.news(frame))
            case server.Reactions() | server.Presence() | server.TypingFrame():
                self._give(membership, membership.news(frame), droppable=True)

    def _entry(self, entry: LogEntry) -> None:
        membership = self.rooms.named(entry.room)
        if membership is None:
            return
        try:
            self.inbox.check(membership.name)
        except Overflow as overflow:
            raise SocketClosed(1006, str(overflow)) from overflow
        self._give(membership, membership.entry(entry))

    def _give(self, membership: Membership, events: list[RoomEvent], *, droppable: bool = False) -> None:
        for event in events:
            self.inbox.put(membership.name, event, droppable=droppable)
