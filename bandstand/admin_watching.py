"""What a desk watches, between the connection that brings it and whoever reads it."""

from collections import deque
from collections.abc import Awaitable, Callable

import trio
from attrs import frozen

from bandstand.admin_line import AdminRefused, Json, refusal
from bandstand.client.errors import BandstandError
from bandstand.socket import Socket

ACTIVITY = "activity"
HELD = 64
"""Snapshots of the activity feed that wait to be taken; then the reader waits, and TCP slows the server down."""


@frozen
class Line:
    """What a watch asks of its desk. `moved` returns when something has come or ended; `taken`: there is room again."""

    begin: "Callable[[Watching], Awaitable[None]]"
    moved: Callable[[], Awaitable[None]]
    taken: Callable[[], None]
    over: Callable[[], BandstandError | None]


class Watching:
    """Made by `Desk.watch`. What its reader has not taken yet: of the feed all of it, else only the newest."""

    def __init__(self, line: Line, topic: str, since: int | None) -> None:
        self.topic = topic
        self.last = since
        self.on: Socket | None = None
        """Where it was begun."""
        self._line = line
        self._waiting: deque[Json] = deque()
        self._failed: AdminRefused | None = None

    @property
    def full(self) -> bool:
        return self.topic == ACTIVITY and len(self._waiting) >= HELD

    def put(self, snapshot: Json) -> None:
        if self.topic != ACTIVITY:
            self._waiting.clear()
        for event in snapshot.get("events", ()) if self.topic == ACTIVITY else ():
            self.last = event.get("n", self.last)
        self._waiting.append(snapshot)

    def answered(self, answer: Json) -> None:
        if answer["type"] == "error":
            self._failed = refusal(answer)

    def __aiter__(self) -> "Watching":
        return self

    async def __anext__(self) -> Json:
        if self.on is None:
            await self._line.begin(self)
        while not self._waiting:
            if ended := self._failed or self._line.over():
                raise ended
            await self._line.moved()
        await trio.lowlevel.checkpoint()
        snapshot = self._waiting.popleft()
        self._line.taken()
        return snapshot
