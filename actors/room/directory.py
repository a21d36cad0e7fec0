"""Room name or code -> Ref. Makes rooms, starts them when somebody comes, retires them when nobody has been there for a
while, brings them back on demand.

Every join passes through here. To retire a room the directory asks it, in the line of the joins, whether anybody is
there; if nobody was, no join has been forwarded since the question, and both lanes are empty, then nobody is lost."""

from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import assert_never

import trio
from attrs import field, frozen

from actors.events import Policy
from actors.journal.log import LogFailed, RoomRecord
from actors.kernel import ActorGone, Asks, Budget, Child, DeadReason, Inbox, Quarantined, Ref, Supervisor
from actors.names import Below, MemberId, RoomCode, RoomName, make_room_code
from actors.people.standing import NO_NEW_ROOMS
from actors.refusals import Reason, Refused
from actors.room.actor import Room
from actors.room.messages import Census, Join, RoomMessage
from actors.room.orders import (
    UNKNOWN,
    Clerk,
    CreateRoom,
    DeleteRoom,
    ListRooms,
    PurgeRoom,
    Reach,
    RestoreRoom,
    RoomOrder,
    RoomRow,
    Unasked,
    UpdateRoom,
)
from actors.room.patience import Patient
from actors.room.table import Enter, Known, RoomTable
from actors.room.tools import RoomTools

__all__ = [
    "CreateRoom",
    "DeleteRoom",
    "Directory",
    "DirectoryMessage",
    "Enter",
    "ListRooms",
    "Listed",
    "Listing",
    "PurgeRoom",
    "Reach",
    "RestoreRoom",
    "RoomRow",
    "RoomRules",
    "UpdateRoom",
]

EXPIRE_EVERY_S = 3_600.0
ACTIVE_STEP_S = 86_400.0
"""How exactly it is remembered over a restart when somebody was last in a room."""


@frozen
class RoomRules:
    """Who may make rooms, and how many; from the settings. `listed` rooms always exist; their policy, where one is set,
    is applied when they start. Times in seconds."""

    create: str = "anyone"
    """anyone | operators | listed"""
    listed: Mapping[RoomName, "Listed"] = field(factory=dict)
    most_rooms: int = 5_000
    creations_per_member_h: int = 3
    creations_per_min: int = 300
    retire_after_s: float = 300.0
    expire_after_s: float = 30 * 86_400.0
    """Rooms that people made are purged when nobody has been in them for so long."""
    mailbox: int = 1_000


@frozen
class Listed:
    title: str = ""
    policy: Policy | None = None


@frozen
class Listing:
    """Every room that exists, by name. Heads are as of the directory's start, or of the room's making."""

    asks: "Asks[tuple[RoomRecord, ...]]"


DirectoryMessage = Enter | Listing | Reach | ListRooms | RoomOrder


