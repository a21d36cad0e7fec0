"""One room's view of what is committed: contract rule 3, with a bound on what may wait to be taken."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from actors.events import Entry
from actors.names import Epoch, RoomName

PENDING_LIMIT = 4_096
"""Entries held for one room. Beyond it the rest is read from the log once the room has taken these."""


class Source(Protocol):
    """What a following asks of the journal. Neither call waits."""

    def repair(self, following: "RoomFollowing") -> None:
        """Read what comes after `following.last` and hand it to `repaired`, in the writer's order."""
        ...

    def leave(self, following: "RoomFollowing") -> None: ...


class RoomFollowing:
    """Loop's thread only. Hears of commits from its making on; `begin` says where the opening it belongs to ends."""

    def __init__(self, source: Source, room: RoomName, wake: Callable[[], None], limit: int = PENDING_LIMIT) -> None:
        self.room = room
        self.wake = wake
        self.epoch: Epoch | None = None
        """None until `begin`."""
        self.last = 0
        """Everything up to this seq is taken or pending."""
        self.oldest = 1
        """The first seq that is still served."""
        self.lagging = False
        """There is more in the log than pending; live entries wait for the repair."""
        self._source = source
        self._limit = limit
        self._pending: deque[Entry] = deque()
        self._repairing = False
        self._trimmed: tuple[Epoch, int] | None = None
        """Heard before `begin`."""

    def begin(self, epoch: Epoch, head: int, oldest: int = 1) -> None:
        heard = [entry for entry in self._pending if entry.epoch == epoch and entry.seq > head]
        self.epoch, self.last, self.oldest = epoch, head, oldest
        if self._trimmed is not None:
            self.trim(*self._trimmed)
        self._pending.clear()
        self._add(heard)
        if self.lagging:
            self._repair()

    def put(self, entries: Sequence[Entry]) -> bool:
        """What a commit brought. True: the room should be woken."""
        if self.epoch is None:
            self._buffer(entries)
            return False
        if self.lagging:
            return False
        return self._add([entry for entry in entries if entry.epoch == self.epoch and entry.seq > self.last])

    def trim(self, epoch: Epoch, oldest: int) -> bool:
        """What is before `oldest` is served no more. True: the room should be woken."""
        if self.epoch is None:
            self._trimmed = epoch, oldest
            return False
        if epoch != self.epoch or oldest <= self.oldest:
            return False
        self.oldest = oldest
        return True

    @property
    def has_news(self) -> bool:
        return self.epoch is not None and bool(self._pending)

    def take(self) -> Sequence[Entry]:
        taken = list(self._pending)
        self._pending.clear()
        if self.lagging:
            self._repair()
        return taken

    def stop(self) -> None:
        self._pending.clear()
        self.lagging = False
        self._source.leave(self)

    def lag(self) -> None:
        """There may be commits that nobody told of."""
        self.lagging = True
        self.retry()

    def repaired(self, epoch: Epoch, entries: Sequence[Entry], more: bool) -> None:
        """The log's answer to `repair`. Another epoch: this following has ended."""
        self._repairing = False
        if epoch != self.epoch:
            self.lagging = False
            return
        self.lagging = more
        if self._add([entry for entry in entries if entry.seq > self.last]):
            self.wake()
        elif self.lagging and not self._pending:
            self._repair()

    def repair_failed(self) -> None:
        """The log cannot be read now; `retry` comes with the next housekeeping."""
        self._repairing = False

    def retry(self) -> None:
        if self.lagging and not self._pending and self.epoch is not None:
            self._repair()

    def _buffer(self, entries: Sequence[Entry]) -> None:
        if len(self._pending) + len(entries) > self._limit:
            self._pending.clear()
            self.lagging = True
        if not self.lagging:
            self._pending.extend(entries)

    def _add(self, entries: Sequence[Entry]) -> bool:
        """A hole, or no room: the rest comes by repair."""
        for entry in entries:
            if entry.seq != self.last + 1 or len(self._pending) >= self._limit:
                self.lagging = True
                break
            self._pending.append(entry)
            self.last = entry.seq
        return bool(entries) and bool(self._pending)

    def _repair(self) -> None:
        if not self._repairing:
            self._repairing = True
            self._source.repair(self)
