"""Who is here, and who has gone and may still come back: the table behind the registry of people.

The connections write it themselves, in the moment in which one is let in or goes, and it outlives every instance of
People, as the desk of the journal outlives the journal. So no full mailbox, no quarantine and no turn that fails can
make anybody unreachable who is connected - for alerts above all - or keep anybody here who has gone."""

from collections import deque
from collections.abc import Mapping

import trio
from attrs import define, frozen

from actors.names import MemberId, Nickname, RoomName
from actors.people.outlet import Seat, Visit
from actors.tally import Attendance

REPLACED = 4409
"""The close code of a connection that made way for a newer one of the same member (docs/protocol.md, close codes)."""


@frozen
class Seated:
    """Every seat in a room, and the members in grace there: what a room that starts anew goes on with."""

    seats: tuple[Seat, ...]
    graced: tuple[Seat, ...]
    """The last one of each member whose last connection went away less than the grace ago."""


@define(eq=False)
class Grace:
    """A departure that may still be undone. `seats` is the connection's own table, so that a join that was on its way
    when the connection went is in it as well."""

    until: float
    member: MemberId
    seats: Mapping[RoomName, Seat]


class Visits:
    """A member may hold `most` connections; beyond it the oldest is finished with 4409, so that a phone that came back
    over a new network is never refused for its own ghost. Nothing here waits."""

    def __init__(self, *, grace_s: float = 20.0, most: int = 4, attendance: Attendance | None = None) -> None:
        self._grace_s = grace_s
        self._most = most
        self._attendance = attendance or Attendance()
        self._visits: dict[MemberId, list[Visit]] = {}
        self._graces: deque[Grace] = deque()
        """All are equally long, so they are in the order of their ends."""
        self._graces_of: dict[MemberId, list[Grace]] = {}
        self.lapsed: dict[RoomName, deque[MemberId]] = {}
        """Whose grace is over, until their room has heard of it."""
        self.stirred = trio.Event()
        """Somebody has gone since it was made."""

    # Coming and going

    def arrive(self, visit: Visit) -> None:
        visits = self._visits.setdefault(visit.member, [])
        if visit in visits:
            return
        visits.append(visit)
        self._attendance.arrived(visit.member, len(self._visits))
        for old in visits[: -self._most]:
            old.part(REPLACED)

    def depart(self, visit: Visit) -> None:
        visits = self._visits.get(visit.member)
        if visits is None or visit not in visits:
            return
        visits.remove(visit)
        if not visits:
            del self._visits[visit.member]
            self._attendance.departed(len(self._visits))
        grace = Grace(trio.current_time() + self._grace_s, visit.member, visit.seats)
        self._graces.append(grace)
        self._graces_of.setdefault(visit.member, []).append(grace)
        self.stirred.set()

    def rename(self, member: MemberId, nickname: Nickname) -> tuple[RoomName, ...]:
        """So the member is called from now on, with every connection. Returns the rooms that have to hear of it, those
        too where they are only within grace. A room that cannot hear it now reads it in the seats when it starts."""
        visits = self.of(member)
        for visit in visits:
            visit.nickname = nickname
        tables = [visit.seats for visit in visits] + [grace.seats for grace in self._graces_of.get(member, ())]
        seats = [seat for table in tables for seat in table.values() if not seat.removed]
        for seat in seats:
            seat.wanted = nickname
        return tuple(dict.fromkeys(seat.room for seat in seats))

    # Who is here

    @property
    def online(self) -> int:
        return len(self._visits)

    def everyone(self) -> tuple[Visit, ...]:
        return tuple(visit for visits in self._visits.values() for visit in visits)

    def of(self, member: MemberId) -> tuple[Visit, ...]:
        return tuple(self._visits.get(member, ()))

    def seated(self, room: RoomName) -> Seated:
        seats = [
            seat
            for visits in self._visits.values()
            for visit in visits
            if (seat := _seat(visit.seats, room)) is not None
        ]
        graced = {
            grace.member: grace.seats[room]
            for grace in self._graces
            if _seat(grace.seats, room) is not None and not self._sits(grace.member, room)
        }
        return Seated(tuple(seats), tuple(graced.values()))

    def is_awaited(self, member: MemberId, room: RoomName) -> bool:
        """Sits there, or has gone from there and has grace left."""
        return self._sits(member, room) or any(room in grace.seats for grace in self._graces_of.get(member, ()))

    def _sits(self, member: MemberId, room: RoomName) -> bool:
        return any(_seat(visit.seats, room) is not None for visit in self._visits.get(member, ()))

    # Grace

    @property
    def next_end(self) -> float | None:
        """When the next grace is over, on the loop's clock."""
        return self._graces[0].until if self._graces else None

    def end_grace(self) -> None:
        """The next one is over: noted in one step, so that whoever tells the rooms may fail between any two of them."""
        grace = self._graces.popleft()
        others = self._graces_of[grace.member]
        others.remove(grace)
        if not others:
            del self._graces_of[grace.member]
        for room in grace.seats:
            if not self.is_awaited(grace.member, room):
                self.lapsed.setdefault(room, deque()).append(grace.member)


def _seat(seats: Mapping[RoomName, Seat], room: RoomName) -> Seat | None:
    """The one that the room has not taken back."""
    seat = seats.get(room)
    return None if seat is None or seat.removed else seat
