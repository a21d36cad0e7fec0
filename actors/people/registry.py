"""Who is connected: MemberId -> visits, and through them outlets and seats. Grace timers live here, so that a room that
restarts, and a phone that blinks, lose nobody their place."""

from collections import deque
from collections.abc import Mapping

import trio
from attrs import define, frozen

from actors.kernel import Actor, ActorGone, Asks, Inbox, Ref
from actors.names import MemberId, RoomName
from actors.people.outlet import Seat, Visit
from actors.room.messages import Lapsed, RoomMessage
from actors.tally import Attendance

REPLACED = 4409
"""The close code of a connection that made way for a newer one of the same member (docs/protocol.md, close codes)."""
LATE_S = 0.1
"""Until a room whose mailbox was full is told again who has lapsed."""


@frozen
class Arrived:
    visit: Visit


@frozen
class Departed:
    visit: Visit


@frozen
class SeatsIn:
    """Every seat in the room, and the members in grace there: what a restarted room re-admits in one message."""

    room: RoomName
    asks: "Asks[Seated]"


@frozen
class Seated:
    seats: tuple[Seat, ...]
    graced: tuple[tuple[MemberId, str], ...]
    """(member, nickname in the room) of members whose last connection went away less than the grace ago."""


@frozen
class Everyone:
    """For drain and for alerts: all visits, oldest first."""

    asks: "Asks[tuple[Visit, ...]]"


@frozen
class VisitsOf:
    """All connections of a member, oldest first; empty: not here."""

    member: MemberId
    asks: "Asks[tuple[Visit, ...]]"


PeopleMessage = Arrived | Departed | SeatsIn | Everyone | VisitsOf


@define(eq=False)
class _Grace:
    """A departure that may still be undone. `seats` is the connection's own table, so that a join that was on its way
    when the connection went is in it as well."""

    until: float
    member: MemberId
    seats: Mapping[RoomName, Seat]


class People(Actor[PeopleMessage]):
    """`rooms` is the directory's table, read only. A member may hold `most` connections; beyond it the oldest is
    finished with 4409, so that a phone that came back over a new network is never refused for its own ghost."""

    def __init__(
        self,
        rooms: Mapping[RoomName, Ref[RoomMessage]],
        *,
        grace_s: float = 20.0,
        most: int = 4,
        attendance: Attendance | None = None,
    ) -> None:
        self._rooms = rooms
        self._grace_s = grace_s
        self._most = most
        self._attendance = attendance or Attendance()
        self._visits: dict[MemberId, list[Visit]] = {}
        self._grace: deque[_Grace] = deque()
        self._graces_of: dict[MemberId, list[_Grace]] = {}
        self._grace_moved = trio.Event()
        self._late: dict[RoomName, deque[MemberId]] = {}
        """Lapsed, and the room's mailbox was full."""
        self._late_moved = trio.Event()

    @property
    def online(self) -> int:
        return len(self._visits)

    async def run(self, inbox: Inbox[PeopleMessage]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end_graces)
            nursery.start_soon(self._tell_late)
            await super().run(inbox)
            nursery.cancel_scope.cancel()

    def handle(self, message: PeopleMessage) -> None:
        match message:
            case Arrived(visit):
                self._arrive(visit)
            case Departed(visit):
                self._depart(visit)
            case SeatsIn(room, asks):
                asks.answer(self._seated(room))
            case Everyone(asks):
                asks.answer(tuple(visit for visits in self._visits.values() for visit in visits))
            case VisitsOf(member, asks):
                asks.answer(tuple(self._visits.get(member, ())))

    def _arrive(self, visit: Visit) -> None:
        visits = self._visits.setdefault(visit.member, [])
        visits.append(visit)
        self._attendance.arrived(visit.member, len(self._visits))
        for old in visits[: -self._most]:
            old.part(REPLACED)

    def _depart(self, visit: Visit) -> None:
        visits = self._visits.get(visit.member)
        if visits is None or visit not in visits:
            return
        visits.remove(visit)
        if not visits:
            del self._visits[visit.member]
            self._attendance.departed(len(self._visits))
        grace = _Grace(trio.current_time() + self._grace_s, visit.member, visit.seats)
        self._grace.append(grace)
        self._graces_of.setdefault(visit.member, []).append(grace)
        self._grace_moved.set()

    def _sits(self, member: MemberId, room: RoomName) -> bool:
        return any(_seat(visit.seats, room) is not None for visit in self._visits.get(member, ()))

    def _seated(self, room: RoomName) -> Seated:
        seats = [
            seat
            for visits in self._visits.values()
            for visit in visits
            if (seat := _seat(visit.seats, room)) is not None
        ]
        graced = {
            grace.member: str(grace.seats[room].nickname)
            for grace in self._grace
            if _seat(grace.seats, room) is not None and not self._sits(grace.member, room)
        }
        return Seated(tuple(seats), tuple(graced.items()))

    async def _end_graces(self) -> None:
        """All graces are equally long, so the deque is in order of their ends."""
        while True:
            if not self._grace:
                self._grace_moved = trio.Event()
                await self._grace_moved.wait()
            await trio.sleep_until(self._grace[0].until)
            grace = self._grace.popleft()
            others = self._graces_of[grace.member]
            others.remove(grace)
            if not others:
                del self._graces_of[grace.member]
            for room in grace.seats:
                left_again = any(room in other.seats for other in others)
                if not left_again and not self._sits(grace.member, room) and not self._lapse(room, grace.member):
                    self._late.setdefault(room, deque()).append(grace.member)
                    self._late_moved.set()

    def _lapse(self, room: RoomName, member: MemberId) -> bool:
        """False: not now. A room that is not up, or in quarantine, asks anew whom there is when it starts."""
        ref = self._rooms.get(room)
        try:
            return ref is None or ref.offer(Lapsed(member))
        except ActorGone:
            return True

    async def _tell_late(self) -> None:
        while True:
            await self._late_moved.wait()
            await trio.sleep(LATE_S)
            for room, members in list(self._late.items()):
                while members and self._lapse(room, members[0]):
                    members.popleft()
                if not members:
                    del self._late[room]
            if not self._late:
                self._late_moved = trio.Event()


def _seat(seats: Mapping[RoomName, Seat], room: RoomName) -> Seat | None:
    """The one that the room has not taken back."""
    seat = seats.get(room)
    return None if seat is None or seat.removed else seat
