"""A server that does nothing but alerts (`serve --alerts-only`): for when the chat's database is broken or its disk is
full, and people still have to be warned. Rooms cannot be joined; who was in which one is known from alerts.db."""

from attrs import evolve

from actors.clock import Clock
from actors.journal.desk import Desk
from actors.journal.log import RoomRecord
from actors.room.directory import RoomRules


class ClosedDesk(Desk):
    """A journal that is down from the beginning, and knows no rooms: everything else is refused, nothing waits."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.detach(stopped=False)

    async def rooms(self) -> list[RoomRecord]:
        return []


def closed(rules: RoomRules) -> RoomRules:
    """A join is then answered by what the journal says: unavailable, come back."""
    return evolve(rules, listed={}, create="anyone")
