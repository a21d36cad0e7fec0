"""The audit on disk: appended to, read, copied out, verified (audit.py says what a seal covers)."""

import math
import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import trio
from attrs import astuple, field, frozen

from actors.admin.audit import (
    START,
    AuditKey,
    AuditRow,
    Finding,
    Head,
    canonical,
    check,
    copied,
    head_seal,
    line_of,
    mac_of,
)
from actors.admin.keyfile import load
from actors.admin.store_run import Runs, StoreFailed
from actors.admin.store_schema import AdminUnusable, connect_reader

COLUMNS = "id, at, operator, address, command, args, reason, result, act, mac"
TEXT_LIMIT = 2_000
"""Code points of a reason, as it is recorded."""
HEADS_LINES = 20_000
"""Copied heads that are kept: two weeks of an order each minute."""


@frozen
class Entry:
    """What is to be recorded. `args` holds JSON without secrets; `result` is "ok", or the code of the refusal."""

    operator: str
    address: str
    command: str
    args: Mapping[str, object] = field(factory=dict)
    reason: str = ""
    result: str = "ok"
    act: str = ""


@frozen
class AuditTable:
    _store: Runs
    _wall: Callable[[], float]
    _key: AuditKey
    _heads: Path | None
    _verifying: trio.CapacityLimiter = field(factory=lambda: trio.CapacityLimiter(1))

    async def append(
        self,
        operator: str,
        address: str,
        command: str,
        args: Mapping[str, object],
        reason: str = "",
        result: str = "ok",
        act: str = "",
        at: float | None = None,
    ) -> int:
        """On disk when it returns; the number of the row. Safe beside another process that appends."""
        return await self.record(Entry(operator, address, command, args, reason, result, act), at)

    async def record(self, entry: Entry, at: float | None = None) -> int:
        return await self._store.run(lambda db: self.write(db, entry, at), write=True)

    def write(self, db: sqlite3.Connection, entry: Entry, at: float | None = None) -> int:
        """Within a transaction, on the store's thread: so that what was done and its row are one. The row's number."""
        head = _last(db)
        row = AuditRow(
            head.id + 1,
            float(self._wall() if at is None else at),
            entry.operator,
            entry.address,
            entry.command,
            canonical(dict(entry.args)),
            entry.reason[:TEXT_LIMIT],
            entry.result,
            entry.act,
            b"",
        )
        mac = mac_of(self._key, head.mac, row)
        cells = (*astuple(row)[:-1], mac)
        db.execute(f"INSERT INTO audit ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", cells)  # noqa: S608
        seal = head_seal(self._key, Head(row.id, mac))
        db.execute("INSERT OR REPLACE INTO audit_head VALUES (1, ?, ?, ?)", (row.id, mac, seal))
        return row.id

    async def page(
        self, before: int | None = None, limit: int = 100, operator: str = "", command: str = ""
    ) -> tuple[AuditRow, ...]:
        """Newest first, those below the row `before`; "" = any."""
        where, cells = ["id < ?"], [before if before is not None else 1 << 62]
        for column, value in (("operator", operator), ("command", command)):
            if value:
                where.append(f"{column} = ?")
                cells.append(value)  # type: ignore[arg-type]
        rows = f"SELECT {COLUMNS} FROM audit WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?"  # noqa: S608

        def job(db: sqlite3.Connection) -> tuple[AuditRow, ...]:
            found = (_row(row) for row in db.execute(rows, (*cells, limit)))
            return tuple(row for row in found if isinstance(row, AuditRow))

        return await self._store.run(job)

    async def copy_head(self) -> Head:
        """Writes where the log ends to the file of heads, unless its last line says so. StoreFailed, OSError."""

        def job(db: sqlite3.Connection) -> Head:
            head = _last(db)
            if self._heads is not None:
                _copy_out(self._heads, line_of(self._key, head, self._wall()))
            return head

        # As a transaction: of two processes the one with the later end comes later.
        return await self._store.run(job, write=True)

    async def verify(self) -> list[Finding]:
        """Each way in which the log is not the one that was written; on a file, from the file and its copied heads,
        on a thread and a connection of its own, since the store's thread is what sign-ins and orders wait for. One at
        a time. StoreFailed."""
        path = self._store.path
        if path is None or self._heads is None:
            return await self._store.run(lambda db: _verify(db, self._key, [], in_memory=True))
        check_file = partial(_verify_file, path, self._key, self._heads)
        try:
            # Abandoned when nobody waits any more: it only looks, and a stop is not to wait for a long chain.
            _, found = await trio.to_thread.run_sync(check_file, abandon_on_cancel=True, limiter=self._verifying)
        except (AdminUnusable, OSError) as error:
            raise StoreFailed(f"the record of the operators cannot be read now ({error})") from error
        return found


