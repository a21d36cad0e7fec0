"""How fast a line takes what it is owed. Pure arithmetic.

What counts is what the peer's kernel has acknowledged: what our own has taken says nothing of the line.
Acknowledgements come in bursts (a reader's window opens by half of its buffer, RFC 9293, section 3.8.6.2.2), tens of
seconds apart on a slow line, so the figure is a mean over many of them: one burst looked at by itself made a phone that
reads 1 kB/s appear ten times as fast, and its last page took more than a minute. Time in which nothing was owed is not
counted."""

LEAST_S = 10.0
"""In less, a reader's buffer that fills looks like a fast line."""
LEAST_BYTES = 512
"""Less than this says how long the line stood still, not how fast it moves."""
SPAN_S = 30.0
"""What is older than one or two of these counts half, a quarter, ..."""
DRAINED_S = 0.5
"""A line that owes nothing by now did so for a part of the time since the last look: for how much of it is not known,
unless that was just now."""
AWAY_S = 60.0
"""Between two looks further apart than this the line has had other times, and may be another one."""


class LineSpeed:
    __slots__ = ("_arrived", "_at", "_busy_s", "_bytes")

    def __init__(self, now: float, arrived: int) -> None:
        """`arrived`: bytes that the peer has had by now."""
        self._at = now
        self._arrived = arrived
        self._busy_s = 0.0
        self._bytes = 0.0

    def look(self, now: float, arrived: int, owed: int | None, waited: bool = False) -> None:
        """`owed`: bytes that have left us and not arrived yet; None where that cannot be known. `waited`: more than our
        kernel could take has stood in line ever since the last look."""
        span, came = now - self._at, arrived - self._arrived
        self._at, self._arrived = now, arrived
        if not waited and span > AWAY_S:
            self._busy_s = self._bytes = 0.0
            return
        if not waited and owed == 0 and span > DRAINED_S:
            return
        self._busy_s += span
        self._bytes += came
        if self._busy_s > 2 * SPAN_S:
            self._busy_s /= 2
            self._bytes /= 2

    @property
    def bytes_per_s(self) -> float | None:
        """None: not known yet."""
        known = self._busy_s >= LEAST_S and self._bytes >= LEAST_BYTES
        return self._bytes / self._busy_s if known else None
