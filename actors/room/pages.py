"""Pages of a log for members who are behind: read from disk once, framed once, shared by all who need them."""

from collections import OrderedDict
from collections.abc import Iterable

from actors.events import Deleted, Edited, Entry, Veiling
from actors.journal import sizes
from actors.journal.log import RoomLog
from actors.names import Epoch, RoomName
from actors.room.voice import Voice

PAGE_ENTRIES = 200
PAGE_BYTES = 64 * 1024
READ_BYTES = 1024 * 1024

Framed = tuple[int, bytes]
"""seq and the frame that says it."""


class EpochOver(Exception):
    """The log has begun a new epoch under a room that is up: the room has to be opened again."""


fitting = sizes.fitting


class Pages:
    """A byte-bounded LRU over aligned pages of PAGE_ENTRIES, one for the whole house. The last page of a room still
    grows: it is kept as far as it went, and read again by whoever needs more."""

    def __init__(self, log: RoomLog, voice: Voice, *, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._log = log
        self._voice = voice
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[RoomName, Epoch, int], tuple[Framed, ...]] = OrderedDict()
        self._stale = 0
        """Bumped by every change of an old entry: a page read before it must not be kept after it."""

    async def after(self, room: RoomName, epoch: Epoch, cursor: int) -> tuple[Framed, ...]:
        """Readable entries after the cursor, consecutive: those of the aligned page that holds cursor + 1, or the first
        there are, where retention has removed that page. Empty when there are none. Raises LogFailed, EpochOver."""
        start = cursor - cursor % PAGE_ENTRIES
        key = (room, epoch, start)
        framed = self._kept.get(key)
        if framed is None or framed[-1][0] <= cursor:
            framed = await self._read(key)
        else:
            self._kept.move_to_end(key)
        return framed if cursor == start else tuple(item for item in framed if item[0] > cursor)

    async def _read(self, key: tuple[RoomName, Epoch, int]) -> tuple[Framed, ...]:
        room, epoch, start = key
        stale = self._stale
        entries: list[Entry] = []
        end = start + PAGE_ENTRIES
        while (after := entries[-1].seq if entries else start) < end:
            page = await self._log.read(room, after=after, before=None, limit=end - after, max_bytes=READ_BYTES)
            if page.epoch != epoch:
                raise EpochOver(f"{room} is in epoch {page.epoch} and was read in {epoch}")
            if not entries and page.entries and page.entries[0].seq > end:
                return self._framed(room, page.entries)
            entries += [entry for entry in page.entries if entry.seq <= end]
            if not page.entries or not page.more:
                break
        framed = self._framed(room, entries)
        if framed and stale == self._stale:
            self._keep(key, framed)
        return framed

    def _framed(self, room: RoomName, entries: Iterable[Entry]) -> tuple[Framed, ...]:
        return tuple((entry.seq, self._voice.entry(room, entry)) for entry in entries)

    def _keep(self, key: tuple[RoomName, Epoch, int], framed: tuple[Framed, ...]) -> None:
        self._drop(key)
        self._kept[key] = framed
        self._bytes += sum(len(frame) for _, frame in framed)
        while self._bytes > self._max_bytes and self._kept:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: tuple[RoomName, Epoch, int]) -> None:
        for _, frame in self._kept.pop(key, ()):
            self._bytes -= len(frame)

    def changed(self, room: RoomName, entry: Entry) -> None:
        """An entry that gives an older one another face was committed: the page that showed it is forgotten. Deleting
        and hiding take the edits along, which cannot be found by their number: the room's pages are all forgotten."""
        match entry.body:
            case Edited(target):
                self._stale += 1
                self._drop((room, entry.epoch, (target - 1) - (target - 1) % PAGE_ENTRIES))
            case _ if isinstance(entry.body, Deleted | Veiling):
                self.forget(room)
            case _:
                pass

    def trimmed(self, room: RoomName, oldest: int) -> None:
        """What is before `oldest` is served no more."""
        self._stale += 1
        for key in [key for key in self._kept if key[0] == room and key[2] + 1 < oldest]:
            self._drop(key)

    def forget(self, room: RoomName) -> None:
        """Nobody reads there just now, or all of it may read otherwise."""
        self._stale += 1
        for key in [key for key in self._kept if key[0] == room]:
            self._drop(key)
