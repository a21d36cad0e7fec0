"""The arguments of every command, one class for each shape. Parsed by actors/admin/parsing.py; a value that is here is
valid."""

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from actors.admin.parsing import BadArgument
from actors.names import MemberId, Nickname, RoomCode, RoomName

PAGE = 100
Outcome = Literal["done", "dismissed"]
RoleWord = Literal["viewer", "moderator", "operator", "safety", "owner"]


def text(limit: int, default: Any = ...) -> Any:
    return field(metadata={"limit": limit}) if default is ... else field(default=default, metadata={"limit": limit})


def number(low: float, high: float, default: Any = ...) -> Any:
    metadata = {"between": (low, high)}
    return field(metadata=metadata) if default is ... else field(default=default, metadata=metadata)


@frozen
class Nothing:
    pass


@frozen
class Room:
    room: RoomName


@frozen
class RoomList:
    zone: str = text(48, "")
    after: str = text(64, "")
    limit: int = number(1, 200, PAGE)


@frozen
class RoomSlow:
    room: RoomName
    seconds: float = number(0, 3_600)


@frozen
class RoomCreate:
    room: RoomName
    title: str = text(120, "")
    code: RoomCode | None = None
    zone: str = text(48, "")
    capacity: int | None = number(1, 1_000_000, None)
    official: bool = False


@frozen
class RoomUpdate:
    room: RoomName
    title: str | None = text(120, None)
    code: RoomCode | None = None
    zone: str | None = text(48, None)
    capacity: int | None = number(0, 1_000_000, None)
    """0: what rooms have that nobody has set one for."""
    official: bool | None = None

    def __attrs_post_init__(self) -> None:
        if all(each is None for each in (self.title, self.code, self.zone, self.capacity, self.official)):
            raise BadArgument("an update has to change something")


@frozen
class Evacuate:
    room: RoomName
    to: RoomName

    def __attrs_post_init__(self) -> None:
        if self.room == self.to:
            raise BadArgument("must be another room", "to")


@frozen
class Export:
    room: RoomName
    format: Literal["jsonl", "csv"] = "jsonl"
    after: int = 0


@frozen
class Message:
    room: RoomName
    seq: int = number(1, 2**53 - 1)


@frozen
class MemberList:
    room: RoomName | None = None
    after: str = text(64, "")
    limit: int = number(1, 200, PAGE)


@frozen
class MemberFind:
    text: str = text(64)
    limit: int = number(1, 200, PAGE)


@frozen
class Member:
    member: MemberId


@frozen
class MemberIn:
    """`room`: None = the whole house."""

    member: MemberId
    room: RoomName | None = None


@frozen
class MemberMessage:
    member: MemberId
    text: str = text(500)


@frozen
class MemberCreate:
    nickname: Nickname
    role: str = text(24, "")
    badge: str = text(24, "")


@frozen
class MemberUpdate:
    member: MemberId
    nickname: Nickname | None = None
    role: str | None = text(24, None)
    badge: str | None = text(24, None)

    def __attrs_post_init__(self) -> None:
        if self.nickname is None and self.role is None and self.badge is None:
            raise BadArgument("an update has to change something")


@frozen
class AddressBan:
    """An address, or that of a member who is here now."""

    member: MemberId | None = None
    address: str | None = text(64, None)

    def __attrs_post_init__(self) -> None:
        if (self.member is None) == (self.address is None):
            raise BadArgument("give a member or an address")


@frozen
class Address:
    address: str = text(64)


@frozen
class Announce:
    """`rooms`: none = all of them."""

    text: str = text(1_000)
    rooms: tuple[RoomName, ...] = ()


@frozen
class Lockdown:
    level: int = number(1, 5)


@frozen
class Act:
    act: str = text(64)


@frozen
class ActRefuse:
    """`pending`: the name under which the order waits."""

    pending: str = text(64)


@frozen
class ActList:
    before: int | None = None
    operator: str = text(64, "")
    limit: int = number(1, 200, PAGE)


@frozen
class ActivityPage:
    before: int | None = None
    kind: str = text(24, "")
    room: str = text(48, "")
    operator: str = text(64, "")
    limit: int = number(1, 200, PAGE)


@frozen
class Timeline:
    since: float = 0.0
    until: float | None = None
    room: str = text(48, "")
    after: int = 0


@frozen
class ReportList:
    open: bool = True
    before: int | None = None
    limit: int = number(1, 200, PAGE)


@frozen
class ReportResolve:
    report: str = text(64)
    outcome: Outcome = "done"


@frozen
class HelpResolve:
    member: MemberId
    alert: str = text(32)


@frozen
class AlertList:
    """`after`: an alert; those before it in time follow."""

    after: str = text(32, "")
    limit: int = number(1, 200, PAGE)


@frozen
class AlertOnly:
    alert: str = text(32)


@frozen
class AlertEnd:
    alert: str = text(32)
    text: str = text(2_000, "")


@frozen
class AlertLedger:
    alert: str = text(32)
    rev: int | None = None
    state: str = text(24, "unanswered")
    room: RoomName | None = None
    page: int = number(1, 10_000, 1)


@frozen
class AlertDraft:
    """As an alert's draft reads them (actors/alerts/drafts.py), which also says what is wrong with them."""

    status: Literal["actual", "exercise", "test"]
    severity: str
    urgency: str
    certainty: str
    response: str
    expires_s: float
    headline: str = ""
    text: str = ""
    lang: str = ""
    info: Mapping[str, Any] | None = None
    rooms: tuple[RoomName, ...] = ()
    zones: tuple[str, ...] = ()
    all: bool = False
    ack: str = ""
    remind_s: float | None = None
    receipt_spread_ms: float | None = None
    correction: Mapping[str, Any] | None = None
    escalate_s: float | None = None
    escalate_below: float | None = None


@frozen
class AlertUpdate:
    """`changes`: the draft's fields that change."""

    alert: str = text(32)
    changes: Mapping[str, Any] = field(factory=dict)


@frozen
class AlertImport:
    xml: str = text(16 * 1024)


@frozen
class Operator:
    name: str = text(64)


@frozen
class OperatorAdd:
    name: str = text(64)
    role: RoleWord = "viewer"
    password: str | None = text(256, None)


@frozen
class OperatorUpdate:
    name: str = text(64)
    role: RoleWord | None = None
    password: str | None = text(256, None)
    disabled: bool | None = None


@frozen
class SessionEnd:
    session: str = text(128)


@frozen
class TokenCreate:
    """`expires_s`: from now; none = until it is revoked."""

    name: str = text(64)
    role: RoleWord = "viewer"
    expires_s: float | None = number(60, 366 * 86_400.0, None)


@frozen
class TokenRevoke:
    token: str = text(128)


@frozen
class AuditPage:
    before: int | None = None
    operator: str = text(64, "")
    command: str = text(48, "")
    limit: int = number(1, 200, PAGE)
