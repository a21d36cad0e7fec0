"""What counting costs while it matters most: the server under a sampling profiler and a saturated room, /metrics
scraped and a dashboard watching."""

import threading
from collections.abc import Callable
from functools import partial, reduce
from operator import add
from pathlib import Path

from attrs import define, field, frozen

from bench import scrape
from bench.crew import Crew, Size
from bench.dashboard import Seen, check_fed, dashboard
from bench.ground import Ground
from bench.ledger import RunVoid
from bench.measure import Round, measure
from bench.operator import token
from bench.profiled import sampled
from bench.progress import bar
from bench.sampled import Counts, read_file
from bench.wire import Address

SCRAPE_EVERY_S = 5.0
"""Harder than the field: a Prometheus asks every 15 to 60 s."""
WARM_UP_S = 1.0


@frozen
class SampledRound:
    round: Round
    samples: Counts
    scrapes: int
    snapshots: int


@frozen
class StatsRun:
    rounds: tuple[SampledRound, ...]
    scrape_every_s: float
    settings: dict[str, str]

    @property
    def samples(self) -> Counts:
        """Of all rounds: one alone has too few for a share of one percent."""
        return reduce(add, (each.samples for each in self.rounds))


@define(eq=False)
class Scraper(threading.Thread):
    """Fetches /metrics until it is told to leave."""

    address: Address
    every_s: float
    scrapes: int = 0
    refused: str = ""
    _leave: threading.Event = field(init=False, factory=threading.Event)

    def __attrs_pre_init__(self) -> None:
        threading.Thread.__init__(self, daemon=True)

    def run(self) -> None:
        while not self._leave.wait(self.every_s):
            reply = scrape.get(self.address, "/metrics")
            if reply.status == 200:
                self.scrapes += 1
            else:
                self.refused = f"/metrics answered {reply.status}: {reply.body[:200]}"

    def stop(self) -> None:
        """Raises RunVoid when a scrape failed."""
        self._leave.set()
        self.join()
        if self.refused:
            raise RunVoid(self.refused)


def stats(ground: Ground, size: Size, seconds: float, rounds: int, scrape_every_s: float = SCRAPE_EVERY_S) -> StatsRun:
    """Raises RunVoid; Unsuited for a server that is not ours."""
    with (
        sampled(ground) as (profiled, counts),
        profiled.server() as server,
        profiled.crew(server, size) as crew,
    ):
        secret, measured = token(server), []
        crew.posting.closed_loop(size.in_flight, WARM_UP_S)
        crew.posting.drain()
        for k in range(rounds):
            with bar(ground.console, f"sampled, round {k + 1} of {rounds}") as advance:
                flood = partial(crew.posting.closed_loop, size.in_flight, seconds, advance)
                with dashboard(crew.swarm, server.address, secret) as seen:
                    scraper = Scraper(server.address, scrape_every_s)
                    measured.append(_round(crew, f"{size.in_flight} in flight", flood, counts, scraper, seen))
        return StatsRun(tuple(measured), scrape_every_s, server.settings)


def _round(
    crew: Crew, label: str, flood: Callable[[], None], counts: Path, scraper: Scraper, seen: Seen
) -> SampledRound:
    scraper.start()
    before, seen_before = read_file(counts), seen.copy()
    round_ = measure(crew, label, flood)
    samples, scrapes = read_file(counts).since(before), scraper.scrapes
    scraper.stop()
    check_scraped(scrapes, scraper.every_s, round_.seconds)
    return SampledRound(round_, samples, scrapes, check_fed(seen_before, seen, round_.seconds))


def check_scraped(scrapes: int, every_s: float, seconds: float) -> None:
    """Raises RunVoid unless at least every other scrape was answered in time, and one at all: what does not happen
    costs nothing."""
    least = max(1, int(seconds / every_s / 2))
    if scrapes < least:
        raise RunVoid(f"/metrics was scraped {scrapes} times in {seconds:.1f} s; {least} are the least")
