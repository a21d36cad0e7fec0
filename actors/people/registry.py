"""The registry of people: says who is connected, and tells the rooms whose grace is over. What it knows is the table of
visits (visits.py), which the connections write and which outlives it."""

from collections.abc import Mapping
from math import inf

import trio
from attrs import frozen

from actors.kernel import Actor, ActorGone, Asks, Budget, Inbox, Ref
from actors.names import MemberId, Nickname, RoomName
from actors.people.outlet import Visit
from actors.people.visits import Seated, Visits
from actors.room.messages import Lapsed, RoomMessage

LATE_S = 0.1
"""Until a room whose mailbox was full is told again who has lapsed."""
BUDGET = Budget(quarantine_s=1.0, longest_quarantine_s=1.0)
"""Alerts ask here who is connected, and wait for two seconds: it never rests for longer than half of that."""


@frozen
class Arrived:
    """As Visits.arrive, for whoever has the registry's address only."""

    visit: Visit


@frozen
class Departed:
    visit: Visit


@frozen
class SeatsIn:
    """Every seat in the room, and the members in grace there."""

    room: RoomName
    asks: "Asks[Seated]"


@frozen
class Everyone:
    """For drain and for alerts: all visits, oldest first."""

    asks: "Asks[tuple[Visit, ...]]"


@frozen
class VisitsOf:
    """All connections of a member, oldest first; empty: not here."""

    member: MemberId
    asks: "Asks[tuple[Visit, ...]]"


@frozen
class Rename:
    """As Visits.rename: answered with the rooms that have to hear of it."""

    member: MemberId
    nickname: Nickname
    asks: "Asks[tuple[RoomName, ...]]"


PeopleMessage = Arrived | Departed | SeatsIn | Everyone | VisitsOf | Rename


class People(Actor[PeopleMessage]):
    """`rooms` is the directory's table, read only."""

    def __init__(self, rooms: Mapping[RoomName, Ref[RoomMessage]], visits: Visits | None = None) -> None:
        self._rooms = rooms
        self._visits = visits or Visits()
        self._graces_over = trio.Event()

    async def run(self, inbox: Inbox[PeopleMessage]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end_graces)
            nursery.start_soon(self._tell_lapsed)
            await super().run(inbox)
            nursery.cancel_scope.cancel()

    def handle(self, message: PeopleMessage) -> None:
        visits = self._visits
        match message:
            case Arrived(visit):
                visits.arrive(visit)
            case Departed(visit):
                visits.depart(visit)
            case SeatsIn(room, asks):
                asks.answer(visits.seated(room))
            case Everyone(asks):
                asks.answer(visits.everyone())
            case VisitsOf(member, asks):
                asks.answer(visits.of(member))
            case Rename(member, nickname, asks):
                asks.answer(visits.rename(member, nickname))

    async def _end_graces(self) -> None:
        visits = self._visits
        while True:
            visits.stirred = trio.Event()
            until = visits.next_end
            if until is None:
                await visits.stirred.wait()
                continue
            await trio.sleep_until(until)
            visits.end_grace()
            self._graces_over.set()

    async def _tell_lapsed(self) -> None:
        """Those first whom an earlier instance could not tell of."""
        lapsed = self._visits.lapsed
        while True:
            for room, members in list(lapsed.items()):
                while members and self._tell(room, members[0]):
                    members.popleft()
                if not members:
                    del lapsed[room]
            self._graces_over = trio.Event()
            with trio.move_on_after(LATE_S if lapsed else inf):
                await self._graces_over.wait()

    def _tell(self, room: RoomName, member: MemberId) -> bool:
        """False: not now. A room that is not up, or in quarantine, sees for itself who is there when it starts."""
        ref = self._rooms.get(room)
        if ref is None or self._visits.is_awaited(member, room):
            return True
        try:
            return ref.offer(Lapsed(member))
        except ActorGone:
            return True
