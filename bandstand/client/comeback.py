"""When a client comes back (docs/protocol.md, close codes: the range is the verdict)."""

import random
from collections.abc import Callable

from attrs import define, field

from gateway.protocol.codes import Verdict, verdict

FIRST_RETRY_SECONDS = 0.25
BASE_SECONDS = 0.5
CAP_SECONDS = 30.0
PLANNED_SECONDS = 1.0
"""For 42xx without a time of its own."""
SOUND_SECONDS = 10.0
"""A connection that lasted so long was a good one: the next loss is a new story."""


@define
class Backoff:
    """Full jitter: uniformly between nothing and a ceiling that doubles. Nobody comes back in step with anybody else.

    The first try after a good connection is quick, because most losses are a phone changing cells."""

    uniform: Callable[[float, float], float] = random.uniform
    _failures: int = field(default=0, init=False)

    def lasted(self, seconds: float) -> None:
        if seconds >= SOUND_SECONDS:
            self._failures = 0

    def seconds(self, code: int, retry_after_ms: int | None) -> float:
        """How long to wait after a connection that ended with `code`."""
        told = None if retry_after_ms is None else retry_after_ms / 1000
        if verdict(code) is Verdict.COMES_BACK_AFTER:
            return PLANNED_SECONDS if told is None else told
        ceiling = min(CAP_SECONDS, BASE_SECONDS * 2.0 ** min(self._failures - 1, 10))
        wait = self.uniform(0.0, ceiling if self._failures else FIRST_RETRY_SECONDS)
        self._failures += 1
        return max(wait, told or 0.0)
