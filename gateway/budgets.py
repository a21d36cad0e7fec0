"""How fast one connection may speak, and the three steps against excess: read more slowly, refuse, close
(docs/protocol.md, limits). Pure; time is an argument."""

from enum import IntEnum
from typing import assert_never

from attrs import define, field, frozen

NEGLIGIBLE_S = 1e-6
"""What rounding leaves over: who has waited as long as told must not be told to wait for a picosecond more."""


@define
class TokenBucket:
    """So much at once, so much a second. Full at first; never more than `burst`, so that no silence saves up for more.
    A clock that goes back neither fills nor empties it."""

    per_s: float
    burst: float
    _level: float = field(init=False)
    _at: float | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._level = self.burst

    def wait_s(self, now: float, cost: float = 1.0) -> float:
        """Until `cost` can be spent. One above the burst never fits: a full bucket will do for it."""
        if self._at is None or now > self._at:
            if self._at is not None:
                self._level = min(self.burst, self._level + (now - self._at) * self.per_s)
            self._at = now
        wait_s = (min(cost, self.burst) - self._level) / self.per_s
        return wait_s if wait_s > NEGLIGIBLE_S else 0.0

    def spend(self, cost: float = 1.0) -> None:
        """Whether it is there or not: what is not leaves a debt, of which `wait_s` has said how long it takes."""
        self._level -= cost

    def take(self, now: float, cost: float = 1.0) -> bool:
        """Spent, or (False) nothing is."""
        if self.wait_s(now, cost) > 0:
            return False
        self.spend(cost)
        return True

    def refund(self, amount: float = 1.0) -> None:
        self._level = min(self.burst, self._level + amount)


@define
class Strikes:
    """`limit` strikes within `window_s` are too many."""

    limit: int
    window_s: float
    _times: list[float] = field(init=False, factory=list)

    def strike(self, now: float) -> bool:
        """True: this was one too many."""
        self._times = [*(at for at in self._times if now - at < self.window_s), now][-self.limit :]
        return len(self._times) >= self.limit


class Budget(IntEnum):
    """Numbers, because they are places in a list that every message looks into."""

    MESSAGES = 0
    JOINS = 1
    RESUMES = 2
    TYPING = 3
    CONTROL = 4
    BYTES = 5
    SLOWNESS = 6


BYTES = int(Budget.BYTES)


@frozen
class SessionLimits:
    """What one connection may do. The app maps its settings onto these; the defaults are the house's."""

    messages_per_s: float = 5.0
    burst: int = 10
    """Of send, edit and delete."""
    bytes_per_s: int = 64 * 1024
    frame_bytes: int = 16 * 1024
    text_code_points: int = 2_000
    joins_per_s: float = 2.0
    joins_burst: int = 10
    resumes_per_s: float = 4.0
    resumes_burst: int = 32
    """A flaky phone is not refused for coming back with all its rooms."""
    typing_per_s: float = 1.0
    typing_burst: int = 3
    control_per_s: float = 10.0
    control_burst: int = 20
    """Of everything else: history, members, react, leave, heartbeat, auth, unknown types."""
    rooms: int = 32
    backpressure_s: float = 2.0
    backpressure_per_s: float = 0.1
    """How long reading may be put off in all, and how fast that grows back."""
    refusals: int = 20
    refusals_window_s: float = 5.0
    bad_frames: int = 10
    bad_frames_window_s: float = 5.0
    failures: int = 5
    """Refused authentications, then 4401."""
    abusive_retry_ms: int = 60_000
    authenticate_s: float = 15.0
    anonymous: bool = True
    """A nickname is enough to come in."""

    def bucket(self, budget: Budget) -> TokenBucket:
        match budget:
            case Budget.MESSAGES:
                return TokenBucket(self.messages_per_s, self.burst)
            case Budget.JOINS:
                return TokenBucket(self.joins_per_s, self.joins_burst)
            case Budget.RESUMES:
                return TokenBucket(self.resumes_per_s, self.resumes_burst)
            case Budget.TYPING:
                return TokenBucket(self.typing_per_s, self.typing_burst)
            case Budget.CONTROL:
                return TokenBucket(self.control_per_s, self.control_burst)
            case Budget.BYTES:
                return TokenBucket(self.bytes_per_s, max(self.bytes_per_s, self.frame_bytes))
            case Budget.SLOWNESS:
                return TokenBucket(self.backpressure_per_s, self.backpressure_s)
        assert_never(budget)


@frozen
class Granted:
    pause_s: float = 0.0
    """Read nothing for so long afterwards."""


@frozen
class Excess:
    wait_s: float


NOW = Granted()


@define(eq=False)
class Pace:
    """One connection's budgets. Buckets are made when first used: most connections only ever listen."""

    _limits: SessionLimits
    _buckets: list[TokenBucket | None] = field(init=False, factory=lambda: [None] * len(Budget))

    def judge(self, budget: Budget | None, size: int, now: float) -> Granted | Excess:
        """Spends one of `budget` and `size` bytes, at once or on credit (then with a pause); Excess spends nothing."""
        volume = self._buckets[BYTES] or self._of(Budget.BYTES)
        wait_s = volume.wait_s(now, size)
        number = None
        if budget is not None:
            number = self._buckets[budget] or self._of(budget)
            wait_s = max(wait_s, number.wait_s(now))
        if wait_s > 0 and not self._may_slow_down(wait_s, now):
            return Excess(wait_s)
        volume.spend(size)
        if number is not None:
            number.spend()
        return Granted(wait_s) if wait_s > 0 else NOW

    def quietly(self, budget: Budget, now: float) -> bool:
        """Whether there is one left, which is then spent. For what is dropped without a word."""
        return self._of(budget).take(now)

    def refund(self, budget: Budget) -> None:
        self._of(budget).refund()

    def _may_slow_down(self, wait_s: float, now: float) -> bool:
        return wait_s <= self._limits.backpressure_s and self._of(Budget.SLOWNESS).take(now, wait_s)

    def _of(self, budget: Budget) -> TokenBucket:
        bucket = self._buckets[budget]
        if bucket is None:
            bucket = self._buckets[budget] = self._limits.bucket(budget)
        return bucket
