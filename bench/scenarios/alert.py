"""An alert to thousands, raised by an operator over the admin channel: how long until the last of them has it, in a
quiet house and in one that is being flooded. The clock starts when the order leaves the operator."""

from collections.abc import Callable
from time import monotonic

from attrs import define, field, frozen

from bench.crew import Crew, Size
from bench.ground import Ground
from bench.latency import Quantiles, quantiles
from bench.ledger import RunVoid
from bench.operator import Desk, Errand, Json, token
from bench.progress import bar

PATIENCE_S = 20.0
CALM_S = 1.0
"""Of flood, before the alert and between two looks at it."""
LOOK_S = 0.05
WRITTEN = ("written", "received", "seen", "acknowledged")
ORDER: Json = {
    "status": "actual",
    "severity": "extreme",
    "urgency": "immediate",
    "certainty": "observed",
    "response": "evacuate",
    "headline": "Leave by the nearest gate",
    "text": "Walk, do not run. Help those beside you.",
    "expires_s": 600,
    "remind_s": 0,
}


@frozen
class Alarm:
    """`received`: from the order to each member's socket here. `written`: how many the server's ledger counts as
    written to, of `targeted`, when all had it; `ok_ms`: when the operator had the answer."""

    label: str
    targeted: int
    written: int
    ok_ms: float
    received: Quantiles


@frozen
class AlertRun:
    alarms: tuple[Alarm, ...]
    settings: dict[str, str]


@define(eq=False)
class Raising:
    """One alert, on the operator's side."""

    desk: Desk
    room: str
    began: float = 0.0
    ok_s: float = 0.0
    ledger: Json = field(factory=dict)

    def send(self) -> None:
        self.began = monotonic()
        self.desk.ask("alert.raise", {**ORDER, "rooms": [self.room]}, confirm="SEND ALERT")
        self.ok_s = monotonic() - self.began

    def look(self) -> None:
        newest = self.desk.ask("alert.list", {})["detail"]["items"][0]
        self.ledger = newest["ledger"]
        self.desk.ask("alert.cancel", {"alert": newest["id"]})


def alert(ground: Ground, size: Size) -> AlertRun:
    """One alarm in a quiet house, one under `size.in_flight` posts in flight. Raises RunVoid."""
    with ground.server() as server, ground.crew(server, size) as crew:
        desk, secret = Desk(server.address), token(server)
        errand(crew, lambda: desk.open(secret))
        with bar(ground.console, "alert, idle"):
            quiet = _alarm(crew, desk, "idle", 0)
        with bar(ground.console, "alert, flood"):
            flooded = _alarm(crew, desk, f"{size.in_flight} in flight", size.in_flight)
        desk.close()
        return AlertRun((quiet, flooded), server.settings)


def errand(crew: Crew, work: Callable[[], None]) -> None:
    """Done when this returns; the swarm is served meanwhile."""
    running = Errand(work)
    while running.is_alive():
        crew.swarm.pump(0.02)
    running.check()


def _alarm(crew: Crew, desk: Desk, label: str, flood: int) -> Alarm:
    swarm = crew.swarm
    peers = [line.peer for line in swarm.lines.values()]
    for peer in peers:
        peer.alert_at = 0.0
    raising = Raising(desk, next(iter(swarm.rooms)))
    if flood:
        crew.posting.closed_loop(flood, CALM_S)
    running, until = Errand(raising.send), monotonic() + PATIENCE_S
    while running.is_alive() or not all(peer.alert_at for peer in peers):
        running.check()
        if monotonic() > until:
            raise RunVoid(f"{sum(peer.alert_at > 0 for peer in peers)} of {len(peers)} members have the alert")
        if flood:
            crew.posting.closed_loop(flood, LOOK_S)
        else:
            swarm.pump(LOOK_S)
    crew.posting.drain()
    errand(crew, raising.look)
    received = quantiles([peer.alert_at - raising.began for peer in peers])
    assert received is not None  # there are members
    ledger = raising.ledger
    written = sum(ledger[state] for state in WRITTEN)
    return Alarm(label, ledger["targeted"], written, raising.ok_s * 1000, received)
