"""Emergency alerts as a program sees them: those in force, and what is told of them."""

from collections.abc import Callable, Iterable, Mapping

from attrs import define, field, frozen

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


@frozen
class _Ended:
    rev: int


@define(eq=False)
class Alerts:
    """`tell`: hears each revision once, each reminder, and each end."""

    tell: Callable[[AlertEvent], None]
    _held: dict[str, Alert] = field(factory=dict, init=False)
    _ended: dict[str, _Ended] = field(factory=dict, init=False)

    @property
    def held(self) -> Mapping[str, Alert]:
        """In force as far as we know, by id, oldest first."""
        return self._held

    def listed(self, frames: Iterable[server.AlertFrame]) -> None:
        """By `ready` or a join: what we have already is not told again."""
        for frame in frames:
            held = self._held.get(frame.id)
            if held is None or held.rev < frame.rev:
                self.come(frame)

    def come(self, frame: server.AlertFrame) -> None:
        held, ended = self._held.get(frame.id), self._ended.get(frame.id)
        if (held is not None and held.rev > frame.rev) or (ended is not None and ended.rev >= frame.rev):
            return
        again = held is not None and held.rev == frame.rev
        alert = alert_of(frame, reminder=again)
        self._held[frame.id] = held if again and held is not None else alert
        self.tell(alert)

    def over(self, frame: server.AlertOver) -> None:
        self._ended[frame.id] = _Ended(frame.rev)
        while len(self._ended) > OVER:
            del self._ended[next(iter(self._ended))]
        held = self._held.get(frame.id)
        if held is not None and held.rev <= frame.rev:
            del self._held[frame.id]
            self.tell(AlertOver(frame.id, frame.rev, frame.why))
