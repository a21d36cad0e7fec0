"""The contract of a room log, in numbered rules. SQLite stands behind it (journal/actor.py); a shared log may later, so
nothing in room/ may assume that this process is the only writer.

1. `append` never waits. Every draft carries (author, cid) and the epoch it was judged under. Its `answer` is called
   exactly once, on the loop, never from inside `append`, with an Outcome. A draft whose cid the log already holds for
   this author is answered Stored(dup=True) with the first position, across restarts, however it was judged; with
   another body, or in another room, it is Refused(cid_reused). Next comes EpochChanged; only then does `refusal`
   count: a draft that its room refuses is handed in all the same, so that a retry of something everyone has seen is
   never judged by a later freeze. The same body = the same text and anchor: not the nickname, and of a policy neither
   `rev` nor `expires`, which a retry may compute anew. A message whose epoch did not verify and was set aside is no
   longer held: a retry of it is judged as new, for an ok must not point to what nobody will be shown.
2. What is answered Stored is committed at the configured durability, and so is whatever a follower is shown. When the
   disk fails a draft is Refused(unavailable): it may be on disk all the same, and the same cid handed in again tells.
3. A Following shows every entry in order and without holes, whoever wrote it. Wake-ups may merge; `take` gives what
   has come since the last one. The answers of a batch come before its wakes; one wake per room and batch. It also says
   how far retention has come, and wakes when that moves: what is before its `oldest` is served no more; whoever
   keeps a copy of it drops that.
4. Rules (PolicyChanged) are entries; retention never trims them, so that a room's rules outlive its words. The log
   sets the `rev` of a committed policy to its seq. So are orders (events.Moderation): what is Hidden or Cleared reads
   as a Tombstone, with its edits, until it is Restored or Uncleared; no page shows it. `Erased(upto)` does what Deleted
   does, for all messages up to there: at once for whoever reads, and byte by byte soon after.
5. Committing `Deleted(target)` erases the target's body and those of its edits: no byte of it is left in the database
   or its WAL soon after. Committing `Edited(target)` gives the target its new text.
6. An Edited or Deleted draft is Refused(forbidden) unless its author wrote the target (`any_author` lifts this), and
   Refused(bad_anchor) when there is no such message (any more). A tombstone is no message. So are Hidden, Restored and
   Pinned, whoever hands them in; a hidden message is one that is there.
7. No (epoch, seq) ever names two contents. Epochs sort by creation. A Following ends with its epoch: whoever is told
   EpochChanged opens the room again.
8. In-flight drafts are bounded at the source: `append` answers Refused(busy) over `max_in_flight`."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from attrs import field, frozen

from actors.events import Body, Entry
from actors.names import Cid, Epoch, MemberId, Nickname, RoomCode, RoomName
from actors.refusals import Refused


class Durability(StrEnum):
    """What "stored" means. POWER: survives a power cut. PROCESS: survives the death of the process, and a machine that
    crashes gives every room a new epoch. MEMORY: survives nothing, every start is a new epoch."""

    POWER = "power"
    PROCESS = "process"
    MEMORY = "memory"


@frozen
class Stored:
    """On disk. `dup`: it was there before; the position is the first one's."""

    epoch: Epoch
    seq: int
    ts: float
    dup: bool = False


@frozen
class EpochChanged:
    """The room began anew after this draft was judged: fold the new epoch and judge again."""

    epoch: Epoch


Outcome = Stored | Refused | EpochChanged


@frozen
class Draft:
    room: RoomName
    epoch: Epoch
    author: MemberId
    cid: Cid
    body: Body
    answer: Callable[[Outcome], None]
    refusal: Refused | None = None
    any_author: bool = False


@frozen
class RoomRecord:
    """A room as the log knows it. `oldest`: the first seq that can still be read; head + 1 when there is none."""

    name: RoomName
    code: RoomCode
    title: str
    epoch: Epoch
    head: int
    oldest: int
    created: float
    zone: str = ""
    official: bool = False
    deleted: float | None = None
    """Unix seconds since when nobody may enter; None: it is open."""
    active: float = 0.0
    """Unix seconds when somebody was last there, to the day; 0: not since it was made."""


