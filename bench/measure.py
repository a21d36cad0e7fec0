"""One measured round: CPU of both sides, deliveries counted and checked, latency. The clock stops after the drain."""

import statistics
from collections.abc import Callable, Sequence
from time import monotonic, process_time

from attrs import frozen

from bench import proc
from bench.crew import Crew
from bench.latency import Quantiles, delivery_latency
from bench.ledger import RunVoid
from bench.load import wait_quietly

BUSY = 0.9
"""A generator that used more of its core than this may have been what limited the run."""


@frozen
class Round:
    """`server_cpu_s` is None when the server's process is not known; `others_cpu_s` and `others_generator_cpu_s` are
    what somebody else used of the server's core and of the generator's meanwhile: much of it, and wall-clock figures
    mean little."""

    label: str
    seconds: float
    posts: int
    refused: int
    deliveries: int
    pieces: int
    """Reads it took to receive them: deliveries / pieces is the mean batch."""
    frame_bytes: float
    server_cpu_s: float | None
    generator_cpu_s: float
    others_cpu_s: float | None
    others_generator_cpu_s: float | None
    latency: Quantiles | None
    schedule_missed_ms: float
    behinds: int

    @property
    def per_second(self) -> float:
        return self.deliveries / self.seconds

    @property
    def per_core_second(self) -> float | None:
        return self.deliveries / self.server_cpu_s if self.server_cpu_s else None

    @property
    def us_per_delivery(self) -> float | None:
        return self.server_cpu_s * 1e6 / self.deliveries if self.server_cpu_s is not None and self.deliveries else None

    @property
    def generator_share(self) -> float:
        return self.generator_cpu_s / self.seconds

    @property
    def server_share(self) -> float | None:
        return None if self.server_cpu_s is None else self.server_cpu_s / self.seconds

    @property
    def others_share(self) -> float | None:
        """Of the server's core."""
        return None if self.others_cpu_s is None else self.others_cpu_s / self.seconds

    @property
    def generator_bound(self) -> bool:
        return self.generator_share > BUSY and (self.server_share or 0.0) < BUSY


@frozen
class Clocks:
    """Readings, or with `since` what passed between two: seconds of wall clock, of CPU, and of busy cores."""

    wall: float
    server: float | None
    generator: float
    server_core: float | None
    generator_core: float | None

    @classmethod
    def read(cls, crew: Crew) -> "Clocks":
        pid, cores = crew.server.pid, crew.server.pinned
        return cls(
            monotonic(),
            None if pid is None else proc.cpu_seconds(pid),
            process_time(),
            None if cores.server is None else proc.core_busy_seconds(cores.server),
            None if cores.generator is None else proc.core_busy_seconds(cores.generator),
        )

    def since(self, before: "Clocks") -> "Clocks":
        return Clocks(
            self.wall - before.wall,
            _minus(self.server, before.server),
            self.generator - before.generator,
            _minus(self.server_core, before.server_core),
            _minus(self.generator_core, before.generator_core),
        )

    @property
    def others(self) -> float | None:
        """What somebody else used of the server's core."""
        return _minus(self.server_core, self.server)


def _minus(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else max(0.0, after - before)


def measure(crew: Crew, label: str, drive: Callable[[], None], silent: bool = False) -> Round:
    """Run `drive`, drain, check that every member got every message once and in order. Raises RunVoid; also when
    nothing was posted, unless it was to be `silent`."""
    swarm, ledger, rooms = crew.swarm, crew.swarm.ledger, list(crew.swarm.rooms.values())
    crew.posting.drain()  # what the house says by itself may be on its way
    for room in rooms:
        room.settle()
        room.arrivals.clear()
    behinds = sum(line.peer.behinds for line in swarm.lines.values())
    pieces, posted, refused = swarm.received_pieces, ledger.posted, ledger.refused
    crew.posting.latest = 0.0
    before = Clocks.read(crew)
    drive()
    crew.posting.drain()
    used = Clocks.read(crew).since(before)
    wait_quietly(swarm, 0.05)  # a message too many comes late
    crew.posting.drain()  # and so does what the house says
    messages = [room.settle() for room in rooms]
    refused = ledger.refused - refused
    posts = ledger.posted - posted - refused
    # No cid settles twice, and none in another room than its own: so the sum over all rooms proves each of them.
    if ledger.posts or sum(messages) != posts or not (posts or silent):
        raise RunVoid(f"{sum(messages)} messages came of {posts} posts, {len(ledger.posts)} are unaccounted for")
    deliveries = sum(count * room.members for count, room in zip(messages, rooms, strict=True))
    return Round(
        label=label,
        seconds=used.wall,
        posts=posts,
        refused=refused,
        deliveries=deliveries,
        pieces=swarm.received_pieces - pieces,
        frame_bytes=crew.frame_bytes,
        server_cpu_s=used.server,
        generator_cpu_s=used.generator,
        others_cpu_s=used.others,
        others_generator_cpu_s=_minus(used.generator_core, used.generator),
        latency=delivery_latency(rooms, deliveries),
        schedule_missed_ms=crew.posting.latest * 1000,
        behinds=sum(line.peer.behinds for line in swarm.lines.values()) - behinds,
    )


def median_of(rounds: Sequence[Round], figure: Callable[[Round], float | None]) -> float | None:
    """The median round's figure; None if a round has none."""
    values = [value for value in map(figure, rounds) if value is not None]
    return statistics.median(values) if len(values) == len(rounds) and values else None
