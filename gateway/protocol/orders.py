"""What the organisers do in a room, as its members are told: entries of the log, and the word to one who is taken
out."""

from typing import ClassVar, Literal

from attrs import frozen

from actors.names import Epoch, MemberId, RoomName
from gateway.protocol.kinds import Count, Seq


@frozen
class HiddenFrame:
    """The words of a message are not to be shown any more."""

    TAG: ClassVar = "hidden"
    room: RoomName
    epoch: Epoch
    seq: Seq
    ts: float
    member: MemberId
    target: Seq
    reason: str = ""


@frozen
class RestoredFrame:
    """They may be shown again: `history` has them."""

    TAG: ClassVar = "restored"
    room: RoomName
    epoch: Epoch
    seq: Seq
    ts: float
    member: MemberId
    target: Seq


@frozen
class PinnedFrame:
    """Without a target: nothing is pinned any more."""

    TAG: ClassVar = "pinned"
    room: RoomName
    epoch: Epoch
    seq: Seq
    ts: float
    member: MemberId
    target: Seq | None = None


@frozen
class ClearedFrame:
    """Every message up to `upto` is hidden; with `erased`, for good."""

    TAG: ClassVar = "cleared"
    room: RoomName
    epoch: Epoch
    seq: Seq
    ts: float
    member: MemberId
    upto: Seq
    erased: bool = False


@frozen
class UnclearedFrame:
    """Takes the `cleared` of the same `upto` back."""

    TAG: ClassVar = "uncleared"
    room: RoomName
    epoch: Epoch
    seq: Seq
    ts: float
    member: MemberId
    upto: Seq


@frozen
class AlertNoticeFrame:
    """That an alert went out here; told as an alert by `alert`, and by this only in the history."""

    TAG: ClassVar = "alert_notice"
    room: RoomName
    epoch: Epoch
    seq: Seq
    ts: float
    member: MemberId
    alert: str
    rev: Count
    headline: str
    text: str
    status: Literal["actual", "exercise", "test"]


@frozen
class MovedFrame:
    """The room goes on in another one."""

    TAG: ClassVar = "moved"
    room: RoomName
    epoch: Epoch
    seq: Seq
    ts: float
    member: MemberId
    to: RoomName
    reason: str = ""


@frozen
class NoticeFrame:
    """The organisers speak to everybody."""

    TAG: ClassVar = "notice"
    room: RoomName
    epoch: Epoch
    seq: Seq
    ts: float
    member: MemberId
    text: str
    badge: str = ""


@frozen
class RemovedFrame:
    """This connection is no longer in the room. Not an entry."""

    TAG: ClassVar = "removed"
    room: RoomName
    reason: str
    until: float | None = None
    to: RoomName | None = None


@frozen
class NoteFrame:
    """The organisers' word to this member alone. In no room and no log."""

    TAG: ClassVar = "note"
    ts: float
    text: str


OrderFrame = (
    HiddenFrame | RestoredFrame | PinnedFrame | ClearedFrame | UnclearedFrame | AlertNoticeFrame | MovedFrame
    | NoticeFrame
)  # fmt: skip
