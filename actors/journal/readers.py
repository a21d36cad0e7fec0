"""A few read-only connections, so that no page waits for a commit and no commit for a page."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

import trio

from actors.journal import schema
from actors.journal.log import LogFailed

T = TypeVar("T")

READERS = 3
CLOSE_PATIENCE_S = 2.0


class _Slot:
    def __init__(self) -> None:
        self.db: sqlite3.Connection | None = None

    def close(self) -> None:
        if self.db is not None:
            self.db.close()
            self.db = None


class Readers:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._free: SimpleQueue[_Slot] = SimpleQueue()
        self._limiter = trio.CapacityLimiter(READERS)
        self._over = False
        for _ in range(READERS):
            self._free.put(_Slot())

    async def run(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """LogFailed when the database cannot be read; other exceptions of `read` pass."""
        return await trio.to_thread.run_sync(self._run, read, limiter=self._limiter)

    def _run(self, read: Callable[[sqlite3.Connection], T]) -> T:
        slot = self._free.get()
        try:
            if self._over:
                raise LogFailed("the log is being closed")
            if slot.db is None:
                slot.db = schema.connect_reader(self._path)
            return read(slot.db)
        except sqlite3.Error as error:
            slot.close()
            raise LogFailed(f"the log cannot be read now: {error}") from error
        finally:
            self._free.put(slot)

    def close(self) -> None:
        """Any thread. Idle connections at once, busy ones when their page is read; they open again on demand. The last
        connection gone, SQLite reads the WAL from the disk again: after a failed sync what is cached counts for
        nothing."""
        held = []
        try:
            for _ in range(READERS):
                held.append(self._free.get(timeout=CLOSE_PATIENCE_S))
                held[-1].close()
        except Empty:
            pass
        finally:
            for slot in held:
                self._free.put(slot)

    def end(self) -> None:
        """Close for good."""
        self._over = True
        self.close()
