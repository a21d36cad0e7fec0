"""Forgetting: the words of one message, and everything that is past its time. What changes rows runs in the writer's
transaction; what looks for them runs before it, since a transaction that has met a damaged page writes no more."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial

from attrs import frozen

from actors.journal.codec import EDITED, GONE, MESSAGE, POLICY, commitment
from actors.journal.database import unless_damaged
from actors.names import MemberId

STEP_ROWS = 500
"""Rows a transaction of pruning: a few milliseconds, so that commits hardly wait for it."""

FUTURE_ROWS = 100_000
"""How many of them are passed over in search of one that says the time: some 15 ms, and seldom."""

CID_KEEP_S = 7 * 24 * 3600.0
"""A phone may come back with unanswered sends for so long, whatever the history's retention."""


def erase_message(db: sqlite3.Connection, epoch: int, target: int) -> None:
    """Overwrite the words of a message and of its edits, in place, and forget its reactions."""
    edits = db.execute(
        "SELECT seq FROM entries WHERE epoch = ? AND target = ? AND kind = ?", (epoch, target, EDITED)
    ).fetchall()
    erase_words(db, [(epoch, target), *((epoch, seq) for (seq,) in edits)])
    db.execute("DELETE FROM reactions WHERE epoch = ? AND seq = ?", (epoch, target))


def erase_words(db: sqlite3.Connection, positions: Iterable[tuple[int, int]]) -> None:
    """Overwrite the words at these positions, in place. What is no message or edit is left as it is."""
    for epoch, seq in positions:
        found = db.execute("SELECT kind, body, seal FROM entries WHERE epoch = ? AND seq = ?", (epoch, seq)).fetchone()
        if found is None or found[0] not in (MESSAGE, EDITED) or not all(isinstance(each, bytes) for each in found[1:]):
            continue
        kind, body, seal = found
        db.execute(
            "UPDATE entries SET kind = ?, body = ?, seal = ? WHERE epoch = ? AND seq = ?",
            (kind + GONE, bytes(len(body)), commitment(seal, body), epoch, seq),
        )


@frozen
class Wiping:
    """One step of an ordered erasure of everything up to an entry: the messages after `done` up to `last`, and all
    edits of theirs, later ones too."""

    epoch: int
    upto: int
    done: int
    last: int
    positions: list[tuple[int, int]]


def due_wiping(db: sqlite3.Connection) -> Wiping | None:
    """The next step of the first erasure that is not through."""
    due = db.execute("SELECT epoch, upto, done FROM erasures LIMIT 1").fetchone()
    if due is None:
        return None
    epoch, upto, done = due
    found = db.execute(
        "SELECT seq FROM entries WHERE epoch = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (epoch, done, upto, STEP_ROWS),
    ).fetchall()
    last = found[-1][0] if len(found) == STEP_ROWS else upto
    edits = db.execute(
        "SELECT seq FROM entries WHERE epoch = ? AND target > ? AND target <= ? AND kind = ?",
        (epoch, done, last, EDITED),
    ).fetchall()
    return Wiping(epoch, upto, done, last, [(epoch, seq) for (seq,) in (*found, *edits)])


def wiped(db: sqlite3.Connection, step: Wiping) -> None:
    """The step is through, and whatever was said to these messages goes with them."""
    db.execute("DELETE FROM reactions WHERE epoch = ? AND seq > ? AND seq <= ?", (step.epoch, step.done, step.last))
    if step.last >= step.upto:
        db.execute("DELETE FROM erasures WHERE epoch = ? AND upto = ?", (step.epoch, step.upto))
    else:
        db.execute("UPDATE erasures SET done = ? WHERE epoch = ? AND upto = ?", (step.last, step.epoch, step.upto))


@frozen
class Old:
    """A row, as far as retention asks."""

    id: int
    epoch: int
    seq: int
    ts: float
    kind: int
    chain: bytes


@frozen
class Step:
    """The next rows that are past their time, in the order of commits. `last`: the id to go on from; `more`: there may
    be further ones."""

    rows: list[Old]
    last: int
    more: bool

    def until(self, last: int) -> "Step":
        """No further than there."""
        if self.last <= last:
            return self
        return Step([row for row in self.rows if row.id <= last], last, False)


def older(db: sqlite3.Connection, before: float, after_id: int, now: float) -> Step:
    """The next step: what is older than `before` (Unix seconds). A prefix in the order of commits, so it ends at the
    first row that is young enough. One that cannot be read is as old as those before it."""
    rows, end, more = _next_rows(db, after_id)
    old = rows[: _first_young(db, rows, before, now)]
    if len(old) < len(rows):
        return Step(old, old[-1].id if old else after_id, False)
    return Step(rows, end, more)


