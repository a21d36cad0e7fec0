"""What the house knows of a connection: a way out that never blocks, and one seat for every room it is in."""

from collections.abc import Callable, Mapping
from typing import Protocol

from attrs import Factory, define, frozen

from actors.names import Epoch, MemberId, Nickname, RoomName


@frozen
class Batch:
    """Consecutive entries of one room, framed once for everybody. `blob` holds whole WebSocket frames, at most 64 KiB
    unless a single frame is larger; the frames' ends are found from their headers when somebody needs them.

    The first `last - first + 1` frames are the entries, one each, in order. Only a page may say more, at its end
    (caught_up), and then `frames` is larger. What must come before a page (a gap) is a batch of its own without
    entries: `first` is the seq that follows it, `last` is `first - 1`."""

    room: RoomName
    first: int
    last: int
    blob: bytes
    frames: int


class Outlet(Protocol):
    """A connection's outgoing side. Nothing here blocks or raises: a dead connection takes everything and drops it."""

    def chat(self, batch: Batch) -> bool:
        """Now to the socket, or queued within the bound. False: not taken, the outlet is over its bound. It has then
        dropped all chat and pages that waited, this batch included, and before it returned it has reported for each
        room the lowest seq dropped, which rewinds the seat (`level` is False from here on, the cursor stands before
        that seq). When that is `last + 1`, only what a page says at its end was dropped.

        The outlet does not remember who is behind: `Seat.level` does. Look at it before every offer, and do not move
        the cursor when this returns False."""
        ...

    def page(self, batch: Batch) -> None:
        """Catch-up for a seat that is behind: taken whatever the bound. One at a time: offer the next when idle."""
        ...

    def control(self, frame: bytes) -> None:
        """Answers and orders: before all chat. Over the lane's own bound the connection is finished (4100)."""
        ...

    def news(self, key: str, frame: bytes) -> None:
        """Policy, presence, typing, counts: after chat; the latest of a key replaces an unsent one. A few small frames
        may come as one."""
        ...

    def alert(self, frame: bytes, on_written: Callable[[], None] | None = None) -> None:
        """Before everything, after the frame in flight. `on_written` is called once, when the last byte has left for
        the socket; before this returns, if it goes at once; never, if the connection dies first."""
        ...

    def forget(self, room: RoomName) -> None:
        """The member has left `room`, or begins there anew: what waits of it is dropped, and not reported."""
        ...

    def finish(self, code: int, retry_after_ms: int | None = None) -> None:
        """The only way to close: lanes dropped, the frame in flight finished, `bye` and the close frame as one blob.
        The first code wins."""
        ...

    @property
    def idle(self) -> bool:
        """Nothing is queued in this process (the kernel may still hold some)."""
        ...

    def when_idle(self, call: Callable[[], None]) -> None:
        """Call once, on the loop, when idle (at once if it is). Never called if the connection dies first."""
        ...

    @property
    def bytes_per_s(self) -> float | None:
        """How fast the line takes what it is owed, a mean over tens of seconds; None while it is not known."""
        ...

    def look(self) -> int:
        """Bytes that our kernel has taken and the peer's has not acknowledged; 0 where that cannot be known. Whoever
        feeds a slow line looks often: `bytes_per_s` is made of what is seen."""
        ...


@define(eq=False)
class Seat:
    """One connection's place in one room. Outlives the room's instance: a restarted room goes on where `cursor` is.

    Only its room writes it, in a turn; but the outlet rewinds it when it had to drop what it had taken, and `wanted` is
    what the member is called in the house."""

    room: RoomName
    member: MemberId
    nickname: Nickname
    """As it stands in this room."""
    outlet: Outlet
    epoch: Epoch
    cursor: int = 0
    """Everything up to this seq has been handed to the outlet, in order and once."""
    level: bool = False
    target: int | None = None
    """`caught_up` is due when the cursor gets here; None = not due."""
    presence: bool = True
    hurried: bool = False
    """Behind because it was too slow, not because it was away: may be taken ahead with a gap."""
    allowance: int = 0
    """While hurried: bytes that the kernel may hold of it when its next page is due."""
    rewound: bool = False
    """Something was dropped, and the client has not been told `behind` yet."""
    removed: bool = False
    """The room has taken it back: nobody sits here any more, whatever table it is still in."""
    wanted: Nickname = Factory(lambda seat: seat.nickname, takes_self=True)
    """Without the suffix by which it is told apart here."""
    guessed: bool = False
    """What is wanted is not known: whoever has a name here keeps it."""

    def rewind(self, first_dropped: int) -> None:
        self.level = False
        self.rewound = True
        self.cursor = min(self.cursor, first_dropped - 1)


class Visit(Protocol):
    """A connection as the registry of people holds it."""

    member: MemberId
    nickname: Nickname
    outlet: Outlet

    @property
    def seats(self) -> Mapping[RoomName, Seat]: ...

    def fall_silent(self) -> None:
        """Nothing more is read from the client; what was read goes its way. For a drain, before `part`."""
        ...

    def part(self, code: int, retry_after_ms: int | None = None) -> None:
        """`outlet.finish`, and whatever the client still says is nothing."""
        ...
