"""The feed of what happened: the last thousand events in memory for whoever watches, and all of them to a place that
keeps them, batch by batch. Nobody who writes waits, whoever watches and whatever the place does."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice

import trio

from actors.stats.activity import NOTHING, SERVER, Event

KEPT = 1_000
PENDING_LIMIT = 5_000
"""Events held for a place that takes none: minutes of a bad evening. The oldest go first, and are counted."""
BATCH = 500
WRITE_SECONDS = 1.0
GOODBYE_SECONDS = 0.3
TEXT_LIMIT = 1_000
"""Code points of an event's text; what is longer is cut."""
GAP = 1_000_000
"""Numbers left out after a process that did not stop in order: it had told more than it wrote, and a number that
somebody has heard is not given to another event."""
STARTED, STOPPED = "the server has started", "the server stops"

Sink = Callable[[Sequence[Event]], Awaitable[bool]]
"""Takes events in order, at most BATCH of them. True: they are kept. False, or an exception: not now; the same events
come again. So an event may come twice when the first time ended badly: `n` tells it."""


class Feed:
    """An Activity. On the loop's thread only. Outlives whoever writes it out."""

    def __init__(
        self,
        wall: Callable[[], float],
        sink: Sink | None = None,
        *,
        kept: int = KEPT,
        pending_limit: int = PENDING_LIMIT,
    ) -> None:
        self.sink = sink
        """May be set later: what has happened until then waits, within the bound."""
        self.refused = 0
        """Batches that the sink did not take."""
        self.dropped = 0
        """Events that it will never get."""
        self.last_refusal = ""
        self._wall = wall
        self._ring: deque[Event] = deque(maxlen=kept)
        self._pending: deque[Event] = deque()
        self._pending_limit = pending_limit
        self._last = 0
        self._moved = trio.Event()

    def note(
        self,
        kind: str,
        text: str,
        *,
        room: str | None = None,
        member: str | None = None,
        operator: str | None = None,
        act: str | None = None,
        data: Mapping[str, object] = NOTHING,
    ) -> None:
        self._last += 1
        event = Event(self._last, self._wall(), kind, text[:TEXT_LIMIT], room, member, operator, act, data)
        self._ring.append(event)
        self._pending.append(event)
        if len(self._pending) > self._pending_limit:
            self._pending.popleft()
            self.dropped += 1
        moved, self._moved = self._moved, trio.Event()
        moved.set()

    def restore(self, events: Sequence[Event]) -> None:
        """At the start, before anything is noted: what an earlier process has told, ascending. Numbers go on, and this
        start is told."""
        assert self._last == 0, "the feed has begun"
        self._ring.extend(events)
        orderly = not events or (events[-1].kind, events[-1].text) == (SERVER, STOPPED)
        if events:
            self._last = events[-1].n + (0 if orderly else GAP)
        self.note(SERVER, STARTED if orderly else f"{STARTED}: the last one had not stopped in order")

    def part(self) -> None:
        """The server stops, and this is the last that is told."""
        self.note(SERVER, STOPPED)

    # Watching

    @property
    def last(self) -> int:
        """The number of the newest event; 0 = there was none."""
        return self._last

    @property
    def pending(self) -> int:
        return len(self._pending)

    def replay(self, n: int = KEPT) -> list[Event]:
        """The newest n that are kept here, ascending."""
        return list(islice(self._ring, max(0, len(self._ring) - n), None))

    def since(self, n: int) -> list[Event]:
        """Those after number n, ascending. A watcher so late that the first of them has gone sees it by its number."""
        later: deque[Event] = deque()
        for event in reversed(self._ring):
            if event.n <= n:
                break
            later.appendleft(event)
        return list(later)

    async def wait(self) -> None:
        """Until something more has happened. Look with `since` first, and again afterwards: nothing is lost between the
        two, and who never comes back costs nothing."""
        await self._moved.wait()

    # Keeping

    async def keep_writing(self) -> None:
        """For ever: what waits for the sink, at most once a second; while nothing waits, nothing is done."""
        while True:
            if self.sink is None or not self._pending:
                await self.wait()
            await trio.sleep(WRITE_SECONDS)
            await self.write_out()

    async def write_out(self) -> bool:
        """All that waits, or as much as is taken. False: something was refused. When this is cancelled the batch under
        way stays, and comes again."""
        sink = self.sink
        while sink is not None and self._pending:
            batch = list(islice(self._pending, BATCH))
            if not await self._offered(sink, batch):
                self.refused += 1
                return False
            last = batch[-1].n
            while self._pending and self._pending[0].n <= last:  # some may have been dropped meanwhile
                self._pending.popleft()
        return True

    async def _offered(self, sink: Sink, batch: Sequence[Event]) -> bool:
        try:
            return await sink(batch)
        except Exception as error:  # whoever keeps the feed must not take the house's numbers along
            self.last_refusal = f"{type(error).__name__}: {error}"
            return False
