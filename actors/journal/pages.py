"""Reading: rooms, pages, openings. Plain functions on a connection; each sees one consistent picture."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import takewhile
from operator import ne

from attrs import define, evolve, frozen

from actors.events import Edited, Entry, Message, Tombstone
from actors.journal.codec import (
    CLEARED,
    EDITED,
    ERASED,
    GONE,
    HIDDEN,
    MESSAGE,
    ORDERS,
    RESTORED,
    UNCLEARED,
    Damaged,
    Row,
    decode,
    entry_of,
    first_link,
    lost_row,
    plain,
    row_of,
)
from actors.journal.database import is_damage, unless_damaged
from actors.journal.log import Opening, Page, RoomRecord, RosterRow
from actors.journal.sizes import fitting
from actors.names import Cid, Epoch, MemberId, Nickname, RoomCode, RoomName


@define
class Room:
    """A room as the tables have it; the writer keeps one of each in memory."""

    id: int
    name: RoomName
    code: RoomCode
    title: str
    created: float
    epoch_id: int
    epoch: Epoch
    born: str
    oldest: int
    suspect: bool
    head: int
    chain: bytes
    zone: str
    official: int
    deleted: float | None
    active: float

    @property
    def record(self) -> RoomRecord:
        return RoomRecord(
            self.name, self.code, self.title, self.epoch, self.head, self.oldest, self.created, self.zone,
            bool(self.official), self.deleted, self.active,
        )  # fmt: skip


@frozen
class Unverified(Exception):
    """What was read is not what was written. `seq`: the first entry that does not fit."""

    room: Room
    seq: int


@contextmanager
def snapshot(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("ROLLBACK")


_rooms = """SELECT r.id, r.name, r.code, r.title, r.created, e.id, e.name, e.born, e.oldest, e.suspect, h.head, h.chain,
    r.zone, r.official, r.deleted, r.active
    FROM rooms r JOIN epochs e ON e.id = r.epoch JOIN heads h ON h.epoch = e.id"""


def rooms(db: sqlite3.Connection) -> list[Room]:
    return [Room(*row) for row in db.execute(_rooms + " ORDER BY r.name")]


def room(db: sqlite3.Connection, name: RoomName) -> Room:
    """KeyError: no such room."""
    found = db.execute(_rooms + " WHERE r.name = ?", (name,)).fetchone()
    if found is None:
        raise KeyError(name)
    return Room(*found)


_range = """SELECT epoch, seq, ts, kind, author, cid, target, body, seal, chain FROM entries
    WHERE epoch = ? AND seq >= ? AND seq <= ? ORDER BY seq LIMIT ?"""
_range_backwards = _range.replace("ORDER BY seq", "ORDER BY seq DESC")
_rules = """SELECT epoch, seq, ts, kind, author, cid, target, body, seal, chain FROM entries
    WHERE epoch = ? AND kind = 5 ORDER BY seq"""


_orders = """SELECT epoch, seq, ts, kind, author, cid, target, body, seal, chain FROM entries
    WHERE epoch = ? AND kind >= 20 AND kind < ? ORDER BY seq"""


def rows_between(db: sqlite3.Connection, epoch: int, first: int, last: int, limit: int = -1) -> list[Row]:
    return [row_of(*row) for row in db.execute(_range, (epoch, first, last, limit))]


def rule_rows(db: sqlite3.Connection, epoch: int) -> list[Row]:
    return [row_of(*row) for row in db.execute(_rules, (epoch,))]


def rule_rows_backwards(db: sqlite3.Connection, epoch: int) -> Iterator[Row]:
    """Each by itself, since some may be damaged."""
    query = "SELECT seq FROM entries WHERE epoch = ? AND kind = 5 ORDER BY seq DESC"
    return (_alone(db, epoch, seq) for (seq,) in db.execute(query, (epoch,)).fetchall())


def order_rows(db: sqlite3.Connection, of: Room) -> list[Row]:
    """Those before `oldest` too: a later edit of what they hide may still be served."""
    return [row_of(*row) for row in db.execute(_orders, (of.epoch_id, ORDERS.stop))]


def page(
    db: sqlite3.Connection,
    name: RoomName,
    *,
    after: int | None,
    before: int | None,
    limit: int,
    max_bytes: int,
    veiled: bool = True,
) -> Page:
    """See RoomLog.read. KeyError: no such room. `veiled` False: the words of hidden messages too, for a room to
    fold."""
    with snapshot(db):
        of = room(db, name)
        ascending = after is not None
        first = max(of.oldest, 1 if after is None else after + 1)
        last = of.head if before is None else min(of.head, before - 1)
        rows = _bounded(db, of.epoch_id, first, last, ascending, limit, max_bytes)
        if not rows:
            return Page(of.epoch, (), False, of.oldest, of.head)
        reactions = unless_damaged(lambda: reactions_between(db, of.epoch_id, rows[0].seq, rows[-1].seq)) or {}
        veil = _veil_over(db, of, rows) if veiled else _erased(db, of)
        entries = served(db, of, rows, veil)
        shown = {
            seq: counts for seq, counts in reactions.items() if isinstance(entries[seq - rows[0].seq].body, Message)
        }
        entries = tuple(fitting(entries, max_bytes, newest=not ascending, reactions=shown))
        more = entries[-1].seq < of.head if ascending else entries[0].seq > of.oldest
        first, last = entries[0].seq, entries[-1].seq
        listed = {seq: counts for seq, counts in shown.items() if first <= seq <= last}
        return Page(of.epoch, entries, more, of.oldest, of.head, listed)


def _bounded(
    db: sqlite3.Connection, epoch: int, first: int, last: int, ascending: bool, limit: int, max_bytes: int
) -> list[Row]:
    """No more than can fit: what does is seen when they are put together (sizes.py)."""
    limit = max(1, limit)
    if ascending:
        seqs = range(first, min(last, first + limit - 1) + 1)
    else:
        seqs = range(last, max(first, last - limit + 1) - 1, -1)
    rows: list[Row] = []
    for row in _each(db, epoch, seqs):
        max_bytes -= len(row.body)
        if rows and max_bytes < 0:
            break
        rows.append(row)
    return rows if ascending else rows[::-1]


def _each(db: sqlite3.Connection, epoch: int, seqs: range) -> Iterator[Row]:
    """A row for each of them, in this order, all of which were written and not dropped: a page of history is not lost
    for one that cannot be read, or that is not found."""
    if not seqs:
        return
    left = iter(seqs)
    try:
        sql = _range if seqs.step > 0 else _range_backwards
        with closing(db.execute(sql, (epoch, min(seqs), max(seqs), len(seqs)))) as cursor:
            for values in cursor:
                row = row_of(*values)
                yield from (lost_row(epoch, seq) for seq in takewhile(partial(ne, row.seq), left))
                yield row
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
    yield from (_alone(db, epoch, seq) for seq in left)


def _alone(db: sqlite3.Connection, epoch: int, seq: int) -> Row:
    rows = unless_damaged(lambda: rows_between(db, epoch, seq, seq))
    return rows[0] if rows else lost_row(epoch, seq)


@frozen
class Veil:
    """What of an epoch reads as tombstones. `oldest`: edits of what was before it, which is gone, and so may be the
    order that had hidden it; `floor`: everything up to it; `erased`: for good up to there."""

    oldest: int
    erased: int = 0
    floor: int = 0
    hidden: frozenset[int] = frozenset()

    def over(self, row: Row) -> Tombstone | None:
        """Instead of the row's body; None: it is shown."""
        if row.kind not in (MESSAGE, EDITED):
            return None
        about = row.target if row.kind == EDITED else None
        seq = row.seq if about is None else about
        if seq <= self.erased or seq < self.oldest:
            return Tombstone(about)
        return Tombstone(about, hidden=True) if seq <= self.floor or seq in self.hidden else None


