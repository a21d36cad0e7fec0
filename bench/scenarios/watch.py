"""What one watching operator costs a server in which many people talk a little: CPU with and without the page open, in
windows that take turns."""

import statistics

from attrs import frozen

from bench.crew import Crew, Size
from bench.dashboard import check_fed, dashboard
from bench.ground import Ground
from bench.load import Tick, wait_quietly
from bench.measure import Round, measure
from bench.operator import token
from bench.progress import bar

WITHOUT, WATCHED = "nobody watches", "one dashboard"
SETTLE_S = 3.0
"""After the ramp: what thousands of arrivals leave to be done is not charged to anybody's window."""


@frozen
class Pair:
    without: Round
    watched: Round
    snapshots: int

    @property
    def percent(self) -> float:
        """Of a core, what the dashboard cost; below 0 when the noise was larger."""
        with_it, without = self.watched.server_share, self.without.server_share
        assert with_it is not None  # the server is ours
        assert without is not None
        return 100 * (with_it - without)


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
    def rounds(self) -> list[Round]:
        return [round_ for pair in self.pairs for round_ in (pair.without, pair.watched)]


def watch(ground: Ground, size: Size, rate: float, seconds: float, rounds: int) -> WatchRun:
    """`rate`: posts a second over all rooms. Raises RunVoid; Unsuited for a server that is not ours."""
    with ground.server() as server, ground.crew(server, size) as crew:
        secret = token(server)
        with bar(ground.console, "settling") as advance:
            wait_quietly(crew.swarm, SETTLE_S, advance)
        windows = Windows(ground, crew, secret, rate, seconds)
        pairs = tuple(windows.pair(k, rounds) for k in range(rounds))
        return WatchRun(crew.members, size.rooms, rate, pairs, server.settings)


@frozen
class Windows:
    ground: Ground
    crew: Crew
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

    def _watched(self, tick: Tick) -> tuple[Round, int]:
        with dashboard(self.crew.swarm, self.crew.server.address, self.secret) as seen:
            before = seen.copy()
            round_ = self._window(WATCHED, tick)
            return round_, check_fed(before, seen, round_.seconds)

    def _window(self, label: str, tick: Tick) -> Round:
        return measure(self.crew, label, lambda: self.crew.posting.open_loop(self.rate, self.seconds, tick))
