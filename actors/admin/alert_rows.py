"""The alerts as operators watch them: each with how far it has come."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import asdict, define, field

from actors.alerts.board import AlertBoard
from actors.alerts.messages import Report
from actors.alerts.vocabulary import Alert, AlertId, Life
from actors.names import RoomName

SHOWN = 30
"""Alerts of a snapshot: those in force, then the newest. How many more there are is `more`; `alert.list` has them."""
ROOMS = 40
"""Rooms of one alert, those with the most people; how many more there are is `rooms_more`."""
OLD_S = 10.0
"""An alert that is over is counted anew so often: late receipts still come."""


@define(eq=False)
class AlertRows:
    """`snapshot` is made at the look: a sum over the targets of each alert in force."""

    board: AlertBoard
    zones: Mapping[RoomName, str]
    wall: Callable[[], float]
    _over: dict[AlertId, tuple[float, int, dict[str, Any]]] = field(init=False, factory=dict)

    def snapshot(self) -> dict[str, Any]:
        now = self.wall()
        known = self.board.book.cases.values()
        cases = sorted(known, key=lambda case: (case.alert.state is not Life.ACTIVE, -case.alert.sent))[:SHOWN]
        rows = []
        for case in cases:
            alert = case.alert
            if alert.state is Life.ACTIVE:
                rows.append(row(self.board.book.report(case, self.zones)))
                continue
            at, rev, kept = self._over.get(alert.id, (0.0, -1, {}))
            if rev != alert.rev or now - at >= OLD_S:
                kept = row(self.board.book.report(case, self.zones))
                self._over[alert.id] = now, alert.rev, kept
            rows.append(kept)
        shown = {case.alert.id for case in cases}
        self._over = {id: kept for id, kept in self._over.items() if id in shown}
        return {"at": now, "alerts": rows, **more("more", len(known) - len(cases))}

    def active(self) -> int:
        return sum(case.alert.state is Life.ACTIVE for case in self.board.book.cases.values())


def more(name: str, count: int) -> dict[str, int]:
    return {name: count} if count else {}


def row(report: Report) -> dict[str, Any]:
    rooms = sorted(report.rooms.items(), key=lambda each: (-each[1].targeted, each[0]))[:ROOMS]
    return {
        **brief(report.alert),
        "ledger": report.total.shown(),
        "rooms": {room: tally.shown() for room, tally in rooms},
        **more("rooms_more", len(report.rooms) - len(rooms)),
        "zones": {zone: tally.shown() for zone, tally in report.zones.items()},
        **({} if report.score is None else {"score": percent(report.score.answered), "drill": asdict(report.score)}),
        **({} if report.final is None else {"final": report.final.shown()}),
    }


def percent(part: float) -> int:
    """Rounded down: it does not say that all have answered while one has not."""
    return int(100 * part + 1e-9)


def brief(alert: Alert) -> dict[str, Any]:
    draft = alert.draft
    return {
        "id": alert.id, "rev": alert.rev, "kind": alert.kind.value, "status": draft.status.value,
        "severity": draft.severity.value, "headline": draft.headline, "sent": alert.sent, "expires": alert.expires,
        "ack": draft.ack.value, "state": alert.state.value, "by": alert.by, "recorded": alert.recorded,
        "correction": draft.correction is not None,
    }  # fmt: skip
