"""What a restart, and a crash in the middle of an act, leave: nothing done twice, half done or forgotten."""

from pathlib import Path

import pytest
import trio
from attrs import evolve

from actors.admin.deeds import Deed, Deeds, Phase
from actors.admin.orders import Outcome, UndoKind, act_id
from actors.admin.store import StoreFailed
from actors.events import Moved
from actors.names import RoomName
from tests.admin.office import open_office
from tests.room.fakes import NOON

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


async def test_where_it_is_not_known_whether_an_alert_went_out_the_retry_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.admin.executor.RECORD_S", 20.0)  # the record of a slow disk is not waited for long
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


async def test_an_undo_of_a_clearing_that_a_crash_interrupted_is_finished(tmp_path: Path) -> None:
    """It was tried before it was known what had been cleared, failed, and the words were erased."""
    with trio.fail_after(60):
        async with open_office(tmp_path) as office:
            await office.post(await office.come(1, "main-stage"), "hello")
            cleared = await office.do("room.clear", MAIN)
            undo = Deed(
                act_id("ana", "u1"), "act.undo", "ana", "u1", {"act": cleared.act}, "", NOON,
                changes=[["room:main-stage", "cleared", cleared.detail["upto"], 0]], extra={"undone": cleared.act},
            )  # fmt: skip
            assert await office.deeds.begin(undo) is None
        async with open_office(tmp_path) as office:
            await office.do("room.thaw", MAIN, dry_run=True)
            await office.join(await office.come(2), "main-stage")
            assert await office.texts() == ["hello"]
            assert (await office.do("act.undo", {"act": cleared.act}, cid="u1")).detail["finished_late"] is True
            assert await office.refused("act.undo", {"act": cleared.act}) == "conflict"


async def test_an_evacuation_that_a_crash_interrupted_says_where_to_go(tmp_path: Path) -> None:
    """The room was closed at the next start, the act called done, and nobody was told where the others are."""
    args = MAIN | {"to": "quiet-room"}
    with trio.fail_after(60):
        async with open_office(tmp_path) as office:
            guest = await office.come(1, "main-stage")
            begun = Deed(
                act_id("ana", "e1"), "room.evacuate", "ana", "e1", args, "fire", NOON,
                changes=[["room:main-stage", "closed", False, True]], undo=UndoKind.COMPENSATING,
                extra={"to": "quiet-room", "people": 1, "members": [guest.member], "undo_with": "room.return"},
            )  # fmt: skip
            assert await office.deeds.begin(begun) is None
        async with open_office(tmp_path) as office:
            again = await office.do("room.evacuate", args, confirm="main-stage", cid="e1")
            assert again.detail["finished_late"] is True
            page = await office.house.log.read(RoomName("main-stage"), after=0, before=None, limit=9, max_bytes=9_999)
            assert [(e.body.to, e.body.reason) for e in page.entries if isinstance(e.body, Moved)] == [
                ("quiet-room", "fire")
            ]
            guest = await office.come(1)
            assert (await office.join(guest, "main-stage")).reason == "forbidden"
            await office.join(guest, "quiet-room")
            assert (await office.do("room.return", MAIN)).detail["called_back"] == 1


