"""Rooms in which somebody speaks: saturated, one at a time, by schedule, a lone pair, a crowd."""

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from bench import proc
from bench.crew import Crew, Size
from bench.ground import Ground
from bench.load import Tick
from bench.measure import Round, measure
from bench.progress import bar

WARM_UP_S = 1.0


@frozen
class Loop:
    """How posts are made: so many in flight, or so many a second by schedule. Exactly one of the two is set."""

    in_flight: int | None = None
    rate: float | None = None

    @property
    def label(self) -> str:
        if self.rate is not None:
            return f"{self.rate:g} posts/s"
        return "one at a time" if self.in_flight == 1 else f"{self.in_flight} in flight"

    def drive(self, crew: Crew, seconds: float, tick: Tick) -> None:
        if self.rate is not None:
            crew.posting.open_loop(self.rate, seconds, tick)
        else:
            crew.posting.closed_loop(self.in_flight or 1, seconds, tick)


@frozen
class Fanout:
    """Rounds of all loops, interleaved, in the order in which they ran."""

    size: Size
    members: int
    posters: int
    ramp_seconds: float
    settings: dict[str, str]
    rounds: tuple[Round, ...]
    disk_sync_ms: float | None
    """How long the journal's disk took for a sync of its own, just before; None when the journal is not ours."""

    def of(self, loop: Loop) -> list[Round]:
        return [round_ for round_ in self.rounds if round_.label == loop.label]


def fanout(ground: Ground, size: Size, loops: Sequence[Loop], seconds: float, rounds: int) -> Fanout:
    """Raises RunVoid when a delivery was not as it should be."""
    measured: list[Round] = []
    sync_ms = None
    with ground.server() as server, ground.crew(server, size) as crew:
        for loop in loops:
            loop.drive(crew, min(WARM_UP_S, seconds), lambda _share: None)
            crew.posting.drain()
        if "BANDSTAND_JOURNAL_PATH" in server.settings:
            sync_ms = proc.sync_ms(Path(server.settings["BANDSTAND_JOURNAL_PATH"]).parent)
        for k in range(rounds):
            for loop in loops:
                with bar(ground.console, f"{loop.label}, round {k + 1} of {rounds}") as advance:
                    measured.append(_round(crew, loop, seconds, advance))
        return Fanout(size, crew.members, crew.posters, crew.ramp_seconds, server.settings, tuple(measured), sync_ms)


def _round(crew: Crew, loop: Loop, seconds: float, tick: Tick) -> Round:
    return measure(crew, loop.label, lambda: loop.drive(crew, seconds, tick))


def lone(ground: Ground, posts: int, frame_bytes: int, rounds: int) -> Fanout:
    """One who posts now and then, one who listens: nothing to batch, nothing to wait for but the journal."""
    loop = Loop(rate=40.0)
    return fanout(ground, Size(1, posters=1, rate=loop.rate, frame_bytes=frame_bytes), [loop], posts / 40.0, rounds)


def crowd(ground: Ground, clients: int, rate: float, seconds: float, frame_bytes: int) -> Fanout:
    """A main stage: many people, few words, nobody may miss one."""
    return fanout(ground, Size(clients, rate=rate, frame_bytes=frame_bytes), [Loop(rate=rate)], seconds, 1)