@frozen
class Opening:
    """What a room folds when it starts: its rules (PolicyChanged, and the orders about what can still be read:
    ascending) and its tail. Rules that are as young as the tail stand in both; folding an entry twice changes nothing.
    In the tail stand the words of hidden messages too: the room veils them, and has them when they are restored."""

    record: RoomRecord
    rules: tuple[Entry, ...]
    tail: tuple[Entry, ...]
    reactions: dict[int, dict[str, int]] = field(factory=dict)
    """seq in the tail -> emoji -> how many."""


@frozen
class Page:
    """Consecutive entries, ascending. `more`: there are further ones in the direction asked, still readable."""

    epoch: Epoch
    entries: tuple[Entry, ...]
    more: bool
    oldest: int
    head: int
    reactions: dict[int, dict[str, int]] = field(factory=dict)


@frozen
class RosterRow:
    """What is remembered of a member between visits. Times in Unix seconds."""

    member: MemberId
    nickname: Nickname
    first_seen: float
    last_seen: float


class LogFailed(Exception):
    """The log cannot do this now (disk full, read-only, I/O error). `retry_after_ms` says when to try again."""

    def __init__(self, message: str, retry_after_ms: int = 2_000) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class JournalUnusable(Exception):
    """The database cannot be opened as ours; the text says what it is, where, and what to do. Never answered by
    starting an empty one."""


@frozen
class Alarm:
    """Something an operator should know. `kind`: corrupt | truncated | disk_low | disk_ok | failed | recovered |
    unclean."""

    kind: str
    text: str
    room: RoomName | None = None


class Following(Protocol):
    """One room's view of what is committed. `wake` (given to `open`) is called on the loop when `take` has news, or
    `oldest` has moved."""

    @property
    def oldest(self) -> int:
        """The first seq that can still be read, as RoomRecord.oldest: the opening's at first, later no less. It moves
        once a minute at most."""
        ...

    def take(self) -> Sequence[Entry]: ...

    def stop(self) -> None: ...


class RoomLog(Protocol):
    """All methods run on the loop's thread. The async ones raise LogFailed."""

    def append(self, draft: Draft) -> None: ...

    async def open(self, room: RoomName, tail: int, wake: Callable[[], None]) -> tuple[Opening, Following]:
        """The Following continues exactly where the Opening ends. What is loaded is verified: a room that does not
        verify begins a new epoch first, with the rules that still hold. KeyError: no such room."""
        ...

    async def read(self, room: RoomName, *, after: int | None, before: int | None, limit: int, max_bytes: int) -> Page:
        """The first entries with seq > after, or the last ones with seq < before, ascending; at most `limit` and
        about `max_bytes` of body, but at least one if there is one. From the reader pool: never behind a commit."""
        ...

    async def create(self, room: RoomName, code: RoomCode, title: str) -> RoomRecord:
        """The room's record, made if it is new. A code that is taken raises KeyError."""
        ...

    async def forget(self, room: RoomName) -> bool:
        """Remove a room without entries. False: it has some."""
        ...

    async def rooms(self) -> list[RoomRecord]: ...

    async def update(self, record: RoomRecord) -> RoomRecord:
        """Write title, code, zone, official, deleted and active as they stand in `record`. KeyError: no such room, or
        the code is another's."""
        ...

    async def purge(self, room: RoomName) -> bool:
        """Remove a room with all its entries, for good: the name begins anew, no byte of a word is left soon after.
        False: there is none."""
        ...

    async def react(self, room: RoomName, seq: int, member: MemberId, emoji: str, on: bool) -> dict[str, int]:
        """The message's counts afterwards, committed. KeyError: no such message. At most 20 different emoji a message:
        the twenty-first is not counted."""
        ...

    def seen(self, member: MemberId, nickname: Nickname) -> None:
        """Roster: note that the member is here now. Never waits; merged, written with the next batch."""
        ...

    async def erase_member(self, member: MemberId) -> None:
        """Roster: the nickname is gone, nearly always from the disk too. That somebody of this id has been here is
        known as long as it is of others."""
        ...

    async def roster(self, member: MemberId) -> RosterRow | None: ...

    async def find_members(self, text: str, limit: int) -> tuple[RosterRow, ...]:
        """Who has `text` in the nickname (ASCII letters in either case), or is called so by id; the latest seen first.
        Who has come within the last second may be missing."""
        ...
