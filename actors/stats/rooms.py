"""The numbers of single rooms: what each counted within the last seconds and the last minute, and how long its mail
waits. Pure but for the clock that RoomTally itself reads."""

from collections import deque
from collections.abc import Mapping

from attrs import define, field, frozen

from actors.journal.log import RoomRecord
from actors.stats.sources import Mailbox
from actors.stats.windows import Growth, Sample, Window, milliseconds
from actors.tally import DELIVERY_SECONDS, RoomLook, RoomTally

POSTS, COMMITTED, JOINS, DELIVERED, BYTES, POST_S, COMMIT_S, FANOUT_S, MODERATION_S, FIRST_BUCKET = range(10)
LINE_MARKS = 600


@define
class Line:
    """How long the oldest mail of one mailbox has waited at least, to the second: what had been accepted at earlier
    looks is compared with what has been taken by now, so nobody stamps mail."""

    depth: int = 0
    oldest_s: float = 0.0
    _marks: deque[tuple[float, int]] = field(factory=deque, init=False)
    """(when, accepted until then), where the last of those accepted has not been taken."""

    def look(self, mailbox: Mailbox, now: float) -> None:
        marks, taken = self._marks, mailbox.taken
        self.depth = mailbox.waiting
        while marks and marks[0][1] <= taken:
            marks.popleft()
        accepted = taken + self.depth
        # The oldest marks are the ones that count: when there are many, newer ones wait until those have gone.
        if self.depth and len(marks) < LINE_MARKS and (not marks or marks[-1][1] < accepted):
            marks.append((now, accepted))
        self.oldest_s = now - marks[0][0] if self.depth and marks else 0.0


@frozen
class Minute:
    """What happened in a room since it was asked last."""

    room: str
    messages: int
    joins: int


@define
class RoomNumbers:
    """Of one room that is up. `fresh`: nothing of what it has counted was told before."""

    _tally: RoomTally
    fresh: bool = False
    line: Line = field(factory=Line, init=False)
    _seconds: Window = field(factory=lambda: Window(10, 2), init=False)
    _minute: Window = field(factory=lambda: Window(60, 5), init=False)
    _values: tuple[float, ...] = field(default=(), init=False)
    _told: tuple[int, int] = field(default=(0, 0), init=False)
    recent: Growth = field(default=Growth(0.0, ()), init=False)
    """Of the last ten seconds."""
    lately: Growth = field(default=Growth(0.0, ()), init=False)
    """Of the last minute."""

    def __attrs_post_init__(self) -> None:
        if not self.fresh:
            self._told = self._tally.committed, self._tally.joins

    def sample(self, at: float, perf: float) -> None:
        """`at`: the loop's clock. `perf`: perf_counter's, for what waits for its commit."""
        tally = self._tally
        head = (
            tally.posts,
            tally.committed,
            tally.joins,
            tally.delivered,
            tally.delivered_bytes,
            tally.post_s,
            tally.waited_s(perf),
            tally.fanout_s,
            tally.moderation_s,
        )
        if self._values[:FIRST_BUCKET] != head:  # quiet rooms share their last values: a mark then costs a pointer
            self._values = (*head, *tally.delivery.counts)
        sample = Sample(at, self._values)
        self._seconds.add(sample)
        self._minute.add(sample)
        self.recent = self._seconds.growth(sample)
        self.lately = self._minute.growth(sample)

    def told(self, room: str) -> Minute:
        now = self._tally.committed, self._tally.joins
        minute = Minute(room, now[0] - self._told[0], now[1] - self._told[1])
        self._told = now
        return minute

    def budget(self) -> dict[str, float]:
        """The parts of the last minute that went into each."""
        lately = self.lately
        return {
            "post": round(lately.rate(POST_S), 4),
            "commit": round(lately.rate(COMMIT_S), 4),
            "fanout": round(lately.rate(FANOUT_S), 4),
            "moderation": round(lately.rate(MODERATION_S), 4),
        }

    def p99_ms(self) -> float | None:
        return milliseconds(DELIVERY_SECONDS, self.lately.values[FIRST_BUCKET:], 0.99)


NO_BUDGET: Mapping[str, float] = {"post": 0.0, "commit": 0.0, "fanout": 0.0, "moderation": 0.0}


def row(record: RoomRecord, numbers: RoomNumbers | None, look: RoomLook | None, quarantined: bool) -> dict[str, object]:
    """A line of the rooms' table. `numbers`, `look`: None where the room is not up, or not for the moment."""
    policy = look.policy if look else None
    closed = policy is not None and policy.closed
    return {
        "room": record.name,
        "title": record.title,
        "code": record.code,
        "zone": record.zone,
        "online": look.online if look else 0,
        "messages_per_s": round(numbers.recent.rate(COMMITTED), 2) if numbers else 0.0,
        "deliveries_per_s": round(numbers.recent.rate(DELIVERED), 1) if numbers else 0.0,
        "p99_ms": numbers.p99_ms() if numbers else None,
        "behind": look.behind if look else 0,
        "state": _state(record, numbers is not None, quarantined, closed),
        "frozen": policy is not None and policy.frozen,
        "slow_s": policy.slow_s if policy else 0.0,
        "closed": closed,
        "budget": numbers.budget() if numbers else NO_BUDGET,
    }


def _state(record: RoomRecord, up: bool, quarantined: bool, closed: bool) -> str:
    if record.deleted is not None:
        return "deleted"
    if quarantined:
        return "quarantined"
    if closed:
        return "closed"
    return "up" if up else "asleep"
