"""Who was here already when a room starts: members of an earlier instance go on where their cursors stand."""

from attrs import frozen

from actors.journal.log import RoomRecord
from actors.people.outlet import Outlet, Seat
from actors.people.visits import Seated
from actors.room.book import Book
from actors.room.messages import Position
from actors.room.naming import Naming
from actors.room.resume import plan
from actors.room.tools import RoomTools

GONE = "this room has been deleted"


@frozen
class Readmission:
    record: RoomRecord
    book: Book
    naming: Naming
    tools: RoomTools

    def readmit(self, seated: Seated) -> dict[Outlet, Seat]:
        """A seat of an older epoch starts anew. Nothing is announced. Of a room that was deleted while it could not
        hear of it, everybody is taken out."""
        if self.record.deleted is not None:
            for seat in seated.seats:
                self._take_out(seat)
            return {}
        for seat in seated.seats:
            self.tools.tally.catch_ups["restart"] += 1
            if seat.epoch != self.book.epoch:
                self._begin_anew(seat)
        self.naming.resume(seated)
        return {seat.outlet: seat for seat in seated.seats}

    def _begin_anew(self, seat: Seat) -> None:
        book = self.book
        anew = plan(Position(seat.epoch, 0), self.tools.tail, book.policy.history, book.epoch, book.head, book.oldest,
                    book.policy)  # fmt: skip
        assert anew.gap is not None
        gap = self.tools.voice.gap(book.name, anew.gap.start, anew.gap.end, anew.gap.why)
        seat.outlet.forget(book.name)
        seat.outlet.control(gap)
        seat.epoch, seat.cursor, seat.target = book.epoch, anew.cursor, anew.target

    def _take_out(self, seat: Seat) -> None:
        seat.removed = True
        seat.level = False
        seat.outlet.forget(self.book.name)
        seat.outlet.control(self.tools.voice.removed(self.book.name, GONE, None, None))
