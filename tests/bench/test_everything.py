"""`bench all`: a scenario that cannot be believed costs its own figures, and the exit code says so."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner, Result

from bench import everything
from bench.cli import main
from bench.ledger import RunVoid
from bench.scenarios.idle import Idle
from bench.scenarios.start import Start
from bench.server import NotStarted, Unsuited

SCENARIOS = ("fanout", "lone", "idle", "start", "crowd", "memory", "alert", "watch", "stats")
QUIET = Idle(2_000, 20.0, 20_000, 20_000, 20_000, 0, 2.0, 0.1, {})
STARTED = Start(0, (0.5,), (0.6,), (0.4,), {})


def raises(error: BaseException) -> Callable[..., NoReturn]:
    def scenario(*_given: object, **_options: object) -> NoReturn:
        raise error

    return scenario


def run_all(monkeypatch: pytest.MonkeyPatch, json_path: Path, **scenarios: Callable[..., object]) -> Result:
    """All scenarios but these say that this is not a server for them."""
    for name in SCENARIOS:
        monkeypatch.setattr(everything, name, scenarios.get(name, raises(Unsuited("not here"))))
    return CliRunner().invoke(main, ["all", "--json", str(json_path)])


def written(path: Path) -> Any:
    return json.loads(path.read_text())


def test_a_void_run_makes_all_of_them_exit_1_and_the_others_keep_their_figures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It was shown as "not measured" and the exit code was 0: a lost message went through every gate."""
    lossy = raises(RunVoid("3 of 5,005 members did not get all"))
    done = run_all(monkeypatch, tmp_path / "out.json", crowd=lossy, idle=lambda *_: QUIET)

    assert done.exit_code == 1
    assert "crowd: the run is void: 3 of 5,005 members did not get all" in done.output
    document = written(tmp_path / "out.json")
    assert list(document["results"]) == ["idle"]
    assert document["failures"] == ["crowd: the run is void: 3 of 5,005 members did not get all"]


@pytest.mark.parametrize(
    "death",
    [
        ProcessLookupError("no process 7"),
        ConnectionResetError("reset"),
        NotStarted("the server ended before it listened"),
        subprocess.TimeoutExpired("bandstand", 60),
        ValueError("not what was expected"),
    ],
)
def test_a_server_that_dies_costs_its_own_scenario_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, death: Exception
) -> None:
    """The first one that died ended the whole run, and what had been measured by then was never written."""
    done = run_all(monkeypatch, tmp_path / "out.json", lone=raises(death), start=lambda *_: STARTED)

    assert done.exit_code == 1
    document = written(tmp_path / "out.json")
    assert list(document["results"]) == ["start"]
    assert document["failures"] == [f"lone: {death}"]
    measured = {verdict["target"]["name"]: verdict["measured"] for verdict in document["verdicts"]}
    assert (measured["lone"], measured["start"]) == (None, 0.6)


def test_a_scenario_that_is_not_for_this_server_is_no_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = run_all(monkeypatch, tmp_path / "out.json", idle=lambda *_: QUIET)

    assert done.exit_code == 0, done.output
    assert written(tmp_path / "out.json")["failures"] == []


def test_what_was_measured_before_an_interruption_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = run_all(monkeypatch, tmp_path / "out.json", idle=lambda *_: QUIET, start=raises(KeyboardInterrupt()))

    assert done.exit_code != 0
    assert list(written(tmp_path / "out.json")["results"]) == ["idle"]


def test_a_file_that_cannot_be_written_is_told_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    measured: list[object] = []
    done = run_all(monkeypatch, tmp_path / "gone" / "out.json", fanout=lambda *given: measured.append(given))

    assert done.exit_code == 1
    assert os.strerror(2) in done.output
    assert not measured
