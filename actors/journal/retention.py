"""Forgetting: the words of one message, and everything that is past its time. All inside the writer's transaction."""

import sqlite3
from collections.abc import Iterable

from attrs import frozen

from actors.journal.codec import EDITED, GONE, MESSAGE, POLICY, commitment

STEP_ROWS = 500
"""Rows a transaction of pruning: a few milliseconds, so that commits hardly wait for it."""

CID_KEEP_S = 7 * 24 * 3600.0
"""A phone may come back with unanswered sends for so long, whatever the history's retention."""


def erase_message(db: sqlite3.Connection, epoch: int, target: int) -> None:
    """Overwrite the words of a message and of its edits, in place, and forget its reactions."""
    edits = db.execute(
        "SELECT seq FROM entries WHERE epoch = ? AND target = ? AND kind = ?", (epoch, target, EDITED)
    ).fetchall()
    _erase(db, [(epoch, target), *((epoch, seq) for (seq,) in edits)])
    db.execute("DELETE FROM reactions WHERE epoch = ? AND seq = ?", (epoch, target))


def _erase(db: sqlite3.Connection, positions: Iterable[tuple[int, int]]) -> None:
    for epoch, seq in positions:
        found = db.execute("SELECT kind, body, seal FROM entries WHERE epoch = ? AND seq = ?", (epoch, seq)).fetchone()
        if found is None or found[0] not in (MESSAGE, EDITED):
            continue
        kind, body, seal = found
        db.execute(
            "UPDATE entries SET kind = ?, body = ?, seal = ? WHERE epoch = ? AND seq = ?",
            (kind + GONE, bytes(len(body)), commitment(seal, body), epoch, seq),
        )


def wipe(db: sqlite3.Connection) -> None:
    """One step of an ordered erasure of everything up to an entry. Edits that came later go with the messages they
    are of."""
    due = db.execute("SELECT epoch, upto, done FROM erasures LIMIT 1").fetchone()
    if due is None:
        return
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
    _erase(db, [(epoch, seq) for (seq,) in (*found, *edits)])
    db.execute("DELETE FROM reactions WHERE epoch = ? AND seq > ? AND seq <= ?", (epoch, done, last))
    if last >= upto:
        db.execute("DELETE FROM erasures WHERE epoch = ? AND upto = ?", (epoch, upto))
    else:
        db.execute("UPDATE erasures SET done = ? WHERE epoch = ? AND upto = ?", (last, epoch, upto))


@frozen
class Faded:
    """`oldest`: epoch -> the first seq that is still served. `last`: where to go on."""

    oldest: dict[int, int]
    last: int
    more: bool


def fade(db: sqlite3.Connection, before: float, after_id: int, erase: bool) -> Faded:
    """One step of taking entries older than `before` (Unix seconds) out of what is served. `erase`: their words too, as
    their rows stay for the sake of their cids. The very last row of the table always stays (see `drop`)."""
    rows = _older(db, before, after_id)
    oldest: dict[int, int] = {}
    for _, epoch, seq, *_ in rows:
        oldest[epoch] = max(seq + 1, oldest.get(epoch, 0))
    for epoch, first in oldest.items():
        db.execute("UPDATE epochs SET oldest = max(oldest, ?) WHERE id = ?", (first, epoch))
        db.execute("DELETE FROM reactions WHERE epoch = ? AND seq < ?", (epoch, first))
    newest = _newest(db)
    _erase(db, ((epoch, seq) for id_, epoch, seq, *_ in rows if erase or id_ == newest))
    return Faded(oldest, rows[-1][0] if rows else after_id, len(rows) == STEP_ROWS)


@frozen
class Dropped:
    rows: int
    last: int
    more: bool


def drop(db: sqlite3.Connection, before: float, after_id: int, upto_id: int) -> Dropped:
    """One step of removing faded rows (`upto_id`) for good, all but the rules and the very last row of the table, from
    which SQLite takes the next id. Keeps the chain's value wherever a row stays behind a dropped one."""
    newest = _newest(db)
    rows = [row for row in _older(db, before, after_id) if row[0] <= upto_id and row[0] < newest]
    if not rows:
        return Dropped(0, after_id, False)
    chains = {(epoch, seq): chain for _, epoch, seq, _, kind, chain in rows if kind != POLICY}
    last = rows[-1][0]
    db.execute("DELETE FROM entries WHERE id > ? AND id <= ? AND kind <> ?", (after_id, last, POLICY))
    needed = [(epoch, seq, chain) for (epoch, seq), chain in chains.items() if (epoch, seq + 1) not in chains]
    db.executemany("INSERT OR REPLACE INTO anchors VALUES (?, ?, ?)", needed)
    db.executemany("DELETE FROM anchors WHERE epoch = ? AND seq = ?", [(epoch, seq - 1) for epoch, seq in chains])
    return Dropped(len(chains), last, len(rows) == STEP_ROWS)


def _older(db: sqlite3.Connection, before: float, after_id: int) -> list[tuple[int, int, int, float, int, bytes]]:
    """The rows of the next step: a prefix in the order of commits, so it ends at the first one that is young enough."""
    query = "SELECT id, epoch, seq, ts, kind, chain FROM entries WHERE id > ? ORDER BY id LIMIT ?"
    old = []
    for row in db.execute(query, (after_id, STEP_ROWS)).fetchall():
        if row[3] >= before:
            break
        old.append(row)
    return old


def _newest(db: sqlite3.Connection) -> int:
    (newest,) = db.execute("SELECT ifnull(max(id), 0) FROM entries").fetchone()
    return int(newest)
