"""Where a scenario runs: against which server, and where it shows its progress."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve, frozen
from rich.console import Console

from bench.crew import Crew, Size, gather
from bench.progress import bar
from bench.server import Plan, Server, running, started


@frozen
class Ground:
    """`url` None: each scenario starts its own server as `plan` says."""

    console: Console
    plan: Plan
    url: str | None = None
    pid: int | None = None

    @contextmanager
    def server(self, journal: Path | None = None) -> Iterator[Server]:
        if self.url is not None:
            with running(self.url, self.pid) as server:
                yield server
        else:
            with started(evolve(self.plan, journal=journal) if journal else self.plan) as server:
                yield server

    @contextmanager
    def crew(self, server: Server, size: Size) -> Iterator[Crew]:
        with bar(self.console, f"{size.clients:,} members join", size.clients) as advance:
            crew = gather(server, size, advance)
        try:
            yield crew
        finally:
            crew.close()
