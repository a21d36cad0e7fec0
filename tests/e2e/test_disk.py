"""Trouble with the disk: refused in time and never falsely acknowledged, read on meanwhile, recovered by itself; and
files that cannot be served from, which are left as they are."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest
import trio

from tests.e2e.crowd import ROOM, stored
from tests.e2e.server import NotStarted, Server, serving, standing
from tests.e2e.talker import Json, Talker, talking
from tests.small_disk import fill, mounted


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real, full-able filesystem of 8 MiB, for those who may mount one."""
    with mounted(tmp_path / "disk", 8) as folder:
        yield folder


async def post(talker: Talker, text: str, cid: str) -> Json:
    """Whatever it is, it comes at once."""
    began = monotonic()
    answer = await talker.ask("send", room=ROOM, text=text, cid=cid)
    assert monotonic() - began < 20, "the machine may be busy, but nobody hangs"
    return answer


async def posted_again(talker: Talker, cid: str) -> Json:
    """As a client does: the same cid until it is stored."""
    while (answer := await post(talker, "after", cid))["type"] == "error":
        assert (answer["code"], answer["retry"]) == ("unavailable", True), answer
        await trio.sleep(min(answer["retry_after_ms"] / 1000, 0.5))
    return answer


async def test_full_disk_is_refused_read_on_and_recovered_from(small_disk: Path, tmp_path: Path) -> None:
    with trio.fail_after(90):
        async with serving(
            tmp_path, journal__path=small_disk / "journal.db", auth__key_path=tmp_path / "member.key"
        ) as server:
            async with talking(server.port, "Ana") as ana, talking(server.port, "Bo") as bo:
                for each in (ana, bo):
                    await each.good("join", room=ROOM, since=None)
                oks = [await ana.good("send", room=ROOM, text=f"before {n}", cid=f"b{n}") for n in range(5)]
                filler = fill(small_disk)
                refused, told = [], []
                for n in range(400):  # the WAL may have some room left in pages that it has
                    answer = await post(ana, "x" * 1_900, f"full-{n}")
                    (told if answer["type"] == "ok" else refused).append((f"full-{n}", answer))
                    if len(refused) >= 5:
                        break
                assert len(refused) >= 5, "the disk is full"
                for _, answer in refused:
                    assert (answer["code"], answer["retry"]) == ("unavailable", True)
                    assert answer["retry_after_ms"] > 0
                page = await bo.good("history", room=ROOM, after=0, limit=5)
                assert [item["cid"] for item in page["items"]] == [f"b{n}" for n in range(5)]
                assert (await server.get("/readyz"))[0] == 503
                filler.unlink()
                after = await posted_again(ana, "after")
                await server.ready()
                await bo.hears("message", seq=after["seq"])
                await server.kill()
            rows = {row.cid: row.seq for row in stored(server.journal)}
            said = {f"b{n}": ok["seq"] for n, ok in enumerate(oks)} | {cid: ok["seq"] for cid, ok in told}
            assert rows == said | {"after": after["seq"]}, "what was said to be stored is, what was refused is not"
            await server.start()
            assert (await server.get("/readyz"))[0] == 200


async def test_little_room_makes_the_chat_read_only(tmp_path: Path) -> None:
    """A bound far above what any disk has: everything is refused, and a retry of what is there is still answered."""
    with trio.fail_after(60):
        async with serving(tmp_path) as server:
            async with talking(server.port, "Ana") as ana:
                await ana.good("join", room=ROOM, since=None)
                first = await ana.good("send", room=ROOM, text="before", cid="first")
                token = ana.ready["token"]
            await server.stop()
            server.settings["journal.free_disk_bytes"] = 2**60
            await server.start()
            async with talking(server.port, "Ana", token) as ana:
                await ana.good("join", room=ROOM, since=None, tail=10)
                answer = await post(ana, "more", "second")
                assert (answer["code"], answer["retry"]) == ("unavailable", True)
                assert answer["retry_after_ms"] > 0
                again = await ana.good("send", room=ROOM, text="before", cid="first")
                assert (again["seq"], again["dup"]) == (first["seq"], True)
                assert (await ana.good("history", room=ROOM))["items"]
                assert (await ana.good("delete", room=ROOM, target=first["seq"], cid="gone"))["seq"]
                status, body = await server.get("/readyz")
                assert (status, "journal" in body) == (503, True)


# -- files that cannot be served from ----------------------------------------------------------------------------------


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")
        db.commit()


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {version + 1}")
        db.commit()


def no_database(path: Path) -> None:
    path.write_bytes(b"Dear diary, " * 1_000)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2_000])


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        pytest.param(foreign, "another program", id="foreign"),
        pytest.param(newer, "newer", id="newer"),
        pytest.param(no_database, "is not a database", id="no database", marks=pytest.mark.slow),
        pytest.param(cut_short, "damaged", id="cut short", marks=pytest.mark.slow),
    ],
)
async def test_unusable_file_is_named_and_left_alone(
    spoil: Callable[[Path], None], word: str, tmp_path: Path, made: bytes
) -> None:
    async with standing(tmp_path) as server:
        if spoil is not foreign:
            server.journal.write_bytes(made)
        spoil(server.journal)
        before = server.journal.read_bytes()
        said = await refused_start(server)
        assert str(server.journal) in said
        assert word in said
        assert server.journal.read_bytes() == before


async def refused_start(server: Server) -> str:
    with trio.fail_after(60), pytest.raises(NotStarted) as caught:
        await server.start()
    assert caught.value.code == 1
    said = str(caught.value).splitlines()[-1]
    assert said.startswith("error: "), said
    assert not [line for line in server.said if "Traceback" in line]
    return said


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A journal that the server has made and closed."""
    folder = tmp_path_factory.mktemp("made")

    async def life() -> bytes:
        async with serving(folder) as server:
            assert await server.stop() == 0
            return server.journal.read_bytes()

    return trio.run(life)


async def test_second_server_on_the_same_journal_or_port_is_refused(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with serving(tmp_path) as server, standing(tmp_path) as second:
            assert "in use" in await refused_start(second)
            second.settings["journal.path"], second.port = tmp_path / "other.db", server.port
            assert f"port {server.port}" in await refused_start(second)
            assert (await server.get("/readyz"))[0] == 200


@pytest.mark.slow
async def test_file_that_may_not_be_written_is_said_plainly(small_disk: Path, tmp_path: Path, made: bytes) -> None:
    """On a filesystem that has gone read-only, since root may write any file."""
    async with standing(tmp_path, journal__path=small_disk / "journal.db", auth__key_path=tmp_path / "key") as server:
        server.journal.write_bytes(made)
        await trio.run_process(["mount", "-o", "remount,ro", str(small_disk)])
        said = await refused_start(server)
        assert "cannot be written" in said
        assert server.journal.read_bytes() == made
