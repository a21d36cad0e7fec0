"""Which commands there are: each named by a person, none by accident."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from bandstand.cli import main

COMMANDS = "admin audit backup bench chat config doctor operators qr restore schema serve tail token top"


def test_the_commands_are_these() -> None:
    """`admin-alert` was among them, which is only a part of `admin`."""
    assert " ".join(main.list_commands(click.Context(main))) == COMMANDS
    assert CliRunner().invoke(main, ["admin-alert"]).exit_code == 2
    assert CliRunner().invoke(main, ["admin", "alert", "--help"]).exit_code == 0


def test_bench_is_a_command_that_hands_over_to_its_own_subcommands() -> None:
    """run.py promised it and it did not exist."""
    shown = CliRunner().invoke(main, ["bench", "--help"], prog_name="bandstand")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("Usage: bandstand bench [OPTIONS] COMMAND")
    assert "every delivery checked" in shown.stdout
    run = CliRunner().invoke(main, ["bench", "run", "--help"], prog_name="bandstand")
    assert (run.exit_code, "--in-flight" in run.stdout) == (0, True)
    assert CliRunner().invoke(main, ["bench", "nonsense"]).exit_code == 2
    assert CliRunner().invoke(main, ["bench", "run", "--set", "nonsense"]).exit_code == 2


@pytest.mark.parametrize("words", [("--help",), ("chat", "--help")])
def test_nobody_else_loads_the_bench(words: tuple[str, ...]) -> None:
    code = (
        f"import sys; sys.argv[1:] = {words!r}\nfrom bandstand.cli import main\n"
        "try: main()\nfinally: assert 'bench.cli' not in sys.modules"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
