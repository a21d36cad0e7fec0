"""What keeps one mistake of ours from ending the server: every task and every timer of the gateway stands behind this.

Broad on purpose: whatever goes wrong in one connection, ours or a library's, is logged, counted, and ends that
connection alone. The nursery around it holds everybody else. Cancelled is no Exception and passes."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVarTuple

import trio
from attrs import define, field, frozen

from gateway.log import EventLog

Args = TypeVarTuple("Args")

AGAIN_SECONDS = 1.0

log = EventLog("gateway.barrier")


def nothing() -> None: ...


@define(eq=False)
class Barrier:
    faults: int = field(init=False, default=0)
    """What it has stopped: each is in the log, and is a mistake of ours."""

    @contextmanager
    def around(self, event: str, failed: Callable[[], None] = nothing) -> Iterator[None]:
        """`event`: its name in the log. `failed`: called where an exception was stopped; what it raises is stopped
        too."""
        try:
            yield
        except* Exception as faults:  # whatever it is, it is one connection's or one task's, and never the server's
            self.faults += 1
            log.error(event, cause=faults)
            if failed is not nothing:
                with self.around(event):
                    failed()


@frozen
class Tasks:
    """The tasks that wait in place of a connection, and those that go on for ever."""

    nursery: trio.Nursery
    barrier: Barrier

    def start_soon(
        self,
        task: Callable[[*Args], Awaitable[object]],
        *args: *Args,
        event: str = "task_failed",
        failed: Callable[[], None] = nothing,
    ) -> None:
        self.nursery.start_soon(self._run, task, args, event, failed)

    def keep_up(self, task: Callable[[], Awaitable[object]]) -> None:
        """What goes on for ever: begun anew a second after it failed."""
        self.nursery.start_soon(self._again_and_again, task)

    async def _again_and_again(self, task: Callable[[], Awaitable[object]]) -> None:
        while True:
            with self.barrier.around("task_failed"):
                await task()
            await trio.sleep(AGAIN_SECONDS)

    async def _run(
        self,
        task: Callable[[*Args], Awaitable[object]],
        args: tuple[*Args],
        event: str,
        failed: Callable[[], None],
    ) -> None:
        with self.barrier.around(event, failed):
            await task(*args)
