"""Every figure that has a target, one scenario after the other, each on a server of its own."""

from collections.abc import Callable
from pathlib import Path

from bench import report
from bench.crew import Size
from bench.ground import Ground
from bench.ledger import RunVoid
from bench.scenarios.fanout import Loop, crowd, fanout, lone
from bench.scenarios.idle import idle
from bench.scenarios.memory import memory
from bench.scenarios.start import start
from bench.targets import CROWD, IDLE, LONE, MEMORY, ONE_AT_A_TIME, SATURATED, START_EMPTY, START_FULL, Target, Verdict

ROOM = 1_000
CROWD_CLIENTS, CROWD_RATE, CROWD_S = 5_000, 5.0, 20.0
LONE_POSTS = 300
IN_FLIGHT = 64

Found = tuple[dict[str, object], list[Verdict]]


class Everything:
    """Collects results and verdicts; a scenario that fails costs its own figures and no others."""

    def __init__(self, ground: Ground, frame_bytes: int, seconds: float, rounds: int) -> None:
        self.ground, self.frame_bytes, self.seconds, self.rounds = ground, frame_bytes, seconds, rounds
        self.results: dict[str, object] = {}
        self.verdicts: list[Verdict] = []

    def attempt(self, targets: tuple[Target, ...], body: Callable[[], None]) -> None:
        try:
            body()
        except (RunVoid, ValueError) as error:
            self.verdicts += [Verdict(target, None, str(error)) for target in targets]

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


def everything(
    ground: Ground,
    journal: Path | None,
    frame_bytes: int,
    seconds: float,
    rounds: int,
    members: int,
    settle_seconds: float,
) -> Found:
    """Prints each scenario's own table on the way. Raises NotStarted if the server does not come up at all."""
    it = Everything(ground, frame_bytes, seconds, rounds)
    it.attempt((SATURATED, ONE_AT_A_TIME), it.saturated_and_one)
    it.attempt((LONE,), it.lone)
    it.attempt((IDLE,), lambda: it.idle(members, settle_seconds))
    it.attempt((START_EMPTY,), lambda: it.start(START_EMPTY, None))
    if journal is not None:
        it.attempt((START_FULL,), lambda: it.start(START_FULL, journal))
    else:
        it.verdicts.append(Verdict(START_FULL, None, "needs --journal"))
    it.attempt((CROWD,), it.crowd)
    it.attempt((MEMORY,), it.memory)
    return it.results, it.verdicts
