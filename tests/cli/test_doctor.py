"""`bandstand doctor`: every check against a machine, a certificate, a proxy or a server that has just that fault."""

import json
import os
import socket
import sqlite3
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from click.testing import CliRunner, Result

from actors.journal.log import Durability
from actors.journal.marks import Marks, marks_path
from bandstand.address import parse_address
from bandstand.cli import main
from bandstand.client import connect
from bandstand.doctor import machine, server
from bandstand.doctor.certificate import look_at_files
from bandstand.doctor.disk import SyncTimes, time_syncs
from bandstand.doctor.findings import Finding, Level, fail
from bandstand.doctor.request import BadAnswer, parse_answer
from bandstand.doctor.server import Unreachable, compare_clocks, examine
from gateway.app import App
from gateway.auth import load_or_create_keys
from tests.cli.running import in_a_thread, settings_of
from tests.journal.keeping import keeping, setup_for

OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL
MiB = 2**20
NOW = time.time()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(main, list(words), prog_name="bandstand")


@contextmanager
def another_program() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken


# -- the command -------------------------------------------------------------------------------------------------------


def test_a_machine_that_is_fine_exits_0_with_a_line_for_each_check(run: Callable[..., Result]) -> None:
    result = run("doctor", "--port", "0", "--set", "journal.free_disk_bytes=0")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    checks = ["settings", "clock", "key", "tls", "port", "proxies", "files", "disk", "journal", "fsync"]
    assert [line.split()[1] for line in lines] == checks
    assert "FAIL" not in result.stdout
    assert os.listdir() == []


def test_a_fail_exits_1_and_says_what_to_do_and_json_is_one_document(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "PROBE_SECONDS", 0.05)  # it never answers
    with another_program() as taken:
        port = taken.getsockname()[1]
        result = run("doctor", "--port", str(port))
        document = json.loads(run("--json", "doctor", "--port", str(port)).stdout)
    assert result.exit_code == 1
    assert f"FAIL  port       another program listens on 127.0.0.1 port {port} -> stop it" in result.stdout
    assert result.stderr == "error: port: see above\n"
    assert document["ok"] is False
    by_check = {check["check"]: check for check in document["checks"]}
    assert by_check["port"]["level"] == "FAIL"
    assert by_check["port"]["remedy"] == "stop it, or give another port"


def test_no_connection_exits_3_and_no_address_2(run: Callable[..., Result]) -> None:
    with another_program() as taken:
        port = taken.getsockname()[1]
    result = run("doctor", f"http://127.0.0.1:{port}/")
    assert result.exit_code == 3
    assert "FAIL  tcp" in result.stdout
    assert run("--json", "doctor", f"http://127.0.0.1:{port}/").exit_code == 3
    assert run("doctor", "ftp://x").exit_code == 2
    assert run("doctor", "--set", "port=x").exit_code == 2


def test_a_peers_words_cannot_move_the_cursor() -> None:
    assert fail("x", "a\x1b[2Jb\nc", "\u202ed").line() == "FAIL  x          a?[2Jb?c -> ?d"


