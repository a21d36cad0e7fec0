"""The words of an alert: those of OASIS CAP 1.2 (docs.oasis-open.org/emergency/cap/v1.2, section 3.2), and what an
operator writes. Pure. Whatever comes from outside is read by `drafts.draft_of`, which says what is wrong in words for
the person who typed it."""

import re
from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import NewType

from attrs import evolve, field, frozen

from actors.names import RoomName

AlertId = NewType("AlertId", str)
ALERT_ID = re.compile(r"A[0-9]{3,9}-[0-9A-Z]{3}", re.ASCII)
"""A number to say over a radio, and three letters: an alert that was never recorded, because the disk was full, must
not lend its name to the next one after a restart."""
ZONE = re.compile(r"[a-z0-9][a-z0-9-]{0,47}", re.ASCII)
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)


ERASED = "(erased)"
"""What somebody is called of whom nothing is kept."""


class Status(StrEnum):
    ACTUAL = "actual"
    EXERCISE = "exercise"
    """A drill: it looks different, is confirmed differently, and gets a score."""
    TEST = "test"


class Severity(StrEnum):
    EXTREME = "extreme"
    SEVERE = "severe"
    MODERATE = "moderate"
    MINOR = "minor"
    UNKNOWN = "unknown"


class Urgency(StrEnum):
    IMMEDIATE = "immediate"
    EXPECTED = "expected"
    FUTURE = "future"
    PAST = "past"
    UNKNOWN = "unknown"


class Certainty(StrEnum):
    OBSERVED = "observed"
    LIKELY = "likely"
    POSSIBLE = "possible"
    UNLIKELY = "unlikely"
    UNKNOWN = "unknown"


class Response(StrEnum):
    SHELTER = "shelter"
    EVACUATE = "evacuate"
    PREPARE = "prepare"
    EXECUTE = "execute"
    AVOID = "avoid"
    MONITOR = "monitor"
    ASSESS = "assess"
    ALL_CLEAR = "all_clear"
    NONE = "none"


class Kind(StrEnum):
    """What a revision is. The last two end the alert."""

    ALERT = "alert"
    UPDATE = "update"
    CANCEL = "cancel"
    ALL_CLEAR = "all_clear"


class Ack(StrEnum):
    """What is wanted of each target."""

    NONE = "none"
    SEEN = "seen"
    REQUIRED = "required"


class Life(StrEnum):
    ACTIVE = "active"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    CLEARED = "cleared"


class Reach(IntEnum):
    """How far an alert has come with one target. Only ever rises."""

    UNREACHABLE = 0
    """Not connected since it was raised."""
    QUEUED = 1
    """Handed to a connection, and not known to have left."""
    WRITTEN = 2
    """Its bytes have left for the socket."""
    RECEIVED = 3
    SEEN = 4
    ACKNOWLEDGED = 5

    @property
    def word(self) -> str:
        return self.name.lower()


class ReceiptState(StrEnum):
    RECEIVED = "received"
    SEEN = "seen"
    ACKNOWLEDGED = "acknowledged"
    HELP = "help"
    """A flag beside the state: this person needs help."""


WANTED = {Ack.NONE: Reach.WRITTEN, Ack.SEEN: Reach.SEEN, Ack.REQUIRED: Reach.ACKNOWLEDGED}
"""Who is below it is reminded."""
ASKED = {reach: ack for ack, reach in WANTED.items()}
"""The other way round."""


@frozen
class Words:
    headline: str
    text: str = ""


@frozen
class Draft:
    """What an operator has written. Exactly one of `rooms`, `zones` and `all` says whom it is for."""

    status: Status
    severity: Severity
    urgency: Urgency
    certainty: Certainty
    response: Response
    info: Mapping[str, Words]
    """By language (BCP 47), the first one is the house's own."""
    expires_s: float
    """Counted from each revision's sending."""
    rooms: tuple[RoomName, ...] = ()
    zones: tuple[str, ...] = ()
    all: bool = False
    ack: Ack = Ack.NONE
    remind_s: float = 60.0
    """0 = never."""
    receipt_spread_ms: int = 5_000
    """Over which clients spread `received` and `seen`, so that ten thousand do not answer in one tick."""
    correction: Words | None = None
    """Prepared with the alert, sent by one command."""
    escalate_s: float | None = None
    escalate_below: float = 1.0
    """After `escalate_s`, less than this part in the wanted state: an alarm, and a reminder at once."""

    @property
    def headline(self) -> str:
        return next(iter(self.info.values())).headline

    @property
    def language(self) -> str:
        return next(iter(self.info))


@frozen
class Alert:
    """One revision of an alert. `(id, rev)` never names two contents."""

    id: AlertId
    rev: int
    kind: Kind
    draft: Draft
    sent: float
    """Unix seconds, of this revision."""
    expires: float
    by: str
    rooms: tuple[RoomName, ...]
    """The target rooms, zones resolved; empty when it is for all."""
    state: Life = Life.ACTIVE
    recorded: bool = field(default=True, eq=False)
    """False: it went out before it was on disk."""

    @property
    def wanted(self) -> Reach:
        return WANTED[self.draft.ack] if self.state is Life.ACTIVE else Reach.WRITTEN

    @property
    def is_drill(self) -> bool:
        return self.draft.status is not Status.ACTUAL

    def with_state(self, state: Life) -> "Alert":
        return evolve(self, state=state)
