"""What every command is given: the global options, and the way to speak. Data on stdout, all the rest on stderr."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click
from attrs import frozen


@frozen
class Cli:
    config: Path | None = None
    """The file given by --config or BANDSTAND_CONFIG, else ./bandstand.toml where it exists, else None."""
    json: bool = False
    color: bool = False
    """For stdout; False with --no-color, NO_COLOR, or when stdout is no terminal."""
    verbosity: int = 0
    """-1 quiet, 0 normal, 1 and more: tell more."""

    def say(self, text: str) -> None:
        """Data, for people."""
        click.echo(text, color=self.color)

    def data(self, value: Any) -> None:
        """Data, for programs: one JSON document a line."""
        click.echo(json.dumps(value, ensure_ascii=False, default=str))

    def note(self, text: str) -> None:
        """Progress and remarks; not with -q."""
        if self.verbosity >= 0:
            click.echo(text, err=True)

    def detail(self, text: str) -> None:
        """What only -v wants to know."""
        if self.verbosity > 0:
            click.echo(text, err=True)


pass_cli = click.make_pass_decorator(Cli, ensure=True)


def wants_color(no_color: bool) -> bool:
    return not no_color and not os.environ.get("NO_COLOR") and sys.stdout.isatty()


def config_file(given: Path | None) -> Path | None:
    """--config, BANDSTAND_CONFIG, ./bandstand.toml: the first there is. Reading a given one says if it is not there."""
    if given is not None:
        return given
    if named := os.environ.get("BANDSTAND_CONFIG"):
        return Path(named)
    usual = Path("bandstand.toml")
    return usual if usual.is_file() else None
