"""Who is connected, asked of the registry of people; and nobody who comes while it is being asked falls through."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial

import trio

from actors.alerts.messages import Came, Joined
from actors.kernel import ActorGone, Asks, Ref
from actors.names import MemberId, RoomName
from actors.people.outlet import Outlet, Visit
from actors.people.registry import Everyone, PeopleMessage, VisitsOf

EVERYONE_S = 2.0
Here = tuple[MemberId, str, Callable[[], tuple[RoomName, ...]]]
"""Of one connection: whose it is, the nickname, and the rooms it sits in, for the few of whom they are asked."""


class Attendance:
    def __init__(self, people: Callable[[], Ref[PeopleMessage]]) -> None:
        self._people = people
        self._arrivals: list[Came | Joined] = []
        """Who came while the registry was being asked."""
        self._asking = 0

    async def everyone(self) -> tuple[Visit, ...]:
        """Everybody who is connected; nobody, while the registry cannot say. It never rests for that long."""
        return await self._asked(Everyone)

    async def _asked(self, make: Callable[[Asks[tuple[Visit, ...]]], PeopleMessage]) -> tuple[Visit, ...]:
        with trio.move_on_after(EVERYONE_S):
            while True:
                with suppress(ActorGone):
                    return await self._people().ask(make)
                await trio.sleep(0.1)
        return ()

    async def present(self) -> Mapping[Outlet, Here]:
        """Everybody who is connected, and whoever came while the registry was being asked."""
        self._asking += 1
        try:
            visits = await self.everyone()
            return self._with_arrivals(visits)
        finally:
            self._asking -= 1
            if not self._asking:
                self._arrivals.clear()

    def note(self, arrival: Came | Joined) -> None:
        if self._asking:
            self._arrivals.append(arrival)

    def _with_arrivals(self, visits: Iterable[Visit]) -> Mapping[Outlet, Here]:
        present = {each.outlet: (each.member, str(each.nickname), partial(sits_in, each)) for each in visits}
        for each in self._arrivals:
            before = present.get(each.outlet)
            rooms = () if before is None else before[2]()
            sits = (*rooms, each.room) if isinstance(each, Joined) else rooms
            present[each.outlet] = (each.member, str(each.nickname), partial(tuple, sits))
        return present

    async def sits(self, member: MemberId, room: RoomName) -> bool:
        """With any of the connections that are here now."""
        return any(room in sits_in(visit) for visit in await self._asked(lambda asks: VisitsOf(member, asks)))


def sits_in(visit: Visit) -> tuple[RoomName, ...]:
    """Without the seats that a room has taken back."""
    return tuple([room for room, seat in visit.seats.items() if not seat.removed])
