"""What operators may say to the directory about rooms, and the clerk who does it: one order at a time, in a task of its
own, since each waits for the disk."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import trio
from attrs import evolve, frozen

from actors.clock import Clock
from actors.journal.log import LogFailed, RoomLog, RoomRecord
from actors.kernel import ActorGone, MailboxFull, Ref, Supervisor
from actors.names import RoomCode, RoomName
from actors.refusals import Reason, Refused
from actors.room.messages import Done, RecordChanged, Remove, Reply, Request, RoomMessage
from actors.room.readmission import GONE
from actors.room.table import RoomTable
from actors.tally import RoomTally

T = TypeVar("T")

INTERRUPTED = Refused(Reason.UNAVAILABLE, "this was interrupted: look whether it was done, and try again", 1_000)
UNKNOWN = Refused(Reason.UNKNOWN_ROOM, "there is no such room")


@frozen
class Reach(Request["Ref[RoomMessage]"]):
    """The room's address, also of one that is deleted; a sleeping room is woken."""

    name: RoomName


@frozen
class CreateRoom(Request[RoomRecord]):
    """`code` None: thrown by dice."""

    name: RoomName
    code: RoomCode | None = None
    title: str = ""
    official: bool = False
    zone: str = ""


@frozen
class UpdateRoom(Request[RoomRecord]):
    """None: as it is."""

    name: RoomName
    title: str | None = None
    code: RoomCode | None = None
    zone: str | None = None
    official: bool | None = None


@frozen
class DeleteRoom(Request[RoomRecord]):
    """Out of sight at once: unknown to whoever wants in, and everybody in it is taken out. Until RestoreRoom."""

    name: RoomName


@frozen
class RestoreRoom(Request[RoomRecord]):
    name: RoomName


@frozen
class PurgeRoom(Request[Done]):
    """With everything that was said there, for good. The name is free again."""

    name: RoomName


@frozen
class RoomRow:
    record: RoomRecord
    up: bool
    online: int


@frozen
class ListRooms(Request[tuple[RoomRow, ...]]):
    """By name, the deleted ones too."""


RoomOrder = CreateRoom | UpdateRoom | DeleteRoom | RestoreRoom | PurgeRoom


class Unasked:
    def answer(self, value: object) -> None:
        """Nobody asked."""


class Clerk:
    """Whatever changes a room's record goes through here, one thing at a time: what is written is the whole record.

    `create`: as the directory does it, with dice for the code where there is none (KeyError: it is taken)."""

    def __init__(
        self,
        table: RoomTable,
        log: RoomLog,
        rooms: Supervisor,
        refs: dict[RoomName, Ref[RoomMessage]],
        tallies: dict[RoomName, RoomTally],
        clock: Clock,
        create: Callable[[RoomName, RoomCode | None, str], Awaitable[RoomRecord]],
    ) -> None:
        self._table = table
        self._log = log
        self._rooms = rooms
        self._refs = refs
        self._tallies = tallies
        self._clock = clock
        self._create_room = create
        self._one_at_a_time = trio.Lock()

    async def carry_out(self, order: RoomOrder) -> None:
        match order:
            case CreateRoom():
                await self._carry_out(order.reply, lambda: self._create(order))
            case UpdateRoom():
                await self._carry_out(order.reply, lambda: self._update(order))
            case DeleteRoom(name=name):
                await self._carry_out(order.reply, lambda: self._delete(name))
            case RestoreRoom(name=name):
                await self._carry_out(order.reply, lambda: self._change(name, deleted=None))
            case PurgeRoom(name=name):
                await self._carry_out(order.reply, lambda: self._purge(name))

    async def _carry_out(self, reply: Reply[T], do: Callable[[], Awaitable[T | Refused]]) -> None:
        """Answered once, also when the directory ends before it is done."""
        answer: T | Refused = INTERRUPTED
        try:
            async with self._one_at_a_time:
                answer = await self._tried(do)
        finally:
            reply.answer(answer)

    async def _tried(self, do: Callable[[], Awaitable[T | Refused]]) -> T | Refused:
        try:
            return await do()
        except LogFailed as failure:
            return Refused(Reason.UNAVAILABLE, f"not now: {failure}", failure.retry_after_ms)
        except KeyError:
            return Refused(Reason.FORBIDDEN, "another room has this code")

    # Of its own accord

    async def note_active(self, name: RoomName, wall: float) -> None:
        """When somebody was last in the room. In line with the orders: it writes the whole record."""
        async with self._one_at_a_time:
            known = self._table.known.get(name)
            if known is not None:
                with suppress(LogFailed, KeyError):
                    self._table.renote(known, await self._log.update(evolve(known.record, active=wall)))

    async def forget_if_bare(self, name: RoomName) -> None:
        """A room in which nothing was ever said does not outlive its last visitor. While the log is asked, the name is
        neither known nor free: who comes in between waits like for a room in the making."""
        async with self._one_at_a_time:
            known = self._table.known.get(name)
            if known is None or name in self._refs:
                return  # another order was quicker, or somebody has come
            del self._table.known[name]
            self._table.making[name] = []
            gone = False
            with suppress(LogFailed):  # then it stays
                gone = await self._log.forget(name)
            if gone:
                self._table.codes.pop(known.record.code, None)
            else:
                self._table.known[name] = known
            self._table.made(name)

    # Orders

    async def _create(self, order: CreateRoom) -> RoomRecord | Refused:
        name = order.name
        if name in self._table.known or name in self._table.making:
            return Refused(Reason.FORBIDDEN, f"there is a room {name} already")
        self._table.making[name] = []
        try:
            record = await self._create_room(name, order.code, order.title)
            if order.official or order.zone:
                record = await self._log.update(evolve(record, official=order.official, zone=order.zone))
            self._table.note(record)
        finally:
            self._table.made(name)
        return record

    async def _update(self, order: UpdateRoom) -> RoomRecord | Refused:
        wanted = {"title": order.title, "code": order.code, "zone": order.zone, "official": order.official}
        return await self._change(order.name, **{field: value for field, value in wanted.items() if value is not None})

    async def _delete(self, name: RoomName) -> RoomRecord | Refused:
        record = await self._change(name, deleted=self._clock.now().wall)
        self._tell(name, Remove(Unasked(), None, GONE))
        return record

    async def _change(self, name: RoomName, **changes: Any) -> RoomRecord | Refused:
        known = self._table.known.get(name)
        if known is None:
            return UNKNOWN
        record = await self._log.update(evolve(known.record, **changes))
        self._table.renote(known, record)
        self._tell(name, RecordChanged(known.record))
        return known.record

    def _tell(self, name: RoomName, order: RoomMessage) -> None:
        ref = self._refs.get(name)
        if ref is not None:
            with suppress(ActorGone, MailboxFull):
                ref.urge(order)

    async def _purge(self, name: RoomName) -> Done | Refused:
        """Whoever comes in meanwhile waits like for a room in the making, and then makes it anew."""
        known = self._table.known.get(name)
        if known is None:
            return UNKNOWN
        if known.record.deleted is None:
            await self._delete(name)
        self._tell(name, Remove(Unasked(), None, GONE))  # whoever is still there
        self._table.forget(known)
        self._table.making[name] = []
        stays = True
        try:
            ref = self._refs.pop(name, None)
            if ref is not None:
                await self._rooms.stop_and_wait(ref.name)
            there_was = await self._log.purge(name)
            stays = False
        finally:
            if stays:
                self._table.note(known.record)
            self._table.made(name)
        self._tallies.pop(name, None)
        return Done() if there_was else UNKNOWN
