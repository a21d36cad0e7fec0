"""What orders may touch: the addresses of the house, the standing, the record. Built once, by the house."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, Generic, Protocol, TypeVar

import trio
from attrs import define, frozen

from actors.admin.orders import Denied, denied
from actors.alerts.messages import AlertsMessage
from actors.clock import Clock
from actors.journal.log import RoomLog
from actors.kernel import ActorGone, MailboxFull, Quarantined, Ref
from actors.names import MemberId, RoomName
from actors.people.outlet import Visit
from actors.people.registry import PeopleMessage
from actors.people.standing import Standing
from actors.refusals import Refused
from actors.room.directory import DirectoryMessage
from actors.room.messages import RoomMessage
from actors.stats.activity import Activity
from actors.stats.board import Board

T = TypeVar("T")
M = TypeVar("M")

NO_ALERTS = Denied("unavailable", "this server runs without alerts")
PATIENCE_S = 5.0
"""For one answer of a room, of the directory, of a store. Then the order is answered `unavailable`."""


class Answering(Generic[T]):
    """A Reply whose answer can be waited for."""

    def __init__(self) -> None:
        self._settled = trio.Event()
        self._value: T | Refused | None = None

    def answer(self, value: T | Refused) -> None:
        self._value = value
        self._settled.set()

    async def wait(self) -> T | Refused:
        await self._settled.wait()
        assert self._value is not None
        return self._value


async def told(ref: Ref[M], make: Callable[[Answering[Any]], M]) -> Any | Denied:
    """An order on the control lane, and what it was answered."""
    reply: Answering[Any] = Answering()
    try:
        with trio.fail_after(PATIENCE_S):
            ref.urge(make(reply))
            value = await reply.wait()
    except (ActorGone, MailboxFull, trio.TooSlowError) as wrong:
        return unreachable(wrong)
    return denied(value) if isinstance(value, Refused) else value


async def asked(ref: Ref[M], make: Callable[[Any], M]) -> Any | Denied:
    """A question on the control lane."""
    try:
        with trio.fail_after(PATIENCE_S):
            value: Any = await ref.ask(make, urgent=True)
    except (ActorGone, MailboxFull, trio.TooSlowError) as wrong:
        return unreachable(wrong)
    return denied(value) if isinstance(value, Refused) else value


def unreachable(wrong: Exception) -> Denied:
    if isinstance(wrong, Quarantined):
        return Denied("unavailable", str(wrong), round(wrong.retry_after_s * 1000))
    said = "this took too long" if isinstance(wrong, trio.TooSlowError) else str(wrong)
    return Denied("unavailable", said, 1_000)


class Gateway(Protocol):
    """What orders need of the sockets' side."""

    def token_for(self, member: MemberId) -> str: ...

    def addresses(self, member: MemberId) -> tuple[str, ...]:
        """Of the connections of a member who is here now."""
        ...

    def part(self, member: MemberId, code: int) -> int:
        """All connections of a member, those that are only just coming in included. How many."""
        ...

    def look_at_the_door(self) -> int:
        """Those inside whom the standing no longer lets in are put out. How many."""
        ...

    def behind(self, addresses: Iterable[str]) -> int:
        """Members who are here now from these addresses."""
        ...

    def note(self, visits: Iterable[Visit], text: str) -> int:
        """A note of the organisers to one member's connections. How many."""
        ...

    def drain(self) -> None: ...


@define
class World:
    clock: Clock
    event: str
    log: RoomLog
    rooms: Mapping[RoomName, Ref[RoomMessage]]
    directory: Ref[DirectoryMessage]
    people: Ref[PeopleMessage]
    alerts: Ref[AlertsMessage] | None
    standing: Standing
    activity: Activity
    board: Board
    zones: dict[RoomName, str]
    """Of each room that is in one; what the alerts go by."""
    gateway: Gateway | None = None
    second: frozenset[str] = frozenset()
    """Commands for which a second person is demanded."""
    version: str = "unknown"

    def now(self) -> float:
        return self.clock.now().wall


@frozen
class Mark:
    """Under whose name registers are written. `act` makes the log's cids, so that a repeated write is one."""

    act: str
    operator: str
    reason: str
    at: float

    def cid(self, what: str) -> str:
        """One for each entry that the act writes: `what` names it within the act, its room included."""
        return f"{self.act}.{sha256(what.encode()).hexdigest()[:16]}"


AT_ONCE = 64
"""Rooms or messages that one order is busy with at a time: enough for the log to write them together."""


async def for_each(items: Iterable[T], do: Callable[[T], Awaitable[object]]) -> dict[T, Denied]:
    """Does it for all, some at a time; those that failed."""
    failed: dict[T, Denied] = {}
    waiting = list(items)

    async def work() -> None:
        while waiting:
            item = waiting.pop(0)
            done = await do(item)
            if isinstance(done, Denied):
                failed[item] = done

    async with trio.open_nursery() as nursery:
        for _ in range(min(AT_ONCE, len(waiting))):
            nursery.start_soon(work)
    return failed
