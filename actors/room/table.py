"""The directory's memory: which rooms there are, under which codes, and who waits for those in the making."""

from collections.abc import Callable
from contextlib import suppress

from attrs import define, frozen

from actors.journal.log import RoomRecord
from actors.kernel import DeadReason
from actors.names import BadName, RoomCode, RoomName, room_code, room_name
from actors.refusals import Reason, Refused
from actors.room.messages import Join


@frozen
class Enter:
    """A join on its way to its room, which is named by name or code."""

    room: str
    join: Join

    def undelivered(self, reason: DeadReason, retry_after_s: float) -> None:
        self.join.undelivered(reason, retry_after_s)


@define
class Known:
    record: RoomRecord
    joins: int = 0
    """Forwarded to the room, ever."""
    busy_at: float = 0.0
    """When somebody last came in, or was found there; seconds on the loop's clock."""


class RoomTable:
    """`enter`: what to do with a join when the making of its room is over, however it ended."""

    def __init__(self, enter: Callable[[Enter], None]) -> None:
        self.known: dict[RoomName, Known] = {}
        self.codes: dict[RoomCode, RoomName] = {}
        self.making: dict[RoomName, list[Enter]] = {}
        self._enter = enter

    def note(self, record: RoomRecord) -> None:
        self.known[record.name] = Known(record)
        self.codes[record.code] = record.name

    def renote(self, known: Known, record: RoomRecord) -> None:
        """What can be changed of a record was changed; the rest of it is kept."""
        self.codes.pop(known.record.code, None)
        known.record = record
        self.codes[record.code] = record.name

    def forget(self, known: Known) -> None:
        del self.known[known.record.name]
        self.codes.pop(known.record.code, None)

    def made(self, name: RoomName) -> None:
        """Or not: whoever waited comes in as if now."""
        for enter in self.making.pop(name, []):
            self._enter(enter)

    def resolve(self, text: str) -> RoomName | Refused:
        if text in self.known:
            return RoomName(text)
        with suppress(BadName):
            code = room_code(text)
            by_code = self.codes.get(code)
            return by_code or Refused(Reason.UNKNOWN_ROOM, f"no room has the code {code}")
        try:
            return room_name(text)
        except BadName as bad:
            return Refused(Reason.UNKNOWN_ROOM, str(bad))
