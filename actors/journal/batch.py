"""One batch of drafts on its way into the log: each is judged against what is stored and what comes before it in the
same batch. Runs inside the writer's transaction; nothing here touches a room's state before the commit."""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from typing import assert_never

from attrs import evolve, frozen

from actors.events import (
    AlertNotice,
    Body,
    Cleared,
    Deleted,
    Edited,
    Entry,
    Erased,
    Hidden,
    Message,
    Moved,
    Notice,
    Pinned,
    PolicyChanged,
    Restored,
    Tombstone,
    Uncleared,
)
from actors.journal import bulk
from actors.journal.codec import (
    DELETED,
    EDITED,
    ERASED,
    MESSAGE,
    Damaged,
    Row,
    decode,
    encode,
    is_gone,
    kind_of,
    link,
    plain,
    same_words,
    target_of,
)
from actors.journal.log import Draft, EpochChanged, Outcome, Stored
from actors.journal.marks import Mark
from actors.journal.pages import Room
from actors.journal.retention import erase_message
from actors.names import Epoch, RoomName
from actors.refusals import Reason, Refused

SEAL_BYTES = 16
DISK_LOW = Refused(Reason.UNAVAILABLE, "the server's disk is nearly full: messages cannot be stored now", 10_000)

# CROSS JOIN, because SQLite would rather scan the whole table once than look up each key.
_find_cids = """SELECT e.author, e.cid, p.room, p.id, p.name, e.seq, e.ts, e.kind, e.target, e.body
    FROM (VALUES {keys}) k CROSS JOIN entries e ON e.author = k.column1 AND e.cid = k.column2
    CROSS JOIN epochs p ON p.id = e.epoch"""
_insert_entries = """INSERT OR ROLLBACK INTO entries
    (epoch, seq, ts, kind, author, cid, target, body, seal, chain) VALUES """
_free_cid = """UPDATE OR IGNORE entries SET author = char(65 + epoch % 26) || substr(author, 2)
    WHERE author = ? AND cid = ? AND epoch = ? AND seq = ?"""
_insert_heads = "INSERT OR REPLACE INTO heads VALUES "


@frozen
class Known:
    """What the log holds under a cid."""

    author: str
    cid: str
    room_id: int
    epoch_id: int
    epoch: Epoch
    seq: int
    ts: float
    kind: int
    target: int | None
    body: bytes

    @property
    def words_of(self) -> tuple[int, int] | None:
        """The message that it is, or is an edit of."""
        if self.kind not in (MESSAGE, EDITED):
            return None
        return self.epoch_id, self.seq if self.target is None else self.target

    def answer(self, room_id: int | None, offered: Body, erased: bool) -> Outcome:
        """`erased`: its words are, although they were still there when it was found."""
        same = plain(self.kind) == kind_of(offered) and (erased or self._same_words(offered))
        if self.room_id != room_id or not same:
            return Refused(Reason.CID_REUSED, "this cid already names something else of yours")
        return Stored(self.epoch, self.seq, self.ts, dup=True)

    def is_out_of_sight(self, room: Room) -> bool:
        """A message in an epoch of this room that did not verify and was set aside: nobody is shown it any more."""
        return self.kind == MESSAGE and self.room_id == room.id and self.epoch_id != room.epoch_id

    def _same_words(self, offered: Body) -> bool:
        """Words that are erased cannot be compared: the cid alone decides."""
        if is_gone(self.kind):
            return True
        try:
            return same_words(decode(self.kind, self.body), offered)
        except Damaged:
            return True


@frozen
class Target:
    author: str
    standing: bool


