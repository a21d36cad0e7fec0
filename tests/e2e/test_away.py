"""Who was away learns of everything by replay: edits, deletions, the room's rules. What is deleted is gone."""

from pathlib import Path

import pytest
import trio

from tests.e2e.crowd import ROOM
from tests.e2e.server import Server, serving
from tests.e2e.talker import Json, Talker, talking

FROZEN = "[bandstand.rooms.policy.main-stage]\nfrozen = true\n"
SECRET = "my number is five five five ZEBRA-7731"
FIRST = "doors at eigth"
SECOND = "doors at eight"


def traces(server: Server, words: str) -> list[str]:
    """Files of the server in which these words still stand, in the encodings that they might have."""
    needles = [words.encode(), words.encode("utf-16-le"), words.rpartition(" ")[2].encode()]
    files = [path for path in server.folder.iterdir() if path.is_file()]
    assert server.journal in files
    return [path.name for path in files if any(needle in path.read_bytes() for needle in needles)]


async def words_gone(server: Server) -> None:
    """From the database at once, from its WAL at the next checkpoint, soon."""
    with trio.fail_after(60):
        while traces(server, SECRET):  # noqa: ASYNC110
            await trio.sleep(0.05)


async def evening(server: Server) -> tuple[Json, Json, Json, int]:
    """Ana and Bo talk; Bo's phone goes away before Ana edits and deletes. Returns what both hold."""
    async with talking(server.port, "Ana") as ana, talking(server.port, "Bo") as bo:
        for each in (ana, bo):
            await each.good("join", room=ROOM, since=None)
        said = await ana.good("send", room=ROOM, text=FIRST, cid="doors")
        told = await ana.good("send", room=ROOM, text=SECRET, cid="secret")
        seen = await bo.hears("message", seq=told["seq"])
        assert seen["text"] == SECRET
        assert traces(server, SECRET), "the search can find something"
        bo.reset()
        edited = await ana.good("edit", room=ROOM, target=said["seq"], text=SECOND, cid="edit")
        deleted = await ana.good("delete", room=ROOM, target=told["seq"], cid="delete")
        return ana.ready, bo.ready, {"epoch": seen["epoch"], "seq": seen["seq"]}, deleted["seq"] - edited["seq"]


def held(frames: list[Json]) -> dict[str, Json]:
    return {frame["type"]: frame for frame in frames}


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
async def test_phone_that_was_away_knows_of_edit_deletion_and_freeze(killed: bool, tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with serving(tmp_path) as server:
            ana_was, bo_was, since, _ = await evening(server)
            if killed:
                await server.kill()
                # Whether the WAL was cut before the kill or not: the next life cuts it.
            else:
                await words_gone(server)
                assert await server.stop() == 0
            server.config = FROZEN
            await server.start()
            await words_gone(server)
            async with talking(server.port, "Bo", bo_was["token"]) as bo:
                assert bo.ready["member"] == bo_was["member"]
                ok = await bo.good("join", room=ROOM, since=since)
                assert ok["mode"] == "resumed"
                assert ok["policy"]["frozen"]
                await bo.hears("caught_up")
                news = held(bo.entries(ROOM))
                assert (news["edited"]["target"], news["edited"]["text"]) == (1, SECOND)
                assert news["deleted"]["target"] == 2
                assert news["policy"]["frozen"] is True
                assert [frame["seq"] for frame in bo.entries(ROOM)] == [3, 4, 5]
                await _frozen(server, ana_was, bo)
            async with talking(server.port, "Late") as late:
                await _tombstone(late)
            assert not traces(server, SECRET)
            if not killed:
                await server.stop()
                server.config = FROZEN.replace("true", "false")
                await server.start()
                async with talking(server.port, "Ana", ana_was["token"]) as ana:
                    await ana.good("join", room=ROOM, since=None)
                    await ana.hears("policy", frozen=False)
                    assert not (await ana.good("send", room=ROOM, text="thawed", cid="new"))["dup"]


async def _frozen(server: Server, ana_was: Json, bo: Talker) -> None:
    """A retry is never judged by a later freeze."""
    async with talking(server.port, "Ana", ana_was["token"]) as ana:
        await ana.good("join", room=ROOM, since=None)
        again = await ana.good("send", room=ROOM, text=FIRST, cid="doors")
        assert (again["seq"], again["dup"]) == (1, True)
        erased = await ana.good("send", room=ROOM, text=SECRET, cid="secret")
        assert (erased["seq"], erased["dup"]) == (2, True)
        other = await ana.refused("send", room=ROOM, text="something else", cid="doors")
        assert other["code"] == "cid_reused"
        new = await ana.refused("send", room=ROOM, text="anybody?", cid="new")
        assert (new["code"], new["retry"]) == ("frozen", True)
        edit = await ana.refused("edit", room=ROOM, target=1, text="anybody?", cid="new-edit")
        assert edit["code"] == "frozen"
    assert not [frame for frame in bo.entries(ROOM) if frame["seq"] > 5], "nothing new was said"


async def _tombstone(late: Talker) -> None:
    ok = await late.good("join", room=ROOM, since=None, tail=50)
    await late.hears("caught_up", seq=ok["head"])
    page = await late.good("history", room=ROOM, after=0, limit=200)
    for frames in (late.entries(ROOM), page["items"]):
        doors, stone = (frame for frame in frames if frame["type"] == "message")
        assert (doors["text"], doors["edited"]) == (SECOND, 3)
        assert (stone["seq"], stone["text"], stone["deleted"]) == (2, "", True)
        assert "nickname" not in stone
        assert "cid" not in stone
