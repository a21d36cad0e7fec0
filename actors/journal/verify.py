"""Does the log read as it was written? The chain of every epoch, entry by entry."""

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

from attrs import frozen

from actors.journal import pages, schema
from actors.journal.database import unless_damaged
from actors.journal.log import JournalUnusable

SCAN_ROWS = 200
FAR = 100_000
"""Entries that retention may have dropped between those of one scan, when the damaged one among them is looked for."""


@frozen
class Epoch:
    id: int
    name: str
    born: str
    room: str
    served: bool
    """False: set aside, because it did not verify when its room was opened."""


@frozen
class Scan:
    """`bad`: the first seq that does not verify, None if all do. `last`: where to go on."""

    last: int
    bad: int | None
    done: bool


@frozen
class Problem:
    room: str
    epoch: str
    seq: int
    text: str


@frozen
class Report:
    """What a whole verification found; `problems` of epochs that are set aside already are `known`."""

    rooms: int
    entries: int
    problems: tuple[Problem, ...]
    known: tuple[Problem, ...]

    @property
    def good(self) -> bool:
        return not self.problems


def epochs(db: sqlite3.Connection) -> list[Epoch]:
    query = """SELECT e.id, e.name, e.born, r.name, r.epoch = e.id AND NOT e.suspect
        FROM epochs e JOIN rooms r ON r.id = e.room ORDER BY e.id"""
    return [Epoch(number, name, born, room, bool(served)) for number, name, born, room, served in db.execute(query)]


def scan(db: sqlite3.Connection, epoch: Epoch, after: int) -> Scan:
    """The next few hundred entries of an epoch; a millisecond or so."""
    with pages.snapshot(db):
        found = unless_damaged(lambda: _scan(db, epoch, after))
        return Scan(after, _unreadable(db, epoch, after), False) if found is None else found


def _scan(db: sqlite3.Connection, epoch: Epoch, after: int) -> Scan:
    (head, chain) = db.execute("SELECT head, chain FROM heads WHERE epoch = ?", (epoch.id,)).fetchone() or (0, b"")
    rows = pages.rows_between(db, epoch.id, after + 1, head, SCAN_ROWS)
    bad = pages.first_bad(db, epoch.id, epoch.born, rows)
    if bad is None and len(rows) < SCAN_ROWS and pages.prior_chain(db, epoch.id, epoch.born, head + 1) != chain:
        bad = head
    return Scan(rows[-1].seq if rows else head, bad, len(rows) < SCAN_ROWS)


def _unreadable(db: sqlite3.Connection, epoch: Epoch, after: int) -> int:
    """The first entry behind `after` whose page is none any more."""
    look = partial(pages.rows_between, db, epoch.id)
    seqs = range(after + 1, after + FAR)
    return next((seq for seq in seqs if unless_damaged(partial(look, seq, seq)) is None), after + 1)


def verify(path: Path) -> Report:
    """The whole database, while a server runs on it or not. JournalUnusable."""
    if schema.is_new(path):
        raise JournalUnusable(f"there is no journal at {path}")
    try:
        with closing(schema.connect_reader(path)) as db:
            schema.identify(db, path)
            return _verify(db)
    except sqlite3.DatabaseError as error:
        raise JournalUnusable(f"{path} cannot be read ({error}): keep a copy of it, and restore a backup") from error


def _verify(db: sqlite3.Connection) -> Report:
    problems: list[Problem] = []
    known: list[Problem] = []
    (result,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if result != "ok":
        problems.append(Problem("", "", 0, f"the database is damaged: {result}"))
    for epoch in epochs(db):
        bad = _first_bad(db, epoch)
        if bad is not None:
            found = Problem(epoch.room, epoch.name, bad, "this entry is not the one that was committed")
            (problems if epoch.served else known).append(found)
    (rooms,) = db.execute("SELECT count(*) FROM rooms").fetchone()
    (entries,) = db.execute("SELECT count(*) FROM entries").fetchone()
    return Report(rooms, entries, tuple(problems), tuple(known))


def _first_bad(db: sqlite3.Connection, epoch: Epoch) -> int | None:
    after = 0
    while True:
        found = scan(db, epoch, after)
        if found.bad is not None or found.done:
            return found.bad
        after = found.last
