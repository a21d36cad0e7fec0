"""The loop's own pulse: how late a timer fires, and how many tasks there are."""

from time import perf_counter

import trio

from actors.tally import Histogram

EVERY_SECONDS = 0.25


class Pulse:
    def __init__(self) -> None:
        self.lag = Histogram()

    async def beat(self) -> None:
        """For ever."""
        while True:
            before = perf_counter()
            await trio.sleep(EVERY_SECONDS)
            self.lag.observe(max(0.0, perf_counter() - before - EVERY_SECONDS))

    def tasks(self) -> float:
        return trio.lowlevel.current_statistics().tasks_living
