"""`bandstand bench`: load from another process, every delivery checked. See bench/README.md."""

from typing import Any

import click


class Elsewhere(click.Command):
    """Loads them when it is given, so that nobody else pays for it."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        from bench.cli import main

        return main.make_context(info_name, args, parent, **extra)


command = Elsewhere("bench", help="Measure a server: fan-out, latency, memory, alerts. Its own --help lists what.")
