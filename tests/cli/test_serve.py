"""`bandstand serve`, the real command as a process: how it begins, how it refuses to, how it ends."""

import http.client
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trustme

from actors.journal import schema
from actors.journal.log import Durability
from tests.journal.keeping import keeping, setup_for

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30.0
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`bandstand serve` with these words, in a folder of its own; gone at the end, whatever happens."""
    started: list[subprocess.Popen[str]] = []

    def call(*words: str, **env: str) -> "subprocess.Popen[str]":
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BANDSTAND_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "bandstand", "serve", *words],
            cwd=tmp_path,
            env={**clean, "PYTHONPATH": str(ROOT), "BANDSTAND_JOURNAL_FREE_DISK_BYTES": "0", **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield call
    for process in started:
        process.kill()
        process.communicate()


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, out, err


def until_listening(process: "subprocess.Popen[str]") -> tuple[str, list[str]]:
    """Where it listens, and all that it has said by then."""
    assert process.stderr is not None
    watchdog = threading.Timer(PATIENCE_SECONDS, process.kill)
    watchdog.start()
    said = []
    try:
        for line in process.stderr:
            said.append(line.rstrip())
            if line.startswith("listening on "):
                return line.split()[2], said
    finally:
        watchdog.cancel()
    raise AssertionError("\n".join(said))


def get(url: str, path: str) -> tuple[int, str]:
    host, _, port = url.removeprefix("http://").partition(":")
    with closing(http.client.HTTPConnection(host, int(port), timeout=PATIENCE_SECONDS)) as line:
        line.request("GET", path)
        answer = line.getresponse()
        return answer.status, answer.read().decode()


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# -- it runs, and ends -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_listens_answers_and_ends_with_0_when_it_is_told_to(start: Start, tmp_path: Path, how: int) -> None:
    process = start("--port", "0")
    url, said = until_listening(process)
    assert get(url, "/healthz") == (200, "ok\n")
    assert get(url, "/readyz") == (200, '{"ready":true,"failing":{}}')
    process.send_signal(how)
    code, out, err = ended(process)
    assert (code, out) == (0, "")
    assert "stopping" in err
    assert "Traceback" not in err
    assert any("journal bandstand.db (0 entries)" in line for line in said)
    assert oct((tmp_path / "bandstand.db").stat().st_mode & 0o777) == "0o600"


def test_the_demo_says_where_to_go_and_which_rooms_there_are(start: Start) -> None:
    process = start("--demo", "--port", "0")
    url, said = until_listening(process)
    assert get(url, "/metrics")[0] == 200, "while what it takes is being loaded"
    assert any("(0 entries) · recovered 0 rooms in " in line for line in said), said
    (line,) = (each for each in said if "rooms: " in each)
    rooms = line.split("rooms: ")[1].split("  ")
    assert {room.split(" (")[0] for room in rooms} >= {"main-stage", "lost-and-found"}
    for room in rooms:
        assert room.endswith(")")
        assert len(room.split("(")[1].split("-")) == 3, f"{room}: a code is word-word-NN"
    assert line.split()[1] == f"{url}/"
    assert get(url, "/")[0] == 200
    process.terminate()
    assert ended(process)[0] == 0


# -- it refuses --------------------------------------------------------------------------------------------------------


def test_check_reads_the_settings_and_touches_nothing(start: Start, tmp_path: Path) -> None:
    assert ended(start("--check")) == (0, "the settings are good\n", "")
    code, out, err = ended(start("--check", BANDSTAND_LIMITS_BURST="many"))
    assert (code, out) == (2, "")
    assert "BANDSTAND_LIMITS_BURST: limits.burst: must be a whole number" in err
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken(start: Start) -> None:
    with taken_port() as port:
        code, out, err = ended(start("--port", str(port)))
    assert (code, out) == (1, "")
    assert complaint(err).startswith(f"error: cannot serve on 127.0.0.1 port {port}: ")
    assert "Address already in use; give another --host or --port" in complaint(err)


async def test_a_journal_of_a_newer_release_stays_as_it_is(start: Start, tmp_path: Path) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        await log.post(await log.room(), "hi")
    spoil(tmp_path / "journal.db", f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    before = (tmp_path / "journal.db").read_bytes()
    code, _, err = ended(start("--port", "0", "--journal", "journal.db"))
    assert code == 1
    assert "journal.db was written by a newer release" in complaint(err)
    assert (tmp_path / "journal.db").read_bytes() == before


def test_a_file_of_another_program_stays_as_it_is(start: Start, tmp_path: Path) -> None:
    spoil(tmp_path / "photos.db", "CREATE TABLE photos (name TEXT)")
    (tmp_path / "letter.db").write_text("Dear all, this is a letter and no database.")
    before = contents(tmp_path)
    for name, text in (
        ("photos.db", "photos.db is a database of another program"),
        ("letter.db", "letter.db is not a database"),
    ):
        code, _, err = ended(start("--port", "0", "--journal", name))
        assert (code, text in complaint(err)) == (1, True), err
    after = contents(tmp_path)
    assert {name: after[name] for name in before} == before


def test_a_second_server_on_the_same_journal(start: Start) -> None:
    until_listening(start("--port", "0"))
    code, _, err = ended(start("--port", "0"))
    assert (code, complaint(err)) == (1, "error: bandstand.db is in use by another server: stop that one first")


def test_tls_files_that_cannot_be_used_are_named_before_anything_is_made(start: Start, tmp_path: Path) -> None:
    leaf, other = trustme.CA().issue_cert("127.0.0.1"), trustme.CA().issue_cert("127.0.0.1")
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "leaf.pem"))
    other.private_key_pem.write_to_path(str(tmp_path / "other.key"))
    (tmp_path / "junk.pem").write_text("junk")
    before = contents(tmp_path)
    for how, cert, key in (
        ("--port=0", "junk.pem", "other.key"),
        ("--port=0", "leaf.pem", "gone.key"),
        ("--check", "leaf.pem", "other.key"),
    ):
        code, _, err = ended(start(how, "--tls-cert", cert, "--tls-key", key))
        assert code == 1
        assert complaint(err).startswith(f"error: the TLS certificate {cert} and key {key} cannot be used: ")
    assert contents(tmp_path) == before


def test_a_folder_that_cannot_be_made_is_named(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = ended(start("--port", "0", "--journal", "file/journal.db"))
    assert code == 1
    assert complaint(err) == "error: file cannot be used (File exists): check what it is, its owner and its rights"


def test_a_key_that_others_may_read(start: Start, tmp_path: Path) -> None:
    (tmp_path / "bandstand.key").write_text("")
    (tmp_path / "bandstand.key").chmod(0o644)
    code, _, err = ended(start("--port", "0"))
    assert (code, "run: chmod 600 bandstand.key" in complaint(err)) == (1, True)


def complaint(err: str) -> str:
    """The one line that says why; nobody should have to read a traceback."""
    lines: Sequence[str] = [line for line in err.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, err
    return lines[0]


def spoil(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement)
