"""Alerts go first. Everybody is reached over the same sockets and one loop; while an alert is being carried to
thousands, whoever broadcasts or replays chat stops between two chunks, and goes on when it is through."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

GIVE_WAY_S = 1.0
"""What chat waits at most for each chunk: it slows down for an alert to a whole city, and does not stand still."""


class Precedence:
    def __init__(self) -> None:
        self._carried = 0
        self._through = trio.Event()

    @contextmanager
    def first(self) -> Iterator[None]:
        """While inside, an alert is on its way; they may overlap."""
        self._carried += 1
        try:
            yield
        finally:
            self._carried -= 1
            if not self._carried:
                self._through.set()
                self._through = trio.Event()

    async def give_way(self) -> None:
        """A checkpoint; while an alert is on its way, a long one."""
        if not self._carried:
            await trio.lowlevel.checkpoint()
            return
        with trio.move_on_after(GIVE_WAY_S):
            await self._through.wait()
