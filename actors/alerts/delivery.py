"""Carrying alerts to outlets: each revision to everybody it is for who is here, to those who come, again to those who
have not answered, and the word that it is over.

A delivery to ten thousand outlets stops for breath between chunks, so that the rest of the house goes on; its rows go
to disk once, when it is through."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial

import trio
from attrs import evolve, frozen

from actors.alerts.attendance import Attendance, Here
from actors.alerts.book import Book, Case
from actors.alerts.ledger import Ledger
from actors.alerts.vocabulary import Alert, Life, Reach
from actors.alerts.voice import AlertVoice
from actors.clock import Clock
from actors.names import MemberId
from actors.people.outlet import Outlet

CHUNK = 128
"""Outlets between two breaths: at some 15 us each, about two milliseconds."""


@frozen(eq=False)
class Parcel:
    """One revision, framed, and to whom it goes."""

    case: Case
    alert: Alert
    ledger: Ledger
    frames: Sequence[bytes]
    outlets: Sequence[tuple[Outlet, MemberId]]

    @property
    def is_overtaken(self) -> bool:
        """Revised, or over: whoever has not got this by now must not get it after what is newer."""
        return self.case.alert != self.alert


@frozen(eq=False)
class Delivery:
    """`holding`: a ledger of which every row is about to change."""

    book: Book
    voice: AlertVoice
    clock: Clock
    attendance: Attendance
    holding: Callable[[Ledger], AbstractContextManager[None]]

    def pack(self, case: Case, present: Mapping[Outlet, Here]) -> Parcel:
        """The newest revision for those of its targets who are `present`; last words with the end right behind."""
        alert, ledger = case.alert, case.ledger
        frames = [self.voice.alert(alert)]
        if alert.state is not Life.ACTIVE:
            frames.append(self.voice.over(alert))
        outlets = [(outlet, member) for outlet, (member, _, _) in present.items() if member in ledger.rows]
        return Parcel(case, alert, ledger, frames, outlets)

    async def carry(self, parcel: Parcel) -> None:
        """Handed to every outlet; stops short where it is overtaken."""
        ledger, first, rest = parcel.ledger, parcel.frames[0], parcel.frames[1:]
        with self.holding(ledger):
            for chunk in _chunks(parcel.outlets):
                if parcel.is_overtaken:
                    return
                at = self.clock.now().wall
                for outlet, member in chunk:
                    outlet.alert(first, partial(self._carried, ledger, member))
                    ledger.raise_to(member, Reach.QUEUED, at)  # unless it has left at once
                    for frame in rest:
                        outlet.alert(frame)
                await trio.lowlevel.checkpoint()

    async def resume(self, case: Case) -> None:
        """To those who are here and whom a delivery that a crash broke off has reached with no connection."""
        parcel = self.pack(case, await self.attendance.present())
        rows = parcel.ledger.rows
        missed = [(outlet, member) for outlet, member in parcel.outlets if rows[member].reach is Reach.UNREACHABLE]
        await self.carry(evolve(parcel, outlets=missed))

    async def remind(self, case: Case) -> None:
        """Those below the wanted state who are here; not those for whom it still waits in a lane."""
        visits = await self.attendance.everyone()
        alert, ledger = case.alert, case.ledger
        if alert.state is not Life.ACTIVE:
            return
        late = [
            (visit.outlet, visit.member)
            for visit in visits
            if ledger.is_below(visit.member) and ledger.rows[visit.member].reach is not Reach.QUEUED
        ]
        if late:
            await self.carry(Parcel(case, alert, ledger, [self.voice.alert(alert)], late))

    async def withdraw(self, case: Case) -> None:
        """It has expired: it is taken off every phone that it was for."""
        visits = await self.attendance.everyone()
        frame, ledger = self.voice.over(case.alert), case.ledger
        for chunk in _chunks([(visit.outlet, visit.member) for visit in visits if visit.member in ledger.rows]):
            for outlet, _ in chunk:
                outlet.alert(frame)
            await trio.lowlevel.checkpoint()

    def offer(self, case: Case, member: MemberId, outlet: Outlet) -> None:
        """To one who comes now."""
        ledger = case.ledger
        outlet.alert(self.voice.alert(case.alert), partial(self._written, ledger, member))
        ledger.raise_to(member, Reach.QUEUED, self.clock.now().wall)

    def told(self, case: Case, member: MemberId, outlet: Outlet) -> None:
        """The answer that waits in this outlet has listed it: it is written when the outlet is empty."""
        ledger = case.ledger
        ledger.raise_to(member, Reach.QUEUED, self.clock.now().wall)
        outlet.when_idle(partial(self._written, ledger, member))

    def _written(self, ledger: Ledger, member: MemberId) -> None:
        """Called by an outlet, in one atomic step between turns."""
        ledger.raise_to(member, Reach.WRITTEN, self.clock.now().wall)

    def _carried(self, ledger: Ledger, member: MemberId) -> None:
        """As `_written`, of those who were here when it was sent: what is measured is how long that took."""
        at = self.clock.now().wall
        if ledger.raise_to(member, Reach.WRITTEN, at):
            self.book.tally.delivery.observe(at - ledger.sent)


def _chunks(outlets: Sequence[tuple[Outlet, MemberId]]) -> Iterator[Sequence[tuple[Outlet, MemberId]]]:
    return (outlets[start : start + CHUNK] for start in range(0, len(outlets), CHUNK))
