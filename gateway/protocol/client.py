"""What a client may say (docs/protocol.md has the same in a table; a test compares the two). Decoded frames hold parsed
values: a room is a room's name or its code, a text is within bounds."""

from typing import ClassVar, Literal

from attrs import frozen

from actors.names import Cid, Emoji, Epoch, MessageText, Nickname, RoomName
from gateway.protocol.kinds import (
    AlertName,
    BadValue,
    Note,
    PageNumber,
    PageSize,
    Positions,
    RequestId,
    Seq,
    Tail,
    Token,
)

TAIL = Tail(50)
PAGE = PageSize(50)
REPLAY = Seq(1_000)
FIRST_PAGE = PageNumber(1)
NO_WHY = Note("")
NO_NOTE = Note("")


@frozen
class Since:
    """The last entry that the client holds."""

    epoch: Epoch
    seq: Seq


@frozen
class Auth:
    TAG: ClassVar = "auth"
    id: RequestId
    token: Token | None = None
    nickname: Nickname | None = None

    def __attrs_post_init__(self) -> None:
        if self.token is None and self.nickname is None:
            raise BadValue("needs a token or a nickname")


@frozen
class Join:
    TAG: ClassVar = "join"
    id: RequestId
    room: RoomName
    since: Since | None = None
    tail: Tail = TAIL
    max: Seq = REPLAY
    presence: bool = True


@frozen
class Leave:
    TAG: ClassVar = "leave"
    id: RequestId
    room: RoomName


@frozen
class Send:
    TAG: ClassVar = "send"
    id: RequestId
    room: RoomName
    cid: Cid
    text: MessageText
    reply_to: Seq | None = None


@frozen
class Edit:
    TAG: ClassVar = "edit"
    id: RequestId
    room: RoomName
    cid: Cid
    target: Seq
    text: MessageText


@frozen
class Delete:
    TAG: ClassVar = "delete"
    id: RequestId
    room: RoomName
    cid: Cid
    target: Seq


@frozen
class React:
    TAG: ClassVar = "react"
    id: RequestId
    room: RoomName
    target: Seq
    emoji: Emoji
    on: bool = True


@frozen
class Typing:
    """Never answered."""

    TAG: ClassVar = "typing"
    room: RoomName


@frozen
class History:
    """`before`, `after`, or neither: the newest. Both is a bad frame."""

    TAG: ClassVar = "history"
    id: RequestId
    room: RoomName
    before: Seq | None = None
    after: Seq | None = None
    limit: PageSize = PAGE

    def __attrs_post_init__(self) -> None:
        if self.before is not None and self.after is not None:
            raise BadValue("give before or after, not both", path="after")


@frozen
class Members:
    TAG: ClassVar = "members"
    id: RequestId
    room: RoomName
    page: PageNumber = FIRST_PAGE


@frozen
class AlertReceipt:
    """How far an alert has come with this person. Idempotent; outside the limits."""

    TAG: ClassVar = "alert_receipt"
    id: RequestId
    alert: AlertName
    rev: Seq
    state: Literal["received", "seen", "acknowledged", "help"]
    note: Note = NO_NOTE


@frozen
class Heartbeat:
    """The echo of the server's, or (with an id) the client's own question whether anybody is there."""

    TAG: ClassVar = "heartbeat"
    id: RequestId | None = None
    t: float | None = None
    at: Positions | None = None


@frozen
class Report:
    """To the organisers: somebody should look at this message."""

    TAG: ClassVar = "report"
    id: RequestId
    room: RoomName
    seq: Seq
    why: Note = NO_WHY


ClientFrame = (
    Auth | Join | Leave | Send | Edit | Delete | React | Typing | History | Members | Report | AlertReceipt | Heartbeat
)
RoomRequest = Join | Leave | Send | Edit | Delete | React | Typing | History | Members | Report
"""What goes to a room."""
