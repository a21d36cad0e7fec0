"""What a request is answered with: one small object a request, which knows the connection and the request's id, travels
with the message, and puts `ok` or `error` into the control lane."""

from typing import Protocol

from attrs import define

from actors.journal.log import Page, Stored
from actors.names import RoomName
from actors.people.outlet import Outlet, Seat
from actors.refusals import Refused
from gateway import voice
from gateway.protocol.server import Alerts


class Asker(Protocol):
    """The connection, as its answers see it."""

    outlet: Outlet

    def refund_send(self) -> None:
        """What was sent was there already."""
        ...

    def joined(self, asked: RoomName, seat: Seat, value: voice.Answer | Refused) -> Alerts:
        """Returns the alerts that the answer lists."""
        ...


@define(eq=False)
class Answer:
    asker: Asker
    id: int

    def answer(self, value: voice.Answer | Refused) -> None:
        self.asker.outlet.control(voice.answer(self.id, value))


@define(eq=False)
class SendAnswer(Answer):
    def answer(self, value: voice.Answer | Refused) -> None:
        if isinstance(value, Stored) and value.dup:
            self.asker.refund_send()
        self.asker.outlet.control(voice.answer(self.id, value))


@define(eq=False)
class JoinAnswer(Answer):
    asked: RoomName
    """As the client wrote it: a name or a code."""
    seat: Seat

    def answer(self, value: voice.Answer | Refused) -> None:
        alerts = self.asker.joined(self.asked, self.seat, value)
        self.asker.outlet.control(voice.answer(self.id, value, alerts))


@define(eq=False)
class HistoryAnswer:
    asker: Asker
    id: int
    room: RoomName

    def answer(self, value: Page | Refused) -> None:
        self.asker.outlet.control(voice.answer_history(self.id, self.room, value))
