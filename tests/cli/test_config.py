"""The command line's frame, and `config` and `qr` on it: what goes where, and how it ends."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from bandstand.cli import Commands, exits, main
from bandstand.cli.config import template
from bandstand.cli.context import Cli, pass_cli
from bandstand.cli.options import settings_options
from gateway.settings import Loaded, Settings, load_settings
from gateway.sources import options_of

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*words: str, env: dict[str, str] | None = None, command: click.Command = main) -> Result:
        return CliRunner().invoke(command, list(words), env=env, prog_name="bandstand")

    return call


def test_init_writes_a_file_that_changes_nothing(run: Run) -> None:
    result = run("config", "init")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "wrote bandstand.toml" in result.stderr
    assert load_settings(Path("bandstand.toml"), {}, {}).settings == Settings()


def test_every_line_of_the_written_file_is_a_right_setting(tmp_path: Path) -> None:
    lines = [line.removeprefix("# ") if " = " in line or "[" in line else line for line in template().splitlines()]
    file = tmp_path / "all.toml"
    file.write_text("\n".join(line for line in lines if " = " in line or line.startswith("[")))
    loaded = load_settings(file, {}, {})
    assert set(loaded.settings.rooms.policy) == {"main-stage"}
    assert {path for path, origin in loaded.origins.items() if origin == "default"} == set()
    defaults, written = Settings(), loaded.settings
    assert (written.limits, written.heartbeat, written.outlet) == (defaults.limits, defaults.heartbeat, defaults.outlet)
    assert (written.journal.keep, written.restart) == (defaults.journal.keep, defaults.restart)


def test_init_keeps_what_is_there_unless_forced(run: Run) -> None:
    Path("bandstand.toml").write_text("mine")
    result = run("config", "init")
    assert result.exit_code == 1
    assert "--force" in result.stderr
    assert Path("bandstand.toml").read_text() == "mine"
    assert run("config", "init", "--force").exit_code == 0
    assert Path("bandstand.toml").read_text() == template()


def test_check_tells_every_problem_and_exits_2(run: Run) -> None:
    Path("bandstand.toml").write_text("[bandstand]\nprot = 1\n[bandstand.limits]\nburst = 'x'\n")
    result = run("config", "check")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "bandstand.toml: prot: unknown setting; did you mean port?" in result.stderr
    assert "bandstand.toml: limits.burst: must be a whole number" in result.stderr
    Path("bandstand.toml").write_text("[bandstand]\nport = 1\n")
    assert run("config", "check").stdout == "ok: bandstand.toml, 1 changed from the defaults\n"


def test_show_origin_names_file_variable_and_flag(run: Run) -> None:
    Path("other.toml").write_text("[bandstand]\nevent = 'North'\n[bandstand.rooms.policy.main-stage]\nfrozen = true\n")
    words = ("--config", "other.toml", "config", "show", "--origin", "--port", "9", "--set", "limits.burst=20")
    result = run(*words, env={"BANDSTAND_HOST": "::1"})
    assert result.exit_code == 0, result.stderr
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert rows["event"] == ['"North"', "other.toml"]
    assert rows["host"] == ['"::1"', "BANDSTAND_HOST"]
    assert rows["port"] == ["9", "--port"]
    assert rows["limits.burst"] == ["20", "--set", "limits.burst"]
    assert rows["rooms.policy.main-stage.frozen"] == ["true", "other.toml"]
    assert rows["rooms.policy.main-stage.history"] == ["1000", "default"]
    assert rows["drain_s"] == ['"20s"', "default"]


def test_show_as_json_is_one_document(run: Run) -> None:
    result = run("--json", "config", "show", "--origin", "--event", "Fields")
    values: dict[str, Any] = json.loads(result.stdout)
    assert values["port"] == {"value": 8080, "origin": "default"}
    assert values["event"] == {"value": "Fields", "origin": "--event"}
    assert values["drain_s"]["value"] == "20s"
    plain = json.loads(run("--json", "config", "show").stdout)
    assert plain["rooms.listed"] == ["main-stage", "lost-and-found"]
    assert plain["auth.anonymous"] is True


def test_the_config_file_may_be_named_in_the_environment_and_must_exist(run: Run) -> None:
    result = run("config", "check", env={"BANDSTAND_CONFIG": "gone.toml"})
    assert result.exit_code == 2
    assert "gone.toml: cannot be read" in result.stderr


def test_doc_tells_of_every_setting(run: Run) -> None:
    text = run("config", "doc").stdout
    for path in options_of(Settings):
        assert f"{path} = " in text
    assert "BANDSTAND_LIMITS_BURST" in text
    entries = json.loads(run("--json", "config", "doc").stdout)
    assert {entry["name"] for entry in entries} == set(options_of(Settings))


def test_flags_that_repeat_make_a_list(run: Run) -> None:
    words = ("config", "show", "--allowed-origin", "https://a.example", "--allowed-origin", "https://b.example")
    assert '["https://a.example", "https://b.example"]' in run(*words).stdout


@pytest.mark.parametrize(
    "words",
    [
        ("config", "show", "--port", "x"),
        ("config", "show", "--set", "burst"),
        ("config", "show", "--set", "limits.brust=1"),
        ("config", "show", "--durability", "maybe"),
        ("config", "nothing"),
        ("nothing",),
        ("exits",),
        ("-q", "-v", "config", "show"),
    ],
)
def test_wrong_use_exits_2_and_leaves_stdout_empty(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


def test_qr_shows_a_code_that_holds_the_text(run: Run) -> None:
    result = run("qr", "http://192.168.1.20:8080/")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert set("".join(lines)) <= set(" █▀▄")
    assert result.stdout != run("qr", "http://192.168.1.20:8081/").stdout
    assert run("qr", "x" * 3_000).exit_code == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (exits.Failed("no"), 1),
        (exits.Usage("no"), 2),
        (exits.CannotConnect("no"), 3),
        (exits.Refused("no"), 4),
        (exits.AssertionMissed("no"), 5),
        (KeyboardInterrupt(), 130),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_each_end_has_its_exit_code_even_out_of_a_nursery(
    run: Run, error: BaseException, code: int, nested: bool
) -> None:
    @click.group(cls=Commands)
    def group() -> None: ...

    def end() -> None:
        raise BaseExceptionGroup("nursery", [BaseExceptionGroup("inner", [error])]) if nested else error

    group.get_command = lambda _ctx, name: click.Command(name, callback=end)  # type: ignore[method-assign, assignment]
    result = run("end", command=group)
    assert result.exit_code == code
    assert result.stderr == ("" if code == 130 else "error: no\n")


def test_a_fault_in_a_nursery_is_not_taken_for_an_exit(run: Run) -> None:
    @click.group(cls=Commands)
    def group() -> None: ...

    def end() -> None:
        raise ExceptionGroup("nursery", [exits.Refused("no"), ZeroDivisionError()])

    group.get_command = lambda _ctx, name: click.Command(name, callback=end)  # type: ignore[method-assign, assignment]
    assert isinstance(run("end", command=group).exception, ExceptionGroup)


def test_demo_listens_everywhere_unless_told_where(run: Run) -> None:
    seen: list[tuple[str, str, bool]] = []

    @click.command()
    @settings_options(demo=True)
    @pass_cli
    def serve(cli: Cli, loaded: Loaded, demo: bool) -> None:
        seen.append((loaded.settings.host, loaded.origins["host"], demo))

    for words in (["--demo"], ["--demo", "--host", "127.0.0.2"], []):
        assert run(*words, command=serve).exit_code == 0
    assert run("--demo", command=serve, env={"BANDSTAND_HOST": "::1"}).exit_code == 0
    assert seen == [
        ("0.0.0.0", "--demo", True),
        ("127.0.0.2", "--host", True),
        ("127.0.0.1", "default", False),
        ("::1", "BANDSTAND_HOST", True),
    ]


def test_quiet_and_verbose_choose_what_stderr_hears(capsys: pytest.CaptureFixture[str]) -> None:
    for verbosity in (-1, 0, 1):
        Cli(verbosity=verbosity).note("note")
        Cli(verbosity=verbosity).detail("detail")
    Cli().data({"a": "ü"})
    captured = capsys.readouterr()
    assert captured.err == "note\nnote\ndetail\n"
    assert captured.out == '{"a": "ü"}\n'


def test_the_commands_beside_the_package_are_found_and_helpers_are_not(run: Run) -> None:
    names = main.list_commands(click.Context(main))
    assert {"config", "qr"} <= set(names)
    assert not {"exits", "options", "context"} & set(names)


def test_the_module_runs_and_says_its_version() -> None:
    done = subprocess.run([sys.executable, "-m", "bandstand", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == "bandstand 0.1.0\n"
