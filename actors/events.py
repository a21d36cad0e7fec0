"""The entries of a room's log. A room is the fold of its entries; whoever folds the same entries is the same room.

An entry never changes once it is committed, with exceptions that privacy and order ask for: a deleted message's body is
erased and a hidden one's is kept back (both read as a Tombstone), and an edited message is served with its newest
text."""

from attrs import evolve, frozen

from actors.names import Cid, Epoch, MemberId, Nickname, RoomName


@frozen
class Policy:
    """The rules in force in a room. `rev` is the seq of the entry that set them; 0 is the default of a new room."""

    rev: int = 0
    frozen: bool = False
    slow_s: float = 0.0
    max_members: int = 20_000
    history: int = 1_000
    """Most entries replayed to someone who comes back."""
    presence: str = "auto"
    """auto | off"""
    expires: float | None = None
    """Unix seconds after which the room goes back to unfrozen and not slow; None = until changed."""
    reason: str = ""
    closed: bool = False
    """Nobody new comes in; who is here stays."""
    lockdown: int = 5
    """The house's level, as people are told it; an entry of the log has 5 always (actors/people/standing.py)."""
    official: bool = False
    """Made by the organisers, as people are told it."""

    def at(self, wall: float) -> "Policy":
        """The rules as they hold at this instant: an expired freeze or slow mode no longer does."""
        if self.expires is not None and wall >= self.expires:
            return evolve(self, frozen=False, slow_s=0.0, expires=None, reason="")
        return self


@frozen
class Message:
    nickname: Nickname
    text: str
    reply_to: int | None = None
    edited: int = 0
    """seq of the newest Edited entry whose text this is; 0 = as first written."""
    badge: str = ""
    """What the author was when it was written (steward, medic ...), as the server knew it."""


@frozen
class Tombstone:
    """What a deleted message, or an Edited entry of one, reads as: the seq stays, the words are gone."""

    edit_of: int | None = None
    """This was an Edited entry, of that message."""
    hidden: bool = False
    """The words are kept, and may come back."""


@frozen
class Edited:
    target: int
    text: str


@frozen
class Deleted:
    target: int


@frozen
class PolicyChanged:
    policy: Policy


@frozen
class Hidden:
    """A moderator's: the message and its edits read as tombstones until Restored."""

    target: int
    reason: str = ""


@frozen
class Restored:
    target: int


@frozen
class Pinned:
    """The one message shown above the others; None: no longer any."""

    target: int | None


@frozen
class Cleared:
    """Every message up to `upto` reads as a tombstone, until Uncleared."""

    upto: int


@frozen
class Uncleared:
    """Takes back the Cleared of the same `upto`."""

    upto: int


@frozen
class Erased:
    """The words of every message up to `upto` are gone for good; the log wipes them soon after."""

    upto: int


@frozen
class AlertNotice:
    """That an alert went out here, for whoever reads the history later. `status`: actual | exercise | test."""

    alert: str
    rev: int
    headline: str
    text: str
    status: str


@frozen
class Moved:
    """The room goes on elsewhere."""

    to: RoomName
    reason: str = ""


@frozen
class Notice:
    """The organisers speak."""

    text: str
    badge: str = ""


Veiling = Hidden | Restored | Cleared | Uncleared | Erased
"""What decides which messages read as tombstones."""
Moderation = Veiling | Pinned | AlertNotice | Moved | Notice
"""What operators write into a room's log, besides its rules."""
Body = Message | Tombstone | Edited | Deleted | PolicyChanged | Moderation


@frozen
class Entry:
    """`seq` counts 1, 2, 3 ... without holes within an `epoch`; no (epoch, seq) ever names two contents.
    `ts`: Unix seconds of the commit. `author`, `cid`: who wrote it, and the author's own name for it."""

    epoch: Epoch
    seq: int
    ts: float
    author: MemberId
    cid: Cid
    body: Body
