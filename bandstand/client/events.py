"""What a program that listens is told. Frozen; every one names its room, except the connection's own state.

Entries of a room's log (Message, Removed, Edited, Deleted, PolicyChanged, OtherEntry) come in the order of their seq
and exactly once within an epoch; where some are missing a Gap says so first. Reactions, Presence and Typing are news:
dropped first when the program is slow."""

from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen


@frozen
class Position:
    """A place in a room's log: everything up to `seq` of this `epoch` is known."""

    epoch: str
    seq: int


@frozen
class Policy:
    """The rules in force. `expires`: Unix seconds after which the room is neither frozen nor slow; None = until
    changed."""

    rev: int = 0
    frozen: bool = False
    slow_s: float = 0.0
    expires: float | None = None
    reason: str = ""


@frozen
class Entry:
    """`ts`: Unix seconds at which the server stored it. `member`: who wrote it."""

    room: str
    epoch: str
    seq: int
    ts: float
    member: str


@frozen
class Message(Entry):
    nickname: str
    text: str
    cid: str = ""
    reply_to: int | None = None
    edited: int = 0
    """seq of the newest edit whose text this is; 0 = as first written."""
    reactions: Mapping[str, int] = field(factory=dict)
    """Only in what `history` answers."""


@frozen
class Removed(Entry):
    """A message whose words are gone."""


@frozen
class Edited(Entry):
    target: int
    text: str
    deleted: bool = False
    """The message was deleted since: the text is empty."""


@frozen
class Deleted(Entry):
    target: int


@frozen
class PolicyChanged(Entry):
    policy: Policy


@frozen
class OtherEntry(Entry):
    """Of a type that this client does not know; `frame` is as it came."""

    type: str
    frame: Mapping[str, object]


LogEntry = Message | Removed | Edited | Deleted | PolicyChanged | OtherEntry


@frozen
class CaughtUp:
    """Everything up to `seq` has been told; what comes now is live."""

    room: str
    seq: int


@frozen
class Behind:
    """This connection is too slow: the entries from `start` on will come later, in order."""

    room: str
    start: int


@frozen
class Gap:
    """The entries start..end of the present epoch do not come by themselves; `history` may have them.

    `why`: trimmed (gone for good), too_many, epoch (the room began anew), hole (the server skipped them silently)."""

    room: str
    start: int
    end: int
    why: str


@frozen
class Reactions:
    """The counts of one message, emoji -> how many."""

    room: str
    seq: int
    counts: Mapping[str, int]


@frozen
class Card:
    member: str
    nickname: str


@frozen
class Presence:
    """Who came and went, in small rooms; `online` counts people, in large rooms it is all that is told."""

    room: str
    online: int
    joined: tuple[Card, ...] = ()
    left: tuple[str, ...] = ()


@frozen
class Typing:
    room: str
    member: str
    nickname: str


class State(Enum):
    CONNECTING = "connecting"
    ONLINE = "online"
    OFFLINE = "offline"
    OVER = "over"
    """It will not come back: the program left, or the server said to stay away."""


@frozen
class ConnectionState:
    """`since`: Unix seconds. `retry_s`: seconds until the next try, when offline. `why`: in words, may be empty."""

    state: State
    since: float
    why: str = ""
    retry_s: float | None = None


RoomEvent = LogEntry | CaughtUp | Behind | Gap | Reactions | Presence | Typing
Event = RoomEvent | ConnectionState


@frozen
class Stored:
    """The server has it on disk. `dup`: it had it before, from an earlier try under the same cid."""

    seq: int
    epoch: str
    ts: float
    dup: bool


@frozen
class HistoryPage:
    """Ascending. `more`: there are further entries in the direction asked."""

    items: tuple[LogEntry, ...]
    more: bool
    oldest: int
    head: int


@frozen
class MembersPage:
    members: tuple[Card, ...]
    page: int
    pages: int
    online: int
