"""The acts on disk."""

import json
import sqlite3
from typing import Any

from attrs import frozen

from actors.admin.acts import Act, ActState, CidReused
from actors.admin.audit import canonical
from actors.admin.store_activity import PRUNED_AT_ONCE
from actors.admin.store_run import Runs

COLUMNS = "act, operator, cid, digest, at, command, body, outcome, undo, undo_until, state, n"
SELECT = f"SELECT {COLUMNS} FROM acts"  # noqa: S608


@frozen
class ActTable:
    """One act for an (operator, cid): whoever repeats an order, in this run of the server or a later one, is answered
    what was answered the first time."""

    _store: Runs

    async def begin(self, act: Act) -> Act | CidReused | None:
        """Before it is carried out: None, and it stands as BEGUN. Otherwise nothing is written: the act that this
        order was already, CidReused if another order had its cid."""

        def job(db: sqlite3.Connection) -> Act | CidReused | None:
            found = _judged(_one(db, "operator = ? AND cid = ?", act.operator, act.cid), act.digest)
            if found is None:
                _insert(db, act, ActState.BEGUN)
            return found

        return await self._store.run(job, write=True)

    async def save(self, act: Act) -> None:
        """It was carried out: with its outcome and what its undo needs; over what `begin` has written, or new."""

        def job(db: sqlite3.Connection) -> None:
            stored = db.execute(
                "UPDATE acts SET outcome = ?, undo = ?, undo_until = ?, state = ? WHERE act = ?",
                (_json(act.outcome), _json(act.undo), act.undo_until, act.state.value, act.act),
            )
            if not stored.rowcount:
                _insert(db, act, act.state)

        await self._store.run(job, write=True)

    async def drop(self, act: str) -> None:
        """It was begun and refused: the same cid may be tried again."""
        gone = "DELETE FROM acts WHERE act = ? AND state = 'begun'"
        await self._store.run(lambda db: db.execute(gone, (act,)).rowcount, write=True)

    async def get(self, act: str) -> Act | None:
        return await self._store.run(lambda db: _one(db, "act = ?", act))

    async def undoable(self, now: float) -> tuple[Act, ...]:
        """Done, and not yet past their `undo_until`, in the order in which they were done."""
        return await self._many("WHERE state = 'done' AND undo IS NOT NULL AND undo_until > ? ORDER BY n", now)

    async def begun(self) -> tuple[Act, ...]:
        """What a crash has left."""
        return await self._many("WHERE state = 'begun' ORDER BY n")

    async def since(self, n: int) -> tuple[Act, ...]:
        """Those with a higher `n`, oldest first, however they ended."""
        return await self._many("WHERE n > ? ORDER BY n", n)

    async def last_of(self, commands: tuple[str, ...], room: str) -> Act | None:
        """The newest of these that was carried out in the room."""
        these = ", ".join("?" * len(commands))
        which = f"WHERE command IN ({these}) AND state != 'begun' AND json_extract(body, '$.room') = ?"
        return next(iter(await self._many(f"{which} ORDER BY n DESC LIMIT 1", *commands, room)), None)

    async def page(self, before: int | None = None, limit: int = 100, operator: str = "") -> tuple[Act, ...]:
        """Newest first, those with a lower `n` than `before`."""
        return await self._many(
            "WHERE n < ?1 AND (?2 = '' OR operator = ?2) ORDER BY n DESC LIMIT ?3",
            before if before is not None else 1 << 62,
            operator,
            limit,
        )

    async def prune(self, before: float) -> int:
        """Acts that are over, from before then (Unix seconds), go, so many at a time; how many did. Not what can be
        undone or is under way; not the newest, from which the numbers go on; and not evacuations and returns, which
        are matched to each other however late."""
        gone = (
            "DELETE FROM acts WHERE n IN (SELECT n FROM acts WHERE at < ? AND state IN ('settled', 'undone') "
            "AND command NOT IN ('room.evacuate', 'room.return') AND n < (SELECT max(n) FROM acts) ORDER BY n LIMIT ?)"
        )
        return await self._store.run(lambda db: db.execute(gone, (before, PRUNED_AT_ONCE)).rowcount, write=True)

    async def _many(self, rest: str, *cells: object) -> tuple[Act, ...]:
        return await self._store.run(lambda db: tuple(_act(row) for row in db.execute(f"{SELECT} {rest}", cells)))


def _insert(db: sqlite3.Connection, act: Act, state: ActState) -> None:
    db.execute(
        f"INSERT INTO acts ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",  # noqa: S608
        (
            act.act, act.operator, act.cid, act.digest, act.at, act.command, canonical(dict(act.body)),
            _json(act.outcome), _json(act.undo), act.undo_until, state.value,
        ),
    )  # fmt: skip


def _judged(found: Act | None, digest: bytes) -> Act | CidReused | None:
    return CidReused(found.act) if found is not None and found.digest != digest else found


def _one(db: sqlite3.Connection, where: str, *cells: object) -> Act | None:
    row = db.execute(f"{SELECT} WHERE {where}", cells).fetchone()
    return None if row is None else _act(row)


def _json(value: Any) -> str | None:
    return None if value is None else canonical(value)


def _act(row: tuple[Any, ...]) -> Act:
    act, operator, cid, digest, at, command, body, outcome, undo, undo_until, state, n = row
    return Act(
        act, operator, cid, digest, at, command, json.loads(body), None if outcome is None else json.loads(outcome),
        None if undo is None else json.loads(undo), undo_until, ActState(state), n,
    )  # fmt: skip
