"""A disk that is full to the last byte, while the server runs and when it starts: alerts go out and are counted."""

from pathlib import Path

import trio

from tests.e2e.alarmed import ROOM, answers, house, listed
from tests.e2e.server import serving
from tests.e2e.test_disk import small_disk
from tests.small_disk import fill

__all__ = ["small_disk"]


async def test_alerts_go_out_and_are_counted_on_a_full_disk_and_from_a_start_on_one(
    small_disk: Path,
    tmp_path: Path,
) -> None:
    files = {"journal__path": small_disk / "journal.db", "journal__ballast_bytes": 1 << 20}
    with trio.fail_after(90):
        async with serving(tmp_path, **files, auth__key_path=tmp_path / "member.key") as server, house(server) as here:
            await here.sign_in()
            ana, bo = await here.comes("ana", ROOM), await here.comes("bo", ROOM)
            first = await here.alert()
            assert (await answers(ana, first, "help", "my leg"))["type"] == "ok"
            bo.reset()
            await here.connected(2)
            fill(small_disk)
            second = await here.alert(headline="Stay where you are", text="z" * 2_000)
            await ana.hears("alert", id=second)
            await here.comes_to(second, targeted=2, unreachable=1, written=1)
            await answers(ana, second, "help")  # noted, whether or not it can be kept
            assert listed(await here.comes("bo")) == {first, second}
            cy = await here.comes("cy", ROOM)
            assert listed(cy) == {first, second}
            await here.comes_to(second, targeted=2, written=1, seen=1, help=1, joined_after=1)

            await server.kill()
            for database in ("journal.db", "alerts.db"):
                (small_disk / f"{database}.ballast").unlink(missing_ok=True)
            (small_disk / "filler").rename(small_disk / "filler-1")
            fill(small_disk)
            await server.start()
            status, body = await server.get("/readyz")
            assert (status, "is full" in body, "make room" in body) == (503, True, True)
            await here.sign_in()
            ana = await here.comes("ana")
            assert first in listed(ana)
            counts = await here.tally(first)
            assert (counts["targeted"], counts["seen"], counts["help"]) == (2, 1, 1), "what was answered ok is kept"
            refused = await ana.refused("join", room=ROOM, since=None)
            assert (refused["code"], refused["retry"]) == ("unavailable", True)
            third = await here.alert(rooms=None, all=True, headline="Walk to the east gate")
            assert (await ana.hears("alert", id=third))["recorded"] is False
            await here.comes_to(third, targeted=2, unreachable=1, written=1)
            assert third in listed(await here.comes("bo"))
            await here.comes_to(third, targeted=2, written=2)

            for filler in ("filler", "filler-1"):
                (small_disk / filler).unlink()
            while (await answers(ana, third, "acknowledged"))["type"] != "ok":  # noqa: ASYNC110
                await trio.sleep(0.1)
            (helpless,) = (await here.ask("read", "alert.ledger", {"alert": first, "state": "help"}))["items"]
            assert (helpless["nickname"], helpless["note"]) == ("ana", "my leg")
            assert await server.stop() == 0
