"""What the server says (docs/protocol.md has the same in a table; a test compares the two).

A field with a default is left out of the frame while it has it; the others are always there."""

from typing import ClassVar, Literal

from attrs import field, frozen

from actors.names import Cid, Epoch, MemberId, Nickname, RoomName
from actors.refusals import Reason
from gateway.protocol.codes import Scope
from gateway.protocol.kinds import AlertName, Count, RequestId, Seq, Token
from gateway.protocol.orders import NoteFrame, OrderFrame, RemovedFrame

ReactionCounts = dict[str, dict[str, int]]
"""A message's seq in decimal -> emoji -> how many."""


FROM = {"wire": "from"}
TO = {"wire": "to"}
"""Names on the wire that read badly, or not at all, in Python."""


LOCKDOWN = Count(5)
"""The level at which nothing is locked down."""


@frozen
class HeartbeatTimes:
    every_ms: Count
    dead_ms: Count


@frozen
class Limits:
    messages_per_s: float
    burst: Count
    bytes_per_s: Count
    frame_bytes: Count
    text_code_points: Count
    nickname_code_points: Count
    rooms: Count
    joins_per_s: float
    joins_burst: Count
    authenticate_ms: Count


@frozen
class Retention:
    keep_s: float
    replay: Count
    page: Count


@frozen
class Hello:
    TAG: ClassVar = "hello"
    v: int
    node: str
    now: float
    heartbeat: HeartbeatTimes
    limits: Limits
    history: Retention
    features: tuple[str, ...]


@frozen
class AlertWords:
    headline: str
    text: str


@frozen
class AlertFrame:
    """An alert in the vocabulary of CAP 1.2; one of rooms, zones and all says whom it is for."""

    TAG: ClassVar = "alert"
    id: AlertName
    rev: Seq
    kind: Literal["alert", "update", "cancel", "all_clear"]
    status: Literal["actual", "exercise", "test"]
    severity: Literal["extreme", "severe", "moderate", "minor", "unknown"]
    urgency: Literal["immediate", "expected", "future", "past", "unknown"]
    certainty: Literal["observed", "likely", "possible", "unlikely", "unknown"]
    response: Literal["shelter", "evacuate", "prepare", "execute", "avoid", "monitor", "assess", "all_clear", "none"]
    info: dict[str, AlertWords]
    sent: float
    expires: float
    ack: Literal["none", "seen", "required"]
    remind_s: float
    receipt_spread_ms: Count
    rooms: tuple[RoomName, ...] = ()
    zones: tuple[str, ...] = ()
    all: bool = False
    recorded: bool = True


Alerts = tuple[AlertFrame, ...]
"""Those that concern the member, oldest first."""


@frozen
class AlertOver:
    TAG: ClassVar = "alert_over"
    id: AlertName
    rev: Seq
    why: Literal["cancelled", "expired", "cleared"]


@frozen
class Ready:
    TAG: ClassVar = "ready"
    re: RequestId
    member: MemberId
    nickname: Nickname
    token: Token
    alerts: Alerts


@frozen
class Rules:
    rev: Seq
    frozen: bool
    slow_s: float
    max_members: Count
    history: Count
    presence: Literal["auto", "off"]
    expires: float | None
    reason: str
    closed: bool = False
    lockdown: Count = LOCKDOWN
    official: bool = False


@frozen
class Counts:
    online: Count


@frozen
class Ok:
    """Of leave, react and heartbeat."""

    TAG: ClassVar = "ok"
    re: RequestId


@frozen
class OkJoin:
    TAG: ClassVar = "ok"
    re: RequestId
    room: RoomName
    epoch: Epoch
    head: Seq
    oldest: Seq
    mode: Literal["fresh", "resumed", "gap"]
    policy: Rules
    counts: Counts
    nickname: Nickname
    code: str
    title: str
    alerts: Alerts
    pinned: Seq | None = None


@frozen
class OkSend:
    """Of send, edit and delete."""

    TAG: ClassVar = "ok"
    re: RequestId
    epoch: Epoch
    seq: Seq
    ts: float
    dup: bool


