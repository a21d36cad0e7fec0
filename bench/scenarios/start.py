"""From exec to ready, with whatever journal there is to read first."""

import statistics
from pathlib import Path

from attrs import frozen

from bench.ground import Ground
from bench.progress import bar
from bench.server import Unsuited


@frozen
class Start:
    """Seconds from exec, a value a round. `line`: it said where it listens. `ready`: /readyz answered 200."""

    journal_bytes: int
    line: tuple[float, ...]
    ready: tuple[float, ...]
    cpu: tuple[float, ...]
    """What it had used of the CPU by then: on a shared machine the better measure."""
    settings: dict[str, str]

    @property
    def ready_median(self) -> float:
        return statistics.median(self.ready)


def start(ground: Ground, journal: Path | None, rounds: int) -> Start:
    """`journal` is copied for each round, so that every start reads the same. A first start is not counted: it may
    have to compile. Raises NotStarted; Unsuited for a server that is not ours."""
    if ground.url is not None:
        raise Unsuited("a server that runs already cannot be started")
    line, ready, cpu, settings = [], [], [], {}
    with ground.server():
        pass
    with bar(ground.console, "starts", rounds) as advance:
        for k in range(rounds):
            with ground.server(journal) as server:
                line.append(server.line_seconds)
                ready.append(server.ready_seconds)
                cpu.append(server.ready_cpu_seconds)
                settings = server.settings
            advance(k + 1)
    return Start(journal.stat().st_size if journal else 0, tuple(line), tuple(ready), tuple(cpu), settings)
