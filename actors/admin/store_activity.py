"""The feed and the members' reports on disk."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, Literal

from attrs import frozen

from actors.admin.audit import canonical
from actors.admin.store_run import Runs
from actors.stats.activity import Event

EVENTS = "SELECT n, at, kind, text, room, member, operator, act, data FROM activity"
REPORTS = "SELECT id, at, room, epoch, seq, member, why, outcome, resolver, resolved FROM reports"
ERASED = "(erased)"
PRUNED_AT_ONCE = 1_000
"""A sign-in that comes meanwhile waits for so many."""
OPEN_MOST = 10_000
OPEN_OF_ONE = 50
"""So that one person cannot flush the operators' feed with them, nor take all places."""
"""Reports that nobody has dealt with; beyond them the newest is not taken."""


@frozen
class ActivityTable:
    _store: Runs

    async def append(self, events: Sequence[Event]) -> None:
        """Together. One that is there already (by its `n`) stays as it is."""
        rows = [
            (e.n, e.at, e.kind, e.text, e.room, e.member, e.operator, e.act, canonical(dict(e.data))) for e in events
        ]
        insert = "INSERT OR IGNORE INTO activity VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        await self._store.run(lambda db: db.executemany(insert, rows), write=True)

    async def page(
        self,
        before: int | None = None,
        limit: int = 100,
        kind: str = "",
        room: str = "",
        operator: str = "",
        since: float | None = None,
        until: float | None = None,
    ) -> tuple[Event, ...]:
        """Newest first, those with a lower `n` than `before`; "" = any. `since` and `until`: Unix seconds."""
        tests: list[tuple[str, object]] = [("n < ?", 1 << 62 if before is None else before)]
        tests += [
            (f"{name} = ?", value) for name, value in (("kind", kind), ("room", room), ("operator", operator)) if value
        ]
        tests += [(test, at) for test, at in (("at >= ?", since), ("at < ?", until)) if at is not None]
        text = f"{EVENTS} WHERE {' AND '.join(test for test, _ in tests)} ORDER BY n DESC LIMIT ?"
        cells = (*(value for _, value in tests), limit)
        return await self._store.run(lambda db: tuple(_event(row) for row in db.execute(text, cells)))

    async def after(
        self, n: int, limit: int, room: str = "", since: float = 0.0, until: float = 1e12
    ) -> tuple[Event, ...]:
        """Oldest first, those with a higher `n`, between the two moments. `room`: with what concerns every room:
        alerts, acts on the house, its faults, the server's own life."""
        house = "room IS NULL AND (kind IN ('alert', 'server') OR (member IS NULL AND kind IN ('act', 'fault')))"
        where = f"n > ?1 AND at >= ?2 AND at < ?3 AND (?4 = '' OR room = ?4 OR ({house}))"
        text = f"{EVENTS} WHERE {where} ORDER BY n LIMIT ?5"
        cells = (n, since, until, room, limit)
        return await self._store.run(lambda db: tuple(_event(row) for row in db.execute(text, cells)))

    async def last(self, count: int = 1_000) -> tuple[Event, ...]:
        """The newest, oldest first: for `Feed.restore`."""
        return tuple(reversed(await self.page(limit=count)))

    async def prune(self, before: float) -> int:
        """Events from before then (Unix seconds) go, so many at a time; how many did. The newest always stays: the
        numbers go on from it."""
        gone = (
            "DELETE FROM activity WHERE n IN (SELECT n FROM activity WHERE at < ? AND n < "
            "(SELECT max(n) FROM activity) ORDER BY at LIMIT ?)"
        )
        return await self._store.run(lambda db: db.execute(gone, (before, PRUNED_AT_ONCE)).rowcount, write=True)


@frozen
class Report:
    """`outcome`: None = nobody has dealt with it."""

    id: int
    at: float
    room: str
    epoch: str
    seq: int
    member: str
    why: str
    outcome: str | None = None
    resolver: str | None = None
    resolved: float | None = None

    def shown(self) -> dict[str, object]:
        return {
            "report": str(self.id), "at": self.at, "room": self.room, "epoch": self.epoch, "seq": self.seq,
            "member": self.member, "why": self.why, "outcome": self.outcome, "resolver": self.resolver,
            "resolved": self.resolved,
        }  # fmt: skip


@frozen
class ReportTable:
    _store: Runs

    async def add(
        self, at: float, room: str, epoch: str, seq: int, member: str, why: str
    ) -> int | Literal["known", "full"]:
        """The report's number. "known": the same member has reported the same message before. "full": too many are
        open, of this member or in all."""

        def job(db: sqlite3.Connection) -> int | Literal["known", "full"]:
            same = "SELECT id FROM reports WHERE room = ? AND epoch = ? AND seq = ? AND member = ?"
            found = db.execute(same, (room, epoch, seq, member)).fetchone()
            if found is not None:
                return "known"
            counts = "SELECT count(*), count(*) FILTER (WHERE member = ?) FROM reports WHERE outcome IS NULL"
            open_now, of_member = db.execute(counts, (member,)).fetchone()
            if open_now >= OPEN_MOST or of_member >= OPEN_OF_ONE:
                return "full"
            insert = "INSERT INTO reports (at, room, epoch, seq, member, why) VALUES (?, ?, ?, ?, ?, ?)"
            return int(db.execute(insert, (at, room, epoch, seq, member, why)).lastrowid or 0)

        return await self._store.run(job, write=True)

    async def page(self, before: int | None = None, limit: int = 100, *, open: bool = True) -> tuple[Report, ...]:
        """Newest first; `open`: only those that nobody has dealt with."""
        text = f"{REPORTS} WHERE id < ? {'AND outcome IS NULL' if open else ''} ORDER BY id DESC LIMIT ?"
        cells = (1 << 62 if before is None else before, limit)
        return await self._store.run(lambda db: tuple(Report(*row) for row in db.execute(text, cells)))

    async def get(self, report: int) -> Report | None:
        def job(db: sqlite3.Connection) -> Report | None:
            row = db.execute(f"{REPORTS} WHERE id = ?", (report,)).fetchone()
            return None if row is None else Report(*row)

        return await self._store.run(job)

    async def resolve(self, report: int, outcome: str | None, resolver: str, at: float) -> bool:
        """`outcome` None: it is open again. False: there is no such report."""
        cells = (outcome, resolver, at, report) if outcome is not None else (None, None, None, report)
        mark = "UPDATE reports SET outcome = ?, resolver = ?, resolved = ? WHERE id = ?"
        return await self._store.run(lambda db: db.execute(mark, cells).rowcount > 0, write=True)


def erase(db: sqlite3.Connection, member: str) -> None:
    """Within a transaction."""
    db.execute("UPDATE activity SET text = ?, member = NULL, data = '{}' WHERE member = ?", (ERASED, member))
    db.execute("UPDATE reports SET member = '', why = ? WHERE member = ?", (ERASED, member))


def _event(row: tuple[Any, ...]) -> Event:
    n, at, kind, text, room, member, operator, act, data = row
    return Event(n, at, kind, text, room, member, operator, act, json.loads(data))