@frozen
class MessageFrame:
    TAG: ClassVar = "message"
    room: RoomName
    epoch: Epoch
    seq: Seq
    ts: float
    member: MemberId
    nickname: Nickname | None = None
    cid: Cid | None = None
    text: str = field(kw_only=True)
    reply_to: Seq | None = None
    edited: Seq | None = None
    deleted: bool = False
    hidden: bool = False
    badge: str = ""


@frozen
class EditedFrame:
    TAG: ClassVar = "edited"
    room: RoomName
    epoch: Epoch
    seq: Seq
    ts: float
    member: MemberId
    target: Seq
    text: str
    deleted: bool = False
    hidden: bool = False


@frozen
class DeletedFrame:
    TAG: ClassVar = "deleted"
    room: RoomName
    epoch: Epoch
    seq: Seq
    ts: float
    member: MemberId
    target: Seq


@frozen
class PolicyFrame:
    TAG: ClassVar = "policy"
    room: RoomName
    epoch: Epoch
    seq: Seq
    ts: float
    rev: Seq
    frozen: bool
    slow_s: float
    max_members: Count
    history: Count
    presence: Literal["auto", "off"]
    expires: float | None
    reason: str
    closed: bool = False
    official: bool = False


@frozen
class RulesFrame:
    """The rules as they hold now, with what the house adds to the room's own. Not an entry: it has no seq."""

    TAG: ClassVar = "policy"
    room: RoomName
    rev: Seq
    frozen: bool
    slow_s: float
    max_members: Count
    history: Count
    presence: Literal["auto", "off"]
    expires: float | None
    reason: str
    closed: bool = False
    lockdown: Count = LOCKDOWN
    official: bool = False


EntryFrame = MessageFrame | EditedFrame | DeletedFrame | PolicyFrame | OrderFrame
"""The entries of a room's log, as they are pushed and as `history` lists them."""


@frozen
class OkHistory:
    TAG: ClassVar = "ok"
    re: RequestId
    room: RoomName
    epoch: Epoch
    items: tuple[EntryFrame, ...]
    more: bool
    oldest: Seq
    head: Seq
    reactions: ReactionCounts = field(factory=dict)


@frozen
class Card:
    member: MemberId
    nickname: Nickname


@frozen
class OkMembers:
    TAG: ClassVar = "ok"
    re: RequestId
    members: tuple[Card, ...]
    page: Seq
    pages: Count
    online: Count


@frozen(kw_only=True)
class ErrorFrame:
    """A reader keeps a code or scope that it does not know as a plain str: `retry` says what to do about it."""

    TAG: ClassVar = "error"
    re: RequestId | None = None
    code: Reason | str
    message: str
    retry: bool
    retry_after_ms: Count | None = None
    scope: Scope | str
    path: str | None = None


@frozen
class CaughtUp:
    TAG: ClassVar = "caught_up"
    room: RoomName
    seq: Seq


@frozen
class Behind:
    TAG: ClassVar = "behind"
    room: RoomName
    start: Seq = field(metadata=FROM)


@frozen
class Gap:
    TAG: ClassVar = "gap"
    room: RoomName
    start: Seq = field(metadata=FROM)
    end: Seq = field(metadata=TO)
    why: Literal["trimmed", "epoch", "too_many"]


@frozen
class Reactions:
    TAG: ClassVar = "reactions"
    room: RoomName
    counts: ReactionCounts


@frozen
class Presence:
    TAG: ClassVar = "presence"
    room: RoomName
    kind: Literal["diff", "counts"]
    instance: str
    rev: Count
    online: Count
    joins: tuple[Card, ...] = ()
    leaves: tuple[MemberId, ...] = ()


@frozen
class TypingFrame:
    TAG: ClassVar = "typing"
    room: RoomName
    member: MemberId
    nickname: Nickname


@frozen
class HeartbeatFrame:
    TAG: ClassVar = "heartbeat"
    t: float


@frozen
class Bye:
    TAG: ClassVar = "bye"
    code: Count
    retry_after_ms: Count | None = None
    message: str | None = None


OkFrame = Ok | OkJoin | OkSend | OkHistory | OkMembers
ServerFrame = (
    Hello | Ready | AlertFrame | AlertOver | OkFrame | ErrorFrame | EntryFrame | RulesFrame | RemovedFrame | NoteFrame
    | CaughtUp | Behind | Gap | Reactions | Presence | TypingFrame | HeartbeatFrame | Bye
)  # fmt: skip
