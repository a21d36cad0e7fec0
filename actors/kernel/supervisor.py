"""A nursery with a memory: children crash alone, come back with their mail, and rest when they crash too often."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import trio

from actors.kernel.asks import ActorGone
from actors.kernel.berth import Berth
from actors.kernel.child import (
    CallbackFailed,
    Child,
    ChildCrashed,
    ChildQuarantined,
    ChildRestarted,
    ChildStatus,
    ChildStopped,
    State,
    SupervisionEvent,
    cause_of,
)
from actors.kernel.letters import DeadLetters
from actors.kernel.ref import Ref

M = TypeVar("M")

QUARANTINE_SPREAD = 0.1  # rooms that one broken disk sent to quarantine together do not come back together
CUT_GRACE_S = 1.0  # how long a cut child may still clean up before its supervisor looks away
ENDED_LIMIT = 100  # rows of the children table kept for children that are gone


class DuplicateChild(ValueError):
    """A living child has that name already."""


class Supervisor:
    """Runs children in one nursery and remembers what became of them.

    A crash stays with its child: the message whose turn raised goes to the dead letters, all other mail waits for the
    next instance, siblings never notice. What passes through and ends the whole tree is not an Exception: Cancelled of
    an outer scope, KeyboardInterrupt, SystemExit.

    `events` is called synchronously for alarms, logs and counters; its own exceptions are counted and dropped.
    """

    def __init__(
        self,
        *,
        events: Callable[[SupervisionEvent], None] = lambda event: None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.letters = DeadLetters(self._attempt)
        self.failed_events = 0
        self._events = events
        self._jitter = jitter
        self._berths: dict[Berth[object], None] = {}  # in start order
        self._by_name: dict[str, Berth[object]] = {}
        self._ended: dict[str, ChildStatus] = {}
        self._nursery: trio.Nursery | None = None
        self._closing = False
        self._over = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run the children until `shutdown` is through. When cancelled, all children are cancelled at once."""
        async with trio.open_nursery() as self._nursery:
            for berth in self._berths:
                self._nursery.start_soon(self._keep, berth, name=berth.child.name)
            task_status.started()
            try:
                await self._over.wait()
            finally:
                self._closing = True

    def start(self, child: Child[M]) -> Ref[M]:
        """Begin the child; its address takes mail at once. Before `run` it queues until then.

        DuplicateChild if a living child has the name; a name whose bearer was told to stop or retired is free, and the
        new child begins when the old one is gone. ActorGone once the supervisor shuts down.
        """
        if self._closing:
            raise ActorGone(child.name)
        bearer = self._by_name.get(child.name)
        if bearer is not None and not bearer.closing.is_set():
            raise DuplicateChild(child.name)
        berth = Berth(child, self.letters, None if bearer is None else bearer.gone)
        self._berths[berth] = None
        self._by_name[child.name] = berth
        if self._nursery is not None:
            self._nursery.start_soon(self._keep, berth, name=child.name)
        return berth.ref

    def stop(self, name: str) -> None:
        """Order the child to stop: no more data mail, and it ends when it is drained. Unknown names are ignored."""
        berth = self._by_name.get(name)
        if berth is not None:
            berth.close()

    async def stop_and_wait(self, name: str) -> None:
        """Stop the child and wait until it is gone. When the caller's scope is cancelled, so is the child."""
        await self._see_off([self._by_name[name]] if name in self._by_name else [])

    def retire(self, name: str) -> bool:
        """Stop the child in this very turn if no mail waits for it; nothing is handled and nothing dies after a True.

        False, and nothing has changed, when mail is queued or in hand, or the child is not at rest (starting, in a
        data turn of its own) or unknown. A late sender hears ActorGone.
        """
        berth = self._by_name.get(name)
        return berth is not None and berth.retire()

    async def shutdown(self) -> None:
        """Stop the children one by one, the last started first, each drained; then let `run` return.

        The deadline is the caller's cancel scope: when it expires, all who are left are cancelled and their mail goes
        to the dead letters, as does all mail when `run` never began. No child can be started from now on.
        """
        self._closing = True
        try:
            await self._see_off(list(reversed(self._berths)))
        finally:
            self._over.set()

    @property
    def children(self) -> Mapping[str, ChildStatus]:
        """A picture of the children by name, the last hundred that are gone included."""
        return self._ended | {name: berth.status for name, berth in self._by_name.items()}

    async def _see_off(self, leaving: list[Berth[object]]) -> None:
        try:
            for berth in leaving:
                berth.close()
                await self._gone(berth)
        finally:
            left = [berth for berth in leaving if not berth.gone.is_set()]
            for berth in left:
                berth.cut()
            with trio.move_on_after(CUT_GRACE_S, shield=True):
                for berth in left:
                    await self._gone(berth)

    async def _gone(self, berth: Berth[object]) -> None:
        if self._nursery is None:
            self._bury(berth, None)  # run() has never begun, so nobody else will
        await berth.gone.wait()

    async def _keep(self, berth: Berth[M]) -> None:
        """All the lives of one child."""
        cause: Exception | None = None
        try:
            if berth.predecessor is not None:
                await berth.predecessor.wait()
            with berth.scope:
                while berth.goes_on(cause := await self._live(berth)) and await self._may_return(berth):
                    berth.restarts += 1
                    cause = None
        finally:
            self._bury(berth, cause)

    async def _live(self, berth: Berth[M]) -> Exception | None:
        """One instance, from build to goodbye. Returns what crashed it, or None when it had finished.

        This is the barrier between the faults of a child and its siblings, so it catches every Exception; the cause
        goes whole to `events`. BaseExceptions are not faults of a child: they pass, also out of a group with crashes.
        """
        try:
            await self._instance(berth)
        except BaseExceptionGroup as group:  # a nursery of the child's: faults and a cancellation may come together
            crash, rest = group.split(Exception)
            cause = None if crash is None else self._crashed(berth, crash)
            if rest is not None:
                raise rest from None
            return cause
        except Exception as error:  # the barrier, as said above
            return self._crashed(berth, error)
        berth.lay_to_rest(ActorGone)
        return None

    async def _instance(self, berth: Berth[M]) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()  # build nothing that would be cut at once
        actor = berth.child.build()
        inbox = berth.open_inbox()
        try:
            await actor.started()
            berth.become(State.RUNNING)
            if berth.restarts:
                self._emit(ChildRestarted(berth.child.name, berth.restarts))
            await actor.run(inbox)
        except BaseException as cause:  # however it ends, a cancellation too, the actor hears of it, and it goes on
            self._attempt(berth.child.name, "stopped", partial(actor.stopped, cause_of(cause)))
            raise
        else:
            self._attempt(berth.child.name, "stopped", partial(actor.stopped, None))
        finally:
            inbox.close()

    def _crashed(self, berth: Berth[M], error: Exception) -> Exception:
        cause = cause_of(error)
        assert isinstance(cause, Exception)  # a group of Exceptions holds nothing else
        berth.crashed(cause)
        self._emit(ChildCrashed(berth.child.name, cause, berth.restarts))
        return cause

    async def _may_return(self, berth: Berth[M]) -> bool:
        """Wait as long as the last crash costs. False: it was told to stop meanwhile."""
        seconds = berth.ledger.crash(trio.current_time())
        if seconds is None:
            berth.become(State.RESTARTING)
            await trio.lowlevel.checkpoint()
            return True
        if berth.closing.is_set():
            return False
        seconds *= 1 + QUARANTINE_SPREAD * self._jitter()
        berth.quarantine(seconds)
        self._emit(ChildQuarantined(berth.child.name, seconds))
        with trio.move_on_after(seconds):
            await berth.closing.wait()
        if berth.closing.is_set():
            return False
        berth.release()
        return True

    def _bury(self, berth: Berth[M], cause: Exception | None) -> None:
        name = berth.child.name
        berth.end()
        del self._berths[berth]
        if self._by_name[name] is berth:
            del self._by_name[name]
            self._ended[name] = berth.status
            while len(self._ended) > ENDED_LIMIT:
                del self._ended[next(iter(self._ended))]
        self._emit(ChildStopped(name, cause))

    def _attempt(self, name: str, callback: str, call: Callable[[], object]) -> None:
        """A callback that must not hurt its caller: whatever it raises is reported and over."""
        try:
            call()
        except Exception as error:  # as said above
            self._emit(CallbackFailed(name, callback, error))

    def _emit(self, event: SupervisionEvent) -> None:
        try:
            self._events(event)
        except Exception:  # a broken log line must not kill a child
            self.failed_events += 1
