"""The figures this product promises, and the verdict on each."""

from attrs import frozen


@frozen
class Target:
    name: str
    what: str
    wanted: float
    unit: str
    at_least: bool = False
    """Else the measured figure must not be larger."""

    def met(self, measured: float) -> bool:
        return measured >= self.wanted if self.at_least else measured <= self.wanted

    @property
    def words(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.wanted:,g} {self.unit}"


SATURATED = Target(
    "saturated", "deliveries per core-second, a room of 1,000, 64 in flight", 500_000, "/core-s", at_least=True
)
ONE_AT_A_TIME = Target("one", "CPU per delivery, one post at a time", 12, "µs")
LONE = Target("lone", "a lone post to a lone other member, p50", 3, "ms")
IDLE = Target("idle", "memory per idle joined member", 25, "KB")
START_EMPTY = Target("start", "start with an empty journal", 1, "s")
START_FULL = Target("start-1M", "start with 1,000,000 messages", 2, "s")
CROWD = Target("crowd", "5,000 in one room, 5 posts/s: lost deliveries", 0, "lost")
ALERT = Target("alert", "an alert to 5,000: written to the last, quiet house", 300, "ms")
ALERT_FLOOD = Target("alert-flood", "an alert to 5,000: written to the last, through a flood", 600, "ms")
MEMORY = Target("memory", "last 100 messages read under flood, p99", 1, "ms")
WATCH = Target("watch", "one dashboard over 100 rooms and 5,000 members", 2, "% of a core")
STATS = Target("stats", "statistics in a profile of saturated fan-out", 1, "% of samples")


@frozen
class Verdict:
    """`measured` None: it could not be measured, and `note` says why."""

    target: Target
    measured: float | None
    note: str = ""

    @property
    def met(self) -> bool:
        return self.measured is not None and self.target.met(self.measured)

    @property
    def word(self) -> str:
        if self.measured is None:
            return "not measured"
        return "ok" if self.met else "missed"
