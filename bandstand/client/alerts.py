"""Emergency alerts as a program sees them: those in force, and what is told of them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import trio
from attrs import define, field

from bandstand.client.clock import HouseClock
from bandstand.client.events import Alert, AlertEvent, AlertOver
from gateway.protocol import server

OVER = 64
"""Alerts that have ended are remembered so far, so that a late listing does not bring one back."""


def alert_of(frame: server.AlertFrame, reminder: bool = False) -> Alert:
    return Alert(
        id=frame.id,
        rev=frame.rev,
        kind=frame.kind,
        status=frame.status,
        severity=frame.severity,
        urgency=frame.urgency,
        certainty=frame.certainty,
        response=frame.response,
        info={language: (words.headline, words.text) for language, words in frame.info.items()},
        sent=frame.sent,
        expires=frame.expires,
        ack=frame.ack,
        receipt_spread_s=frame.receipt_spread_ms / 1000,
        rooms=frame.rooms,
        zones=frame.zones,
        all=frame.all,
        reminder=reminder,
    )


CLOSING: Mapping[str, Literal["cancelled", "cleared"]] = {"cancel": "cancelled", "all_clear": "cleared"}
"""Kinds that are an alert's last words, and how it has ended with them."""


@define(eq=False)
class Alerts:
    """`tell`: hears each revision once, each reminder, and each end, also one that nobody was there to hear of."""

    tell: Callable[[AlertEvent], None]
    clock: HouseClock = field(factory=HouseClock)
    _held: dict[str, Alert] = field(factory=dict, init=False)
    _ended: dict[str, int] = field(factory=dict, init=False)
    """Up to which revision."""
    _unconfirmed: set[str] = field(factory=set, init=False)
    """Held, and not named by the server since the newest `ready`."""
    _changed: trio.Event = field(factory=trio.Event, init=False)

    @property
    def held(self) -> Mapping[str, Alert]:
        """In force as far as we know, by id, oldest first."""
        return self._held

    def ready(self, frames: Iterable[server.AlertFrame]) -> None:
        """By `ready`. What is held and not listed there is over, or concerns us through a room still to be joined."""
        self._unconfirmed = set(self._held)
        self.listed(frames)
        self._stir()  # The clock may have been set.

    def listed(self, frames: Iterable[server.AlertFrame]) -> None:
        """By `ready` or a join: what we have already is not told again."""
        for frame in frames:
            held = self._held.get(frame.id)
            if held is not None and held.rev >= frame.rev:
                self._unconfirmed.discard(frame.id)
            else:
                self.come(frame)

    def all_listed(self) -> None:
        """All rooms are joined again: what nobody has named since `ready` has ended while we were away. (One that did
        not fit into the lists comes again as a frame of its own, and is told again.)"""
        for name in [each for each in self._held if each in self._unconfirmed]:
            self._end(name, self._held[name].rev, "")

    def come(self, frame: server.AlertFrame) -> None:
        self._unconfirmed.discard(frame.id)
        held = self._held.get(frame.id)
        if (held is not None and held.rev > frame.rev) or self._ended.get(frame.id, 0) >= frame.rev:
            return
        again = held is not None and held.rev == frame.rev
        alert = alert_of(frame, reminder=again)
        self._held[frame.id] = held if again and held is not None else alert
        self.tell(alert)
        if frame.kind in CLOSING:
            self._over(frame.id, frame.rev, CLOSING[frame.kind])
        self._stir()

    def over(self, frame: server.AlertOver) -> None:
        self._over(frame.id, frame.rev, frame.why)

    async def keep_time(self) -> None:
        """Runs beside the connections: an alert is over at its time, whether or not there is a server to say so."""
        while True:
            changed, now = self._changed, self.clock.now()
            for alert in [each for each in self._held.values() if each.expires <= now]:
                self._over(alert.id, alert.rev, "expired")
            next_end = min((each.expires for each in self._held.values()), default=float("inf"))
            with trio.move_on_after(next_end - now):
                await changed.wait()

    def _over(self, name: str, rev: int, why: str) -> None:
        """For good: a late listing of these revisions does not bring it back."""
        self._ended[name] = max(rev, self._ended.pop(name, 0))
        while len(self._ended) > OVER:
            del self._ended[next(iter(self._ended))]
        self._end(name, rev, why)

    def _end(self, name: str, rev: int, why: str) -> None:
        held = self._held.get(name)
        if held is not None and held.rev <= rev:
            del self._held[name]
            self._unconfirmed.discard(name)
            self.tell(AlertOver(name, rev, why))

    def _stir(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
