"""`bandstand backup` and `restore`: while a server runs, with the key and without, and all the ways to say no."""

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import trio
from attrs import frozen
from click.testing import CliRunner, Result

from actors.journal.log import Durability
from actors.journal.verify import verify
from bandstand.cli import backup as module
from bandstand.cli import main
from bandstand.client import Gap, Message, Position, Refused, connect
from tests.cli.running import in_a_thread, settings_of
from tests.journal.keeping import keeping, setup_for

Run = Callable[..., Result]
ROOM = "main-stage"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bandstand.toml").write_text(
        "[bandstand.journal]\npath = 'journal.db'\nfree_disk_bytes = 0\n", encoding="utf-8"
    )
    return lambda *words, **env: CliRunner().invoke(main, list(words), env=env, prog_name="bandstand")


@frozen
class Visitor:
    member: str
    token: str
    position: Position


def visit(port: int, *texts: str) -> Visitor:
    """Somebody new, who says this and goes."""

    async def live() -> Visitor:
        with trio.fail_after(20):
            async with connect(f"http://127.0.0.1:{port}/", nickname="Ana") as client:
                room = await client.join(ROOM)
                stored = [await room.send(text) for text in texts]
                return Visitor(client.member, client.token, Position(stored[-1].epoch, stored[-1].seq))

    return trio.run(live)


def come_back(port: int, visitor: Visitor) -> tuple[str, list[str], list[str]]:
    """Who one is by the old token, why there is a gap, and what was said before."""

    async def live() -> tuple[str, list[str], list[str]]:
        with trio.fail_after(20):
            async with connect(f"http://127.0.0.1:{port}/", token=visitor.token) as client:
                room = await client.join(ROOM, since=visitor.position)
                gaps, texts = [], []
                await room.send("back")
                async for event in room:
                    if isinstance(event, Gap):
                        gaps.append(event.why)
                    if isinstance(event, Message):
                        texts.append(event.text)
                        if event.text == "back":
                            return client.member, gaps, texts
            raise AssertionError

    return trio.run(live)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix not in (".ballast", ".toml")}


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def make_journal(folder: Path) -> None:
    """With one message, and a key."""
    with in_a_thread(settings_of(folder)) as port:
        visit(port, "hi")


async def fill(folder: Path) -> None:
    async with keeping(setup_for(Durability.POWER, folder)) as log:
        await log.post(await log.room(), "hi")


# -- there and back ----------------------------------------------------------------------------------------------------


def test_a_running_server_is_copied_and_put_back_and_members_keep_who_they_are(run: Run, tmp_path: Path) -> None:
    with in_a_thread(settings_of(tmp_path)) as port:
        ana = visit(port, "one", "two")
        made = run("backup", "copy.db")
        refused = run("restore", "copy.db", "--force")
        visit(port, "after the copy")
    assert made.exit_code == 0, made.output
    size = (tmp_path / "copy.db").stat().st_size / 2**20
    assert made.stdout.startswith(f"copy.db: 2 entries of 2 rooms, {size:.1f} MiB in ")
    assert made.stdout.splitlines()[0].endswith("s, verified")
    assert made.stdout.splitlines()[1:] == [
        "copy.db.alerts.db: alerts and who was told",
        "copy.db.admin.db: operators, acts and audit",
        "copy.db.key: the key of the member tokens, for its owner only",
        "copy.db.admin.key: the key of the audit, for its owner only",
    ]
    made_files = {name for name in names(tmp_path) if name.startswith("copy.db")}
    assert made_files == {
        f"copy.db{end}" for end in ("", ".key", ".admin.db", ".admin.heads", ".admin.key", ".alerts.db")
    }
    assert {mode(tmp_path / name) for name in made_files} == {0o600}
    assert (refused.exit_code, refused.stderr) == (1, "error: a server runs on journal.db: stop it first\n")

    again = run("restore", "copy.db")
    assert (again.exit_code, "is there already" in again.stderr) == (1, True)
    restored = run("restore", "copy.db", "--force")
    assert restored.exit_code == 0, restored.output
    assert "2 entries of 2 rooms" in restored.stdout
    assert "Every room begins a new epoch: clients" in restored.stdout
    assert "Members keep who they are" in restored.stdout
    with in_a_thread(settings_of(tmp_path)) as port:
        assert come_back(port, ana) == (ana.member, ["epoch"], ["one", "two", "back"])


def test_on_another_machine_the_key_comes_along(run: Run, tmp_path: Path) -> None:
    with in_a_thread(settings_of(tmp_path)) as port:
        ana = visit(port, "one")
    assert run("backup", "copy.db").exit_code == 0
    assert run("restore", "copy.db", "--journal", "new/journal.db").exit_code == 0
    assert mode(tmp_path / "new" / "journal.key") == 0o600
    with in_a_thread(settings_of(tmp_path / "new")) as port:
        assert come_back(port, ana)[0] == ana.member


def test_without_the_key_members_come_back_as_somebody_new_and_that_is_said(run: Run, tmp_path: Path) -> None:
    with in_a_thread(settings_of(tmp_path)) as port:
        ana = visit(port, "one")
    made = run("backup", "copy.db", "--no-key")
    assert (made.exit_code, "the key is not in this backup (as asked)" in made.stderr) == (0, True)
    assert not (tmp_path / "copy.db.key").exists()
    restored = run("restore", "copy.db", "--journal", "new/journal.db")
    assert "members come back as somebody new" in restored.stdout
    with in_a_thread(settings_of(tmp_path / "new")) as port, pytest.raises(Refused):
        come_back(port, ana)


