"""What a wire owes a connection, and a connection a wire. The only part of the gateway that may know a WebSocket
library stands behind this; one contract suite runs every wire.

A wire *pushes*: it calls the sink, on the loop, and the sink never waits. It stops reading when told to `pause` (then
TCP's own back-pressure reaches the phone) and goes on at `resume`. Whatever leaves goes through the outlet: the wire's
own control frames too, so no frame is ever cut."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Protocol

from attrs import frozen

from actors.names import RoomName
from actors.people.outlet import Outlet
from gateway.wire.transport import Transport


class Lost(Enum):
    """Why a connection ended, as the log and the metrics name it."""

    CLOSED = "closed"  # the client sent a close frame
    GONE = "gone"  # end of stream or reset
    BAD_FRAMES = "bad_frames"  # RFC 6455 broken; the outlet has said which rule
    FINISHED = "finished"  # we closed it
    STUCK = "stuck"


class Sink(Protocol):
    """A connection, as its wire sees it. Nothing here may wait. What raises ends this connection (4101), no other."""

    def text(self, message: str) -> None:
        """One whole text message, within the wire's limits; in order; none after `finish` and none while paused."""
        ...

    def heard(self) -> None:
        """Bytes came in (a ping, a pong, a part of a message): the peer is alive. Before the text they hold."""
        ...

    def behind(self, room: RoomName, first_dropped: int) -> None:
        """The outlet dropped chat of `room`: rewind the seat and tell the room. Called from inside an offer, perhaps
        another room's, so it must not offer anything itself."""
        ...

    def lost(self, cause: Lost) -> None:
        """Called exactly once, last: the socket is closed."""
        ...


class Arrival(Protocol):
    """How a connection came in: for the session's deadlines, and for the front door's counts."""

    proxied: bool
    """It came through a trusted proxy."""

    remote: str
    """The peer's address, the forwarded one behind a trusted proxy; for logs and limits."""
    since: float
    """The loop's clock when it was accepted."""

    def authenticated(self) -> None:
        """It has said who it is, and is no longer counted among the strangers. Again is nothing."""
        ...

    def failed(self, now: float) -> bool:
        """What it showed was refused, and its address is charged with it. True: too often lately, let it go. `now`: the
        loop's clock."""
        ...


class Wire(Protocol):
    @property
    def outlet(self) -> Outlet: ...

    @property
    def arrival(self) -> Arrival: ...

    @property
    def remote(self) -> str:
        """Never raises, also when the peer has gone."""
        ...

    def pause(self) -> None:
        """No text is pushed from here on until `resume`. Nothing is read either, a close or a reset included, so keep
        it short."""
        ...

    def resume(self) -> None: ...

    @property
    def progressed_at(self) -> float:
        """The loop's clock when the peer was last seen to take bytes (as of `check_stuck`): a slow reader lives."""
        ...

    def check_stuck(self, now: float) -> None:
        """Called every few seconds; aborts when nothing reaches the peer any more."""
        ...


@frozen
class Upgrade:
    """A request for a WebSocket that the front door has found good."""

    key: str
    subprotocol: str | None
    """The one agreed on; None: there is none, so the client is told `bye` and closed 4406."""
    rest: bytes
    """What came behind the request head."""
    arrival: Arrival


Attach = Callable[[Wire], Sink]
"""Given by the app: called when the handshake is done, to make the connection that this wire will push to."""

Serve = Callable[[Transport, Upgrade, Attach], Awaitable[None]]
"""Runs one WebSocket connection to its end, which it always reaches with the transport closed."""
