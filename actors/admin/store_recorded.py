"""Changes that are on record from the first moment: the change and its rows in the audit are one transaction, so that
neither is ever there without the other."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from attrs import field, frozen

from actors.admin.store_acts import ActTable
from actors.admin.store_audit import AuditTable, Entry
from actors.admin.store_operators import OperatorTable
from actors.admin.store_run import Runs
from actors.admin.store_sessions import Expired, SessionTable, TokenTable

T = TypeVar("T")
Describe = Callable[[object], Iterable[Entry]]
"""From what the change came to, to what is to be recorded of it. On the store's thread."""


def expired(gone: object) -> Iterator[Entry]:
    """For `SessionTable.forget_expired`."""
    for each in gone if isinstance(gone, tuple) else ():
        if isinstance(each, Expired):
            why = "12 hours" if each.late else "idle"
            yield Entry(each.operator, each.address, "session.expire", {"session": each.id, "why": why})


@frozen
class Recorded:
    """The tables again; each call that writes writes its rows as well. Made by `AdminStore.recorded`."""

    _store: Runs
    _audit: AuditTable
    _wall: Callable[[], float]
    _describe: Describe
    operators: OperatorTable = field(init=False)
    sessions: SessionTable = field(init=False)
    tokens: TokenTable = field(init=False)
    acts: ActTable = field(init=False)

    @operators.default
    def _operators(self) -> OperatorTable:
        return OperatorTable(self, self._wall)

    @sessions.default
    def _sessions(self) -> SessionTable:
        return SessionTable(self, self._wall)

    @tokens.default
    def _tokens(self) -> TokenTable:
        return TokenTable(self, self._wall)

    @acts.default
    def _acts(self) -> ActTable:
        return ActTable(self)

    # -- Runs ----------------------------------------------------------------------------------------------------------

    @property
    def path(self) -> Path | None:
        return self._store.path

    async def run(self, job: Callable[[sqlite3.Connection], T], *, write: bool = False) -> T:
        if not write:
            return await self._store.run(job)

        def both(db: sqlite3.Connection) -> T:
            value = job(db)
            for entry in self._describe(value):
                self._audit.write(db, entry)
            return value

        return await self._store.run(both, write=True)
