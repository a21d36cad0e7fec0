"""An alert through the life of a real server: people who are here, away, late, gone and put out; a process that is
killed with the alert in force; a room that has fallen over for good. Everybody whom it concerns has it or gets it,
what they answered is kept, and the ledger adds up after each step."""

from pathlib import Path

import trio

from tests.e2e.alarmed import ROOM, House, answers, house, listed
from tests.e2e.faulty import CRASH, ORDERED
from tests.e2e.server import standing
from tests.e2e.talker import Talker


async def test_everybody_has_it_or_gets_it_whatever_falls_over(tmp_path: Path) -> None:
    with trio.fail_after(90):
        async with standing(tmp_path) as server, house(server) as here:
            server.program = "tests.e2e.faulty"
            await server.start()
            await here.sign_in()
            alert = await raised_over_many(here)
            await those_away_and_late_get_it(here, alert)
            await server.kill()
            await server.start()
            await here.sign_in()
            await nothing_is_forgotten(here, alert)
            await a_fallen_room_keeps_it_from_nobody(here, alert)
            server.said[:] = [line for line in server.said if ORDERED not in line]


async def raised_over_many(here: House) -> str:
    """Two are targets: one who is here and one whose network is gone. Who left, was kicked or banned is none."""
    await here.comes("ana", ROOM)
    bo = await here.comes("bo", ROOM)
    left, kicked, banned = [await here.comes(name, ROOM) for name in ("left", "kicked", "banned")]
    await here.comes("elsewhere", "lost-and-found")
    await left.good("leave", room=ROOM)
    await here.ask("good", "member.kick", {"member": kicked.ready["member"], "room": ROOM})
    await here.ask("good", "member.ban", {"member": banned.ready["member"]})
    await banned.gone()
    for each in (banned, bo):
        each.reset()
    await here.connected(5)
    alert = await here.alert()
    await here.comes_to(alert, targeted=2, unreachable=1, written=1)
    return alert


async def those_away_and_late_get_it(here: House, alert: str) -> None:
    ana = here.talker["ana"]
    assert (await ana.hears("alert"))["id"] == alert
    for state, note in (("received", ""), ("seen", ""), ("help", "my leg")):
        assert (await answers(ana, alert, state, note))["type"] == "ok"
        await here.tally(alert)
    await here.comes_to(alert, targeted=2, unreachable=1, seen=1, help=1)
    bo = await here.comes("bo")
    assert listed(bo) == {alert}
    await here.comes_to(alert, targeted=2, written=1, seen=1, help=1)
    assert (await answers(bo, alert, "acknowledged"))["type"] == "ok"
    cy = await here.comes("cy")
    assert listed(cy) == set()
    assert (await cy.good("join", room=ROOM, since=None))["alerts"][0]["id"] == alert
    assert (await answers(cy, alert, "acknowledged"))["type"] == "ok"
    await here.comes_to(alert, targeted=2, seen=1, acknowledged=1, help=1, joined_after=1)
    assert not [frame for frame in here.talker["elsewhere"].heard if frame["type"] == "alert"]


async def nothing_is_forgotten(here: House, alert: str) -> None:
    await here.comes_to(alert, targeted=2, seen=1, acknowledged=1, help=1, joined_after=1)
    (helpless,) = (await here.ask("read", "alert.ledger", {"alert": alert, "state": "help"}))["items"]
    assert (helpless["nickname"], helpless["note"]) == ("ana", "my leg")
    for name in ("ana", "bo", "cy"):
        assert listed(await here.comes(name)) == {alert}
    assert listed(await here.comes("kicked", ROOM)) == {alert}
    assert (await answers(here.talker["ana"], alert, "acknowledged"))["type"] == "ok"
    await here.comes_to(alert, targeted=2, acknowledged=2, help=1, joined_after=2)


async def a_fallen_room_keeps_it_from_nobody(here: House, alert: str) -> None:
    """It is for those who were in the room when it fell, and comes to those who return while it lies there."""
    kicked = here.talker["kicked"]
    await fell(kicked)
    here.talker["bo"].reset()
    await here.connected(4)
    second = await here.alert(headline="Stay where you are")
    await kicked.hears("alert", id=second)
    await here.comes_to(second, targeted=4, unreachable=1, written=3)
    bo = await here.comes("bo")
    assert second in listed(bo)
    await here.comes_to(second, targeted=4, written=4)
    assert (await answers(bo, second, "help"))["type"] == "ok"
    done = await here.ask("good", "alert.all_clear", {"alert": second})
    assert done["detail"]["rev"] == 2
    await bo.hears("alert_over", id=second)
    await here.comes_to(second, targeted=4, written=4, help=1)
    await here.comes_to(alert, targeted=2, acknowledged=2, help=1, joined_after=2)


async def fell(talker: Talker) -> None:
    """The room of this member, past its budget."""
    for n in range(20):
        answer = await talker.ask("send", room=ROOM, text=CRASH, cid=f"crash-{n}")
        if (answer["code"], "fault" in answer["message"]) == ("unavailable", True):
            return
        await trio.sleep(0.02)
    raise AssertionError(answer)
