"""How long the disk takes to keep a promise: an author hears ok after one sync of the journal's log."""

import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from attrs import frozen

ROUNDS = 40
BUDGET_SECONDS = 1.5
"""For each of the two kinds; a slow disk gets fewer rounds."""
BLOCK = bytes(4_096)
ROOM_BYTES = ROUNDS * len(BLOCK)

sync = getattr(os, "fdatasync", os.fsync)


@frozen
class SyncTimes:
    """Medians in seconds. `appending`: the file grows, as a log does that has just been begun; `overwriting`: it does
    not, as one does that goes round."""

    appending: float
    overwriting: float

    @property
    def slower(self) -> float:
        return max(self.appending, self.overwriting)


def time_syncs(folder: Path) -> SyncTimes:
    """Writes and removes a small file there. Raises OSError."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        appending = _time(file.fileno(), lambda number: number * len(BLOCK))
        os.pwrite(file.fileno(), bytes(ROOM_BYTES), 0)
        sync(file.fileno())
        overwriting = _time(file.fileno(), lambda number: (number % 8) * len(BLOCK))
    return SyncTimes(appending, overwriting)


def _time(fd: int, place: Callable[[int], int]) -> float:
    taken: list[float] = []
    while len(taken) < ROUNDS and sum(taken) < BUDGET_SECONDS:
        began = perf_counter()
        os.pwrite(fd, BLOCK, place(len(taken)))
        sync(fd)
        taken.append(perf_counter() - began)
    return statistics.median(taken)
