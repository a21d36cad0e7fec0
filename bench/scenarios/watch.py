"""What one watching operator costs a server in which many people talk a little: CPU with and without the page open, in
windows that take turns."""

import statistics
from pathlib import Path

from attrs import frozen

from bench.crew import Crew, Size
from bench.dashboard import check_fed, dashboard
from bench.ground import Ground
from bench.load import Tick, wait_quietly
from bench.measure import Round, measure
from bench.operator import token
from bench.profiled import sampled
from bench.progress import bar
from bench.sampled import Counts, read_file

WITHOUT, WATCHED = "nobody watches", "one dashboard"
SETTLE_S = 3.0
"""After the ramp: what thousands of arrivals leave to be done is not charged to anybody's window."""


OPERATORS = ("stats actor and feed", "dashboards")
"""Of the profiler's marks, whose code works for who watches."""


@frozen
class Window:
    round: Round
    samples: Counts

    @property
    def percent(self) -> float:
        """Of a core, what the server took."""
        assert self.round.server_share is not None  # the server is ours
        return 100 * self.round.server_share

    @property
    def operators_percent(self) -> float:
        """Of a core, what that part of its code took that works for operators."""
        theirs = sum(self.samples.marked[name] for name in OPERATORS)
        return self.percent * theirs / max(1, self.samples.total)


@frozen
class Pair:
    without: Window
    watched: Window
    snapshots: int

    @property
    def percent(self) -> float:
        """Of a core, what the dashboard cost; below 0 when the noise was larger."""
        return self.watched.percent - self.without.percent

    @property
    def operators_percent(self) -> float:
        """Of a core, what it cost in the operators' own code, which the noise of all other work is not in."""
        return self.watched.operators_percent - self.without.operators_percent


@frozen
class WatchRun:
    members: int
    rooms: int
    rate: float
    pairs: tuple[Pair, ...]
    settings: dict[str, str]

    @property
    def percent(self) -> float:
        return statistics.median(pair.percent for pair in self.pairs)

    @property
    def spread(self) -> float:
        """Of a core, in percent: by how much the middle pair differs from the median (median absolute deviation)."""
        return statistics.median(abs(pair.percent - self.percent) for pair in self.pairs)

    @property
    def operators_percent(self) -> float:
        """The mean: one window has too few samples of it to have a middle."""
        return statistics.fmean(pair.operators_percent for pair in self.pairs)

    @property
    def samples(self) -> int:
        return sum(window.samples.total for window in self.windows)

    @property
    def windows(self) -> list[Window]:
        return [window for pair in self.pairs for window in (pair.without, pair.watched)]


def watch(ground: Ground, size: Size, rate: float, seconds: float, rounds: int) -> WatchRun:
    """`rate`: posts a second over all rooms. Raises RunVoid; Unsuited for a server that is not ours."""
    with (
        sampled(ground) as (profiled, counts),
        profiled.server() as server,
        profiled.crew(server, size) as crew,
    ):
        secret = token(server)
        with bar(ground.console, "settling") as advance:
            wait_quietly(crew.swarm, SETTLE_S, advance)
        watching = Watching(ground, crew, counts, secret, rate, seconds)
        pairs = tuple(watching.pair(k, rounds) for k in range(rounds))
        return WatchRun(crew.members, size.rooms, rate, pairs, server.settings)


@frozen
class Watching:
    """Makes the windows. `counts`: the profiler's."""

    ground: Ground
    crew: Crew
    counts: Path
    secret: str
    rate: float
    seconds: float

    def pair(self, k: int, of: int) -> Pair:
        """The first of every second pair is watched: what grows with time favours neither."""
        with bar(self.ground.console, f"pair {k + 1} of {of}") as advance:
            if k % 2:
                watched, snapshots = self._watched(lambda share: advance(share / 2))
                without = self._window(WITHOUT, lambda share: advance((1 + share) / 2))
            else:
                without = self._window(WITHOUT, lambda share: advance(share / 2))
                watched, snapshots = self._watched(lambda share: advance((1 + share) / 2))
        return Pair(without, watched, snapshots)

    def _watched(self, tick: Tick) -> tuple[Window, int]:
        with dashboard(self.crew.swarm, self.crew.server.address, self.secret) as seen:
            before = seen.copy()
            window = self._window(WATCHED, tick)
            return window, check_fed(before, seen, window.round.seconds)

    def _window(self, label: str, tick: Tick) -> Window:
        before = read_file(self.counts)
        round_ = measure(self.crew, label, lambda: self.crew.posting.open_loop(self.rate, self.seconds, tick))
        return Window(round_, read_file(self.counts).since(before))