def _floors(db: sqlite3.Connection, of: Room) -> Veil:
    """Without what is hidden one by one. A few rows out of an index."""
    query = "SELECT kind, target FROM entries WHERE epoch = ? AND kind IN (?, ?, ?) AND kind >= 20 ORDER BY seq"
    cleared: set[int] = set()
    erased = 0
    for kind, upto in db.execute(query, (of.epoch_id, CLEARED, UNCLEARED, ERASED)):
        if kind == ERASED:
            erased = max(erased, upto)
        elif kind == CLEARED:
            cleared.add(upto)
        else:
            cleared.discard(upto)
    return Veil(of.oldest, erased, max(erased, *cleared, 0))


def _erased(db: sqlite3.Connection, of: Room) -> Veil:
    """What is gone for good: what is hidden is shown to the room itself, which veils it."""
    return Veil(of.oldest, _floors(db, of).erased)


def _veil(db: sqlite3.Connection, of: Room, rows: Sequence[Row]) -> Veil:
    floors = _floors(db, of)
    any_hidden = db.execute("SELECT 1 FROM entries WHERE epoch = ? AND kind = ? AND kind >= 20", (of.epoch_id, HIDDEN))
    if any_hidden.fetchone() is None:
        return floors
    about = {row.target if row.kind == EDITED and row.target is not None else row.seq for row in rows}
    query = """SELECT target, kind, max(seq) FROM entries
        WHERE epoch = ? AND target IN (SELECT value FROM json_each(?)) AND kind IN (?, ?) GROUP BY target"""
    found = db.execute(query, (of.epoch_id, str([*about]), HIDDEN, RESTORED))
    return evolve(floors, hidden=frozenset(target for target, kind, _ in found if kind == HIDDEN))


