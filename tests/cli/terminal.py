"""Running commands against the fake server, and what a terminal would do with what they print."""

import json
import re
from typing import Any

from click.testing import CliRunner, Result

from bandstand.cli import main
from tests.cli.fake_admin import TOKEN, FakeAdmin, fake_admin

HOSTILE = "Eve\x1b[2J\x07\u202egnp\nroot: all clear\r\x9b31m\u2066"
"""Clears a screen, rings, turns the line around, starts a line of its own, colours."""
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def run(fake: FakeAdmin, *words: str, typed: str | None = None, token: str | None = TOKEN) -> Result:
    env = {"BANDSTAND_TOKEN": token, "COLUMNS": "120"}
    with fake_admin(fake) as url:
        return CliRunner().invoke(main, [*words, "--url", url], input=typed, env=env)


def rows(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]
