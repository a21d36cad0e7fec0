"""`python -m bench.sampled COUNTS serve`: the server, or another of bandstand's commands, under a sampling profiler.

Every 5 ms of the process's CPU time SIGPROF looks at the main thread's stack, from the leaf outward, and charges the
sample to the first of MARKS that it meets, or to none. The signal is handled between two bytecodes wherever they are,
so no code is favoured (a second thread that took looks would meet the main one mostly where it lets go of the GIL, in
its system calls). CPU of other threads, the journal's, is charged to whatever the main one was at. COUNTS, a file of
64-bit integers, is shared with whoever measures: all samples first, then one cell a mark."""

import mmap
import runpy
import signal
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from attrs import frozen

EVERY_S = 0.005
MARKS: Mapping[str, tuple[str, ...]] = {
    "stats actor and feed": ("/actors/stats/",),
    "/metrics": ("/gateway/figures.py", "/gateway/metrics.py"),
    "dashboards": ("/gateway/admin/", "/actors/admin/"),
    "tallies": ("/actors/tally.py",),
}
"""Name -> parts of the paths whose frames count. Tallies are what owners of figures call on the way of a message."""
_CELL = struct.Struct("=q")
_CELLS = len(MARKS) + 1


@frozen
class Counts:
    """Samples since the start."""

    total: int
    marked: Mapping[str, int]

    def since(self, before: "Counts") -> "Counts":
        gained = {name: count - before.marked[name] for name, count in self.marked.items()}
        return Counts(self.total - before.total, gained)

    def __add__(self, other: "Counts") -> "Counts":
        both = {name: count + other.marked[name] for name, count in self.marked.items()}
        return Counts(self.total + other.total, both)

    @property
    def percent(self) -> float | None:
        """Of all samples, those of any mark. None: there are no samples."""
        return 100 * sum(self.marked.values()) / self.total if self.total else None


def make_file(path: Path) -> None:
    path.write_bytes(bytes(_CELL.size * _CELLS))


def read_file(path: Path) -> Counts:
    total, *marked = (count for (count,) in _CELL.iter_unpack(path.read_bytes()))
    return Counts(total, dict(zip(MARKS, marked, strict=True)))


class Sampler:
    """`cells`: writable, of _CELLS 64-bit integers."""

    def __init__(self, cells: "memoryview[int]") -> None:
        self._cells = cells
        self._places: dict[str, int] = {}

    def take(self, _signal: int, frame: FrameType | None) -> None:
        self._cells[0] += 1
        while frame is not None:
            place = self._place(frame.f_code.co_filename)
            if place:
                self._cells[place] += 1
                return
            frame = frame.f_back

    def _place(self, file: str) -> int:
        """Its mark's cell; 0: none."""
        place = self._places.get(file)
        if place is None:
            parts = enumerate(MARKS.values(), 1)
            place = next((cell for cell, marks in parts if any(mark in file for mark in marks)), 0)
            self._places[file] = place
        return place


def main(counts: str, *command: str) -> None:
    with Path(counts).open("r+b") as file:
        shared = mmap.mmap(file.fileno(), 0)
    signal.signal(signal.SIGPROF, Sampler(memoryview(shared).cast("q")).take)
    signal.siginterrupt(signal.SIGPROF, False)
    sys.argv = ["bandstand", *command]
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        runpy.run_module("bandstand", run_name="__main__")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)  # the interpreter lets go of its handlers before it ends


if __name__ == "__main__":
    main(*sys.argv[1:])
