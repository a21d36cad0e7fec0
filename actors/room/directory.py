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
from attrs import define, field, frozen

from actors.events import Policy
from actors.journal.log import LogFailed, RoomRecord
from actors.kernel import Actor, ActorGone, Asks, Budget, Child, DeadReason, Inbox, Quarantined, Ref, Supervisor
from actors.names import BadName, Below, MemberId, RoomCode, RoomName, make_room_code, room_code, room_name
from actors.refusals import Reason, Refused
from actors.room.actor import Room
from actors.room.messages import Census, Join, RoomMessage
from actors.room.tools import RoomTools


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
    mailbox: int = 1_000


@frozen
class Listed:
    title: str = ""
    policy: Policy | None = None


@frozen
class Enter:
    """A join on its way to its room, which is named by name or code."""

    room: str
    join: Join

    def undelivered(self, reason: DeadReason, retry_after_s: float) -> None:
        self.join.undelivered(reason, retry_after_s)


@frozen
class Listing:
    """Every room that exists, by name. Heads are as of the directory's start, or of the room's making."""

    asks: "Asks[tuple[RoomRecord, ...]]"


DirectoryMessage = Enter | Listing


@define
class _Known:
    record: RoomRecord
    joins: int = 0
    """Forwarded to the room, ever."""
    busy_at: float = 0.0
    """When somebody last came in, or was found there; seconds on the loop's clock."""


class Directory(Actor[DirectoryMessage]):
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
        self._known: dict[RoomName, _Known] = {}
        self._codes: dict[RoomCode, RoomName] = {}
        self._making: dict[RoomName, list[Enter]] = {}
        self._made: deque[float] = deque()
        self._made_by: dict[MemberId, deque[float]] = {}

    # Life

    def stopped(self, cause: BaseException | None) -> None:
        refusal = Refused(Reason.UNAVAILABLE, "this room is just being made; try again", 500)
        for enters in self._making.values():
            for enter in enters:
                enter.join.reply.answer(refusal)

    async def started(self) -> None:
        for record in await self._log.rooms():
            self._note(record)
        for name, listed in self._rules.listed.items():
            if name not in self._known:
                self._note(await self._create(name, listed.title))
            self._up(name)

    async def run(self, inbox: Inbox[DirectoryMessage]) -> None:
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
                asks.answer(tuple(sorted((known.record for known in self._known.values()), key=lambda r: r.name)))
            case _:
                assert_never(message)

    # Joining

    def _enter(self, enter: Enter) -> None:
        name = self._resolve(enter.room)
        if isinstance(name, Refused):
            enter.join.reply.answer(name)
        elif name in self._known:
            self._forward(name, enter.join)
        elif name in self._making:
            self._making[name].append(enter)
        else:
            self._make_or_refuse(name, enter)

    def _resolve(self, text: str) -> RoomName | Refused:
        if text in self._known:
            return RoomName(text)
        with suppress(BadName):
            code = room_code(text)
            by_code = self._codes.get(code)
            return by_code or Refused(Reason.UNKNOWN_ROOM, f"no room has the code {code}")
        try:
            return room_name(text)
        except BadName as bad:
            return Refused(Reason.UNKNOWN_ROOM, str(bad))

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
            self._note(await self._create(name, ""))
        except LogFailed as failure:
            self._take_back(maker, began)
            refusal = Refused(Reason.UNAVAILABLE, f"the room cannot be made now: {failure}", failure.retry_after_ms)
            for enter in self._making.pop(name):
                enter.join.reply.answer(refusal)
            return
        for enter in self._making.pop(name):
            self._forward(name, enter.join)

    async def _create(self, name: RoomName, title: str) -> RoomRecord:
        while True:
            try:
                return await self._log.create(name, make_room_code(self._below), title)
            except KeyError:
                continue  # the code is taken: throw the dice again

    def _note(self, record: RoomRecord) -> None:
        self._known[record.name] = _Known(record)
        self._codes[record.code] = record.name

    # Retiring

    async def _sweep(self) -> None:
        while True:
            await trio.sleep(max(1.0, self._rules.retire_after_s / 10))
            long_ago = self._clock.now().mono - self._rules.retire_after_s
            for name, known in list(self._known.items()):
                ref = self.refs.get(name)
                if ref is None or name in self._rules.listed or known.busy_at > long_ago:
                    continue
                if await self._retire(name, known, ref):
                    await self._forget_if_bare(name)

    async def _retire(self, name: RoomName, known: _Known, ref: Ref[RoomMessage]) -> bool:
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

    async def _forget_if_bare(self, name: RoomName) -> None:
        """A room in which nothing was ever said does not outlive its last visitor. While the log is asked, the name is
        neither known nor free: who comes in between waits like for a room in the making."""
        known = self._known.pop(name)
        self._making[name] = []
        gone = False
        with suppress(LogFailed):  # then it stays
            gone = await self._log.forget(name)
        waiting = self._making.pop(name)
        if gone:
            del self._codes[known.record.code]
        else:
            self._known[name] = known
        for enter in waiting:
            self._enter(enter)


def _forget_until(times: deque[float], moment: float) -> None:
    while times and times[0] <= moment:
        times.popleft()
