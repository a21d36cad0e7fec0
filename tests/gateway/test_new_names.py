"""Who comes back and says what they want to be called from now on is called so wherever they still are."""

from pathlib import Path

import pytest
import trio

from actors.journal.desk import Desk
from actors.names import MemberId, Nickname
from actors.people.outlet import Seat
from actors.room.naming import Naming
from tests.gateway.serving import Json, Live, ask, command, hear, serving
from tests.gateway.test_entering import down
from tests.wire.peer import Peer

MAIN = "main-stage"


async def join(peer: Peer) -> str:
    """What one is called there."""
    return str((await ask(peer, "join", room=MAIN))["nickname"])


async def members(peer: Peer) -> list[str]:
    return [card["nickname"] for card in (await ask(peer, "members", room=MAIN))["members"]]


async def told(peer: Peer) -> list[str]:
    """The names in the next diff that has any."""
    while not (joins := (await hear(peer, "presence")).get("joins")):
        pass
    return [card["nickname"] for card in joins]


async def two(live: Live) -> tuple[Peer, Peer, Json]:
    """Ann's connection, Ben's, and his `ready`. Both have been told of both."""
    ann, _ = await live.member(nickname="Ann")
    ben, ready = await live.member(nickname="Ben")
    assert [await join(ann), await join(ben)] == ["Ann", "Ben"]
    while "Ben" not in await told(ann):
        pass
    return ann, ben, ready


@pytest.mark.parametrize("gone", [True, False], ids=["in grace", "with another connection"])
async def test_a_new_name_holds_where_one_still_is(gone: bool, tmp_path: Path) -> None:
    """`ready` said the new name, the join the old one, and so did every message."""
    with trio.fail_after(20):
        async with serving(tmp_path) as live:
            ann, ben, ready = await two(live)
            if gone:
                ben.sock.close()
            again, renewed = await live.member(token=ready["token"], nickname="Ann")
            assert (renewed["member"], renewed["nickname"]) == (ready["member"], "Ann")
            assert await join(again) == "Ann-2"
            assert await told(ann) == ["Ann-2"]
            assert await members(ann) == ["Ann", "Ann-2"]
            await ask(again, "send", room=MAIN, cid="c1", text="hello")
            assert (await hear(ann, "message"))["nickname"] == "Ann-2"


async def test_a_join_of_the_older_connection_does_not_take_it_back(tmp_path: Path) -> None:
    with trio.fail_after(20):
        async with serving(tmp_path) as live:
            ann, ben, ready = await two(live)
            again, _ = await live.member(token=ready["token"], nickname="Zoe")
            assert [await join(again), await join(ben)] == ["Zoe", "Zoe"]
            assert await members(ann) == ["Ann", "Zoe"]


async def test_a_name_that_could_not_be_looked_up_renames_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trio.fail_after(20):
        async with serving(tmp_path) as live:
            _, _, ready = await two(live)
            del live.served.house.alert_board.roster.people[ready["member"]]  # type: ignore[attr-defined]
            monkeypatch.setattr(Desk, "roster", down)
            guest, renewed = await live.member(token=ready["token"])
            assert (renewed["nickname"], await join(guest)) == ("Guest", "Ben")


async def test_an_order_for_another_name_is_told_and_undone_in_the_room(tmp_path: Path) -> None:
    with trio.fail_after(20):
        async with serving(tmp_path) as live:
            ann, ben, ready = await two(live)
            operator = await live.operator()
            done = await command(operator, "member.update", "r1", member=ready["member"], nickname="Ann")
            assert await told(ann) == ["Ann-2"]
            await ask(ben, "send", room=MAIN, cid="c1", text="hello")
            assert (await hear(ann, "message"))["nickname"] == "Ann-2"
            await command(operator, "act.undo", "r2", act=done["act"])
            assert await told(ann) == ["Ben"]


async def test_a_join_that_was_on_its_way_when_the_order_came_learns_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seat is in nobody's table before the join has been answered."""
    with trio.fail_after(20):
        async with serving(tmp_path) as live:
            ann, _ = await live.member(nickname="Ann")
            ben, ready = await live.member(nickname="Ben")
            come = Naming.come

            def overtaken(self: Naming, seat: Seat) -> None:
                assert live.served.house.visits.rename(MemberId(ready["member"]), Nickname("Zoe")) == ()
                come(self, seat)

            assert await join(ann) == "Ann"
            monkeypatch.setattr(Naming, "come", overtaken)
            assert await join(ben) == "Ben"
            assert await members(ben) == ["Ann", "Zoe"]
