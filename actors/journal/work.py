"""What the desk hands to the writer for one commit, and what comes back."""

from collections.abc import Mapping, Sequence

from attrs import field, frozen

from actors.clock import Now
from actors.events import Entry
from actors.journal.log import Draft, LogFailed, Outcome
from actors.names import MemberId, Nickname, RoomName


@frozen
class Reaction:
    room: RoomName
    seq: int
    member: MemberId
    emoji: str
    on: bool


@frozen
class Seen:
    nickname: Nickname
    ts: float


@frozen
class Work:
    """What goes into one commit."""

    now: Now
    drafts: Sequence[Draft] = ()
    reactions: Sequence[Reaction] = ()
    seen: Mapping[MemberId, Seen] = field(factory=dict)


@frozen
class Committed:
    """`reactions`: the counts, or why there are none. `again`: what of the roster is to be tried again. `resync`: the
    log may have moved further than the news say. `ok`: False when something of the work could not be written."""

    outcomes: Sequence[Outcome]
    reactions: Sequence[dict[str, int] | KeyError | LogFailed]
    news: Mapping[RoomName, Sequence[Entry]]
    rows: int
    again: Mapping[MemberId, Seen] = field(factory=dict)
    resync: bool = False
    ok: bool = True


class CommitInDoubt(Exception):
    """COMMIT itself failed: what it was to write may or may not be there. The cause says why."""
