"""Events between the connection that reads them and the program that takes them. Bounded, in order, room by room.

A program that takes them slowly: up to `SOFT` events of a room wait here, then the reader stops reading and TCP slows
the server down, which puts this client on catch-up. But a program that is waiting for an *answer* does not take events,
and the answer may lie behind them in the stream; so while an answer is due the reader goes on, up to `HARD`, where the
connection is given up and resumed later. What is only news (typing, presence) is dropped first."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import trio
from attrs import define, field

from bandstand.client.events import AlertEvent, ConnectionState, Event, PrivateNote, RoomEvent

SOFT = 1_000
HARD = 8_000
URGENT = 256
T = TypeVar("T")
STATES = 16
"""Changes of the connection that are kept for a program that does not look; the oldest go first."""


class Overflow(Exception):
    """A room's events have reached HARD while an answer was due."""


@define(eq=False)
class Inbox:
    _queues: dict[str, deque[tuple[int, RoomEvent]]] = field(factory=dict, init=False)
    _states: deque[tuple[int, ConnectionState]] = field(factory=lambda: deque(maxlen=STATES), init=False)
    _urgent: deque[AlertEvent | PrivateNote] = field(factory=lambda: deque(maxlen=URGENT), init=False)
    _arrived: int = field(default=0, init=False)
    _moved: trio.Event = field(factory=trio.Event, init=False)
    _ended: dict[str, Exception] = field(factory=dict, init=False)
    _over: Exception | None = field(default=None, init=False)

    def open(self, room: str) -> None:
        """From now on this room's events are kept until they are taken."""
        self._queues.setdefault(room, deque())
        self._ended.pop(room, None)

    def close(self, room: str, why: Exception | None) -> None:
        """What is queued can still be taken; then the room's iterators stop, or raise `why`."""
        if why is None:
            self._queues.pop(room, None)
        else:
            self._ended[room] = why
        self.stir()

    def over(self, why: Exception) -> None:
        """The connection will not come back: everything queued can still be taken, then `why`."""
        self._over = why
        self.stir()

    def check(self, room: str) -> None:
        """Raises Overflow where this room has no place for further entries: look before they count as received."""
        if len(self._queues.get(room, ())) >= HARD:
            raise Overflow(f"{HARD} events of {room} wait to be taken")

    def put(self, room: str, event: RoomEvent, *, droppable: bool = False) -> None:
        queue = self._queues.get(room)
        if queue is None or (droppable and len(queue) >= SOFT // 2):
            return
        self._arrived += 1
        queue.append((self._arrived, event))
        self.stir()

    def put_state(self, state: ConnectionState) -> None:
        self._arrived += 1
        self._states.append((self._arrived, state))
        self.stir()

    def put_urgent(self, event: AlertEvent | PrivateNote) -> None:
        """Ahead of everything that waits."""
        self._urgent.append(event)
        self.stir()

    @property
    def full(self) -> bool:
        return any(len(queue) >= SOFT for queue in self._queues.values())

    @property
    def relieved(self) -> bool:
        return all(len(queue) <= SOFT // 2 for queue in self._queues.values())

    def stir(self) -> None:
        """Wakes everyone who waits for a change here."""
        self._moved.set()
        self._moved = trio.Event()

    async def change(self) -> None:
        await self._moved.wait()

    async def next(self, room: str) -> RoomEvent | None:
        """The room's next event; None when it has been left. Raises what the room or the connection ended with."""
        while True:
            queue = self._queues.get(room)
            if queue:
                return await _at_once(partial(self._take, queue))
            ended = self._over or self._ended.get(room)
            if ended is not None:
                raise ended
            if queue is None:
                return None
            await self._moved.wait()

    async def next_of_all(self) -> Event:
        """An alert or a private note; or else the event of any room, or of the connection, that arrived first."""
        while True:
            if self._urgent:
                return await _at_once(self._urgent.popleft)
            waiting = [queue for queue in self._queues.values() if queue]
            first = min(waiting, key=lambda queue: queue[0][0], default=None)
            if self._states and (first is None or self._states[0][0] < first[0][0]):
                return (await _at_once(self._states.popleft))[1]
            if first is not None:
                return await _at_once(partial(self._take, first))
            if self._over is not None:
                raise self._over
            await self._moved.wait()

    def _take(self, queue: deque[tuple[int, RoomEvent]]) -> RoomEvent:
        event = queue.popleft()[1]
        if len(queue) == SOFT // 2:
            self.stir()
        return event


async def _at_once(take: Callable[[], T]) -> T:
    """A checkpoint that takes before others have their turn, because another iterator may want the same event; and that
    takes nothing when it is cancelled."""
    await trio.lowlevel.checkpoint_if_cancelled()
    taken = take()
    await trio.lowlevel.cancel_shielded_checkpoint()
    return taken
