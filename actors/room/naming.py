"""What people are called in a room: one name a member, which presence gives out and every seat of theirs carries."""

from collections.abc import Callable, Mapping

from attrs import frozen

from actors.names import MemberId, Nickname, RoomName
from actors.people.outlet import Outlet, Seat
from actors.people.visits import Seated
from actors.room.presence import Presence


@frozen
class Naming:
    room: RoomName
    presence: Presence
    seats: Mapping[Outlet, Seat]
    """The room's own table, read only."""
    seated: Callable[[RoomName], Seated]

    def come(self, seat: Seat) -> None:
        """One more connection. A member who is here already and comes in under another name is called so from now on,
        on the others too; those are looked for only where there are any: the room may hold ten thousand."""
        before = self.presence.nickname(seat.member)
        if seat.guessed and before is not None:
            seat.wanted = before
        seat.nickname = self.presence.enter(seat.member, seat.wanted)
        if before not in (None, seat.nickname) and self.presence.connections(seat.member) > 1:
            for other in self.seats.values():
                if other.member == seat.member:
                    other.wanted, other.nickname = seat.wanted, seat.nickname

    def rename(self, member: MemberId, nickname: Nickname) -> None:
        """By order, which is rare. Seats in grace are in no table of the room's; its next instance reads them."""
        given = self.presence.rename(member, nickname)
        if given is None:
            return
        seated = self.seated(self.room)
        for seat in (*self.seats.values(), *seated.graced):
            if seat.member == member:
                seat.nickname = given

    def resume(self, seated: Seated) -> None:
        """For a room that starts again: everybody has the name that they had. Then those are called differently who
        were renamed while it could not hear of it, so that nobody loses their name to one of them."""
        for seat in seated.seats:
            self.presence.enter(seat.member, seat.nickname)
        for seat in seated.graced:
            self.presence.enter(seat.member, seat.nickname)
            self.presence.leave_seat(seat.member)
        everyone = (*seated.seats, *seated.graced)
        for seat in everyone:
            if seat.wanted != seat.nickname:
                self.presence.rename(seat.member, seat.wanted)
        for seat in everyone:
            seat.nickname = self.presence.nickname(seat.member) or seat.nickname
        self.presence.settle()
