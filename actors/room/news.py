"""What a room tells that is not in its log, and can wait a second: presence, reaction counts, who is typing."""

from collections.abc import Callable, Collection

import trio

from actors.clock import Clock
from actors.events import Policy
from actors.names import MemberId, Nickname, RoomName
from actors.people.outlet import Seat
from actors.room.fanout import CHUNK
from actors.room.presence import Counted, Diff, Presence
from actors.room.voice import Voice

SECONDS = 1.0
TYPING_LIMIT = 200
"""Nobody can follow who is typing in a larger room."""


class News:
    """Merges what happens within a second, and wakes only when there is something. `seats` is the room's own set."""

    def __init__(self, room: RoomName, voice: Voice, presence: Presence, seats: Collection[Seat]) -> None:
        self.reactions: dict[int, dict[str, int]] = {}
        """Counts that changed and have not been told."""
        self._room = room
        self._voice = voice
        self._presence = presence
        self._seats = seats
        self._typists: dict[MemberId, Nickname] = {}
        self._rules = b""
        self._stirred = trio.Event()

    def people_changed(self) -> None:
        self._stirred.set()

    def reacted(self, seq: int, counts: dict[str, int]) -> None:
        self.reactions[seq] = counts
        self._stirred.set()

    def rules(self, frame: bytes) -> None:
        self._rules = frame
        self._stirred.set()

    def typing(self, member: MemberId, nickname: Nickname) -> None:
        if self._presence.online <= TYPING_LIMIT:
            self._typists[member] = nickname
            self._stirred.set()

    async def tell(self, clock: Clock, policy: Callable[[], Policy]) -> None:
        while True:
            await self._stirred.wait()
            self._stirred = trio.Event()
            now = clock.now()
            if self._rules:
                rules, self._rules = self._rules, b""
                await self._tell_all("rules", rules)
            await self._tell_presence(now.mono, policy().at(now.wall).presence)
            reactions, self.reactions = self.reactions, {}
            for seq, counts in reactions.items():
                await self._tell_all(f"reactions:{seq}", self._voice.reactions(self._room, {seq: counts}))
            typists, self._typists = self._typists, {}
            for member, nickname in typists.items():
                await self._tell_all(f"typing:{member}", self._voice.typing(self._room, member, nickname))
            await trio.sleep(SECONDS)
            if self._presence.has_news:
                self._stirred.set()

    async def _tell_presence(self, now: float, allowed: str) -> None:
        match self._presence.due(now, allowed):
            case Diff() as diff:
                frame = self._voice.presence_diff(self._room, diff)
            case Counted() as counted:
                frame = self._voice.presence_counts(self._room, counted)
            case None:
                return
        await self._tell_all("presence", frame, lambda seat: seat.presence)

    async def _tell_all(self, key: str, frame: bytes, wanted: Callable[[Seat], bool] = lambda seat: True) -> None:
        key = f"{self._room}:{key}"
        seats = [seat for seat in self._seats if wanted(seat)]
        for start in range(0, len(seats), CHUNK):
            for seat in seats[start : start + CHUNK]:
                seat.outlet.news(key, frame)
            await trio.lowlevel.checkpoint()
