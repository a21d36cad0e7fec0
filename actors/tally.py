"""What the owners count as they go: plain integers and bucket counts, read once a second or at a scrape.

Nobody sends a message for a number; bumping one costs tens of nanoseconds."""

from bisect import bisect_left

from attrs import define, field

SECONDS = (0.000_01, 0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@define
class Histogram:
    """Counts of observations up to each bound, in seconds; the last count is of everything beyond."""

    bounds: tuple[float, ...] = SECONDS
    counts: list[int] = field(init=False)
    sum: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds

    @property
    def count(self) -> int:
        return sum(self.counts)


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
