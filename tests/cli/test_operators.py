"""`bandstand operators`, `token` and `audit verify`, on the files of this machine."""

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner, Result

from actors.admin.operators import PASSWORD_LEAST
from actors.admin.store import AdminStore
from actors.admin.store_audit import AuditTable
from bandstand import pages
from bandstand.cli import main

Run = Callable[..., Result]
PASSWORD = "correct horse battery"
pytestmark = pytest.mark.usefixtures("quick_hashes")


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    from argon2 import PasswordHasher

    from actors.admin import operators

    monkeypatch.setattr(operators, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return lambda *words, input=None, **env: CliRunner().invoke(
        main, list(words), env=env, input=input, prog_name="bandstand"
    )


def add(run: Run, name: str = "Ana", role: str = "owner") -> Result:
    return run("operators", "add", name, "--role", role, "--password-stdin", input=f"{PASSWORD}\n")


def recorded(folder: Path) -> list[tuple[str, str]]:
    async def read() -> list[tuple[str, str]]:
        async with await AdminStore.open(folder / "admin.db") as store:
            return [(row.operator, row.command) for row in reversed(await store.audit.page())]

    return trio.run(read)


def test_an_operator_from_the_first_day_to_the_last(run: Run, tmp_path: Path) -> None:
    empty = run("operators", "list")
    assert (empty.exit_code, empty.stdout, "operators add NAME --role owner" in empty.stderr) == (0, "", True)
    made = add(run)
    assert (made.exit_code, made.stdout) == (0, "ana is an owner now\n")
    assert made.stderr == "next: sign in at http://127.0.0.1:8080/ops as ana with that password\n"
    taken = add(run)
    assert (taken.exit_code, taken.stderr) == (1, "error: there is an operator ana already\n")
    assert add(run, "bo", "viewer").stdout == "bo is a viewer now\n"
    assert run("operators", "role", "BO", "safety").stdout == "bo is a safety officer now, and signs in again\n"
    assert run("operators", "passwd", "bo", "--password-stdin", input="another long one\n").exit_code == 0
    assert run("operators", "disable", "bo").stdout == "bo is disabled and signed out\n"
    assert "disabled" in run("operators", "list").stdout
    assert run("operators", "disable", "bo", "--off").stdout == "bo may sign in again\n"
    for words in (("role", "ana", "viewer"), ("remove", "ana"), ("disable", "ana")):
        refused = run("operators", *words)
        assert (refused.exit_code, "ana is the last owner" in refused.stderr) == (1, True)
    assert run("operators", "remove", "bo").stdout == "bo is no longer an operator\n"
    assert run("operators", "remove", "bo").exit_code == 1
    listed = json.loads(run("--json", "operators", "list").stdout)
    assert (listed["name"], listed["role"], listed["disabled"], listed["seen"]) == ("ana", "owner", False, None)
    commands = ["add", "add", "update", "update", "update", "update", "remove"]
    assert recorded(tmp_path) == [("local", f"operator.{each}") for each in commands]


@pytest.mark.parametrize(
    ("words", "typed", "said"),
    [
        (("add", "ana", "--password-stdin"), "short\n", "at least 10 characters"),
        (("add", "ana", "--password-stdin"), "", "the password is empty"),
        (("add", "ana"), f"{PASSWORD}\n", "no terminal to ask for the password"),
        (("add", "a b", "--password-stdin"), f"{PASSWORD}\n", "a name is 1 to 64 of"),
        (("add", "local", "--password-stdin"), f"{PASSWORD}\n", "command line's own name"),
        (("add", "ana", "--role", "king", "--password-stdin"), f"{PASSWORD}\n", "king"),
        (("add", "ana", PASSWORD), "", "unexpected extra argument"),
        (("passwd", "ana", "--password-stdin"), f"{PASSWORD}\n", "there is no operator ana"),
    ],
)
def test_what_will_not_do_is_told_and_changes_nothing(
    run: Run, words: tuple[str, ...], typed: str, said: str, tmp_path: Path
) -> None:
    result = run("operators", *words, input=typed)
    assert result.exit_code in (1, 2)
    assert said in result.stderr
    if words[-1] != PASSWORD:
        assert PASSWORD not in result.output
    assert run("operators", "list").stdout == ""


def test_a_password_is_asked_for_twice_and_not_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []

    def prompt(text: str, **how: object) -> str:
        asked.append(how)
        return PASSWORD

    monkeypatch.setattr("bandstand.cli.desk.click.prompt", prompt)
    monkeypatch.setattr("bandstand.cli.desk.sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
    from bandstand.cli.desk import read_password

    assert read_password(False) == PASSWORD
    assert asked == [{"hide_input": True, "confirmation_prompt": "again", "err": True}]


def test_a_token_is_printed_once_and_ends_when_it_is_revoked(run: Run, tmp_path: Path) -> None:
    made = run("token", "create", "probe", "--role", "viewer", "--days", "2")
    secret = made.stdout.strip()
    assert made.exit_code == 0
    assert secret.startswith("bt1.")
    assert secret not in made.stderr
    assert run("token", "create", "probe").exit_code == 1
    forever = json.loads(run("--json", "token", "create", "other", "--role", "owner").stdout)
    assert (forever["name"], forever["role"], forever["expires"]) == ("other", "owner", None)
    listed = run("token", "list").stdout
    assert "probe" in listed
    assert "until" in listed
    assert "in force" in listed
    assert secret not in listed
    assert run("token", "revoke", "probe").stdout == "probe is revoked\n"
    assert run("token", "revoke", "probe").exit_code == 1
    assert run("token", "revoke", forever["token"]).exit_code == 0
    assert "revoked" in run("token", "list").stdout
    assert run("token", "create", "x\n").exit_code == 2
    assert run("token", "create", "x", "--days", "0").exit_code == 2
    on_disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret.encode() not in on_disk


def test_audit_verify_says_whole_or_each_row_that_is_not(run: Run, tmp_path: Path) -> None:
    missing = run("audit", "verify")
    assert (missing.exit_code, "error: " in missing.stderr) == (1, True)
    assert not list(tmp_path.iterdir())
    add(run)
    add(run, "bo")
    whole = run("audit", "verify")
    assert (whole.exit_code, whole.stdout, whole.stderr) == (0, "", "admin.db: 2 rows, whole\n")
    assert json.loads(run("audit", "verify", "--json").stdout)["findings"] == []
    with closing(sqlite3.connect(tmp_path / "admin.db", isolation_level=None)) as db:
        db.execute("DROP TRIGGER audit_fixed")
        db.execute("UPDATE audit SET operator = 'eve' WHERE id = 1")
    bad = run("audit", "verify")
    assert (bad.exit_code, bad.stderr) == (1, "admin.db: 2 rows, 1 finding\n")
    assert bad.stdout == "row 1: was changed, or is not the one that stood after the row before it\n"
    told = json.loads(run("--json", "audit", "verify").stdout)
    assert (told["rows"], told["found"], told["findings"][0]["row"]) == (2, 1, 1)
    (tmp_path / "admin.db").write_text("nonsense")
    damaged = run("audit", "verify")
    assert (damaged.exit_code, "is not a database" in damaged.stderr) == (1, True)


def test_the_pages_ask_for_as_long_a_password_as_is_taken() -> None:
    modules = Path(pages.__file__).parent / "ops"
    asked = [re.findall(r"at least (\d+) characters", (modules / name).read_text()) for name in ("owner.js", "sign.js")]
    assert asked == [[str(PASSWORD_LEAST)]] * 2


def test_the_settings_say_where_the_files_are(run: Run, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    env = {"BANDSTAND_ADMIN_PATH": "d/ops.db", "BANDSTAND_ADMIN_KEY_PATH": "d/k"}
    words = ("operators", "add", "ana", "--password-stdin")
    assert run(*words, input=f"{PASSWORD}\n", **env).exit_code == 0
    assert {each.name for each in (tmp_path / "d").iterdir()} == {"ops.db", "ops.heads", "k"}
    beside = run("operators", "list", BANDSTAND_JOURNAL_PATH="d/other.db")
    assert (beside.exit_code, (tmp_path / "d" / "admin.db").exists()) == (0, True)
    memory = run("operators", "list", BANDSTAND_JOURNAL_DURABILITY="memory")
    assert (memory.exit_code, "durability is memory" in memory.stderr) == (2, True)
    gone = run("operators", "list", BANDSTAND_ADMIN_PATH="gone/admin.db")
    assert (gone.exit_code, "there is no folder gone" in gone.stderr) == (1, True)


@pytest.mark.parametrize(
    "words",
    [
        ("operators", "add", "cy", "--password-stdin"),
        ("operators", "role", "bo", "safety"),
        ("operators", "passwd", "bo", "--password-stdin"),
        ("operators", "disable", "bo"),
        ("operators", "remove", "bo"),
        ("token", "create", "other"),
        ("token", "revoke", "probe"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_recorded_is_not_done(
    run: Run, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The act and its row were two transactions: a power cut between them left an owner whom no record explained."""

    def state() -> list[object]:
        with closing(sqlite3.connect(tmp_path / "admin.db")) as db:
            tables = ("operators", "tokens", "audit")
            return [db.execute(f"SELECT * FROM {table}").fetchall() for table in tables]

    def fails(*_: object) -> int:
        raise sqlite3.OperationalError("disk I/O error")

    for name, role in (("ana", "owner"), ("bo", "viewer")):
        assert add(run, name, role).exit_code == 0
    assert run("token", "create", "probe").exit_code == 0
    before = state()
    with monkeypatch.context() as broken:
        broken.setattr(AuditTable, "write", fails)
        assert run(*words, input=f"{PASSWORD}\n").exit_code == 1
    assert state() == before
    assert run(*words, input=f"{PASSWORD}\n").exit_code == 0
    assert len(recorded(tmp_path)) == 4
