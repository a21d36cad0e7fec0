"""Reading: rooms, pages, openings. Plain functions on a connection; each sees one consistent picture."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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
    plain,
    row_of,
)
from actors.journal.log import Opening, Page, RoomRecord, RosterRow
from actors.names import Cid, Epoch, MemberId, Nickname, RoomCode, RoomName

ROW_OVERHEAD_BYTES = 100  # what an entry costs beside its body when it is framed


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
        more = rows[-1].seq < of.head if ascending else rows[0].seq > of.oldest
        reactions = reactions_between(db, of.epoch_id, rows[0].seq, rows[-1].seq)
        veil = _veil(db, of, rows) if veiled else Veil(_floors(db, of.epoch_id).erased)
        entries = served(db, of, rows, veil)
        shown = {
            seq: counts for seq, counts in reactions.items() if isinstance(entries[seq - rows[0].seq].body, Message)
        }
        return Page(of.epoch, entries, more, of.oldest, of.head, shown)


def _bounded(
    db: sqlite3.Connection, epoch: int, first: int, last: int, ascending: bool, limit: int, max_bytes: int
) -> list[Row]:
    cursor = db.execute(_range if ascending else _range_backwards, (epoch, first, last, max(1, limit)))
    rows: list[Row] = []
    for values in cursor:
        row = row_of(*values)
        max_bytes -= len(row.body) + ROW_OVERHEAD_BYTES
        if rows and max_bytes < 0:
            break
        rows.append(row)
    cursor.close()
    return rows if ascending else rows[::-1]


@frozen
class Veil:
    """What of an epoch reads as tombstones. `floor`: everything up to it; `erased`: for good up to there."""

    erased: int = 0
    floor: int = 0
    hidden: frozenset[int] = frozenset()

    def over(self, row: Row) -> Tombstone | None:
        """Instead of the row's body; None: it is shown."""
        if row.kind not in (MESSAGE, EDITED):
            return None
        about = row.target if row.kind == EDITED else None
        seq = row.seq if about is None else about
        if seq <= self.erased:
            return Tombstone(about)
        return Tombstone(about, hidden=True) if seq <= self.floor or seq in self.hidden else None


def _floors(db: sqlite3.Connection, epoch: int) -> Veil:
    """Without what is hidden one by one. A few rows out of an index."""
    query = "SELECT kind, target FROM entries WHERE epoch = ? AND kind IN (?, ?, ?) AND kind >= 20 ORDER BY seq"
    cleared: set[int] = set()
    erased = 0
    for kind, upto in db.execute(query, (epoch, CLEARED, UNCLEARED, ERASED)):
        if kind == ERASED:
            erased = max(erased, upto)
        elif kind == CLEARED:
            cleared.add(upto)
        else:
            cleared.discard(upto)
    return Veil(erased, max(erased, *cleared, 0))


def _veil(db: sqlite3.Connection, of: Room, rows: Sequence[Row]) -> Veil:
    floors = _floors(db, of.epoch_id)
    any_hidden = db.execute("SELECT 1 FROM entries WHERE epoch = ? AND kind = ? AND kind >= 20", (of.epoch_id, HIDDEN))
    if any_hidden.fetchone() is None:
        return floors
    about = {row.target if row.kind == EDITED and row.target is not None else row.seq for row in rows}
    query = """SELECT target, kind, max(seq) FROM entries
        WHERE epoch = ? AND target IN (SELECT value FROM json_each(?)) AND kind IN (?, ?) GROUP BY target"""
    found = db.execute(query, (of.epoch_id, str([*about]), HIDDEN, RESTORED))
    return evolve(floors, hidden=frozenset(target for target, kind, _ in found if kind == HIDDEN))


def served(db: sqlite3.Connection, of: Room, rows: Sequence[Row], veil: Veil) -> tuple[Entry, ...]:
    """The rows, consecutive and ascending, as entries: a message with its newest text."""
    if not rows:
        return ()
    newest = _newest_edits(db, of.epoch_id, rows[0].seq, rows[-1].seq)
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


def _newest_edits(db: sqlite3.Connection, epoch: int, first: int, last: int) -> dict[int, tuple[int, bytes]]:
    """target -> (seq, body) of the newest edit. `body` is of the row that has the max (sqlite.org/lang_select.html,
    bare columns in an aggregate)."""
    query = """SELECT target, max(seq), body FROM entries
        WHERE epoch = ? AND target >= ? AND target <= ? AND kind = ? GROUP BY target"""
    return {target: (seq, body) for target, seq, body in db.execute(query, (epoch, first, last, EDITED))}


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


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """A page that is no page any more, not a disk that cannot be read now."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT


def _opening(db: sqlite3.Connection, of: Room, first: int) -> Opening:
    rules = sorted((*rule_rows(db, of.epoch_id), *order_rows(db, of)), key=lambda row: row.seq)
    rows = rows_between(db, of.epoch_id, first, of.head)
    _verify(db, of, first, rules, rows)
    return Opening(
        of.record,
        tuple(entry_of(of.epoch, row) for row in rules),
        served(db, of, rows, Veil(_floors(db, of.epoch_id).erased)),
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