async def test_what_is_finished_at_a_start_is_on_record_and_what_nobody_knows_too(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with open_office(tmp_path) as office:
            guest = await office.come(1, "main-stage")
            at = office.house.clock.now().wall
            freeze = Deed(
                act_id("eve", "f"), "room.freeze", "eve", "f", MAIN, "", at, undo=UndoKind.EXACT, undo_until=at + 600,
                changes=[["room:main-stage", "frozen", False, True]],
            )  # fmt: skip
            kick = Deed(act_id("eve", "k"), "member.kick", "eve", "k", {"member": guest.member}, "", at, repeat=False)
            for deed in (freeze, kick):
                assert await office.deeds.begin(deed) is None
        for _ in range(2):
            async with open_office(tmp_path) as office:
                await office.do("room.thaw", MAIN, by="zoe", dry_run=True)
                rows = [row for row in await office.audit() if row[0] == "eve"]
                assert rows == [("eve", "room.freeze", "finished_late"), ("eve", "member.kick", "unknown")]
                told = [event.text for event in office.house.feed.replay() if event.operator == "eve"]
                assert [text.split(",")[0] for text in told] == ["eve: room.freeze", "eve: member.kick"]


async def test_what_a_crash_interrupted_and_changes_no_register_is_on_record(tmp_path: Path) -> None:
    """Nothing told of it, ever: no row, no event."""
    with trio.fail_after(60):
        async with open_office(tmp_path) as office:
            said = await office.do("house.announce", {"text": "doors at 8"}, by="eve")
            await forget(office.deeds, said.act)
        for _ in range(2):
            async with open_office(tmp_path) as office:
                await office.do("room.thaw", MAIN, by="zoe", dry_run=True)
                rows = [row for row in await office.audit() if row[0] == "eve"]
                assert rows == [("eve", "house.announce", "ok"), ("eve", "house.announce", "unknown")]
                told = [event.text for event in office.house.feed.replay() if event.kind == "fault"]
                assert told == ["eve: house.announce, interrupted by a crash: how it ended is not known"]


async def test_a_member_whose_making_a_crash_interrupted_is_not_made_twice(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with open_office(tmp_path) as office:
            made = await office.do("member.create", {"nickname": "Medic One", "role": "medic"}, cid="m")
            await forget(office.deeds, made.act)
        async with open_office(tmp_path) as office:
            args = {"nickname": "Medic One", "role": "medic"}
            assert await office.refused("member.create", args, cid="m") == "conflict"
            assert len(office.house.standing.roles) == 1


async def test_what_was_done_after_an_interrupted_act_stays(tmp_path: Path) -> None:
    """An old freeze whose end the disk had refused froze the room again at the next start, over the thaw after it."""
    with trio.fail_after(60):
        async with open_office(tmp_path) as office:
            frozen = await office.do("room.freeze", MAIN)
            thawed = await office.do("room.thaw", MAIN)
            await forget(office.deeds, frozen.act)
        async with open_office(tmp_path) as office:
            await office.do("room.thaw", MAIN, dry_run=True)
            assert (await office.room())["frozen"] is False
            await office.do("act.undo", {"act": thawed.act})
            assert (await office.room())["frozen"] is True
            await office.do("act.undo", {"act": frozen.act})
            assert (await office.room())["frozen"] is False


async def test_what_was_done_after_an_interrupted_act_stays_when_it_has_settled(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with open_office(tmp_path) as office:
            locked = await office.do("house.lockdown", {"level": 3})
            lifted = await office.do("house.lockdown", {"level": 5})
            await forget(office.deeds, locked.act)
            deed = await office.deeds.get(lifted.act)
            assert deed is not None
            await office.deeds.finish(evolve(deed, phase=Phase.FINAL))
        async with open_office(tmp_path) as office:
            await office.do("room.thaw", MAIN, dry_run=True)
            assert office.house.standing.lockdown == 5
            undone = await office.do("act.undo", {"act": locked.act})
            assert undone.detail["restored"] == []
            assert office.house.standing.lockdown == 5


async def test_a_retry_after_a_failed_end_can_still_be_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The room was frozen by the first try. The second one took that for what had been before it."""
    with trio.fail_after(60):
        async with open_office(tmp_path) as office:

            async def full(*_: object) -> None:
                raise StoreFailed("the disk is full")

            with monkeypatch.context() as failing:
                failing.setattr(Deeds, "finish", full)
                first = await office.do("room.freeze", MAIN, cid="f1")
            frozen = await office.do("room.freeze", MAIN, cid="f1")
            assert frozen == first
        async with open_office(tmp_path) as office:
            await office.do("act.undo", {"act": frozen.act})
            assert (await office.room())["frozen"] is False


async def forget(deeds: Deeds, act: str) -> None:
    """As if the process had died before the outcome was written."""
    deed = await deeds.get(act)
    assert deed is not None
    await deeds.finish(evolve(deed, phase=Phase.BEGUN, outcome=None))
