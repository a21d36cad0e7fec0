"""What members' and operators' connections have in common. Signs of life: who has said nothing is asked, who does not
answer is given up, and who never says who they are is put out. Waiting: a task waits in place of the connection, and
the wire stands still meanwhile. The end.

The half of a connection, not an object of its own, since a server holds fifty thousand of them, and looking at one must
cost neither a task nor memory."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVarTuple

import trio

from actors.people.outlet import Outlet
from gateway.barrier import Tasks
from gateway.protocol.codes import CloseCode
from gateway.reception import Times
from gateway.wire.contract import Wire

Args = TypeVarTuple("Args")

LOOK_SECONDS = 10.0
"""Between two looks at most: a stuck line is found by watching it move."""


class Mind(Protocol):
    """A session, as far as its end goes."""

    def close(self) -> None: ...


class Living:
    """What is watched of a connection: gateway/wheel.py. Times are on the loop's clock."""

    __slots__ = (
        "_asked_at", "_departed", "_heard_at", "_holds", "_nobody_until", "_patience_s", "_session", "_wire", "outlet",
    )  # fmt: skip

    _session: Mind
    outlet: Outlet
    _wire: Wire
    _holds: int
    """What the wire stands still for: it goes on when nothing of it is left."""
    _departed: bool
    """The wire is lost: nothing is due any more."""

    def _come_to_life(self, wire: Wire, spread: float, again: float) -> float:
        """Once, first of all. `spread`, `again`: two throws of -1.0 to 1.0, so that a thousand silent ones do not time
        out in one tick. When to look first."""
        times = self._times
        self._wire = wire
        self._holds = 0
        self._departed = False
        self._heard_at = trio.current_time()
        self._asked_at = -1.0
        """When the last heartbeat was sent."""
        self._patience_s = times.heartbeat_s * (1 + times.jitter * spread)
        self._nobody_until = wire.arrival.since + times.authenticate_s * (1 + 0.1 * abs(again))
        return min(self._nobody_until, self._heard_at + self._patience_s)

    # -- what each kind of connection says for itself ------------------------------------------------------------------

    @property
    def _times(self) -> Times:
        raise NotImplementedError

    @property
    def _tasks(self) -> Tasks:
        raise NotImplementedError

    @property
    def _is_nobody(self) -> bool:
        """Has not said who they are."""
        raise NotImplementedError

    def _ask(self, now: float) -> None:
        """Sends a heartbeat, to be echoed."""
        raise NotImplementedError

    # -- waiting -------------------------------------------------------------------------------------------------------

    def fall_silent(self) -> None:
        """Nothing more is heard, until the end."""
        self._hold()

    def _hold(self) -> None:
        self._holds += 1
        self._wire.pause()

    def _go_on(self) -> None:
        self._holds -= 1
        if not self._holds:
            self._wire.resume()

    def _soon(self, task: Callable[[*Args], Awaitable[object]], *args: *Args) -> None:
        """In a task of its own. If it fails, this connection ends and no other."""
        self._tasks.start_soon(task, *args, event="connection_failed", failed=self.failed)

    def _wait_for(self, task: Callable[[*Args], Awaitable[object]], *args: *Args) -> None:
        """As `_soon`, and nothing is read until it is done. For seconds at most."""
        self._hold()
        self._soon(self._held, task, args)

    async def _held(self, task: Callable[[*Args], Awaitable[object]], args: tuple[*Args]) -> None:
        try:
            await task(*args)
        finally:
            self._go_on()

    # -- the end -------------------------------------------------------------------------------------------------------

    def part(self, code: int, retry_after_ms: int | None = None) -> None:
        self._session.close()
        self.outlet.finish(code, retry_after_ms)
        self._wire.resume()  # whatever it stood still for: the peer's own close is to be heard

    def failed(self) -> None:
        """By a mistake of ours."""
        self.part(CloseCode.INTERNAL)

    # -- Sink, Watched -------------------------------------------------------------------------------------------------

    def heard(self) -> None:
        self._heard_at = trio.current_time()

    def look(self, now: float) -> float | None:
        """Signs of life (docs/protocol.md, heartbeats). When to look again; None = never."""
        if self._departed:
            return None
        if self._is_nobody:
            if now < self._nobody_until:
                return self._nobody_until
            self.part(CloseCode.AUTH_TIMEOUT)
            return None
        times = self._times
        self._wire.check_stuck(now)
        alive_at = max(self._heard_at, self._wire.progressed_at)
        if self._asked_at > self._heard_at and now - alive_at >= times.dead_s:
            self.part(CloseCode.HEARTBEAT_LOST)
            return None
        if now - self._heard_at >= self._patience_s and self._asked_at <= self._heard_at:
            self._asked_at = now
            self._ask(now)
        return min(now + min(LOOK_SECONDS, times.dead_s / 4), max(now, self._heard_at + self._patience_s))
