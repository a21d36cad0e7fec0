"""A room's questions to the disk: answered in tasks of their own, so that no turn waits, and so many at a time."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio
from attrs import define

from actors.journal.log import LogFailed
from actors.refusals import Reason, Refused
from actors.room.messages import Reply

T = TypeVar("T")


@define
class Reacting:
    """To one message: reactions under way, and how many there have been since there were none."""

    now: int = 0
    ever: int = 0


class Lookups:
    """At most `limit` under way at once in one room; further ones hear `busy`, and why: `said`."""

    def __init__(self, nursery: trio.Nursery, limit: int, said: str) -> None:
        self._nursery = nursery
        self._limit = limit
        self._busy = Refused(Reason.BUSY, said, 1_000)
        self._under_way = 0

    def start(self, reply: Reply[T], ask: Callable[[], Awaitable[T]]) -> None:
        """Answer `reply` with what `ask` brings; LogFailed is told as `unavailable`, KeyError as `bad_anchor`. When the
        room ends first, that is told."""
        if self._under_way >= self._limit:
            reply.answer(self._busy)
            return
        self._under_way += 1
        self._nursery.start_soon(self._answer, reply, ask)

    async def _answer(self, reply: Reply[T], ask: Callable[[], Awaitable[T]]) -> None:
        answer: T | Refused = Refused(Reason.UNAVAILABLE, "this room was interrupted; try again", 500)
        try:
            answer = await ask()
        except LogFailed as failure:
            answer = Refused(Reason.UNAVAILABLE, str(failure), failure.retry_after_ms)
        except KeyError:
            answer = Refused(Reason.BAD_ANCHOR, "there is no such message in this room")
        finally:
            self._under_way -= 1
            reply.answer(answer)
