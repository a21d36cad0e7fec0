"""How much disk is left, and a ballast to throw out when there is none."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

BALLAST_BYTES = 8 << 20
"""Enough for the checkpoint that an erasure on a full disk needs."""

CHECK_EVERY_S = 1.0
WAL_BYTES = 4 << 20
WAL_STEP = 512 << 10


def free_bytes(path: Path) -> int:
    return shutil.disk_usage(path).free


class Disk:
    """Looked at from the writer's thread only. Times are seconds of the loop's clock."""

    def __init__(
        self,
        database: Path,
        min_free: int,
        free: Callable[[Path], int] = free_bytes,
        ballast_bytes: int = BALLAST_BYTES,
    ) -> None:
        self.min_free = min_free
        self._ballast_bytes = ballast_bytes
        self._folder = database.parent
        self._ballast = database.with_name(database.name + ".ballast")
        self._wal = database.with_name(database.name + "-wal")
        self._free = free
        self._due = float("-inf")
        self.low = False
        """Under the bound: what grows the log is refused, what calms or erases is not."""

    def look(self, mono: float) -> bool:
        """Once a second. True when `low` has changed."""
        if mono < self._due:
            return False
        self._due = mono + CHECK_EVERY_S
        try:
            free = self._free(self._folder)
        except OSError:
            return False  # the commits themselves will say what is wrong
        was, self.low = self.low, free < self.min_free
        if free > self.min_free + 2 * self._ballast_bytes:
            self._take_ballast()
        return was != self.low

    def lengthen_wal(self) -> None:
        """A step towards WAL_BYTES, in zeros. Syncing a file that does not grow is quicker, by a third to a half here;
        zeros behind the frames are nothing to SQLite (sqlite.org/fileformat2.html, section 4.3: no salts, no frame).
        In the writer's thread, so that no commit appends meanwhile."""
        if self.low:
            return
        with suppress(OSError), self._wal.open("r+b") as wal:  # only for speed: a commit will say what is wrong
            size = wal.seek(0, os.SEEK_END)
            if 0 < size < WAL_BYTES:
                wal.write(bytes(min(WAL_STEP, WAL_BYTES - size)))
                wal.flush()
                os.fsync(wal.fileno())

    def drop_ballast(self) -> None:
        """The disk is full: give the checkpoint something to write into."""
        self._ballast.unlink(missing_ok=True)

    def _take_ballast(self) -> None:
        try:
            if self._ballast.exists():
                return
            with open(os.open(self._ballast, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(b"\xff" * self._ballast_bytes)  # written, not sparse: a hole gives nothing back
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            self._ballast.unlink(missing_ok=True)
