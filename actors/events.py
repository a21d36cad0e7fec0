"""The entries of a room's log. A room is the fold of its entries; whoever folds the same entries is the same room.

An entry never changes once it is committed, with two exceptions that privacy asks for: a deleted message's body is
erased (it then reads as a Tombstone), and an edited message is served with its newest text."""

from attrs import evolve, frozen

from actors.names import Cid, Epoch, MemberId, Nickname


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


@frozen
class Tombstone:
    """What a deleted message, or an Edited entry of one, reads as: the seq stays, the words are gone."""

    edit_of: int | None = None
    """This was an Edited entry, of that message."""


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


Body = Message | Tombstone | Edited | Deleted | PolicyChanged


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