def test_a_server_that_runs_is_found_from_both_sides(run: Callable[..., Result], tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    with in_a_thread(settings) as port:
        words = ("--port", str(port), "--journal", str(settings.journal.path), "--set", "journal.free_disk_bytes=0")
        here = run("doctor", *words)
        elsewhere = run("doctor", "--port", "0", *words[2:])
        there = run("doctor", f"http://127.0.0.1:{port}/")
    assert here.exit_code == 0, here.stdout
    assert f"a Bandstand serves on 127.0.0.1 port {port} already" in here.stdout
    assert elsewhere.exit_code == 1
    assert "a server that does not answer here holds it" in elsewhere.stdout
    assert there.exit_code == 0, there.stdout
    assert there.stdout.count("\nok ") == 10


# -- this machine ------------------------------------------------------------------------------------------------------


def test_an_address_of_another_machine_and_one_that_is_none(tmp_path: Path) -> None:
    found = machine.port(settings_of(tmp_path, host="192.0.2.1", port=8080))
    assert (found.level, "not an address of this machine" in found.text) == (FAIL, True)
    assert machine.port(settings_of(tmp_path, host="no.such.invalid", port=8080)).level is FAIL
    with another_program() as taken:
        free = taken.getsockname()[1]
    assert machine.port(settings_of(tmp_path, host="localhost", port=free)).text == f"localhost port {free} is free"


@pytest.mark.parametrize(
    ("wanted", "limit", "level", "text"),
    [
        (0, 1_024, WARN, "room for 768 connections"),
        (0, 100_000, OK, "room for 99,744 connections"),
        (5_000, 1_024, FAIL, "5,000 connections are wanted; 1,024 files leave room for 768"),
        (768, 1_024, OK, "768 wanted"),
        (769, 1_024, FAIL, "leave room for 768"),
    ],
)
def test_the_file_limit_against_the_connections(
    tmp_path: Path, wanted: int, limit: int, level: Level, text: str
) -> None:
    found = machine.files(settings_of(tmp_path, limits__connections=wanted), lambda: limit)
    assert (found.level, text in found.text) == (level, True), found
    assert (f" to {wanted + 256:,}" in found.remedy) == (level is FAIL)


@pytest.mark.parametrize(("free", "level"), [(255, FAIL), (256, WARN), (511, WARN), (512, OK)])
def test_the_free_disk_against_the_bound(tmp_path: Path, free: int, level: Level) -> None:
    settings = settings_of(tmp_path / "not" / "yet", journal__free_disk_bytes=256 * MiB)
    seen: list[Path] = []
    found = machine.disk(settings, lambda folder: seen.append(folder) or free * MiB)  # type: ignore[func-returns-value]
    assert (found.level, seen) == (level, [tmp_path])


async def test_a_journal_that_reads_and_each_that_does_not(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    path = settings.journal.path
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        await log.post(await log.room(), "hi")
        assert machine.is_held(path)
    assert not machine.is_held(path)
    good = machine.journal(settings)
    assert (good.level, good.text) == (OK, f"{path}: 1 entries of 1 rooms, all verify")

    spoil(path, "UPDATE entries SET ts = 0.0")
    bad = machine.journal(settings)
    assert (bad.level, "main-stage 1: this entry is not the one" in bad.text) == (FAIL, True), bad
    spoil(path, "PRAGMA user_version = 99")
    assert "written by a newer release (format 99" in machine.journal(settings).text
    spoil(path, "PRAGMA application_id = 1")
    assert "of another program" in machine.journal(settings).text
    path.unlink()
    gone = machine.journal(settings)
    assert (gone.level, "journal.db.marks" in gone.remedy) == (FAIL, True)
    path.write_text("not a database at all, and longer than sixteen bytes")
    assert "is not a database" in machine.journal(settings).text


def spoil(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement)


async def test_an_epoch_that_was_set_aside_is_told_but_is_no_failure(tmp_path: Path) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        await log.post(await log.room(), "hi")
    path = settings_of(tmp_path).journal.path
    spoil(path, "UPDATE entries SET ts = 0.0")
    spoil(path, "UPDATE epochs SET suspect = 1")
    found = machine.journal(settings_of(tmp_path))
    assert (found.level, "1 epochs that were set aside" in found.text) == (WARN, True), found


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    found = machine.journal(settings_of(tmp_path))
    assert (found.level, found.text) == (FAIL, f"{tmp_path} cannot be written")


@pytest.mark.parametrize(
    ("appending", "overwriting", "level"), [(0.001, 0.0005, OK), (0.03, 0.001, WARN), (1e-6, 1e-6, WARN)]
)
def test_what_the_disk_takes_for_a_sync(tmp_path: Path, appending: float, overwriting: float, level: Level) -> None:
    found = machine.syncs(settings_of(tmp_path), lambda folder: SyncTimes(appending, overwriting))
    assert found.level is level
    assert f"{appending * 1000:.2f} ms appending" in found.text


def test_the_syncs_are_measured_where_the_journal_is_and_only_if_they_are_waited_for(tmp_path: Path) -> None:
    times = time_syncs(tmp_path)
    assert times.overwriting > 0
    assert 0 < times.appending <= times.slower
    assert os.listdir(tmp_path) == []

    def measured(folder: Path) -> SyncTimes:
        raise OSError(28, "No space left on device")

    assert machine.syncs(settings_of(tmp_path), measured).level is FAIL
    assert machine.syncs(settings_of(tmp_path, journal__durability="process"), measured).level is OK
    assert machine.disk(settings_of(tmp_path, journal__durability="memory"), lambda folder: 0).level is OK
    assert machine.journal(settings_of(tmp_path, journal__durability="memory")).level is OK


def test_the_key_file(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert machine.key_file(settings).level is OK
    settings.journal.path.touch()
    assert machine.key_file(settings).level is WARN
    load_or_create_keys(settings.key_path, NOW)
    assert machine.key_file(settings).text == f"{settings.key_path}: 1 key, readable by its owner only"
    settings.key_path.chmod(0o640)
    assert "chmod 600" in machine.key_file(settings).text


def test_a_clock_that_is_wrong_or_jumps(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    look = partial(machine.clock, settings, mono=iter([5.0, 5.2] * 4).__next__, pause=lambda seconds: None)
    assert look(wall=iter([NOW, NOW + 0.2]).__next__).level is OK
    assert look(wall=iter([NOW, NOW + 0.3]).__next__).level is WARN
    assert look(wall=iter([NOW, NOW - 0.3]).__next__).level is WARN
    assert look(wall=iter([0.0, 0.2]).__next__).level is FAIL


def test_where_tls_and_the_clients_addresses_come_from(tmp_path: Path) -> None:
    assert machine.tls(settings_of(tmp_path)).level is OK
    assert machine.tls(settings_of(tmp_path, host="0.0.0.0")).level is WARN
    behind = settings_of(tmp_path, public_url="https://chat.example.org")
    assert (machine.tls(behind).level, machine.proxies(behind).level) == (OK, WARN)
    trusting = settings_of(tmp_path, public_url="https://chat.example.org", trusted_proxies="10.0.0.0/8")
    assert machine.proxies(trusting).level is OK


# -- certificates ------------------------------------------------------------------------------------------------------


class Papers:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = trustme.CA()
        self.roots = ssl.create_default_context()
        self.ca.configure_trust(self.roots)

    def issue(self, name: str, **dates: datetime) -> tuple[Path, Path]:
        leaf = self.ca.issue_cert("127.0.0.1", "chat.example.org", **dates)
        chain, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        chain.write_bytes(b"".join(each.bytes() for each in leaf.cert_chain_pems))
        key.write_bytes(leaf.private_key_pem.bytes())
        return chain, key


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers(tmp_path)


def days(count: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=count)


def test_a_certificate_that_can_be_served_with(papers: Papers) -> None:
    found = look_at_files(*papers.issue("good", not_after=days(90.5)), time.time())
    assert (found.level, "90 days; for " in found.text, "chat.example.org" in found.text) == (OK, True, True), found
    assert look_at_files(*papers.issue("soon", not_after=days(10)), time.time()).level is WARN


def test_certificates_that_cannot(papers: Papers, tmp_path: Path) -> None:
    chain, key = papers.issue("good")
    other_chain, other_key = papers.issue("other")
    past, tomorrow = {"not_before": days(-9), "not_after": days(-1)}, {"not_before": days(1), "not_after": days(9)}
    (tmp_path / "junk").write_text("junk")
    for pair, text in (
        (papers.issue("expired", **past), "expired"),
        (papers.issue("early", **tomorrow), "not yet valid"),
        ((chain, other_key), f"{other_key} is not the key of {chain}"),
        ((other_chain, tmp_path / "junk"), "are not a certificate and a key"),
        ((tmp_path / "junk", key), "are not a certificate and a key"),
        ((tmp_path / "gone", key), "gone cannot be read: No such file"),
    ):
        found = look_at_files(*pair, time.time())
        assert (found.level, text in found.text) == (FAIL, True), found
        assert ("renew" in found.remedy) == (text in ("expired", "not yet valid"))
    wire = settings_of(tmp_path, wire__tls_cert=chain, wire__tls_key=other_key)
    assert machine.tls(wire).level is FAIL


# -- a server ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def serving(folder: Path, **flags: object) -> AsyncIterator[tuple[App, int]]:
    app = App(settings_of(folder, **flags))
    async with app.serve() as running:
        yield app, running.addresses[0].port


async def findings_at(url: str, token: str | None = None, roots: ssl.SSLContext | None = None) -> dict[str, Finding]:
    told: list[Finding] = []
    with trio.fail_after(60):
        await examine(parse_address(url), told.append, token, roots)
    assert len({finding.check for finding in told}) == len(told)
    return {finding.check: finding for finding in told}


ALL = ["name", "tcp", "tls", "healthz", "readyz", "upgrade", "origin", "hello", "heartbeat", "clock", "entry"]


async def test_a_server_that_is_fine(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, port):
        found = await findings_at(f"http://127.0.0.1:{port}/")
    assert list(found) == ALL
    assert {finding.level for finding in found.values()} == {OK}


async def test_a_server_that_is_not_ready_says_why(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, port):
        app._health.trouble["journal"] = "the disk is gone"
        found = await findings_at(f"http://127.0.0.1:{port}/")
    assert (found["readyz"].level, found["readyz"].text) == (FAIL, "503: journal: the disk is gone")
    assert found["entry"].level is OK


async def test_entry_by_token_where_a_nickname_is_not_enough(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, port), connect(f"http://127.0.0.1:{port}/", nickname="Ana") as ana:
        token = ana.token
    async with serving(tmp_path, auth__anonymous=False) as (_, port):
        url = f"http://127.0.0.1:{port}/"
        without, right, wrong = [await findings_at(url, given) for given in (None, token, "b1.no")]
    assert [each["entry"].level for each in (without, right, wrong)] == [WARN, OK, FAIL]


async def test_tls_that_phones_accept_and_that_they_do_not(tmp_path: Path, papers: Papers) -> None:
    for dates, roots, level, text in (
        ({}, papers.roots, OK, "chat.example.org"),
        ({}, None, FAIL, "unable to get local issuer certificate"),
        ({"not_before": days(-9), "not_after": days(-1)}, papers.roots, FAIL, "expired"),
    ):
        chain, key = papers.issue("served", **dates)
        async with serving(tmp_path, wire__tls_cert=chain, wire__tls_key=key) as (_, port):
            found = await findings_at(f"https://127.0.0.1:{port}/", roots=roots)
        assert (found["tls"].level, text in found["tls"].text) == (level, True), found["tls"]
        rest = {name: finding.level for name, finding in found.items() if name != "tls"}
        assert rest == dict.fromkeys([name for name in ALL if name != "tls"], OK)


async def test_plain_http_where_tls_is_looked_for(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, port):
        with pytest.raises(Unreachable, match="no handshake"):
            await findings_at(f"https://127.0.0.1:{port}/")


# -- what stands in between --------------------------------------------------------------------------------------------


@asynccontextmanager
async def proxy(port: int, change: Callable[[bytes], bytes]) -> AsyncIterator[int]:
    """Passes everything on; `change` gets the request head."""

    async def relay(client: trio.SocketStream) -> None:
        upstream = await trio.open_tcp_stream("127.0.0.1", port)
        async with client, upstream, trio.open_nursery() as nursery:

            async def copy(source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
                try:
                    async for data in source:
                        await sink.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    pass
                nursery.cancel_scope.cancel()

            await upstream.send_all(change(bytes(await client.receive_some())))
            nursery.start_soon(copy, client, upstream)
            nursery.start_soon(copy, upstream, client)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, relay, 0, host="127.0.0.1"))
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


def replacing(name: str, line: str = "") -> Callable[[bytes], bytes]:
    """Another line, or none, for the header `name`."""

    def change(head: bytes) -> bytes:
        lines = head.decode().split("\r\n")
        kept = [line if each.lower().startswith(f"{name.lower()}:") else each for each in lines[:-2]]
        return "\r\n".join([*(each for each in kept if each), "", ""]).encode()

    return change


@pytest.mark.parametrize(
    ("change", "check", "text", "remedy"),
    [
        (replacing("Upgrade"), "upgrade", "426 instead of a WebSocket: This address speaks WebSocket only.", "Upgrade"),
        (replacing("Host", "Host: 127.0.0.1:9"), "upgrade", "403 instead of a WebSocket", "pass Host on"),
        (replacing("Host", "Host: backend"), "healthz", "403", "pass Host on"),
        (
            replacing("Sec-WebSocket-Protocol"),
            "upgrade",
            "the subprotocol is lost on the way",
            "Sec-WebSocket-Protocol",
        ),
        (replacing("Origin"), "origin", "may connect", "pass Origin on"),
    ],
)
async def test_a_proxy_that_changes_too_much(
    tmp_path: Path, change: Callable[[bytes], bytes], check: str, text: str, remedy: str
) -> None:
    async with serving(tmp_path) as (_, port), proxy(port, lambda head: head) as clean, proxy(port, change) as between:
        assert {finding.level for finding in (await findings_at(f"http://127.0.0.1:{clean}/")).values()} == {OK}
        found = await findings_at(f"http://127.0.0.1:{between}/")
    assert found[check].level is FAIL
    assert text in found[check].text
    assert remedy in found[check].remedy


async def test_something_else_listens_there_or_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PATIENCE_SECONDS", 0.1)

    async def mumble(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(b"220 mail.example.org\r\n")

    async def keep_silent(stream: trio.SocketStream) -> None:
        async with stream:
            await trio.sleep_forever()

    for handler, text in ((mumble, "the answer is not HTTP"), (keep_silent, "no answer within 0.1 s")):
        async with trio.open_nursery() as nursery:
            listeners: list[Any] = await nursery.start(partial(trio.serve_tcp, handler, 0, host="127.0.0.1"))
            found = await findings_at(f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/")
            nursery.cancel_scope.cancel()
        assert list(found) == ["name", "tcp", "tls", "healthz", "readyz", "upgrade"]
        assert (found["upgrade"].level, found["upgrade"].text) == (FAIL, text)


def test_an_answer_is_read_as_it_stands() -> None:
    answer = parse_answer(b"HTTP/1.1 503 Service Unavailable\r\nServer: nginx/1.22.1\r\n\r\n<h1>a\n b</h1>")
    assert (answer.status, answer.headers, answer.text) == (503, {"server": "nginx/1.22.1"}, "<h1>a b</h1>")
    for bad in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 2x0 OK\r\n\r\n", b"SSH-2.0-x\r\n\r\n"):
        with pytest.raises(BadAnswer):
            parse_answer(bad)


def test_two_clocks() -> None:
    assert [compare_clocks(ahead).level for ahead in (0.0, 2.0, -2.0, 2.1, -300.0)] == [OK, OK, OK, WARN, WARN]


def test_a_held_journal_is_let_go_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    assert not machine.is_held(path)
    Marks(marks_path(path)).close()
    assert not machine.is_held(path)
    with closing(Marks(marks_path(path))):
        assert machine.is_held(path)
