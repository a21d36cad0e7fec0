"""What may be said to a room. Requests ride the data lane; the second half, orders and facts, the control lane.

Every request owns a `reply`, which is answered exactly once, with its value or Refused; when the message dies with its
room, or finds the room closed, the kernel calls `undelivered` and the sender hears `internal` or `unavailable`."""

from typing import Generic, Protocol, TypeVar

from attrs import field, frozen

from actors.events import Moderation, Policy
from actors.journal.log import Page, RoomRecord, Stored
from actors.kernel import Asks, DeadReason
from actors.names import HOUSE, Cid, Epoch, MemberId, Nickname, RoomName
from actors.people.outlet import Seat
from actors.refusals import Reason, Refused

T_contra = TypeVar("T_contra", contravariant=True)
T = TypeVar("T")


class Reply(Protocol[T_contra]):
    """Never blocks, never raises."""

    def answer(self, value: T_contra | Refused) -> None: ...


@frozen
class Position:
    epoch: Epoch
    seq: int


@frozen
class Counts:
    online: int


@frozen
class Joined:
    """`mode`: fresh | resumed | gap (docs/protocol.md, join)."""

    room: RoomName
    epoch: Epoch
    head: int
    oldest: int
    mode: str
    policy: Policy
    counts: Counts
    nickname: Nickname
    """As it stands in this room: with a suffix when somebody here is called the same."""
    code: str
    title: str
    pinned: int | None = None


@frozen
class MemberCard:
    member: MemberId
    nickname: Nickname


@frozen
class MembersPage:
    members: tuple[MemberCard, ...]
    page: int
    pages: int
    online: int


@frozen
class Done:
    pass


@frozen
class Request(Generic[T]):
    reply: Reply[T] = field(eq=False)

    def undelivered(self, reason: DeadReason, retry_after_s: float) -> None:
        crashed = reason is DeadReason.CRASHED
        code = Reason.INTERNAL if crashed else Reason.UNAVAILABLE
        said = "this room stumbled over your request; try again" if crashed else "this room is closed for the moment"
        self.reply.answer(Refused(code, said, max(100, round(retry_after_s * 1000))))


@frozen
class Join(Request[Joined]):
    seat: Seat
    since: Position | None
    tail: int
    max: int
    presence: bool


@frozen
class Leave(Request[Done]):
    seat: Seat


@frozen
class Post(Request[Stored]):
    author: MemberId
    nickname: Nickname
    cid: Cid
    text: str
    reply_to: int | None


@frozen
class Edit(Request[Stored]):
    author: MemberId
    cid: Cid
    target: int
    text: str


@frozen
class Delete(Request[Stored]):
    author: MemberId
    cid: Cid
    target: int


@frozen
class React(Request[Done]):
    author: MemberId
    target: int
    emoji: str
    on: bool


@frozen
class History(Request[Page]):
    before: int | None
    after: int | None
    limit: int


@frozen
class Members(Request[MembersPage]):
    page: int


@frozen
class Typing:
    author: MemberId
    nickname: Nickname


# Control lane


@frozen
class FellBehind:
    """The outlet dropped what it had taken and has rewound the seat."""

    seat: Seat


@frozen
class SeatLost:
    """The connection is gone. The member stays present until people/ says Lapsed. Rides the data lane: the edge that
    tells it can wait, and ten thousand of them at once must not fill the lane of the orders."""

    seat: Seat


@frozen
class Lapsed:
    """The member's grace is over and no connection of theirs is in this room. Rides the data lane too: behind the
    SeatLost that it belongs to."""

    member: MemberId


@frozen
class SetPolicy(Request[Stored]):
    policy: Policy
    cid: Cid
    author: MemberId


@frozen
class Moderate(Request[Stored]):
    """An entry of the operators'. Refused(bad_anchor): what it is about is not there (any more). The same cid again is
    answered as the first time."""

    author: MemberId
    cid: Cid
    body: Moderation


@frozen
class Erase(Request[Stored]):
    """The words of all messages up to `upto` go for good, however many: at once for everybody, on disk soon after."""

    upto: int
    cid: Cid
    author: MemberId = HOUSE


@frozen
class Removed:
    """`count`: connections that were taken out."""

    count: int


@frozen
class Remove(Request[Removed]):
    """Out of this room, with all connections; each is told. `member` None: everybody. `until`: Unix seconds, for the
    telling only (whether they may come back, the standing says). `to`: the room to go to instead."""

    member: MemberId | None
    reason: str = ""
    until: float | None = None
    to: RoomName | None = None


@frozen
class Renamed:
    """A member who is here, or within grace, is called differently in the house from now on. The seats of the member
    say so too (`wanted`), for a room that cannot hear it now."""

    member: MemberId
    nickname: Nickname


@frozen
class RulesChanged:
    """The house's standing changed: everybody here is told the rules as they hold now."""


@frozen
class RecordChanged:
    """The directory's: this is what the room is called now."""

    record: RoomRecord


@frozen
class Census:
    """A question for operators and tests: who is here now."""

    asks: "Asks[RoomCensus]"


@frozen
class RoomCensus:
    room: RoomName
    epoch: Epoch
    head: int
    oldest: int
    online: int
    seats: int
    level: int
    behind: int
    tail: int
    policy: Policy
    pinned: int | None = None


RoomMessage = (
    Join | Leave | Post | Edit | Delete | React | History | Members | Typing
    | SeatLost | FellBehind | Lapsed | SetPolicy | Moderate | Erase | Remove | Renamed | RulesChanged | RecordChanged
    | Census
)  # fmt: skip
