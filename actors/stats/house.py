"""The numbers of the whole house: its counters' windows, and the snapshot that is made of them."""

from collections import deque
from collections.abc import Iterable, Mapping

from attrs import define, field

from actors.stats.rooms import Line
from actors.stats.sources import Sources
from actors.stats.windows import SPANS, Growth, Sample, Window, milliseconds
from actors.tally import DELIVERY_SECONDS

MESSAGES, DELIVERIES, BYTES, JOINS, FIRST_BUCKET = range(5)
BUCKETS = len(DELIVERY_SECONDS) + 1
SERIES = 60
CRASHES = 20


@define
class HouseNumbers:
    """`began`: the loop's clock, when the house began to be counted."""

    _sources: Sources
    began: float
    _windows: Mapping[str, Window] = field(
        factory=lambda: {name: Window(span, step) for name, (span, step) in SPANS.items()}, init=False
    )
    _growths: dict[str, Growth] = field(factory=dict, init=False)
    _series: Mapping[str, deque[float]] = field(
        factory=lambda: {name: deque(maxlen=SERIES) for name in ("deliveries", "messages", "online")}, init=False
    )
    _cpu: tuple[float, float] | None = field(default=None, init=False)
    """When it was last looked at, and the processor time until then."""
    _cpu_share: float = field(default=0.0, init=False)

    def sample(self, at: float) -> None:
        """Once a second. `at`: the loop's clock."""
        tally, outside = self._sources.tally, self._sources.outside
        values = (
            tally.messages_accepted,
            tally.messages_delivered,
            tally.deliveries_bytes,
            sum(tally.resumes.values()),
            *tally.delivery.counts,
            *outside.lag.counts,
            *outside.commits.counts,
        )
        sample = Sample(at, values)
        for name, window in self._windows.items():
            window.add(sample)
            self._growths[name] = window.growth(sample)
        second = self._growths["1s"]
        self._series["messages"].append(round(second.rate(MESSAGES), 1))
        self._series["deliveries"].append(round(second.rate(DELIVERIES), 1))
        self._series["online"].append(tally.people.online)
        self._look_at_cpu(at, outside.cpu_s())

    def _look_at_cpu(self, at: float, used: float) -> None:
        if self._cpu is not None and at > self._cpu[0]:
            self._cpu_share = (used - self._cpu[1]) / (at - self._cpu[0])
        self._cpu = at, used

    def snapshot(
        self, wall: float, rooms: Mapping[str, int], slow: int, lines: Iterable[tuple[str, Line]]
    ) -> dict[str, object]:
        """`rooms`: how many are up, known, quarantined. `slow`: members whose line does not take what there is.
        `lines`: all mailboxes by name."""
        sources, outside = self._sources, self._sources.outside
        people = sources.tally.people
        at = self._cpu[0] if self._cpu else self.began
        lately = self._growths["1m"].values[FIRST_BUCKET:]
        lags = len(outside.lag.counts)
        lag, commits = lately[BUCKETS : BUCKETS + lags], lately[BUCKETS + lags :]
        return {
            "at": wall,
            "uptime_s": round(at - self.began, 1),
            "people": {"online": people.online, "peak": people.peak, "unique": people.unique},
            "rooms": dict(rooms),
            "rates": {name: _rates(growth) for name, growth in self._growths.items()},
            "lag_p99_ms": milliseconds(outside.lag.bounds, lag, 0.99),
            "mailbox": _worst(lines),
            "journal": {
                "queue": outside.journal_queue(),
                "commit_p99_ms": milliseconds(outside.commits.bounds, commits, 0.99),
                "size_bytes": outside.journal_bytes(),
            },
            "slow_members": slow,
            "restarts": [
                {"at": crash.at, "room": crash.room, "exception": crash.exception}
                for crash in list(sources.chronicle.crashes)[-CRASHES:]
            ],
            "memory_bytes": outside.memory_bytes(),
            "cpu": round(self._cpu_share, 3),
            "lockdown": outside.lockdown(),
            "alerts_active": outside.alerts_active(),
            "series": {name: list(points) for name, points in self._series.items()},
        }


def _rates(growth: Growth) -> dict[str, float | None]:
    """A second, but for the percentiles: of the deliveries within the window."""
    delivery = growth.values[FIRST_BUCKET : FIRST_BUCKET + BUCKETS]
    return {
        "messages": round(growth.rate(MESSAGES), 2),
        "deliveries": round(growth.rate(DELIVERIES), 1),
        "bytes": round(growth.rate(BYTES)),
        "joins": round(growth.rate(JOINS), 2),
        "p50_ms": milliseconds(DELIVERY_SECONDS, delivery, 0.5),
        "p99_ms": milliseconds(DELIVERY_SECONDS, delivery, 0.99),
    }


def _worst(lines: Iterable[tuple[str, Line]]) -> dict[str, object]:
    """The fullest mailbox and the longest wait; whose wait that is, or else whose mail is the most."""
    deepest, oldest_s, fullest, slowest = 0, 0.0, "", ""
    for name, line in lines:
        if line.depth > deepest:
            deepest, fullest = line.depth, name
        if line.oldest_s > oldest_s:
            oldest_s, slowest = line.oldest_s, name
    return {"deepest": deepest, "oldest_ms": round(oldest_s * 1_000), "room": slowest or fullest}
