"""What may be said to the alerts actor. Everything that asks is answered by a value; `Refused` is an ordinary no.

    alert = await house.alerts.ask(lambda asks: Raise(asks, draft, "ana"), urgent=True)

Orders and questions ride the control lane (`urgent=True`): an alert does not wait behind ten thousand arrivals."""

from collections.abc import Mapping
from typing import Protocol

from attrs import asdict, frozen

from actors.alerts.vocabulary import Ack, Alert, AlertId, Draft, Reach, ReceiptState
from actors.kernel import Asks
from actors.names import MemberId, Nickname, RoomName
from actors.people.outlet import Outlet
from actors.refusals import Refused

PAGE_ROWS = 200
Told = tuple[tuple[AlertId, int], ...]
"""(alert, rev) that a `ready` or a join's ok has listed."""


class ReceiptReply(Protocol):
    """Where the answer to a receipt goes. None: taken (and on disk, if it had to wait for that)."""

    def answer(self, value: Refused | None) -> object: ...


@frozen
class Raise:
    """Durable within 50 ms, or sent without (`recorded` False): answered as soon as it is on its way to everybody."""

    asks: "Asks[Alert | Refused]"
    draft: Draft
    by: str


@frozen
class Update:
    """`changes`: the fields of a draft that change, as `drafts.draft_of` reads them. Whom it is for stays."""

    asks: "Asks[Alert | Refused]"
    alert: AlertId
    changes: Mapping[str, object]
    by: str


@frozen
class Cancel:
    """Withdrawn: it should not have been, or no longer is. `text` (may be empty) is shown."""

    asks: "Asks[Alert | Refused]"
    alert: AlertId
    by: str
    text: str = ""


@frozen
class AllClear:
    asks: "Asks[Alert | Refused]"
    alert: AlertId
    by: str
    text: str = ""


@frozen
class Correct:
    """An update with the prepared correction for its words."""

    asks: "Asks[Alert | Refused]"
    alert: AlertId
    by: str


@frozen
class Receipt:
    """Idempotent. `acknowledged` and `help` are answered when they are on disk."""

    reply: ReceiptReply
    member: MemberId
    alert: AlertId
    rev: int
    state: ReceiptState
    note: str = ""


@frozen
class Came:
    """A connection has become a member's. `told`: what its `ready` listed; the rest that concerns it is sent."""

    member: MemberId
    nickname: Nickname
    outlet: Outlet
    told: Told = ()


@frozen
class Joined:
    """A member sits in a room now. `told`: what the join's ok listed."""

    member: MemberId
    nickname: Nickname
    room: RoomName
    outlet: Outlet
    told: Told = ()


@frozen
class Left:
    """A member has left a room, by its own will and with one connection. Not for a connection that is lost: whoever
    has no network is still counted on, and is unreachable."""

    member: MemberId
    room: RoomName


@frozen
class PutOut:
    """Members were taken out by an order, with all their connections: of a room, or (None) of the house. They are no
    targets of what comes for their rooms, until they join one again."""

    members: tuple[MemberId, ...]
    room: RoomName | None


@frozen
class Gone:
    """A connection has ended; the member was here until now."""

    member: MemberId


@frozen
class Tally:
    """Of one ledger: targeted = unreachable + queued + written + received + seen + acknowledged."""

    unreachable: int = 0
    queued: int = 0
    written: int = 0
    received: int = 0
    seen: int = 0
    acknowledged: int = 0
    help: int = 0
    """Of everybody, joined after or not."""
    joined_after: int = 0
    helped: int = 0
    """Of `help`, those whose call has been dealt with."""

    @property
    def targeted(self) -> int:
        return self.unreachable + self.queued + self.written + self.received + self.seen + self.acknowledged

    def shown(self) -> dict[str, int]:
        return {"targeted": self.targeted, **asdict(self)}


@frozen
class Score:
    """How a drill went. Parts are 0..1 of the targeted; times are seconds after sending, None when nobody got there."""

    reached: float
    """Written to a socket, or more."""
    answered: float
    """In the wanted state."""
    half_s: float | None
    """When half of the targeted had answered."""
    most_s: float | None
    """When nine in ten had."""


@frozen
class Final:
    """How far the last revision in force had come of an alert that is over. Late receipts still count."""

    rev: int
    ack: Ack
    """The answer that it wanted."""
    total: Tally

    def shown(self) -> dict[str, object]:
        return {"rev": self.rev, "ack": self.ack.value, **self.total.shown()}


@frozen
class Report:
    """The newest revision of an alert, and how far it has come."""

    alert: Alert
    total: Tally
    rooms: Mapping[RoomName, Tally]
    """A member of two target rooms counts in both."""
    zones: Mapping[str, Tally]
    score: Score | None
    """Of exercises and tests; once they are over, of the last revision in force."""
    final: Final | None = None
    """None while the alert is in force."""
    replaced_sent: float | None = None
    """When the revision before was sent, Unix seconds; None: there is none, or it is no longer known."""


@frozen
class Summary:
    """Reports, newest alert first; of one alert, or of all that are kept. An unknown alert: nothing."""

    asks: "Asks[tuple[Report, ...]]"
    alert: AlertId | None = None


@frozen
class Person:
    member: MemberId
    nickname: str
    state: Reach
    at: float
    """Unix seconds, when this state was reached."""
    help: bool
    note: str
    joined_after: bool
    rooms: tuple[RoomName, ...]
    helped: bool
    """The call for help has been dealt with."""


@frozen
class NamesPage:
    people: tuple[Person, ...]
    page: int
    pages: int
    total: int


@frozen
class Names:
    """`state`: a Reach's word, "help" (open calls first), "help_open", "unanswered" (below the wanted state) or
    "joined_after". Pages count from 1."""

    asks: "Asks[NamesPage | Refused]"
    alert: AlertId
    rev: int | None
    """None = the newest."""
    state: str
    room: RoomName | None = None
    page: int = 1


@frozen
class HelpCall:
    """Whether a member's call for help has been dealt with; BAD_ANCHOR: there is no such alert, or no such call."""

    asks: "Asks[bool | Refused]"
    alert: AlertId
    member: MemberId


@frozen
class ResolveHelp:
    """The call has been dealt with (`done`), or is open again. Idempotent; answered when it is on disk."""

    asks: "Asks[Refused | None]"
    alert: AlertId
    member: MemberId
    done: bool


@frozen
class Previewed:
    people: int
    """Whom the draft would be for now."""
    connected: int
    """Of them here now."""
    rooms: tuple[RoomName, ...]
    frame: bytes
    """As clients would get it (JSON)."""


@frozen
class Preview:
    asks: "Asks[Previewed | Refused]"
    draft: Draft


@frozen
class EraseMember:
    """Nickname and notes of a member go, for good: from every ledger and from the roster, in memory and on disk. The
    rows stay, under the bare number, so that every count does. Answered when no byte of them is left in alerts.db;
    Refused: not now, ask again."""

    asks: "Asks[Refused | None]"
    member: MemberId


AlertsMessage = (
    Raise
    | Update
    | Cancel
    | AllClear
    | Correct
    | Receipt
    | Came
    | Joined
    | Left
    | PutOut
    | Gone
    | Summary
    | Names
    | HelpCall
    | ResolveHelp
    | Preview
    | EraseMember
)
