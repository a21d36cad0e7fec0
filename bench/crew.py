"""The members of a run, brought in and made ready: so many listeners in so many rooms, and those who post."""

import gc
import math
import os
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack

from attrs import define, frozen

from bench.ledger import RunVoid
from bench.load import Posting, fit_text
from bench.server import Server
from bench.swarm import Swarm, raise_file_limit

RAMP_PER_S = 1_000.0
"""Below the server's accept rate of 1,500 a second, so that nobody is turned away."""
MOST_POSTERS = 64
UNLIMITED = 1_000.0
"""A server that lets one connection say so much a second does not hold our posters back."""


@frozen
class Size:
    """How large a run is. `in_flight` and `rate` tell how many must post, `frame_bytes` how long a delivery is."""

    clients: int
    rooms: int = 1
    posters: int | None = None
    in_flight: int = 64
    rate: float | None = None
    frame_bytes: int = 200
    ramp_per_s: float = RAMP_PER_S


@define(eq=False)
class Crew:
    server: Server
    swarm: Swarm
    posting: Posting
    members: int
    """Listeners and posters: everybody who gets every message of its room."""
    posters: int
    ramp_seconds: float
    frame_bytes: float = 0.0
    """What a delivered frame really measures, header included."""

    def close(self) -> None:
        self.swarm.close()
        gc.unfreeze()
        gc.enable()


def gather(server: Server, size: Size, tick: Callable[[int], None] = lambda level: None) -> Crew:
    """Everybody connected, joined and level, and one unmeasured post through each room. Raises RunVoid."""
    raise_file_limit()
    swarm = Swarm(server.address)
    with ExitStack() as if_it_fails:
        if_it_fails.callback(swarm.close)
        crew = _gather(server, swarm, size, tick)
        if_it_fails.pop_all()
    return crew


def _gather(server: Server, swarm: Swarm, size: Size, tick: Callable[[int], None]) -> Crew:
    run = os.urandom(3).hex()
    rooms = [f"b{run}-{k}" for k in range(size.rooms)]
    first = swarm.add("p0", rooms[0], timed=False)
    swarm.ramp(1.0)
    per_poster = float(first.limits.get("messages_per_s", 5))
    wanted = size.posters or _posters_needed(size, per_poster)
    posters = [first, *(swarm.add(f"p{k}", rooms[k % size.rooms], timed=False) for k in range(1, wanted))]
    for k in range(size.clients):
        swarm.add(f"c{k}", rooms[k % size.rooms])
    seconds = swarm.ramp(size.ramp_per_s, tick)
    crew = Crew(server, swarm, Posting(swarm, deque(posters), "warm-up", per_poster), swarm.level, wanted, seconds)
    _measure_frame(crew, size.frame_bytes)
    gc.collect()
    gc.freeze()
    gc.disable()  # the loop makes no cycles; a collection over thousands of peers would look like the server's latency
    return crew


def _posters_needed(size: Size, per_poster: float) -> int:
    """At least one a room; enough that each stays under the server's limit, with a fifth to spare."""
    if size.rate is None:
        wanted = size.in_flight if per_poster >= UNLIMITED else size.in_flight * 4
        return max(size.rooms, min(wanted, MOST_POSTERS if per_poster >= UNLIMITED else 1_000))
    return max(size.rooms, min(MOST_POSTERS, math.ceil(size.rate)), math.ceil(size.rate * 1.2 / per_poster))


def _measure_frame(crew: Crew, wanted: int) -> None:
    """One post per poster, to learn what a frame weighs besides its text."""
    posting, rooms = crew.posting, crew.swarm.rooms.values()
    posting.text = "warm"
    for text in ("warm", None):
        if text is None:
            overhead = math.ceil(sum(len(room.raw) for room in rooms) / sum(len(room.ends) for room in rooms))
            posting.text = fit_text(wanted, overhead - len("warm"))
        posting.open_loop(min(100.0, posting.per_poster * crew.posters / 1.2), crew.posters / 100)
        posting.drain()
    if not all(room.ends for room in rooms):
        raise RunVoid("a room without a post: more posters than turns")
    crew.frame_bytes = sum(room.ends[-1] - room.frame_start(room.ends[-1] - 1) for room in rooms) / len(rooms)
