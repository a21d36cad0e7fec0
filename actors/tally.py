"""What the owners count as they go: plain integers and bucket counts, read once a second or at a scrape.

Nobody sends a message for a number; bumping one costs tens of nanoseconds."""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from time import perf_counter

from attrs import define, field, frozen

from actors.events import Body, Entry, Policy

SECONDS = (0.000_01, 0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

DELIVERY_SECONDS = (
    0.000_5, 0.001, 0.002, 0.003, 0.005, 0.007_5, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5,
    0.75, 1.0, 2.0, 5.0, 10.0, 30.0,
)  # fmt: skip
UNIQUE_LIMIT = 500_000
"""People told apart; beyond it new ones are no longer counted. About 70 bytes each."""


@define
class Histogram:
    """Counts of observations up to each bound, in seconds; the last count is of everything beyond."""

    bounds: tuple[float, ...] = SECONDS
    counts: list[int] = field(init=False)
    sum: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float, times: int = 1) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += times
        self.sum += seconds * times

    @property
    def count(self) -> int:
        return sum(self.counts)


@define
class Attendance:
    """Who is connected, by member. `unique`: different people since the start."""

    online: int = 0
    peak: int = 0
    _seen: set[int] = field(factory=set, init=False)

    def arrived(self, member: str, online: int) -> None:
        self.online = online
        self.peak = max(self.peak, online)
        if len(self._seen) < UNIQUE_LIMIT:
            self._seen.add(hash(member))  # 64 bits, and half of what the name would take

    def departed(self, online: int) -> None:
        self.online = online

    @property
    def unique(self) -> int:
        return len(self._seen)


@define
class Tally:
    """One per house. Names as in the metrics (docs/operations.md)."""

    messages_received: int = 0
    messages_accepted: int = 0
    messages_rejected: int = 0
    messages_delivered: int = 0
    deliveries_bytes: int = 0
    resumes: dict[str, int] = field(factory=lambda: {"fresh": 0, "resumed": 0, "gap": 0})
    replayed: int = 0
    beyond_head: int = 0
    """Joins that claimed a position which the log never gave: a lie, or a log that lost something."""
    catch_ups: dict[str, int] = field(factory=lambda: {"join": 0, "slow": 0, "restart": 0})
    fanout: Histogram = field(factory=Histogram)
    """A pass: from the log's news to the last level member."""
    history_access: Histogram = field(factory=Histogram)
    """A read of the tail in memory."""
    delivery: Histogram = field(factory=lambda: Histogram(DELIVERY_SECONDS))
    """Of all rooms: see RoomTally.delivery."""
    people: Attendance = field(factory=Attendance)


@define
class AlertTally:
    """Of the alerts of this run. `sent`: revisions by (kind, severity, status). `receipts`: those that were taken, by
    state, repeats included."""

    sent: dict[tuple[str, ...], int] = field(factory=dict)
    receipts: dict[str, int] = field(factory=lambda: {"received": 0, "seen": 0, "acknowledged": 0, "help": 0})
    delivery: Histogram = field(factory=lambda: Histogram(DELIVERY_SECONDS))
    """From a revision's sending until its last byte was in the socket, for each target who was here then."""


@frozen
class RoomLook:
    """How a room stands, read between two of its turns. `slow`: of those behind, who are because of their line."""

    online: int
    behind: int
    slow: int
    policy: Policy
    tail: tuple[Entry, ...] = ()
    """The newest entries, where they were asked for."""
    veiled: Mapping[int, Body] = field(factory=dict)
    """seq -> the words under a moderator's veil, of the entries in `tail`: for operators only."""
    members: tuple[tuple[str, str], ...] = ()
    """(member, nickname), where they were asked for."""


@define
class RoomTally:
    """One per room that is up; outlives its instances. Times are seconds of the loop that the room took, but
    `commit_s`: in which something of the room waited for its commit."""

    posts: int = 0
    committed: int = 0
    """Messages, not what else the log holds."""
    joins: int = 0
    delivered: int = 0
    delivered_bytes: int = 0
    post_s: float = 0.0
    commit_s: float = 0.0
    fanout_s: float = 0.0
    moderation_s: float = 0.0
    delivery: Histogram = field(factory=lambda: Histogram(DELIVERY_SECONDS))
    """From the moment in which a message was handed to the disk to the end of the pass that told it to the last level
    member. Measured once a pass, on its oldest message, and counted for all deliveries of the pass: so it is never
    less than what a delivery took. What a message waited before - for its turn, and for the commit before its own - is
    not in it; what a slow line adds is not either."""
    look: Callable[[int, int], RoomLook] | None = None
    """(entries, members at most): how the room stands. Set by the instance that is up; changes nothing, waits for
    nothing."""
    _waiting: int = 0
    _waits_since: float = 0.0

    def handed_in(self) -> None:
        """A draft begins to wait for its commit."""
        if not self._waiting:
            self._waits_since = perf_counter()
        self._waiting += 1

    def answered(self) -> None:
        self._waiting -= 1
        if not self._waiting:
            self.commit_s += perf_counter() - self._waits_since

    def waited_s(self, now: float) -> float:
        """`commit_s`, with what is still waiting; `now` on perf_counter's clock."""
        return self.commit_s + (now - self._waits_since if self._waiting else 0.0)
