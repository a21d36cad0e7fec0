"""What every room of a house is given, and who hears the log's verdicts for it."""

from collections.abc import Awaitable, Callable
from math import inf

from attrs import frozen

from actors.clock import Clock, Now
from actors.journal.log import RoomLog, Stored
from actors.names import RoomName
from actors.people.registry import Seated
from actors.refusals import Refused
from actors.room.book import Book
from actors.room.messages import Post
from actors.room.pages import Pages
from actors.room.presence import Presence
from actors.room.voice import Voice
from actors.tally import RoomTally, Tally

TAIL_LIMIT = 100


@frozen
class RoomTools:
    """What every room of a house is given. `seated` asks people/ whom to re-admit."""

    log: RoomLog
    voice: Voice
    pages: Pages
    tally: Tally
    tallies: dict[RoomName, RoomTally]
    """By room, for those that are up."""
    clock: Clock
    presence: Callable[[], Presence]
    seated: Callable[[RoomName], Awaitable[Seated]]
    tail: int = TAIL_LIMIT
    keep_s: float = inf
    """Retention: a room whose members stay does not outlive it in memory."""


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


class Unheard:
    """What the room itself writes is answered by the log's news."""

    def answer(self, value: Stored | Refused) -> None:
        """Nobody asked."""
