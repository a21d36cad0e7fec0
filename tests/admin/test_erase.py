"""What goes with a member who is erased, besides the messages; and what stays."""

from typing import Any

import trio
from trio.testing import MockClock

from tests.admin.office import Office, open_office

MAIN = {"room": "main-stage"}
DRILL = {
    "status": "exercise", "severity": "severe", "urgency": "immediate", "certainty": "observed", "response": "shelter",
    "headline": "Storm", "expires_s": 3600, "all": True, "ack": "required",
}  # fmt: skip


async def test_name_notes_and_reasons_go_in_ten_minutes_and_the_counts_stay(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        guest, _ = await office.come(1, "main-stage"), await office.come(2, "main-stage")
        raised = (await office.do("alert.raise", DRILL, confirm="DRILL")).detail["alert"]
        await office.do("member.mute", {"member": guest.member}, reason="Guest 1 shouts")
        office.house.feed.note("report", "Guest 1 reports message 3", member=guest.member)
        before = await tally(office)
        assert before["targeted"] == 2
        await office.do("member.erase", {"member": guest.member})
        await trio.sleep(590)
        assert await names(office, raised) == {"Guest 1", "Guest 2"}, "it can still be undone"
        await trio.sleep(20)
        assert await names(office, raised) == {"(erased)", "Guest 2"}
        assert await tally(office) == before
        row = await office.house.log.roster(guest.member)
        assert row is not None
        assert row.nickname == ""
        assert [each.reason for each in office.house.standing.sanctions()] == ["(erased)"]
        events = await office.ops.store.activity.page(kind="report")
        assert [(each.text, each.member) for each in events] == [("(erased)", None)]


async def test_what_was_hidden_or_cleared_goes_as_well(autojump_clock: MockClock) -> None:
    """A moderator had hidden a message of somebody who was erased, and showed it again an hour later."""
    async with open_office() as office:
        guest = await office.come(1, "main-stage", "quiet-room")
        seqs = [(await office.post(guest, text)).seq for text in ("my address", "hello")]
        await office.do("message.hide", MAIN | {"seq": seqs[0]}, by="mod")
        await office.post(guest, "there", "quiet-room")
        cleared = await office.do("room.clear", {"room": "quiet-room"})
        assert (await office.do("member.erase", {"member": guest.member})).detail["messages"] == 3
        await office.do("act.undo", {"act": cleared.act})
        assert await office.texts("quiet-room") == ["Tombstone"]
        await trio.sleep(620)
        for place in ({**MAIN, "seq": seqs[0]}, {**MAIN, "seq": seqs[1]}, {"room": "quiet-room", "seq": 1}):
            assert await office.refused("message.restore", place, by="mod") == "not_found"


async def test_undo_of_an_erasing_leaves_hidden_what_was_hidden_and_shows_the_rest(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        guest = await office.come(1, "main-stage")
        seqs = [(await office.post(guest, text)).seq for text in ("rude", "cleared")]
        await office.do("message.hide", MAIN | {"seq": seqs[0]}, by="mod")
        cleared = await office.do("room.clear", MAIN)
        await office.post(guest, "hello")
        erased = await office.do("member.erase", {"member": guest.member})
        await office.do("act.undo", {"act": erased.act})
        assert await office.texts() == ["Tombstone", "Tombstone", "hello"]
        await office.do("act.undo", {"act": cleared.act})
        assert await office.texts() == ["Tombstone", "cleared", "hello"]


async def names(office: Office, alert: str) -> set[str]:
    detail = (await office.do("alert.ledger", {"alert": alert, "state": "unanswered"})).detail
    return {each["nickname"] for each in detail["items"]}


async def tally(office: Office) -> dict[str, Any]:
    (row,) = (await office.do("alert.list")).detail["items"]
    return dict(row["ledger"])