def test_json_is_one_document(run: Run, tmp_path: Path) -> None:
    make_journal(tmp_path)
    told = json.loads(run("--json", "backup", "copy.db").stdout)
    assert told.pop("seconds") >= 0
    size = (tmp_path / "copy.db").stat().st_size
    what = {"entries": 1, "rooms": 2, "bytes": size, "verified": True, "journal": True}
    keys = {"key": "copy.db.key", "audit_key": "copy.db.admin.key"}
    assert told == {"backup": "copy.db", **keys, "along": ["copy.db.alerts.db", "copy.db.admin.db"], **what}
    told = json.loads(run("--json", "restore", "copy.db", "--journal", "new/j.db").stdout)
    assert (told["rooms"], told["entries"], told["replaced"], told["key"]) == (2, 1, None, "new/j.key")
    assert (told["along"], told["audit_key"], told["aside"]) == (["new/alerts.db", "new/admin.db"], "new/admin.key", [])


# -- no ----------------------------------------------------------------------------------------------------------------


async def test_nothing_is_ever_written_over(run: Run, tmp_path: Path) -> None:
    await fill(tmp_path)
    for name in ("copy.db", "other.db.key"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "journal.key").write_text("")
    (tmp_path / "journal.key").chmod(0o600)
    before = names(tmp_path)
    for dest, text in (
        ("copy.db", "copy.db is there already"),
        ("other.db", "other.db.key is there already"),
        ("no/such/copy.db", "there is no folder no/such: make it first"),
    ):
        result = run("backup", dest)
        assert (result.exit_code, result.stdout, text in result.stderr) == (1, "", True), result.stderr
    assert names(tmp_path) == before
    assert (tmp_path / "copy.db").read_text() == "mine"


def test_another_key_in_place_is_not_lost(run: Run, tmp_path: Path) -> None:
    make_journal(tmp_path)
    make_journal(tmp_path / "other")
    assert run("backup", "copy.db").exit_code == 0
    (tmp_path / "other" / "journal.db").unlink()
    other = tmp_path / "other" / "journal.key"
    was = other.read_bytes()
    words = ("restore", "copy.db", "--journal", "other/journal.db")
    refused = run(*words)
    assert (refused.exit_code, "is another key than copy.db.key" in refused.stderr) == (1, True)
    assert not (tmp_path / "other" / "journal.db").exists()
    assert run(*words, "--force").exit_code == 0
    assert other.read_bytes() == (tmp_path / "journal.key").read_bytes()
    (aside,) = other.parent.glob("journal.key.replaced-*")
    assert aside.read_bytes() == was


async def test_a_key_that_others_may_read_is_not_copied_but_the_journal_is(run: Run, tmp_path: Path) -> None:
    await fill(tmp_path)
    (tmp_path / "journal.key").write_text("x")
    (tmp_path / "journal.key").chmod(0o644)
    result = run("backup", "copy.db")
    assert result.exit_code == 1
    assert "copy.db is whole, but the key was not copied" in result.stderr
    assert verify(tmp_path / "copy.db").good


async def test_a_damaged_journal_is_copied_as_it_is_and_not_put_back(run: Run, tmp_path: Path) -> None:
    await fill(tmp_path)
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as db:
        db.execute("UPDATE entries SET ts = 0.0")
    made = run("backup", "copy.db")
    assert made.exit_code == 1
    assert ", verified" not in made.stdout
    assert "the copy is as damaged as journal.db (main-stage 1: " in made.stderr
    assert run("restore", "copy.db", "--journal", "new.db").exit_code == 1
    assert not (tmp_path / "new.db").exists()


async def test_a_disk_without_room_is_told_before(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(tmp_path)
    monkeypatch.setattr(module, "free_bytes", lambda folder: 1_000)
    result = run("backup", "copy.db")
    assert (result.exit_code, "make room" in result.stderr) == (1, True)
    assert "copy.db" not in names(tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("backup", "copy.db"), "error: journal.db cannot be copied to copy.db.part: "),
        (("restore", "journal.db", "--journal", "new.db"), "error: journal.db cannot be read "),
    ],
)
async def test_a_file_that_sqlite_gives_up_on_is_told_in_words(
    run: Run, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    """Its pages were overwritten from the second on, so that its tables cannot be read: this was a traceback once."""
    await fill(tmp_path)
    journal = tmp_path / "journal.db"
    content = journal.read_bytes()
    journal.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    before = names(tmp_path)
    result = run(*words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(said)
    assert {name for name in names(tmp_path) if not name.endswith((".marks", "-wal", "-shm"))} <= before


def test_where_there_is_no_journal(run: Run, tmp_path: Path) -> None:
    nothing = run("backup", "copy.db")
    assert (nothing.exit_code, nothing.stderr) == (
        1,
        "error: there is no journal at journal.db, and no operators' record and no alerts: nothing to copy\n",
    )
    assert run("restore", "gone.db").exit_code == 1
    memory = run("backup", "copy.db", BANDSTAND_JOURNAL_DURABILITY="memory")
    assert (memory.exit_code, "there is no file to copy" in memory.stderr) == (2, True)
    assert os.listdir(tmp_path) == ["bandstand.toml"]
