"""What a room tells that is not in its log, and can wait a second: presence, reaction counts, who is typing.

Of each sort there is one thing to send to a seat and second, however many people it is about: telling everybody of
everybody is what a room cannot afford. And all of it gives way to alerts."""

from collections.abc import Callable, Collection, Mapping

import trio

from actors.clock import Clock
from actors.events import Policy
from actors.names import MemberId, Nickname, RoomName
from actors.people.outlet import Seat
from actors.people.precedence import Precedence
from actors.room.fanout import CHUNK
from actors.room.presence import Counted, Diff, Presence
from actors.room.voice import Voice

SECONDS = 1.0
TYPING_LIMIT = 200
"""Nobody can follow who is typing in a larger room."""
TYPISTS = 20
"""Told at once, the latest: nobody reads more names in a second, and an alert may wait behind them in a slow line."""
COUNTED = 100
"""Messages at most whose reactions one frame tells."""
RETOLD_S = 10.0
"""So long what was told of reactions is told again with what is new. In a slow line a frame replaces the one before
it, and must not say less."""

NOTHING_ELSE: Mapping[MemberId, bytes] = {}


class News:
    """Merges what happens within a second, and wakes only when there is something. `seats` is the room's own set."""

    def __init__(
        self,
        room: RoomName,
        voice: Voice,
        presence: Presence,
        seats: Collection[Seat],
        precedence: Precedence | None = None,
    ) -> None:
        self._room = room
        self._voice = voice
        self._presence = presence
        self._seats = seats
        self._precedence = precedence or Precedence()
        self._reactions: dict[int, dict[str, int]] = {}
        """Counts that changed and have not been told."""
        self._told: dict[int, tuple[float, dict[str, int]]] = {}
        """Counts that were told lately, and when; the oldest first."""
        self._typists: dict[MemberId, Nickname] = {}
        self._rules = b""
        self._stirred = trio.Event()

    def people_changed(self) -> None:
        self._stirred.set()

    def reacted(self, seq: int, counts: dict[str, int]) -> None:
        self._reactions[seq] = counts
        self._stirred.set()

    def forget(self, seq: int) -> None:
        """The message is not to be seen any more."""
        self._reactions.pop(seq, None)
        self._told.pop(seq, None)

    def rules(self, frame: bytes) -> None:
        self._rules = frame
        self._stirred.set()

    def typing(self, member: MemberId, nickname: Nickname) -> None:
        if self._presence.online <= TYPING_LIMIT:
            self._typists.pop(member, None)
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
            if self._reactions:
                counts = self._counts_to_tell(now.mono)
                await self._tell_all("reactions", self._voice.reactions(self._room, counts))
            if self._typists:
                typists, self._typists = list(self._typists.items())[-TYPISTS:], {}
                await self._tell_typing(typists)
            await trio.sleep(SECONDS)
            if self._presence.has_news or self._reactions:
                self._stirred.set()

    def _counts_to_tell(self, now: float) -> dict[int, dict[str, int]]:
        """What is new, as far as it fits, and what was told a moment ago."""
        told = self._told
        for seq in list(self._reactions)[:COUNTED]:
            told.pop(seq, None)
            told[seq] = now, self._reactions.pop(seq)
        for seq in [seq for seq, (when, _) in told.items() if when < now - RETOLD_S]:
            del told[seq]
        for seq in list(told)[:-COUNTED]:
            del told[seq]
        return {seq: counts for seq, (_, counts) in told.items()}

    async def _tell_presence(self, now: float, allowed: str) -> None:
        match self._presence.due(now, allowed):
            case Diff() as diff:
                frame = self._voice.presence_diff(self._room, diff)
            case Counted() as counted:
                frame = self._voice.presence_counts(self._room, counted)
            case None:
                return
        await self._tell_all("presence", frame, lambda seat: seat.presence)

    async def _tell_typing(self, typists: Collection[tuple[MemberId, Nickname]]) -> None:
        """To the others: those who type are left out of what they are told."""
        names = {member: self._presence.nickname(member) or nickname for member, nickname in typists}
        told = {member: self._voice.typing(self._room, member, nickname) for member, nickname in names.items()}
        others = {who: b"".join(frame for member, frame in told.items() if member != who) for who in told}
        everybody = b"".join(told.values())
        await self._tell_all("typing", everybody, lambda seat: others.get(seat.member) != b"", others)

    async def _tell_all(
        self,
        key: str,
        frames: bytes,
        wanted: Callable[[Seat], bool] = lambda seat: True,
        instead: Mapping[MemberId, bytes] = NOTHING_ELSE,
    ) -> None:
        """`instead`: for the seats of these members."""
        key = f"{self._room}:{key}"
        seats = [seat for seat in self._seats if wanted(seat)]
        for start in range(0, len(seats), CHUNK):
            for seat in seats[start : start + CHUNK]:
                seat.outlet.news(key, instead.get(seat.member, frames))
            await self._precedence.give_way()
