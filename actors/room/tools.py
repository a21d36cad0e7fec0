"""What every room of a house is given, and who hears the log's verdicts for it."""

from collections.abc import Callable
from math import inf

import trio
from attrs import field, frozen

from actors.clock import Clock, Now
from actors.journal.log import RoomLog, Stored
from actors.names import MemberId, RoomName
from actors.people.precedence import Precedence
from actors.people.standing import Standing
from actors.people.visits import Seated
from actors.refusals import Refused
from actors.room.book import TAIL_LIMIT, Book
from actors.room.messages import Post
from actors.room.pages import Pages
from actors.room.presence import Presence
from actors.room.voice import Voice
from actors.tally import RoomTally, Tally


@frozen
class RoomTools:
    """What every room of a house is given. `seated`: whom a room that starts again has to re-admit."""

    log: RoomLog
    voice: Voice
    pages: Pages
    tally: Tally
    tallies: dict[RoomName, RoomTally]
    """By room, for those that are up."""
    clock: Clock
    presence: Callable[[], Presence]
    seated: Callable[[RoomName], Seated]
    tail: int = TAIL_LIMIT
    keep_s: float = inf
    """Retention: a room whose members stay does not outlive it in memory."""
    standing: Standing = field(factory=Standing)
    """Read here, written by the admin alone."""
    precedence: Precedence = field(factory=Precedence)
    put_out: Callable[[RoomName, tuple[MemberId, ...]], None] = lambda room, members: None
    """Told who was taken out of a room by an order."""


@frozen
class PostReply:
    """Stands between the log's verdict on a post and its author: slow mode forgets a post that did not count."""

    post: Post
    judged: Now
    passed: bool
    book: Book
    tally: Tally

    def answer(self, value: Stored | Refused) -> None:
        if isinstance(value, Stored) and not value.dup:
            self.tally.messages_accepted += 1
        else:
            self.tally.messages_rejected += 1
            if self.passed:
                self.book.forgive(self.post.author, self.judged)
        self.post.reply.answer(value)


class Verdict:
    """The log's, on what a room writes itself."""

    def __init__(self) -> None:
        self._heard = trio.Event()
        self._value: Stored | Refused | None = None

    def answer(self, value: Stored | Refused) -> None:
        self._value = value
        self._heard.set()

    async def seq(self) -> int:
        """Where it stands; 0: it was not written."""
        await self._heard.wait()
        return self._value.seq if isinstance(self._value, Stored) else 0
