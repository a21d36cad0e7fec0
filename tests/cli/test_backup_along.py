"""What goes along with a backup: operators, audit and alerts; each whole, all or nothing, and back in its place."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner, Result

from actors.admin.roles import Role
from actors.admin.store import AdminStore
from actors.admin.store_audit import verify_files
from bandstand.cli import main
from tests.cli.running import in_a_thread, settings_of
from tests.wire.peer import settled

Run = Callable[..., Result]
LIVE = ("journal.db", "admin.db", "admin.heads", "alerts.db")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bandstand.toml").write_text(
        "[bandstand.journal]\npath = 'journal.db'\nfree_disk_bytes = 0\n", encoding="utf-8"
    )
    return lambda *words, **env: CliRunner().invoke(main, list(words), env=env, prog_name="bandstand")


def order(folder: Path, rows: int = 1, operator: str | None = None) -> None:
    """Something that operators did: rows of the audit, and perhaps somebody new who is signed in."""

    async def work() -> None:
        async with await AdminStore.open(folder / "admin.db") as store:
            if operator is not None:
                await store.operators.add(operator, Role.OWNER, "hash")
                await store.sessions.begin(operator, "10.0.0.1")
            for n in range(rows):
                await store.audit.append("ana", "10.0.0.1", "room.freeze", {"n": n})

    trio.run(work)


def copies(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name.startswith("copy.db")}


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as db:
        (found,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(found)


def at(folder: str) -> dict[str, str]:
    return {"BANDSTAND_JOURNAL_PATH": f"{folder}/journal.db"}


def test_the_operators_record_goes_to_another_machine_and_verifies_there(run: Run, tmp_path: Path) -> None:
    with in_a_thread(settings_of(tmp_path)):
        order(tmp_path, 5, "ana")
        made = run("backup", "copy.db")
        order(tmp_path, 5, "bo")
    assert made.exit_code == 0, made.output
    restored = run("restore", "copy.db", **at("new"))
    assert restored.exit_code == 0, restored.output
    assert "new/admin.db (operators, acts and audit) is the backup's." in restored.stdout
    assert "The audit can be verified: new/admin.key is the backup's key." in restored.stdout
    verified = run("audit", "verify", **at("new"))
    assert (verified.exit_code, verified.stderr) == (0, "new/admin.db: 5 rows, whole\n")
    assert "ana" in run("operators", "list", **at("new")).stdout
    assert count(tmp_path / "new" / "admin.db", "operators") == 1
    assert count(tmp_path / "new" / "admin.db", "sessions") == 0, "a session that was ended since would hold again"
    assert count(tmp_path / "new" / "alerts.db", "revisions") == 0
    assert {(tmp_path / "new" / name).stat().st_mode & 0o777 for name in LIVE} == {0o600}
    with in_a_thread(settings_of(tmp_path / "new")):
        order(tmp_path / "new")
    assert run("audit", "verify", **at("new")).exit_code == 0


def test_over_a_later_history_the_audit_verifies_and_the_later_one_is_kept(run: Run, tmp_path: Path) -> None:
    with in_a_thread(settings_of(tmp_path)):
        order(tmp_path, 3)
    assert run("backup", "copy.db").exit_code == 0
    order(tmp_path, 4)
    refused = run("restore", "copy.db")
    assert (refused.exit_code, "is there already" in refused.stderr) == (1, True)
    restored = run("restore", "copy.db", "--force")
    assert restored.exit_code == 0, restored.output
    verified = run("audit", "verify")
    assert (verified.exit_code, verified.stderr) == (0, "admin.db: 3 rows, whole\n")
    former = {name: next(tmp_path.glob(f"{name}.replaced-*")) for name in LIVE}
    assert verify_files(former["admin.db"], tmp_path / "admin.key", former["admin.heads"]) == (7, [])
    assert all(f"Kept: {former[name].name}\n" in restored.stdout for name in LIVE[1:])


def test_a_backup_from_before_there_were_any_still_goes_back(run: Run, tmp_path: Path) -> None:
    with in_a_thread(settings_of(tmp_path)):
        order(tmp_path, 3)
    assert run("backup", "copy.db").exit_code == 0
    for name in copies(tmp_path) - {"copy.db", "copy.db.key"}:
        (tmp_path / name).unlink()
    order(tmp_path, 2)
    restored = run("restore", "copy.db", "--force")
    assert restored.exit_code == 0, restored.output
    assert "admin.db (operators, acts and audit) stays in place: the backup has none." in restored.stdout
    assert run("audit", "verify").stderr == "admin.db: 5 rows, whole\n"
    fresh = run("restore", "copy.db", **at("new"))
    assert fresh.exit_code == 0, fresh.output
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"journal.db", "journal.db.marks", "journal.key"}


def test_without_the_keys_it_is_said_what_the_audit_needs(run: Run, tmp_path: Path) -> None:
    with in_a_thread(settings_of(tmp_path)):
        order(tmp_path)
    made = run("backup", "copy.db", "--no-key")
    assert (made.exit_code, "that of the audit (as asked)" in made.stderr) == (0, True)
    assert not {"copy.db.key", "copy.db.admin.key"} & copies(tmp_path)
    restored = run("restore", "copy.db", **at("new"))
    assert "no new/admin.key: put it there before the start" in restored.stdout
    (tmp_path / "new" / "admin.key").write_bytes((tmp_path / "admin.key").read_bytes())
    (tmp_path / "new" / "admin.key").chmod(0o600)
    assert run("audit", "verify", **at("new")).exit_code == 0


async def test_copies_while_rows_are_written_all_verify(run: Run, tmp_path: Path) -> None:
    """The heads are copied first, so none is of a row that the copied log has not."""
    await trio.to_thread.run_sync(make_journal, tmp_path)
    done = written = 0
    async with await AdminStore.open(tmp_path / "admin.db") as store:

        async def go_on() -> None:
            nonlocal written
            while True:
                await store.audit.append("ana", "x", "room.freeze", {})
                written += 1
                await store.audit.copy_head()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(go_on)
            for number in range(10):
                await settled(lambda wanted=done + 2: written >= wanted)
                made = await trio.to_thread.run_sync(run, "backup", f"copy.db{number}")
                assert made.exit_code == 0, made.output
                copy = tmp_path / f"copy.db{number}"
                rows, findings = verify_files(
                    copy.with_name(f"{copy.name}.admin.db"),
                    tmp_path / "admin.key",
                    copy.with_name(f"{copy.name}.admin.heads"),
                )
                assert (rows >= done, findings) == (True, [])
                done = rows
            nursery.cancel_scope.cancel()
    assert done > 10


def make_journal(folder: Path) -> None:
    with in_a_thread(settings_of(folder)):
        pass


# -- all or nothing ----------------------------------------------------------------------------------------------------


def damage(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))


def test_where_one_of_them_cannot_be_copied_there_is_no_backup(run: Run, tmp_path: Path) -> None:
    make_journal(tmp_path)
    damage(tmp_path / "admin.db")
    made = run("backup", "copy.db")
    assert (made.exit_code, made.stderr.startswith("error: admin.db cannot be copied to ")) == (1, True)
    assert copies(tmp_path) == set()


@pytest.mark.parametrize("name", ["copy.db.admin.db", "copy.db.admin.heads", "copy.db.alerts.db", "copy.db.admin.key"])
def test_none_of_them_is_ever_written_over(run: Run, tmp_path: Path, name: str) -> None:
    make_journal(tmp_path)
    (tmp_path / name).write_text("mine")
    made = run("backup", "copy.db")
    assert (made.exit_code, made.stderr) == (1, f"error: {name} is there already: give another name\n")
    assert (copies(tmp_path), (tmp_path / name).read_text()) == ({name}, "mine")


@pytest.mark.parametrize("ending", ["admin.db", "alerts.db"])
def test_a_damaged_one_is_not_put_back_and_nothing_else_is(run: Run, tmp_path: Path, ending: str) -> None:
    make_journal(tmp_path)
    assert run("backup", "copy.db").exit_code == 0
    damage(tmp_path / f"copy.db.{ending}")
    restored = run("restore", "copy.db", **at("new"))
    assert (restored.exit_code, f"copy.db.{ending} does not verify" in restored.stderr) == (1, True)
    assert not (tmp_path / "new").exists()


def test_under_a_server_without_a_chat_nothing_is_put_back(run: Run, tmp_path: Path) -> None:
    """It holds no journal, and has the other files open."""
    make_journal(tmp_path)
    assert run("backup", "copy.db").exit_code == 0
    before = {name: (tmp_path / name).read_bytes() for name in LIVE}
    with closing(sqlite3.connect(tmp_path / "alerts.db", isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=WAL").fetchone()
        other.execute("SELECT count(*) FROM people").fetchone()
        refused = run("restore", "copy.db", "--force")
    assert (refused.exit_code, "uses alerts.db: stop it first" in refused.stderr) == (1, True)
    assert {name: (tmp_path / name).read_bytes() for name in LIVE} == before
    assert run("restore", "copy.db", "--force").exit_code == 0


@pytest.mark.parametrize("fails_at", range(9))
def test_a_restore_that_fails_half_way_leaves_all_as_it_was(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    make_journal(tmp_path)
    order(tmp_path, 2)
    assert run("backup", "copy.db").exit_code == 0
    order(tmp_path, 2)
    renames, real = 0, Path.rename

    def rename(self: Path, target: Path) -> Path:
        nonlocal renames
        renames += 1
        if renames == fails_at:
            raise OSError(28, "No space left on device", str(self))
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        restored = run("restore", "copy.db", "--force")
    assert restored.exit_code == (1 if fails_at else 0), restored.output
    left = [path.name for path in tmp_path.iterdir() if ".part" in path.name or ".replaced" in path.name]
    assert run("audit", "verify").stderr == f"admin.db: {4 if fails_at else 2} rows, whole\n"
    assert len(left) == (0 if fails_at else 4)


@pytest.mark.parametrize("damaged", [False, True])
def test_without_a_journal_there_is_a_backup_of_the_rest_and_it_goes_back(
    run: Run, tmp_path: Path, damaged: bool
) -> None:
    """A server of alerts alone was refused a backup of its operators and alerts, because it had no journal."""
    nothing = run("backup", "copy.db")
    assert (nothing.exit_code, "nothing to copy" in nothing.stderr) == (1, True)
    with in_a_thread(settings_of(tmp_path)):
        order(tmp_path, 3, "ana")
    if damaged:
        (tmp_path / "journal.db").write_bytes(b"x" * 5_000)
        assert run("backup", "copy.db").exit_code == 1
    else:
        (tmp_path / "journal.db").unlink()
    made = run("backup", "copy.db", *(("--no-journal",) if damaged else ()))
    assert made.exit_code == 0, made.output
    assert "copy.db: without a journal\n" in made.stdout
    why = "as asked" if damaged else "there is none at journal.db"
    assert f"the journal is not in this backup ({why})" in made.stderr
    assert copies(tmp_path) == {
        "copy.db", "copy.db.key", "copy.db.admin.db", "copy.db.admin.heads", "copy.db.admin.key", "copy.db.alerts.db"
    }  # fmt: skip
    restored = run("restore", "copy.db", **at("new"))
    assert restored.exit_code == 0, restored.output
    assert "copy.db was made without a journal: new/journal.db is left as it is." in restored.stdout
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "admin.db", "admin.heads", "admin.key", "alerts.db", "journal.key"
    }  # fmt: skip
    assert run("audit", "verify", **at("new")).stderr == "new/admin.db: 3 rows, whole\n"


def test_a_backup_without_a_journal_leaves_the_one_that_is_there(run: Run, tmp_path: Path) -> None:
    with in_a_thread(settings_of(tmp_path)):
        order(tmp_path, 3)
    assert run("backup", "copy.db", "--no-journal").exit_code == 0
    order(tmp_path, 2)
    with in_a_thread(settings_of(tmp_path)):
        assert run("restore", "copy.db", "--force").exit_code == 1, "a server runs"
    before = (tmp_path / "journal.db").read_bytes()
    assert run("restore", "copy.db").exit_code == 1, "the operators' record is there already"
    restored = run("restore", "copy.db", "--force")
    assert restored.exit_code == 0, restored.output
    assert (tmp_path / "journal.db").read_bytes() == before
    assert (tmp_path / "journal.db.marks").exists()
    assert run("audit", "verify").stderr == "admin.db: 3 rows, whole\n"
    with in_a_thread(settings_of(tmp_path)):
        order(tmp_path)
