"""What every connection of a server shares: the house it speaks to, the clock it is watched by, what is counted."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from actors.house import House
from actors.names import MemberId, Nickname, RoomName
from actors.refusals import Refused
from actors.tally import Histogram
from gateway.barrier import Tasks
from gateway.protocol.kinds import Token
from gateway.session import Session
from gateway.wheel import Wheel

if TYPE_CHECKING:
    from gateway.connection import Connection


@frozen
class Times:
    """Signs of life, in seconds. `jitter`: the part by which a heartbeat may come earlier or later."""

    heartbeat_s: float = 25.0
    jitter: float = 0.1
    dead_s: float = 60.0
    authenticate_s: float = 15.0


@define
class Counts:
    """Of all connections, for the metrics."""

    open: int = 0
    authenticated: int = 0
    closed: dict[str, int] = field(factory=dict)
    rtt: Histogram = field(factory=Histogram)


@frozen
class Reported:
    """A member finds that somebody should look at a message."""

    room: RoomName
    seq: int
    why: str
    member: MemberId
    nickname: Nickname


async def to_nobody(_report: Reported) -> Refused | None:
    return None


@frozen
class Reception:
    """What every connection of this server shares. `tasks` do the waiting that a connection must not do itself."""

    house: House
    tasks: Tasks
    wheel: Wheel
    counts: Counts
    times: Times
    new_session: Callable[[], Session]
    hello: Callable[[], bytes]
    """The first frame, framed."""
    issue_token: Callable[[MemberId], Token]
    wall: Callable[[], float]
    spread: Callable[[], float]
    """-1.0 to 1.0, evenly."""
    reported: Callable[[Reported], Awaitable[Refused | None]] = to_nobody
    """None: it is kept. The caller's scope says how long that may take."""
    replay_entries: int = 1_000
    """Most that a join replays."""
    inside: "set[Connection]" = field(factory=set)  # all, strangers included
