"""A child is data: how to build it, when to restart it, how often. Also what its supervisor says of it."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

from attrs import frozen

from actors.kernel.actor import Actor

M = TypeVar("M")


class Restart(enum.Enum):
    """When a new instance follows the one that ended."""

    ON_CRASH = "on crash"  # an exception; returning from run() ends the child
    NEVER = "never"
    ALWAYS = "always"  # also after run() returned, which costs budget like a crash, unless it was told to stop


@frozen
class Budget:
    """`limit` crashes within `seconds` are forgiven; one more quarantines the child."""

    limit: int = 3
    seconds: float = 5.0
    quarantine_s: float = 30.0
    """The first one; each further one takes twice as long as the last, up to `longest_quarantine_s`."""
    longest_quarantine_s: float = 600.0


@frozen
class Child(Generic[M]):
    """`build` makes a fresh instance for every life; `name` is unique among the living, kind first (`room:lobby`)."""

    name: str
    build: Callable[[], Actor[M]]
    restart: Restart = Restart.ON_CRASH
    capacity: int = 256  # data lane: what a busy room may fall behind before its sources are paused
    control_capacity: int = 1024  # control lane: more, because whoever urges cannot wait
    budget: Budget = Budget()


class State(enum.Enum):
    """Where a child is in its life."""

    STARTING = "starting"
    RUNNING = "running"  # until the very end, draining included
    RESTARTING = "restarting"
    QUARANTINED = "quarantined"
    STOPPED = "stopped"


@frozen
class ChildStatus:
    """A row of the children table. `since` is trio.current_time() of the last change of state."""

    state: State
    restarts: int
    last_exception: str | None  # as text: the exception itself would keep the dead instance in memory
    since: float


@frozen
class ChildCrashed:
    """An instance died. `restarts` is how often the child was restarted before."""

    name: str
    cause: Exception
    restarts: int


@frozen
class ChildRestarted:
    """A new instance has started and takes mail."""

    name: str
    restarts: int


@frozen
class ChildQuarantined:
    """The budget is spent: no instance for `seconds`, the data lane refuses. An alarm."""

    name: str
    seconds: float


@frozen
class ChildStopped:
    """The child is gone for good; `cause` is the crash after which it did not come back, None when it was told to stop
    or had finished.
    """

    name: str
    cause: Exception | None


@frozen
class CallbackFailed:
    """`stopped` or `undelivered` raised; nothing else happened because of it."""

    name: str
    callback: str
    error: Exception


SupervisionEvent: TypeAlias = ChildCrashed | ChildRestarted | ChildQuarantined | ChildStopped | CallbackFailed


def cause_of(error: BaseException) -> BaseException:
    """What happened, without the nurseries around it: groups of one are opened."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


class CrashLedger:
    """Decides what a crash costs. Pure: time is an argument, in seconds of one monotonic clock."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._recent: deque[float] = deque()
        self._sentence_s = 0.0
        self._calm_since = 0.0

    def crash(self, now: float) -> float | None:
        """Seconds of quarantine, or None: restart at once.

        The first quarantine takes 30 s, each further one twice as long up to 10 min. A life as long as the last
        quarantine without a crash brings it back to 30 s.
        """
        if now - self._calm_since >= self._sentence_s:
            self._sentence_s = 0.0
        self._calm_since = now
        self._recent.append(now)
        while now - self._recent[0] > self._budget.seconds:
            self._recent.popleft()
        if len(self._recent) <= self._budget.limit:
            return None
        self._recent.clear()
        budget = self._budget
        self._sentence_s = min(max(2 * self._sentence_s, budget.quarantine_s), budget.longest_quarantine_s)
        self._calm_since = now + self._sentence_s
        return self._sentence_s