class Batch:
    """`judge` each draft in order, then `write`. Afterwards: `outcomes` in the drafts' order, `news` per room."""

    def __init__(
        self,
        db: sqlite3.Connection,
        rooms: Mapping[RoomName, Room],
        drafts: Sequence[Draft],
        wall: float,
        disk_low: bool,
    ) -> None:
        self._db = db
        self._rooms = rooms
        self._wall = wall
        self._disk_low = disk_low
        self._seals = os.urandom(SEAL_BYTES * len(drafts))
        self._known = self._find(drafts)
        self._targets: dict[tuple[int, int], Target] = {}
        self.outcomes: list[Outcome] = []
        self.rows: list[Row] = []
        self.erased: dict[tuple[int, int], None] = {}
        self.wiped: dict[int, int] = {}
        """Epochs in which everything up to a seq is to be erased."""
        self.marks: dict[int, Mark] = {}
        """Where the epochs' heads are after this batch."""
        self.news: dict[RoomName, list[Entry]] = {}
        for draft in drafts:
            self.outcomes.append(self._judge(draft))

    def write(self) -> None:
        if not self.rows:
            return
        bulk.insert(self._db, _insert_entries, [_values(row) for row in self.rows])
        bulk.insert(self._db, _insert_heads, [(epoch, mark.head, mark.chain) for epoch, mark in self.marks.items()])
        for epoch, target in self.erased:
            erase_message(self._db, epoch, target)
        for epoch, upto in self.wiped.items():
            self._db.execute("INSERT OR IGNORE INTO erasures VALUES (?, ?, 0)", (epoch, upto))

    def _find(self, drafts: Sequence[Draft]) -> dict[tuple[str, str], Known]:
        keys = [(draft.author, draft.cid) for draft in drafts]
        return {(known.author, known.cid): known for known in bulk.select(self._db, Known, _find_cids, keys)}

    def _judge(self, draft: Draft) -> Outcome:
        if isinstance(draft.body, Tombstone):
            return Refused(Reason.BAD_FRAME, "a tombstone is not written, it is what is left")
        room = self._rooms.get(draft.room)
        known = self._known.get((draft.author, draft.cid))
        if known is not None:
            answer = known.answer(None if room is None else room.id, draft.body, known.words_of in self.erased)
            if room is None or isinstance(answer, Refused) or not known.is_out_of_sight(room):
                return answer
        if room is None:
            return Refused(Reason.UNKNOWN_ROOM, "there is no such room")
        if draft.epoch != room.epoch:
            return EpochChanged(room.epoch)
        refused = draft.refusal or self._refusal(room, draft)
        if refused is None and known is not None and not self._free_cid(known):
            return answer
        return refused if refused is not None else self._stage(room, draft)

    def _free_cid(self, known: Known) -> bool:
        """The entry that was set aside stays, with its author under another name of the same length (schema.py says
        why), another one for each epoch. False: that of the 26th epoch before is in the way."""
        where = (known.author, known.cid, known.epoch_id, known.seq)
        return self._db.execute(_free_cid, where).rowcount > 0

    def _refusal(self, room: Room, draft: Draft) -> Refused | None:
        match draft.body:
            case Message():
                return DISK_LOW if self._disk_low else None
            case Edited(target):
                refused = self._refused_target(room, target, draft)
                return DISK_LOW if refused is None and self._disk_low else refused
            case Deleted(target):
                return self._refused_target(room, target, draft)
            case Hidden(target) | Restored(target) | Pinned(int() as target):
                return self._refused_target(room, target, evolve(draft, any_author=True))
            case Cleared() | Uncleared() | Erased() | Pinned() | AlertNotice() | Moved() | Notice():
                return None
            case PolicyChanged() | Tombstone():
                return None
            case _:
                assert_never(draft.body)

    def _refused_target(self, room: Room, seq: int, draft: Draft) -> Refused | None:
        target = self._target(room, seq)
        if target is None or not target.standing or seq <= self._erased_upto(room):
            return Refused(Reason.BAD_ANCHOR, "there is no such message any more")
        if target.author != draft.author and not draft.any_author:
            return Refused(Reason.FORBIDDEN, "this message is not yours")
        return None

    def _erased_upto(self, room: Room) -> int:
        """What an order has erased is gone, whether or not it has been wiped yet."""
        query = "SELECT max(target) FROM entries WHERE epoch = ? AND kind = ? AND kind >= 20"
        (stored,) = self._db.execute(query, (room.epoch_id, ERASED)).fetchone()
        return max(stored or 0, self.wiped.get(room.epoch_id, 0))

    def _target(self, room: Room, seq: int) -> Target | None:
        """As this batch leaves it so far."""
        target = self._targets.get((room.epoch_id, seq))
        if target is None and seq >= room.oldest:
            query = "SELECT author, kind FROM entries WHERE epoch = ? AND seq = ?"
            found = self._db.execute(query, (room.epoch_id, seq)).fetchone()
            return None if found is None else Target(found[0], found[1] == MESSAGE)
        return target

    def _stage(self, room: Room, draft: Draft) -> Outcome:
        mark = self.marks.get(room.epoch_id) or Mark(room.head, room.chain)
        seq = mark.head + 1
        body = draft.body
        if isinstance(body, PolicyChanged):
            body = PolicyChanged(evolve(body.policy, rev=seq))
        try:
            words = encode(body)
            draft.cid.encode()
        except UnicodeEncodeError:
            return Refused(Reason.BAD_FRAME, "the text is not valid Unicode")
        row = self._row(room, seq, draft, body, words, mark.chain)
        self.rows.append(row)
        self.marks[room.epoch_id] = Mark(seq, row.chain)
        self._known[row.author, row.cid] = Known(
            row.author, row.cid, room.id, room.epoch_id, room.epoch, seq, row.ts, row.kind, row.target, words
        )
        self._note_target(row)
        self.news.setdefault(room.name, []).append(Entry(room.epoch, seq, row.ts, draft.author, draft.cid, body))
        return Stored(room.epoch, seq, row.ts)

    def _row(self, room: Room, seq: int, draft: Draft, body: Body, words: bytes, prior: bytes) -> Row:
        start = SEAL_BYTES * len(self.rows)
        seal = self._seals[start : start + SEAL_BYTES]
        kind, target = kind_of(body), target_of(body)
        chain = link(room.born, prior, seq, self._wall, kind, draft.author, draft.cid, target, words, seal)
        return Row(room.epoch_id, seq, self._wall, kind, draft.author, draft.cid, target, words, seal, chain)

    def _note_target(self, row: Row) -> None:
        if row.kind == MESSAGE:
            self._targets[row.epoch, row.seq] = Target(row.author, True)
        elif row.kind == DELETED and row.target is not None:
            self._targets[row.epoch, row.target] = Target("", False)
            self.erased[row.epoch, row.target] = None
        elif row.kind == ERASED and row.target is not None:
            self.wiped[row.epoch] = max(row.target, self.wiped.get(row.epoch, 0))


def _values(row: Row) -> tuple[bulk.Value, ...]:
    return (row.epoch, row.seq, row.ts, row.kind, row.author, row.cid, row.target, row.body, row.seal, row.chain)