class Directory(Patient[DirectoryMessage]):
    """`refs` is the table that others may read: the rooms that are up."""

    def __init__(
        self,
        rooms: Supervisor,
        tools: RoomTools,
        rules: RoomRules,
        *,
        budget: Budget,
        below: Below,
        refs: dict[RoomName, Ref[RoomMessage]],
    ) -> None:
        self._supervisor = rooms
        self._log = tools.log
        self._tools = tools
        self._rules = rules
        self._clock = tools.clock
        self._below = below
        self._budget = budget
        self.refs = refs
        self._table = RoomTable(self._enter)
        self._known, self._making = self._table.known, self._table.making
        self._clerk = Clerk(self._table, tools.log, rooms, refs, tools.tallies, tools.clock, self._create)
        self._listings: list[Listing] = []
        """Asked while the log could not say."""
        self._expire_due = 0.0
        self._made: deque[float] = deque()
        self._made_by: dict[MemberId, deque[float]] = {}

    # Life

    def stopped(self, cause: BaseException | None) -> None:
        refusal = Refused(Reason.UNAVAILABLE, "this room is just being made; try again", 500)
        for enters in self._making.values():
            for enter in enters:
                enter.join.reply.answer(refusal)

    async def open(self) -> None:
        for record in await self._log.rooms():
            self._table.note(record)
        for name, listed in self._rules.listed.items():
            if name not in self._known:
                self._table.note(await self._create(name, None, listed.title))
            if self._known[name].record.deleted is None:
                self._up(name)

    def turn_away(self, message: DirectoryMessage, retry_after_s: float) -> None:
        if isinstance(message, Listing):
            self._listings.append(message)
        else:
            message.undelivered(DeadReason.QUARANTINED, retry_after_s)

    async def run(self, inbox: Inbox[DirectoryMessage]) -> None:
        if not await self.opened(inbox):
            return
        for listing in self._listings:
            self.handle(listing)
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._sweep)
            await super().run(inbox)
            nursery.cancel_scope.cancel()

    def handle(self, message: DirectoryMessage) -> None:
        match message:
            case Enter():
                self._enter(message)
            case Listing(asks):
                asks.answer(self._records())
            case Reach(reply, name):
                reply.answer(self._up(name) if name in self._known else UNKNOWN)
            case ListRooms(reply):
                reply.answer(tuple(map(self._row, self._records())))
            case CreateRoom() | UpdateRoom() | DeleteRoom() | RestoreRoom() | PurgeRoom():
                self._nursery.start_soon(self._clerk.carry_out, message)
            case _:
                assert_never(message)

    def _records(self) -> tuple[RoomRecord, ...]:
        return tuple(sorted((known.record for known in self._known.values()), key=lambda record: record.name))

    def _row(self, record: RoomRecord) -> RoomRow:
        counts = self._tools.tallies.get(record.name)
        look = counts.look(0, 0) if counts is not None and counts.look is not None else None
        return RoomRow(record, look is not None, 0 if look is None else look.online)

    # Joining

    def _enter(self, enter: Enter) -> None:
        name = self._table.resolve(enter.room)
        if isinstance(name, Refused):
            enter.join.reply.answer(name)
        elif name in self._known:
            if self._known[name].record.deleted is not None:
                enter.join.reply.answer(UNKNOWN)
            else:
                self._forward(name, enter.join)
        elif name in self._making:
            self._making[name].append(enter)
        else:
            self._make_or_refuse(name, enter)

    def _forward(self, name: RoomName, join: Join) -> None:
        known, ref = self._known[name], self._up(name)
        seat = join.seat
        seat.room = name
        try:
            taken = ref.offer(join)
        except Quarantined as closed:
            said = "this room is closed for a moment after a fault; it comes back by itself"
            join.reply.answer(Refused(Reason.UNAVAILABLE, said, round(closed.retry_after_s * 1000)))
            return
        except ActorGone:
            join.reply.answer(Refused(Reason.UNAVAILABLE, "this room is just closing; try again", 500))
            return
        if not taken:
            join.reply.answer(Refused(Reason.BUSY, "many people are coming in; try again", 1_000))
            return
        known.joins += 1
        known.busy_at = self._clock.now().mono

    def _up(self, name: RoomName) -> Ref[RoomMessage]:
        """The room's address; started if it is not up."""
        ref = self.refs.get(name)
        if ref is None or ref.closed:
            listed = self._rules.listed.get(name)
            policy = listed.policy if listed else None
            self._known[name].busy_at = self._clock.now().mono
            build = partial(Room, name, self._tools, policy=policy)
            ref = self._supervisor.start(
                Child(f"room:{name}", build, capacity=self._rules.mailbox, budget=self._budget)
            )
            self.refs[name] = ref
        return ref

    # Making

    def _make_or_refuse(self, name: RoomName, enter: Enter) -> None:
        maker, now = enter.join.seat.member, self._clock.now().mono
        refusal = self._may_make(maker, now)
        if refusal is not None:
            enter.join.reply.answer(refusal)
            return
        self._made.append(now)
        self._made_by.setdefault(maker, deque()).append(now)
        self._making[name] = [enter]
        self._nursery.start_soon(self._make, name, maker, now)

    def _may_make(self, member: MemberId, now: float) -> Refused | None:
        rules = self._rules
        standing = self._tools.standing
        if standing.lockdown <= NO_NEW_ROOMS and not standing.is_staff(member):
            return Refused(Reason.LOCKED_DOWN, "no new rooms for now")
        if rules.create != "anyone":
            return Refused(Reason.UNKNOWN_ROOM, "there is no such room, and only the organisers can make one")
        if len(self._known) + len(self._making) >= rules.most_rooms:
            return Refused(Reason.FULL, "there are as many rooms as this server holds")
        _forget_until(self._made, now - 60)
        if len(self._made) >= rules.creations_per_min:
            return Refused(Reason.RATE, "many rooms are being made just now; try again", 10_000)
        for maker in [maker for maker, made in self._made_by.items() if made[-1] <= now - 3_600]:
            del self._made_by[maker]
        mine = self._made_by.get(member, deque())
        _forget_until(mine, now - 3_600)
        if len(mine) >= rules.creations_per_member_h:
            wait_s = mine[0] + 3_600 - now if mine else 3_600
            return Refused(Reason.RATE, f"you have made {len(mine)} rooms within an hour", max(1, round(wait_s * 1000)))
        return None

    def _take_back(self, maker: MemberId, began: float) -> None:
        """It was not made, so it does not count."""
        with suppress(ValueError):
            self._made.remove(began)
        mine = self._made_by.get(maker, deque())
        with suppress(ValueError):
            mine.remove(began)
        if not mine:
            self._made_by.pop(maker, None)

    async def _make(self, name: RoomName, maker: MemberId, began: float) -> None:
        try:
            self._table.note(await self._create(name, None, ""))
        except LogFailed as failure:
            self._take_back(maker, began)
            refusal = Refused(Reason.UNAVAILABLE, f"the room cannot be made now: {failure}", failure.retry_after_ms)
            for enter in self._making.pop(name):
                enter.join.reply.answer(refusal)
            return
        for enter in self._making.pop(name):
            self._forward(name, enter.join)

    async def _create(self, name: RoomName, code: RoomCode | None, title: str) -> RoomRecord:
        """KeyError: `code` is taken."""
        while code is None:
            with suppress(KeyError):  # the code is taken: throw the dice again
                return await self._log.create(name, make_room_code(self._below), title)
        return await self._log.create(name, code, title)

    # Retiring

    async def _sweep(self) -> None:
        while True:
            await trio.sleep(max(1.0, self._rules.retire_after_s / 10))
            long_ago = self._clock.now().mono - self._rules.retire_after_s
            for name, known in list(self._known.items()):
                ref = self.refs.get(name)
                if ref is not None:
                    await self._note_active(known)
                if ref is None or name in self._rules.listed or known.busy_at > long_ago:
                    continue
                if await self._retire(name, known, ref):
                    await self._clerk.forget_if_bare(name)
            if self._clock.now().mono >= self._expire_due:
                self._expire_due = self._clock.now().mono + EXPIRE_EVERY_S
                await self._expire()

    async def _retire(self, name: RoomName, known: Known, ref: Ref[RoomMessage]) -> bool:
        joins = known.joins
        try:
            census = await ref.ask(Census)
        except ActorGone:
            return False  # in quarantine, or it crashed just now: another time
        if census.seats or census.online:
            known.busy_at = self._clock.now().mono
            return False
        if known.joins != joins or not self._supervisor.retire(ref.name):
            return False
        del self.refs[name]
        return True

    # Expiring

    async def _note_active(self, known: Known) -> None:
        """So that it is known after a restart too when somebody was last here; to the day, since it costs a commit."""
        now = self._clock.now().wall
        if now - max(known.record.active, known.record.created) > ACTIVE_STEP_S:
            await self._clerk.note_active(known.record.name, now)

    async def _expire(self) -> None:
        """Rooms that people made and nobody has been in for long, with all that was said there."""
        before = self._clock.now().wall - self._rules.expire_after_s
        for name, known in list(self._known.items()):
            record = known.record
            kept = name in self._rules.listed or record.official or name in self.refs
            if not kept and max(record.created, record.active) < before:
                await self._clerk.carry_out(PurgeRoom(Unasked(), name))


def _forget_until(times: deque[float], moment: float) -> None:
    while times and times[0] <= moment:
        times.popleft()
