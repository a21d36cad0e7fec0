"""An alert to thousands, raised by an operator over the admin channel: how long until it was written to the last of
them, and until the last of them has it; in a quiet house and in one that is being flooded, in turn.

The clock starts when the order leaves the operator. `written` is what the server's ledger notes of each member when the
last byte of the alert has left for its socket; `received` is when it was read here, so the generator's own queue is in
it. Both sides read the clock of one machine."""

import statistics
from collections.abc import Callable, Sequence
from time import monotonic, time

from attrs import define, field, frozen

from bench.crew import Crew, Size
from bench.ground import Ground
from bench.latency import Quantiles, quantiles
from bench.ledger import RunVoid
from bench.load import Tick, wait_quietly
from bench.measure import Round, measure
from bench.operator import Desk, Errand, Json, errand, token
from bench.peer import Peer
from bench.progress import bar

PATIENCE_S = 20.0
CALM_S = 1.0
"""Before the alert, of silence or of flood."""
LOOK_S = 0.05
"""Of flood, between two looks at who has it."""
CLOCK_SET_S = 0.005
"""More than that between two readings of wall and monotonic clock: somebody has set the first."""
IDLE = "idle"
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
    """Milliseconds from the order, over all members. `accepted_ms`: until the server's alert was made (its `sent`);
    `ok_ms`: until the operator had the answer."""

    around: Round
    """The second before the order and all until everybody had it: the flood, or the quiet."""
    members: int
    accepted_ms: float
    ok_ms: float
    written: Quantiles
    received: Quantiles

    @property
    def label(self) -> str:
        return self.around.label


@frozen
class AlertRun:
    alarms: tuple[Alarm, ...]
    """In the order in which they were raised."""
    settings: dict[str, str]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(alarm.label for alarm in self.alarms))

    def of(self, label: str) -> list[Alarm]:
        return [alarm for alarm in self.alarms if alarm.label == label]

    def last(self, label: str, side: Callable[[Alarm], Quantiles]) -> tuple[float, float]:
        """The last member's time: the median of the rounds, and the worst."""
        times = [side(alarm).max_ms for alarm in self.of(label)]
        return statistics.median(times), max(times)


@define(eq=False)
class Raising:
    """One alert, on the operator's side. `began` is monotonic, `wall` the same instant in Unix seconds."""

    desk: Desk
    room: str
    began: float = 0.0
    wall: float = 0.0
    ok_s: float = 0.0
    sent: float = 0.0
    rows: list[Json] = field(factory=list)

    def send(self) -> None:
        self.began, self.wall = monotonic(), time()
        self.desk.ask("alert.raise", {**ORDER, "rooms": [self.room]}, confirm="SEND ALERT")
        self.ok_s = monotonic() - self.began

    def look(self) -> None:
        """Read the ledger row by row, then end the alert."""
        newest = self.desk.ask("alert.list", {})["detail"]["items"][0]
        self.sent = newest["sent"]
        page: int | None = 1
        while page is not None:
            asked = {"alert": newest["id"], "rev": newest["rev"], "state": "written", "page": page}
            found = self.desk.ask("alert.ledger", asked)["detail"]
            self.rows += found["items"]
            page = found["next"]
        self.desk.ask("alert.cancel", {"alert": newest["id"]})


def alert(ground: Ground, size: Size, rounds: int) -> AlertRun:
    """In each round one alarm in a quiet house, and one under `size.in_flight` posts in flight. Raises RunVoid."""
    with ground.server() as server, ground.crew(server, size) as crew:
        desk, secret = Desk(server.address), token(server)
        errand(crew.swarm, lambda: desk.open(secret))
        alarms = []
        for k in range(rounds):
            for label, flood in ((IDLE, 0), (f"{size.in_flight} in flight", size.in_flight)):
                with bar(ground.console, f"alert, {label}, round {k + 1} of {rounds}") as advance:
                    alarms.append(_alarm(crew, desk, label, flood, advance))
        desk.close()
        return AlertRun(tuple(alarms), server.settings)


def _alarm(crew: Crew, desk: Desk, label: str, flood: int, tick: Tick) -> Alarm:
    raising, drift = Raising(desk, next(iter(crew.swarm.rooms))), time() - monotonic()
    peers = [line.peer for line in crew.swarm.lines.values()]
    around = measure(crew, label, lambda: _raise(crew, raising, peers, flood, tick), silent=not flood)
    errand(crew.swarm, raising.look)
    if abs(time() - monotonic() - drift) > CLOCK_SET_S:
        raise RunVoid("the machine's wall clock was set meanwhile: the ledger's times mean nothing")
    written = written_at(raising.rows, crew.members)
    return Alarm(
        around,
        crew.members,
        (raising.sent - raising.wall) * 1000,
        raising.ok_s * 1000,
        _quantiles([at - raising.wall for at in written]),
        _quantiles([peer.alert_at - raising.began for peer in peers]),
    )


def _raise(crew: Crew, raising: Raising, peers: Sequence[Peer], flood: int, tick: Tick) -> None:
    """Until each of them has it, `alert_at` on the monotonic clock."""
    for peer in peers:
        peer.alert_at = 0.0
    _pass(crew, flood, CALM_S)
    running, until = Errand(raising.send), monotonic() + PATIENCE_S
    while running.is_alive() or not all(peer.alert_at for peer in peers):
        running.check()
        have = sum(peer.alert_at > 0 for peer in peers)
        if monotonic() > until:
            raise RunVoid(f"{have} of {len(peers)} members have the alert after {PATIENCE_S:g} s")
        tick(have / len(peers))
        _pass(crew, flood, LOOK_S)
    running.check()


def _pass(crew: Crew, flood: int, seconds: float) -> None:
    if flood:
        crew.posting.closed_loop(flood, seconds)
    else:
        wait_quietly(crew.swarm, seconds)


def written_at(rows: Sequence[Json], members: int) -> list[float]:
    """Unix seconds, for each row of the ledger. RunVoid unless every member is in it once and nothing but written to:
    a row whose member has answered holds the time of the answer."""
    names = {str(row["nickname"]) for row in rows}
    other = [row for row in rows if row["state"] != "written" or row["joined_after"]]
    if other:
        raise RunVoid(f"the ledger has {other[0]['nickname']} as {other[0]['state']}: when it was written is lost")
    if len(rows) != members or len(names) != members:
        raise RunVoid(f"the ledger has {len(names)} members as written, of {members} who are here")
    return [float(row["at"]) for row in rows]


def _quantiles(seconds: Sequence[float]) -> Quantiles:
    found = quantiles(seconds)
    assert found is not None  # there are members
    return found