def verify(path: Path, key: Path, heads: Path) -> list[Finding]:
    """Of the files, while a server runs on them or not. AdminUnusable, AdminKeyError."""
    return verify_files(path, key, heads)[1]


def verify_files(path: Path, key: Path, heads: Path) -> tuple[int, list[Finding]]:
    """How many rows there are, and what is wrong. A key that is not there is an AdminKeyError: nothing is made."""
    return _verify_file(path, load(key), heads)


def _verify_file(path: Path, secret: AuditKey, heads: Path) -> tuple[int, list[Finding]]:
    lines = _lines(heads)  # the heads first: the log may grow meanwhile, they may not
    try:
        with closing(connect_reader(path)) as db:
            db.execute("BEGIN")
            (count,) = db.execute("SELECT count(*) FROM audit").fetchone()
            return int(count), _verify(db, secret, lines)
    except sqlite3.Error as error:
        raise AdminUnusable(
            f"{path} cannot be read ({error}): it is damaged, or not the operators' database"
        ) from error


def _verify(db: sqlite3.Connection, key: AuditKey, lines: list[str], *, in_memory: bool = False) -> list[Finding]:
    heads: dict[int, set[bytes]] = {}
    found: list[Finding] = []
    for each in copied(key, lines):
        if isinstance(each, Finding):
            found.append(each)
        else:
            heads.setdefault(each.id, set()).add(each.mac)
    end = db.execute("SELECT id, mac, seal FROM audit_head").fetchone()
    head = _sealed(end)
    rows = (_row(row) for row in db.execute(f"SELECT {COLUMNS} FROM audit ORDER BY id"))  # noqa: S608
    if in_memory:
        last = _last(db)
        heads = {last.id: {last.mac}}
    return found + list(check(key, rows, head, heads))


def _sealed(end: tuple[Any, Any, Any] | None) -> tuple[Head, bytes] | None:
    if end is None:
        return None
    id, mac, seal = end
    whole = isinstance(id, int) and isinstance(mac, bytes) and isinstance(seal, bytes)
    return (Head(id, mac), seal) if whole else (Head(0, b""), b"")


def _last(db: sqlite3.Connection) -> Head:
    found = db.execute("SELECT id, mac FROM audit ORDER BY id DESC LIMIT 1").fetchone()
    return Head(0, START) if found is None else Head(*found)


def _row(cells: tuple[Any, ...]) -> AuditRow | int:
    id, at, *texts, mac = cells
    whole = isinstance(at, float) and math.isfinite(at) and isinstance(mac, bytes)
    return AuditRow(*cells) if whole and all(isinstance(text, str) for text in texts) else int(id)


def _lines(heads: Path | None) -> list[str]:
    if heads is None:
        return []
    try:
        return heads.read_text(encoding="ascii", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _copy_out(path: Path, line: str) -> None:
    lines = _lines(path)
    if lines and lines[-1].split(" ")[:2] == line.split(" ")[:2]:
        return
    if len(lines) >= HEADS_LINES:
        _replace(path, [*lines[-HEADS_LINES // 2 :], line])
        return
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":  # a line that a power cut left half: it stays, as a finding
                file.write(b"\n")
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _replace(path: Path, lines: list[str]) -> None:
    beside = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
