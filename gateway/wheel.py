"""One timer for all connections: a wheel of one-second slots. A connection is looked at when it asked to be, and says
when to look again; ten thousand silent ones cost a few hundred looks a second and no task."""

import math
from collections.abc import Callable
from typing import Protocol

import trio

from gateway.barrier import Barrier

CHUNK = 256
"""Looks between two checkpoints, so that a reconnect storm's common deadline does not hold up the loop."""


class Watched(Protocol):
    def look(self, now: float) -> float | None:
        """Do what is due. The next time to look, on the loop's clock; None = never again."""
        ...

    def failed(self) -> None:
        """A look raised something. There is none after it."""
        ...


class Wheel:
    """`barrier`: a look that fails is nobody else's."""

    def __init__(self, barrier: Barrier) -> None:
        self._barrier = barrier
        self._slots: dict[int, list[Watched]] = {}

    def add(self, watched: Watched, when: float) -> None:
        """`when` is rounded up to a whole second of the loop's clock."""
        self._slots.setdefault(math.ceil(when), []).append(watched)

    async def turn(self, clock: Callable[[], float] = trio.current_time) -> None:
        """For ever. A slot that was missed because the loop was busy is served late, never skipped."""
        second = math.floor(clock())
        while True:
            await trio.sleep_until(second + 1)
            second += 1
            due = self._slots.pop(second, [])
            for start in range(0, len(due), CHUNK):
                for watched in due[start : start + CHUNK]:
                    with self._barrier.around("connection_failed", watched.failed):
                        again = watched.look(clock())
                        if again is not None:
                            self.add(watched, max(again, second + 1))
                await trio.lowlevel.checkpoint()
