"""The frames of the admin channel, `bandstand.admin.v1` on /admin/ws (docs/protocol.md, section 12). The envelope is
the chat's: a client's `id` comes back as `re`.

A field with a default is left out of a server's frame while it has it; the others are always there."""

from typing import Any, ClassVar, NewType

from attrs import field, frozen

from actors.names import Cid
from gateway.protocol.kinds import BadValue, Count, RequestId, Token

Name = NewType("Name", str)
"""Of a command, an operator, a topic: 1 to 64 printable characters."""
Secret = NewType("Secret", str)
"""A password or a set-up code: at most 256 characters."""
Words = NewType("Words", str)
"""A reason, or what a person typed to confirm: at most 500 characters."""
Args = NewType("Args", dict[str, Any])
"""A command's arguments; the command table says which."""
NO_ARGS = Args({})
NO_WORDS = Words("")


# What an operator says


@frozen
class Auth:
    """By password, by token (an operator's session or a program's), or for the first operator by the set-up code."""

    TAG: ClassVar = "auth"
    id: RequestId
    operator: Name | None = None
    password: Secret | None = None
    token: Token | None = None
    setup: Secret | None = None

    def __attrs_post_init__(self) -> None:
        by_name = self.operator is not None and self.password is not None
        if (self.token is not None) == by_name or (self.setup is not None and not by_name):
            raise BadValue("needs operator and password (with setup for the first operator), or a token")


@frozen
class Command:
    """`cid`: an act's own name, so that a retry runs once; reads need none."""

    TAG: ClassVar = "command"
    id: RequestId
    name: Name
    cid: Cid | None = None
    args: Args = NO_ARGS
    reason: Words = NO_WORDS
    dry_run: bool = False
    ttl_s: float | None = None
    expect_rev: Count | None = None
    confirm_of: Name | None = None
    confirm: Words = NO_WORDS
    break_glass: bool = False


@frozen
class Watch:
    """`since`: of the activity feed, the last event that the client has."""

    TAG: ClassVar = "watch"
    id: RequestId
    topic: Name
    since: Count | None = None


@frozen
class Unwatch:
    TAG: ClassVar = "unwatch"
    id: RequestId
    topic: Name


@frozen
class Heartbeat:
    """The echo of the server's, or (with an id) a question whether anybody is there."""

    TAG: ClassVar = "heartbeat"
    id: RequestId | None = None
    t: float | None = None


AdminClientFrame = Auth | Command | Watch | Unwatch | Heartbeat


# What the server says


@frozen
class Hello:
    """`setup`: there is no operator yet, so the set-up code is taken."""

    TAG: ClassVar = "hello"
    v: int
    node: str
    event: str
    now: float
    setup: bool
    features: tuple[str, ...]


@frozen
class CommandCard:
    """A command that this operator may give. `args`: name -> kind, `?` at the end = may be left out. `confirm`: it may
    ask for typed words; the dry run says which."""

    name: str
    role: str
    undo: str
    second: bool
    reads: bool
    confirm: bool
    timed: bool
    summary: str
    args: dict[str, str]


@frozen
class Ready:
    TAG: ClassVar = "ready"
    re: RequestId
    operator: str
    role: str
    session: str
    token: str
    commands: tuple[CommandCard, ...]


@frozen
class Ok:
    """Of watch, unwatch and heartbeat."""

    TAG: ClassVar = "ok"
    re: RequestId


@frozen
class OkCommand:
    TAG: ClassVar = "ok"
    re: RequestId
    act: str
    rev: Count
    affected: Count
    undo: str
    undo_until: float | None
    dry_run: bool
    detail: dict[str, Any]


@frozen
class OkPending:
    """It waits for a second person, who gives the same command with `confirm_of`."""

    TAG: ClassVar = "ok"
    re: RequestId
    pending: str
    expires: float
    detail: dict[str, Any]


@frozen(kw_only=True)
class ErrorFrame:
    TAG: ClassVar = "error"
    re: RequestId | None = None
    code: str
    message: str
    retry: bool
    retry_after_ms: Count | None = None
    path: str | None = None


@frozen
class Snapshot:
    """`body`: the topic's own fields, which stand beside `topic` and `age_ms`."""

    TAG: ClassVar = "snapshot"
    topic: str
    age_ms: Count
    body: dict[str, Any] = field(factory=dict)


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


AdminServerFrame = (
    Hello | Ready | Ok | OkCommand | OkPending | ErrorFrame | Snapshot | HeartbeatFrame | Bye
)  # fmt: skip
