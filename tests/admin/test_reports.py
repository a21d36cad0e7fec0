"""What members report, until somebody has dealt with it."""

from trio.testing import MockClock, wait_all_tasks_blocked

from actors.names import RoomName
from gateway.reception import Reported
from tests.admin.office import open_office


async def test_a_report_is_listed_resolved_and_opened_again_by_undo(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        guest = await office.come(1, "main-stage")
        for _ in range(2):
            office.ops.reported(Reported(RoomName("main-stage"), 3, "rude", guest.member, guest.nickname))
        await wait_all_tasks_blocked()
        listed = (await office.do("report.list")).detail["items"]
        assert [(row["room"], row["seq"], row["why"]) for row in listed] == [("main-stage", 3, "rude")]
        told = [event for event in office.house.feed.replay() if event.kind == "report"]
        assert told[0].data == {"seq": 3, "why": "rude"}
        done = await office.do("report.resolve", {"report": listed[0]["report"], "outcome": "done"})
        assert (await office.do("report.list")).detail["items"] == []
        closed = (await office.do("report.list", {"open": False})).detail["items"]
        assert (closed[0]["outcome"], closed[0]["resolver"]) == ("done", "ana")
        await office.do("act.undo", {"act": done.act})
        assert len((await office.do("report.list")).detail["items"]) == 1
        assert await office.refused("report.resolve", {"report": "999", "outcome": "done"}) == "not_found"
        assert await office.refused("report.resolve", {"report": "x", "outcome": "done"}) == "not_found"
