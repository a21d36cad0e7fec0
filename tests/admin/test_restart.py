"""What a restart, and a crash in the middle of an act, leave: nothing done twice, half done or forgotten."""

from pathlib import Path

import pytest
import trio
from attrs import evolve

from actors.admin.deeds import Deeds, Phase
from actors.admin.orders import Outcome, act_id
from tests.admin.office import open_office

MAIN = {"room": "main-stage"}


async def test_acts_their_undo_and_the_standing_survive_a_restart(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with open_office(tmp_path) as office:
            guest = await office.come(1, "main-stage")
            await office.post(guest, "rude")
            frozen = await office.do("room.freeze", MAIN)
            await office.do("house.calm")
            cleared = await office.do("room.clear", MAIN)
            await office.do("member.update", {"member": guest.member, "role": "medic"})
            await office.do("member.ban", {"member": guest.member})
            said = await office.do("house.announce", {"text": "doors at 8"}, cid="same")
        async with open_office(tmp_path) as office:
            standing = office.house.standing
            assert (standing.lockdown, standing.roles[guest.member]) == (3, "medic")
            assert [each.kind for each in standing.sanctions()] == ["ban"]
            assert await office.do("house.announce", {"text": "doors at 8"}, cid="same") == said
            await office.do("house.uncalm")
            assert standing.lockdown == 5
            await office.do("act.undo", {"act": cleared.act})
            assert "rude" in await office.texts()
            await office.do("act.undo", {"act": frozen.act})
            assert (await office.room())["frozen"] is False
            assert (await office.texts()).count("doors at 8") == 1
            kinds = [event.kind for event in office.house.feed.replay()]
            assert kinds.count("act") >= 7, "the feed goes on where it stood"


@pytest.mark.parametrize("before_the_effect", [True, False])
async def test_an_act_that_a_crash_interrupted_is_finished_at_the_next_start(
    tmp_path: Path, before_the_effect: bool
) -> None:
    with trio.fail_after(60):
        async with open_office(tmp_path) as office:
            done = await office.do("room.freeze", MAIN, cid="f1")
            deed = await office.deeds.get(done.act)
            assert deed is not None
            if before_the_effect:
                await office.do("act.undo", {"act": done.act})
                begun = evolve(deed, act=act_id("ana", "f2"), cid="f2", phase=Phase.BEGUN, outcome=None)
                assert await office.deeds.begin(begun) is None
            else:
                await forget(office.deeds, deed.act)
        async with open_office(tmp_path) as office:
            await office.do("room.thaw", MAIN, dry_run=True)  # orders wait for what is left of the last life
            assert (await office.room())["frozen"] is True
            again = await office.do("room.freeze", MAIN, cid="f2" if before_the_effect else "f1")
            assert again.detail["finished_late"] is True
            await office.do("act.undo", {"act": again.act})
            assert (await office.room())["frozen"] is False


async def test_an_undo_that_a_crash_interrupted_is_finished_at_the_next_start(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with open_office(tmp_path) as office:
            done = await office.do("room.freeze", MAIN)
            undone = await office.do("act.undo", {"act": done.act})
            await forget(office.deeds, undone.act)
            deed = await office.deeds.get(done.act)
            assert deed is not None
            await office.deeds.finish(evolve(deed, phase=Phase.OPEN))
        async with open_office(tmp_path) as office:
            assert (await office.room())["frozen"] is False
            assert await office.refused("act.undo", {"act": done.act}) == "conflict"


async def test_where_it_is_not_known_whether_an_alert_went_out_the_retry_says_so(tmp_path: Path) -> None:
    draft = {
        "status": "test", "severity": "minor", "urgency": "future", "certainty": "likely", "response": "none",
        "headline": "Only a test", "expires_s": 600, "all": True,
    }  # fmt: skip
    with trio.fail_after(60):
        async with open_office(tmp_path) as office:
            done = await office.do("alert.raise", draft, confirm="TEST", cid="a1")
            await forget(office.deeds, done.act)
        async with open_office(tmp_path) as office:
            assert await office.refused("alert.raise", draft, confirm="TEST", cid="a1") == "conflict"
            found = await office.do("alert.list")
            assert isinstance(found, Outcome)
            assert len(found.detail["items"]) == 1


async def forget(deeds: Deeds, act: str) -> None:
    """As if the process had died before the outcome was written."""
    deed = await deeds.get(act)
    assert deed is not None
    await deeds.finish(evolve(deed, phase=Phase.BEGUN, outcome=None))
