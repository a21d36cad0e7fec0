"""What time it is at the server, whose times are those of alerts."""

import time

import trio
from attrs import define, field


@define(eq=False)
class HouseClock:
    """Goes by this machine's steady clock from the server's newest word on: a wrong clock here is nobody's loss."""

    _ahead: float | None = field(default=None, init=False)

    def heard(self, unix_s: float) -> None:
        self._ahead = unix_s - trio.current_time()

    def now(self) -> float:
        return time.time() if self._ahead is None else trio.current_time() + self._ahead