def _veil_over(db: sqlite3.Connection, of: Room, rows: Sequence[Row]) -> Veil:
    """Where the orders cannot be read, everything is hidden: nobody is shown what should not be."""
    return unless_damaged(lambda: _veil(db, of, rows)) or Veil(of.oldest, floor=of.head)


def served(db: sqlite3.Connection, of: Room, rows: Sequence[Row], veil: Veil) -> tuple[Entry, ...]:
    """The rows, consecutive and ascending, as entries: a message with its newest text."""
    if not rows:
        return ()
    newest = _newest_edits(db, of.epoch_id, range(rows[0].seq, rows[-1].seq + 1))
    return tuple(_served(of.epoch, row, newest.get(row.seq), veil) for row in rows)


def _served(epoch: Epoch, row: Row, edit: tuple[int, bytes] | None, veil: Veil) -> Entry:
    """A row that does not read is shown as a tombstone: the journal's own checks raise the alarm, and a page of history
    is not lost for one bad row."""
    veiled = veil.over(row)
    if veiled is not None:
        return Entry(epoch, row.seq, row.ts, MemberId(row.author), Cid(row.cid), veiled)
    try:
        entry = entry_of(epoch, row)
        if edit is not None and isinstance(entry.body, Message):
            words = decode(EDITED, edit[1])
            if isinstance(words, Edited):
                return evolve(entry, body=evolve(entry.body, text=words.text, edited=edit[0]))
        return entry
    except Damaged:
        kind = plain(row.kind)
        return entry_of(epoch, evolve(row, kind=(kind if kind < GONE else MESSAGE) + GONE))


def _newest_edits(db: sqlite3.Connection, epoch: int, targets: range) -> dict[int, tuple[int, bytes]]:
    """target -> (seq, body) of the newest edit. `body` is of the row that has the max (sqlite.org/lang_select.html,
    bare columns in an aggregate); where that cannot be read it is empty, which is no edit: the older words may be just
    what its author took back."""
    query = """SELECT target, max(seq), body FROM entries
        WHERE epoch = ? AND target >= ? AND target <= ? AND kind = ? GROUP BY target"""

    def newest(first: int, last: int) -> dict[int, tuple[int, bytes]]:
        return {target: (seq, body) for target, seq, body in db.execute(query, (epoch, first, last, EDITED))}

    found = unless_damaged(lambda: newest(targets[0], targets[-1]))
    if found is not None:
        return found
    alone = {seq: unless_damaged(partial(newest, seq, seq)) for seq in targets}
    return {seq: (0, b"") if edit is None else edit[seq] for seq, edit in alone.items() if edit is None or edit}


