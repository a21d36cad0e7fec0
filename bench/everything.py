"""Every figure that has a target, one scenario after the other, each on a server of its own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import SubprocessError

from bench import report
from bench.crew import Size
from bench.ground import Ground
from bench.ledger import RunVoid
from bench.scenarios.alert import alert
from bench.scenarios.fanout import Loop, crowd, fanout, lone
from bench.scenarios.idle import idle
from bench.scenarios.memory import memory
from bench.scenarios.start import start
from bench.scenarios.stats import SCRAPE_EVERY_S, stats
from bench.scenarios.watch import watch
from bench.server import NotStarted, Unsuited
from bench.targets import (
    ALERT,
    ALERT_FLOOD,
    CROWD,
    IDLE,
    LONE,
    MEMORY,
    ONE_AT_A_TIME,
    SATURATED,
    START_EMPTY,
    START_FULL,
    STATS,
    WATCH,
    Target,
    Verdict,
)
from bench.wire import BadWire

ROOM = 1_000
CROWD_CLIENTS, CROWD_RATE, CROWD_S = 5_000, 5.0, 20.0
LONE_POSTS = 300
IN_FLIGHT = 64
ALERTED = 5_000
WATCHED_CLIENTS, WATCHED_ROOMS, WATCHED_RATE = 4_900, 100, 20.0
"""And a poster a room: 5,000 members."""
PAIRS = 5
"""Rounds of what is a difference of two noisy figures, or a maximum."""

Scenario = tuple[str, tuple[Target, ...], Callable[[], None]]
"""Its name, the figures that it is for, what it does."""


class Everything:
    """Collects results and verdicts; a scenario that fails costs its own figures and no others."""

    def __init__(self, ground: Ground, frame_bytes: int, seconds: float, rounds: int) -> None:
        self.ground, self.frame_bytes, self.seconds, self.rounds = ground, frame_bytes, seconds, rounds
        self.results: dict[str, object] = {}
        self.verdicts: list[Verdict] = []
        self.failures: list[str] = []
        """A line for each scenario that was void or broke."""

    def run(self, journal: Path | None, members: int, settle_seconds: float, keep: Callable[[], None]) -> None:
        """Prints each scenario's own table on the way. `keep` is called before the first and after each, so that what
        was found outlives whatever ends the run."""
        keep()
        for name, targets, body in self._scenarios(journal, members, settle_seconds):
            self.attempt(name, targets, body)
            keep()

    def _scenarios(self, journal: Path | None, members: int, settle_seconds: float) -> Sequence[Scenario]:
        return (
            ("run", (SATURATED, ONE_AT_A_TIME), self.saturated_and_one),
            ("lone", (LONE,), self.lone),
            ("idle", (IDLE,), lambda: self.idle(members, settle_seconds)),
            ("start", (START_EMPTY,), lambda: self.start(START_EMPTY, None)),
            ("start-1M", (START_FULL,), lambda: self.start_full(journal)),
            ("crowd", (CROWD,), self.crowd),
            ("memory", (MEMORY,), self.memory),
            ("alert", (ALERT, ALERT_FLOOD), self.alert),
            ("watch", (WATCH,), self.watch),
            ("stats", (STATS,), self.stats),
        )

    def attempt(self, name: str, targets: tuple[Target, ...], body: Callable[[], None]) -> None:
        try:
            body()
        except Unsuited as error:
            self._not_measured(targets, str(error))
        except (RunVoid, BadWire) as error:
            self._failed(name, targets, f"the run is void: {error}")
        except (NotStarted, OSError, SubprocessError, ValueError) as error:  # its server died, most often
            self._failed(name, targets, str(error))

    def _failed(self, name: str, targets: tuple[Target, ...], why: str) -> None:
        self.failures.append(f"{name}: {why}")
        self.ground.console.print(self.failures[-1], style="red", highlight=False, markup=False, soft_wrap=True)
        self._not_measured(targets, why)

    def _not_measured(self, targets: tuple[Target, ...], why: str) -> None:
        self.verdicts += [Verdict(target, None, why) for target in targets]

    def saturated_and_one(self) -> None:
        loops = [Loop(in_flight=IN_FLIGHT), Loop(in_flight=1)]
        size = Size(ROOM, in_flight=IN_FLIGHT, frame_bytes=self.frame_bytes)
        result = fanout(self.ground, size, loops, self.seconds, self.rounds)
        self.results["run"] = result
        report.print_head(self.ground.console, result.settings)
        report.print_fanout(self.ground.console, result)
        self.verdicts += [
            Verdict(SATURATED, report.median(result, loops[0], "per core-s")),
            Verdict(ONE_AT_A_TIME, report.median(result, loops[1], "µs/delivery")),
        ]

    def lone(self) -> None:
        result = lone(self.ground, LONE_POSTS, self.frame_bytes, self.rounds)
        self.results["lone"] = result
        report.print_fanout(self.ground.console, result)
        p99 = report.median(result, None, "p99 ms")
        self.verdicts.append(Verdict(LONE, report.median(result, None, "p50 ms"), f"p99 {p99:.1f} ms"))

    def idle(self, members: int, settle_seconds: float) -> None:
        result = idle(self.ground, members, settle_seconds, self.frame_bytes)
        self.results["idle"] = result
        report.print_idle(self.ground.console, result)
        self.verdicts.append(Verdict(IDLE, result.private_dirty_each / 1000, f"{members:,} members"))

    def start_full(self, journal: Path | None) -> None:
        if journal is None:
            raise Unsuited("needs --journal")
        self.start(START_FULL, journal)

    def start(self, target: Target, journal: Path | None) -> None:
        result = start(self.ground, journal, self.rounds)
        self.results[target.name] = result
        report.print_start(self.ground.console, result)
        self.verdicts.append(Verdict(target, result.ready_median))

    def crowd(self) -> None:
        result = crowd(self.ground, CROWD_CLIENTS, CROWD_RATE, CROWD_S, self.frame_bytes)
        self.results["crowd"] = result
        report.print_fanout(self.ground.console, result)
        p99 = report.median(result, None, "p99 ms")
        self.verdicts.append(Verdict(CROWD, 0, f"of {result.rounds[0].deliveries:,}; p99 {p99:.0f} ms"))

    def memory(self) -> None:
        size = Size(ROOM, in_flight=IN_FLIGHT, frame_bytes=self.frame_bytes)
        result = memory(self.ground, size, IN_FLIGHT, self.seconds)
        self.results["memory"] = result
        report.print_memory(self.ground.console, result)
        note = f"{result.observed:,} reads" if result.observed else "the server exports no such histogram"
        self.verdicts.append(Verdict(MEMORY, result.p99_ms, note))

    def alert(self) -> None:
        size = Size(ALERTED, in_flight=IN_FLIGHT, frame_bytes=self.frame_bytes)
        result = alert(self.ground, size, max(PAIRS, self.rounds))
        self.results["alert"] = result
        report.print_alert(self.ground.console, result)
        self.verdicts += report.alert_verdicts(result, flooded=True)

    def watch(self) -> None:
        size = Size(WATCHED_CLIENTS, WATCHED_ROOMS, WATCHED_ROOMS, rate=WATCHED_RATE, frame_bytes=self.frame_bytes)
        result = watch(self.ground, size, WATCHED_RATE, self.seconds, max(PAIRS, self.rounds))
        self.results["watch"] = result
        report.print_watch(self.ground.console, result)
        self.verdicts.append(report.watch_verdict(result))

    def stats(self) -> None:
        size = Size(ROOM, in_flight=IN_FLIGHT, frame_bytes=self.frame_bytes)
        every_s = min(SCRAPE_EVERY_S, self.seconds / 2)  # in short rounds too
        result = stats(self.ground, size, self.seconds, self.rounds, every_s)
        self.results["stats"] = result
        report.print_stats(self.ground.console, result)
        self.verdicts.append(report.stats_verdict(result))