def oldest_behind(rows: Iterable[Old]) -> dict[int, int]:
    """epoch -> the first seq that is still served when these are not."""
    oldest: dict[int, int] = {}
    for row in rows:
        oldest[row.epoch] = max(row.seq + 1, oldest.get(row.epoch, 0))
    return oldest


def fade(db: sqlite3.Connection, rows: Sequence[Old], erase: bool) -> None:
    """Take these out of what is served. `erase`: their words too, as their rows stay for the sake of their cids. The
    very last row of the table always stays (see `drop`)."""
    for epoch, first in oldest_behind(rows).items():
        db.execute("UPDATE epochs SET oldest = max(oldest, ?) WHERE id = ?", (first, epoch))
        db.execute("DELETE FROM reactions WHERE epoch = ? AND seq < ?", (epoch, first))
    last = newest(db)
    erase_words(db, ((row.epoch, row.seq) for row in rows if erase or row.id == last))


def drop(db: sqlite3.Connection, rows: Sequence[Old]) -> None:
    """Remove these, which have faded, for good: all but the rules, and not the very last row of the table, from which
    SQLite takes the next id. Keeps the chain's value wherever a row stays behind a dropped one."""
    going = [row for row in rows if row.kind != POLICY]
    # By their ids, so that a row between them that cannot be read is not touched.
    ids = str([row.id for row in going])
    db.execute("DELETE FROM entries WHERE id IN (SELECT value FROM json_each(?))", (ids,))
    chains = {(row.epoch, row.seq): row.chain for row in going}
    needed = [(epoch, seq, chain) for (epoch, seq), chain in chains.items() if (epoch, seq + 1) not in chains]
    db.executemany("INSERT OR REPLACE INTO anchors VALUES (?, ?, ?)", needed)
    db.executemany("DELETE FROM anchors WHERE epoch = ? AND seq = ?", [(epoch, seq - 1) for epoch, seq in chains])


def forget_members(db: sqlite3.Connection, before: float, spared: Collection[MemberId]) -> int:
    """Remove some of those from the roster who were last here before then (Unix seconds), but not the spared. How many;
    STEP_ROWS at most. Reads the whole roster."""
    query = """DELETE FROM roster WHERE member IN (SELECT member FROM roster WHERE last_seen < ?
        AND member NOT IN (SELECT value FROM json_each(?)) LIMIT ?)"""
    return db.execute(query, (before, json.dumps([*spared]), STEP_ROWS)).rowcount


def _first_young(db: sqlite3.Connection, rows: Sequence[Old], before: float, now: float) -> int:
    """Where. A row from the future was written while the clock was wrong: it is past its time when one behind it is.
    Not before: it may be now that the clock is wrong."""
    overtaken_by = 0
    for at, row in enumerate(rows):
        if row.ts < before or row.id < overtaken_by:
            continue
        overtaken_by = _old_one_behind(db, row.id, before, now) if row.ts > now else 0
        if not overtaken_by:
            return at
    return len(rows)


def _old_one_behind(db: sqlite3.Connection, id_: int, before: float, now: float) -> int:
    """The id of the next row that is not from the future, if it is past its time; otherwise 0."""
    query = """SELECT id, ts FROM (SELECT id, ts FROM entries WHERE id > ? ORDER BY id LIMIT ?)
        WHERE ts <= ? ORDER BY id LIMIT 1"""
    found = unless_damaged(lambda: db.execute(query, (id_, FUTURE_ROWS, now)).fetchone())
    return found[0] if found is not None and found[1] < before else 0


def _next_rows(db: sqlite3.Connection, after_id: int) -> tuple[list[Old], int, bool]:
    """Those of the next few hundred that can be read, the id to go on from, and whether there are further ones."""
    query = "SELECT id, epoch, seq, ts, kind, chain FROM entries WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"

    def fetch(after: int, upto: int) -> list[tuple[object, ...]]:
        return db.execute(query, (after, upto, STEP_ROWS)).fetchall()

    end = newest(db)
    found = unless_damaged(lambda: fetch(after_id, end))
    if found is not None:
        return [*_typed(found)], int(str(found[-1][0])) if found else after_id, len(found) == STEP_ROWS
    last = min(after_id + STEP_ROWS, end)
    alone = (unless_damaged(partial(fetch, id_ - 1, id_)) or [] for id_ in range(after_id + 1, last + 1))
    return [*_typed(row for rows in alone for row in rows)], last, last < end


def _typed(rows: Iterable[Sequence[object]]) -> Iterator[Old]:
    """A flipped bit can make a column another type."""
    types = (int, int, int, float, int, bytes)
    return (Old(*row) for row in rows if tuple(map(type, row)) == types)  # type: ignore[arg-type]


def newest(db: sqlite3.Connection) -> int:
    (newest,) = db.execute("SELECT ifnull(max(id), 0) FROM entries").fetchone()
    return int(newest)
