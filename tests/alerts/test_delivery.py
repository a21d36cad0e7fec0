"""Carrying one revision to many: what is newer never comes before what is older."""

from contextlib import nullcontext

import trio
from trio.testing import MockClock

from actors.alerts.attendance import Attendance
from actors.alerts.book import Book, Case
from actors.alerts.delivery import CHUNK, Delivery
from actors.alerts.vocabulary import Kind, Reach
from actors.alerts.voice import NoVoice
from actors.names import Nickname
from tests.alerts.making import MAIN, Phone, at, draft, member, target
from tests.alerts.station import LoopClock


def nobody_asks() -> None:
    raise AssertionError


async def test_a_revision_that_is_overtaken_stops_short(autojump_clock: MockClock) -> None:
    """An alert was cancelled while it was being carried to thousands, of whom many had left: those who stayed were
    told of the end by a delivery that was through sooner, and then got the alert itself."""
    book, made = Book(), draft()
    case = book.begin(made, made.rooms, "XYZ", "ana", at(0))
    assert isinstance(case, Case)
    phones = [Phone(member(number), Nickname(f"n{number}")) for number in range(4 * CHUNK)]
    book.target(case, [target(number) for number in range(4 * CHUNK)])
    delivery = Delivery(book, NoVoice(), LoopClock(), Attendance(nobody_asks), lambda ledger: nullcontext())  # type: ignore[arg-type]
    parcel = delivery.pack(case, {phone.outlet: (phone.member, "", (MAIN,)) for phone in phones})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(delivery.carry, parcel)
        while not phones[0].frames:
            await trio.lowlevel.checkpoint()
        assert isinstance(book.end(case.alert.id, Kind.CANCEL, "", "bo", at(1)), Case)
    assert phones[0].frames == ["alert A001-XYZ 1"]
    assert phones[-1].frames == []
    assert case.ledgers[1].rows[phones[-1].member].reach is Reach.UNREACHABLE
