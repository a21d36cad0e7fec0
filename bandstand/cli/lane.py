"""What a terminal has still to get out, one after another."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import trio
from attrs import define, field

T = TypeVar("T")
WAITING = 200
"""As many wait in a lane; who puts in more waits too."""


@define(eq=False)
class Lane(Generic[T]):
    """In the order put in: none begins before the one ahead of it is done. `do` raises nothing but what ends all."""

    do: Callable[[T], Awaitable[None]]
    waiting: int = field(default=0, init=False)
    """Not done yet, the one under way among them."""
    _in: trio.MemorySendChannel[T] = field(init=False)
    _out: trio.MemoryReceiveChannel[T] = field(init=False)
    _empty: trio.Event = field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._in, self._out = trio.open_memory_channel[T](WAITING)

    async def put(self, item: T) -> None:
        if not self.waiting:
            self._empty = trio.Event()
        self.waiting += 1
        await self._in.send(item)

    async def run(self) -> None:
        """Until it was closed and all is done."""
        async for item in self._out:
            await self.do(item)
            self.waiting -= 1
            if not self.waiting:
                self._empty.set()

    async def emptied(self) -> None:
        if self.waiting:
            await self._empty.wait()

    def close(self) -> None:
        """Nothing more is put in."""
        self._in.close()
