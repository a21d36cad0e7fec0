"""What a program that listens is told. Frozen; every one names its room, except the connection's own state.

Entries of a room's log (LogEntry: from Message to OtherEntry) come in the order of their seq and exactly once within an
epoch; where some are missing a Gap says so first. Reactions, Presence and Typing are news: dropped first when the
program is slow."""

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
    changed. `lockdown`: the house's level, 5 = none, 1 = only staff may write."""

    rev: int = 0
    frozen: bool = False
    slow_s: float = 0.0
    expires: float | None = None
    reason: str = ""
    closed: bool = False
    lockdown: int = 5
    official: bool = False


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
    badge: str = ""
    """What the author was at that time, as the server knows it: steward, medic ..."""


@frozen
class Removed(Entry):
    """A message whose words are gone, or (`hidden`) kept back by the organisers."""

    hidden: bool = False


@frozen
class Edited(Entry):
    target: int
    text: str
    deleted: bool = False
    """The message was deleted since: the text is empty."""
    hidden: bool = False
    """Or it is hidden."""


@frozen
class Deleted(Entry):
    target: int


@frozen
class PolicyChanged(Entry):
    policy: Policy


@frozen
class Hidden(Entry):
    """The words of `target` are not to be shown any more."""

    target: int
    reason: str = ""


@frozen
class Restored(Entry):
    """The words of `target` may be shown again; `history` has them."""

    target: int


@frozen
class Pinned(Entry):
    """None: nothing is pinned any more."""

    target: int | None = None


@frozen
class Cleared(Entry):
    """Every message up to `upto` is hidden; with `erased`, for good."""

    upto: int
    erased: bool = False


@frozen
class Uncleared(Entry):
    """Takes the Cleared of the same `upto` back."""

    upto: int


@frozen
class AlertNotice(Entry):
    """That an alert went out here at that time."""

    alert: str
    rev: int
    headline: str
    text: str
    status: str


@frozen
class Moved(Entry):
    """The room goes on in `to`."""

    to: str
    reason: str = ""


@frozen
class Notice(Entry):
    """The organisers speak to everybody."""

    text: str
    badge: str = ""


@frozen
class OtherEntry(Entry):
    """Of a type that this client does not know; `frame` is as it came."""

    type: str
    frame: Mapping[str, object]


LogEntry = (
    Message | Removed | Edited | Deleted | PolicyChanged | Hidden | Restored | Pinned | Cleared | Uncleared
    | AlertNotice | Moved | Notice | OtherEntry
)  # fmt: skip


@frozen
class RulesNow:
    """The rules as they hold now, with what the house adds. Not an entry."""

    room: str
    policy: Policy


@frozen
class TakenOut:
    """We are no longer in the room, which ends: nothing follows. `until`: Unix seconds; `to`: where to go instead."""

    room: str
    reason: str
    until: float | None = None
    to: str | None = None


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


@frozen
class Alert:
    """A revision of an emergency alert, in the words of CAP 1.2; or the same once more (`reminder`). Whoever shows it
    answers with `Client.receipt`, `received` and `seen` at a random moment within `receipt_spread_s`."""

    id: str
    rev: int
    kind: str
    """alert, update, cancel or all_clear; the last two end it."""
    status: str
    """actual; or exercise or test, which have to look different."""
    severity: str
    urgency: str
    certainty: str
    response: str
    info: Mapping[str, tuple[str, str]]
    """Headline and text by language; the first is the house's own."""
    sent: float
    expires: float
    """Unix seconds, both."""
    ack: str
    """What is wanted: none, seen or required."""
    receipt_spread_s: float
    rooms: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    all: bool = False
    reminder: bool = False

    @property
    def headline(self) -> str:
        return next(iter(self.info.values()), ("", ""))[0]

    @property
    def text(self) -> str:
        return next(iter(self.info.values()), ("", ""))[1]


@frozen
class AlertOver:
    """It is not in force any more. `why`: cancelled, expired, cleared; empty where it ended while we were away."""

    id: str
    rev: int
    why: str


AlertEvent = Alert | AlertOver


@frozen
class PrivateNote:
    """The organisers' word to this member alone, in no room and no log. Told once, to those who are connected."""

    ts: float
    text: str


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


RoomEvent = LogEntry | RulesNow | TakenOut | CaughtUp | Behind | Gap | Reactions | Presence | Typing
Event = RoomEvent | ConnectionState | AlertEvent | PrivateNote


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
