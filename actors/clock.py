"""Two clocks, because one cannot do both jobs: wall time may jump, monotonic time means nothing to a person."""

import time
from typing import Protocol

import trio
from attrs import frozen


@frozen
class Now:
    """One instant. `wall`: Unix seconds, for what people read and what must survive a restart (ts, expires).
    `mono`: seconds on the loop's clock, for running times and grace; virtual in tests."""

    wall: float
    mono: float


class Clock(Protocol):
    def now(self) -> Now: ...


class SystemClock:
    """The machine's wall clock beside trio's clock (which a test may replace by MockClock)."""

    def now(self) -> Now:
        return Now(time.time(), trio.current_time())