def reactions_between(db: sqlite3.Connection, epoch: int, first: int, last: int) -> dict[int, dict[str, int]]:
    counts: dict[int, dict[str, int]] = {}
    query = "SELECT seq, emoji, count(*) FROM reactions WHERE epoch = ? AND seq >= ? AND seq <= ? GROUP BY seq, emoji"
    for seq, emoji, number in db.execute(query, (epoch, first, last)):
        counts.setdefault(seq, {})[emoji] = number
    return counts


def is_message(db: sqlite3.Connection, of: Room, seq: int) -> bool:
    found = db.execute("SELECT kind FROM entries WHERE epoch = ? AND seq = ?", (of.epoch_id, seq)).fetchone()
    return seq >= of.oldest and found is not None and bool(found[0] == MESSAGE)


def prior_chain(db: sqlite3.Connection, epoch: int, born: str, seq: int) -> bytes | None:
    """The chain's value before `seq`, or None where it is lost."""
    if seq == 1:
        return first_link(born)
    query = """SELECT chain FROM entries WHERE epoch = :epoch AND seq = :seq
        UNION ALL SELECT chain FROM anchors WHERE epoch = :epoch AND seq = :seq"""
    found: tuple[bytes] | None = db.execute(query, {"epoch": epoch, "seq": seq - 1}).fetchone()
    return None if found is None else found[0]


def first_bad(db: sqlite3.Connection, epoch: int, born: str, rows: Sequence[Row]) -> int | None:
    """The seq of the first of these rows, ascending, that does not verify. Rows need not be consecutive where the ones
    between were dropped by retention."""
    prior: bytes | None = None
    last = 0
    for row in rows:
        if prior is None or row.seq != last + 1:
            prior = prior_chain(db, epoch, born, row.seq)
        if prior is None or row.chained(born, prior) != row.chain:
            return row.seq
        try:
            decode(row.kind, row.body)
        except Damaged:
            return row.seq
        prior, last = row.chain, row.seq
    return None


def opening(db: sqlite3.Connection, name: RoomName, tail: int) -> Opening:
    """Rules and tail, verified. KeyError: no such room. Unverified: it needs a new epoch."""
    with snapshot(db):
        of = room(db, name)
        try:
            return _opening(db, of, max(of.oldest, of.head - tail + 1))
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                raise Unverified(of, of.head) from error
            raise


def _opening(db: sqlite3.Connection, of: Room, first: int) -> Opening:
    rules = sorted((*rule_rows(db, of.epoch_id), *order_rows(db, of)), key=lambda row: row.seq)
    rows = rows_between(db, of.epoch_id, first, of.head)
    _verify(db, of, first, rules, rows)
    return Opening(
        of.record,
        tuple(entry_of(of.epoch, row) for row in rules),
        served(db, of, rows, _erased(db, of)),
        reactions_between(db, of.epoch_id, first, of.head),
    )


def _verify(db: sqlite3.Connection, of: Room, first: int, rules: Sequence[Row], rows: Sequence[Row]) -> None:
    if of.suspect:
        raise Unverified(of, 0)
    if len(rows) != of.head - first + 1 or (rows and rows[-1].chain != of.chain):
        raise Unverified(of, of.head)
    bad = first_bad(db, of.epoch_id, of.born, rules) or first_bad(db, of.epoch_id, of.born, rows)
    if bad is not None:
        raise Unverified(of, bad)


def find_members(db: sqlite3.Connection, text: str, limit: int) -> tuple[RosterRow, ...]:
    pattern = "".join(f"\\{each}" if each in "\\%_" else each for each in text)
    found = db.execute(
        "SELECT member, nickname, first_seen, last_seen FROM roster WHERE member = ?1 OR nickname LIKE ?2 ESCAPE '\\' "
        "ORDER BY last_seen DESC LIMIT ?3",
        (text, f"%{pattern}%", limit),
    )
    return tuple(RosterRow(MemberId(row[0]), Nickname(row[1]), row[2], row[3]) for row in found)


def roster(db: sqlite3.Connection, member: MemberId) -> RosterRow | None:
    found = db.execute("SELECT nickname, first_seen, last_seen FROM roster WHERE member = ?", (member,)).fetchone()
    return None if found is None else RosterRow(member, Nickname(found[0]), found[1], found[2])
