"""What has been said but is not known to be stored. Pure: time comes in, frames come out.

A letter keeps its cid until the server answers `ok`, over any number of connections; the server stores a cid once, so
sending again is always safe. One letter a room is on its way at a time: a second one that overtook a refused first
would turn a person's words around."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import Enum

from attrs import define, field

from gateway.protocol.frames import ClientFrame
from gateway.protocol.kinds import RequestId

LIMIT = 1_000
"""Letters waiting in all rooms together; beyond it a sender waits for room."""


class Fate(Enum):
    WAITING = "waiting"
    ON_ITS_WAY = "on_its_way"
    SETTLED = "settled"


@define(eq=False)
class Letter:
    """`ask` makes the request for a connection, given that connection's number for it."""

    room: str
    cid: str
    ask: Callable[[RequestId], ClientFrame]
    fate: Fate = Fate.WAITING
    not_before: float = 0.0
    tries: int = 0


@define
class Outbox:
    _rooms: dict[str, deque[Letter]] = field(factory=dict, init=False)
    limit: int = LIMIT

    def __len__(self) -> int:
        return sum(len(letters) for letters in self._rooms.values())

    def __iter__(self) -> Iterator[Letter]:
        for letters in self._rooms.values():
            yield from letters

    @property
    def full(self) -> bool:
        return len(self) >= self.limit

    def add(self, letter: Letter) -> None:
        self._rooms.setdefault(letter.room, deque()).append(letter)

    def next(self, room: str, now: float) -> Letter | None:
        """The letter to send now in this room, marked as on its way; None when there is none or it is not yet time."""
        letters = self._rooms.get(room)
        if not letters or letters[0].fate is not Fate.WAITING or letters[0].not_before > now:
            return None
        letters[0].fate = Fate.ON_ITS_WAY
        letters[0].tries += 1
        return letters[0]

    def due(self, rooms: Iterable[str]) -> float | None:
        """When the earliest waiting letter of these rooms may go; None when none waits."""
        heads = (self._rooms[room][0] for room in rooms if self._rooms.get(room))
        return min((letter.not_before for letter in heads if letter.fate is Fate.WAITING), default=None)

    def postpone(self, letter: Letter, until: float) -> None:
        """Refused for now: it goes again, under the same cid, not before `until`."""
        if letter.fate is not Fate.SETTLED:
            letter.fate = Fate.WAITING
            letter.not_before = until

    def settle(self, letter: Letter) -> None:
        """Stored, refused for good, or withdrawn by its sender: forgotten."""
        letter.fate = Fate.SETTLED
        letters = self._rooms.get(letter.room)
        if letters and letter in letters:
            letters.remove(letter)
            if not letters:
                del self._rooms[letter.room]

    def connection_lost(self) -> None:
        """Nobody knows what became of the letters that were on their way; all of them go again."""
        for letter in self:
            if letter.fate is Fate.ON_ITS_WAY:
                letter.fate = Fate.WAITING
