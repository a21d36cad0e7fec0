"""How long a room takes to hand out its last hundred messages while it is being flooded: the server's own histogram."""

import math
from collections.abc import Callable, Iterable
from itertools import cycle
from time import monotonic

from attrs import frozen

from bench import scrape
from bench.crew import Crew, Size
from bench.ground import Ground
from bench.ledger import RunVoid
from bench.measure import Round, measure
from bench.peer import Peer
from bench.progress import bar
from bench.stream import Json

HISTOGRAM = "bandstand_history_access_seconds"
READS_PER_S = 50.0


@frozen
class Memory:
    """`p99_ms` is the upper bound of the histogram's bucket in which it lies; None if the server exports none."""

    reads: int
    observed: int
    p50_ms: float | None
    p99_ms: float | None
    flood: Round
    settings: dict[str, str]


class Reader:
    """Asks for the last hundred messages at a steady rate, each time from another of these members: pages have a
    budget for each connection."""

    def __init__(self, peers: Iterable[Peer], send: Callable[[Peer], None]) -> None:
        self._peers, self._send = cycle(tuple(peers)), send
        self._next = monotonic()
        self.reads = 0

    def tick(self, _share: float) -> None:
        now = monotonic()
        if now >= self._next:
            self._next = max(self._next + 1 / READS_PER_S, now)
            peer = next(self._peers)
            peer.ask({"type": "history", "room": peer.room, "limit": 100}, self._read)
            self._send(peer)

    def _read(self, _peer: Peer, answer: Json) -> None:
        if answer["type"] != "ok" or not answer.get("items"):
            raise RunVoid(f"history was refused or empty: {str(answer)[:200]}")
        self.reads += 1


def memory(ground: Ground, size: Size, in_flight: int, seconds: float) -> Memory:
    with ground.server() as server, ground.crew(server, size) as crew:
        swarm = crew.swarm
        reader = Reader(crew.posting.posters, lambda peer: swarm.flush(swarm.lines[peer.fd]))
        before = _histogram(crew)
        with bar(ground.console, "flood and read") as advance:

            def tick(share: float) -> None:
                reader.tick(share)
                advance(share)

            flood = measure(crew, f"{in_flight} in flight", lambda: crew.posting.closed_loop(in_flight, seconds, tick))
        seen = scrape.between(before, _histogram(crew))
    p50, p99 = scrape.at_most(seen, 0.5), scrape.at_most(seen, 0.99)
    return Memory(reader.reads, scrape.observations(seen), _ms(p50), _ms(p99), flood, server.settings)


def _histogram(crew: Crew) -> dict[float, float]:
    return scrape.buckets(scrape.get(crew.server.address, "/metrics").body, HISTOGRAM)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None or math.isinf(seconds) else seconds * 1000
