"""To start on a log that may not answer for a moment. That is a condition and no crash: it is waited for, with growing
pauses, and costs nobody their budget of restarts.

Mail queues meanwhile, as for everything that starts. When it takes longer than people like to wait, each letter is told
to try again, until the log answers."""

from collections.abc import Iterator
from typing import TypeVar

import trio

from actors.journal.log import LogFailed
from actors.kernel import Actor, Inbox

M = TypeVar("M")

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 5.0
QUEUE_S = 2.0
"""How long mail waits for the log; the same as for a full mailbox."""


def pauses(first_s: float = FIRST_PAUSE_S, longest_s: float = LONGEST_PAUSE_S) -> Iterator[float]:
    pause_s = first_s
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, longest_s)


class Patient(Actor[M]):
    """Say what there is to `open`, and begin `run` with `opened`."""

    _is_open = False

    async def open(self) -> None:
        """Raises LogFailed, and is then called again: until it is through, it leaves nothing behind."""
        raise NotImplementedError

    def turn_away(self, message: M, retry_after_s: float) -> None:
        """Answer a letter that cannot be looked at now. What is opened later is as things are by then."""
        raise NotImplementedError

    async def started(self) -> None:
        self._pauses = pauses()
        patience = trio.current_time() + QUEUE_S
        while not await self._opens():
            if trio.current_time() >= patience:
                return
            await trio.sleep(self._pause_s)

    async def opened(self, inbox: Inbox[M]) -> bool:
        """False: it was told to stop while it waited for the log."""
        if self._is_open:
            return True
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_trying, nursery.cancel_scope)
            nursery.start_soon(inbox.pump_control, self._turn_away)
            await inbox.pump_data(self._turn_away)
            nursery.cancel_scope.cancel()
        return self._is_open

    async def _keep_trying(self, scope: trio.CancelScope) -> None:
        while True:
            await trio.sleep(self._pause_s)
            if await self._opens():
                scope.cancel()
                return

    async def _opens(self) -> bool:
        try:
            await self.open()
        except LogFailed:
            self._pause_s = next(self._pauses)
            return False
        self._is_open = True
        return True

    def _turn_away(self, message: M) -> None:
        self.turn_away(message, self._pause_s)
