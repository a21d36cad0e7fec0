"""What members report and call for, until somebody has dealt with it."""

from attrs import evolve
from trio.testing import MockClock

from actors.admin.roles import Role
from actors.admin.world import told
from actors.alerts.messages import Receipt
from actors.alerts.vocabulary import AlertId, ReceiptState
from actors.names import RoomName
from actors.room.directory import PurgeRoom
from gateway.reception import Reported
from tests.admin.office import Office, Person, open_office
from tests.admin.test_executor import DRILL
from tests.room.hall import Answer


async def test_a_report_is_listed_resolved_and_opened_again_by_undo(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        guest = await office.come(1, "main-stage")
        for n in range(3):
            await office.post(guest, f"message {n}")
        for _ in range(2):
            report = Reported(RoomName("main-stage"), 3, "rude", guest.member, guest.nickname)
            assert await office.ops.reported(report) is None
        assert await office.ops.reported(evolve(report, seq=4)) is not None, "there is no such message"
        listed = (await office.do("report.list")).detail["items"]
        assert [(row["room"], row["seq"], row["why"]) for row in listed] == [("main-stage", 3, "rude")]
        told = [event for event in office.house.feed.replay() if event.kind == "report"]
        assert [event.data for event in told] == [{"seq": 3, "why": "rude"}], "once, however often it is said"
        done = await office.do("report.resolve", {"report": listed[0]["report"], "outcome": "done"})
        assert (await office.do("report.list")).detail["items"] == []
        closed = (await office.do("report.list", {"open": False})).detail["items"]
        assert (closed[0]["outcome"], closed[0]["resolver"]) == ("done", "ana")
        await office.do("act.undo", {"act": done.act})
        assert len((await office.do("report.list")).detail["items"]) == 1
        assert await office.refused("report.resolve", {"report": "999", "outcome": "done"}) == "not_found"
        assert await office.refused("report.resolve", {"report": "x", "outcome": "done"}) == "not_found"


async def test_a_report_of_a_room_that_was_made_anew_is_another_one(autojump_clock: MockClock) -> None:
    """It was answered ok as known already, and thrown away: the number is the same, and the message is not."""
    room = RoomName("tent")
    async with open_office() as office:
        guest = await office.come(1)
        for n in range(2):
            await office.do("room.create", {"room": room})
            await office.join(guest, room)
            posted = await office.post(guest, f"message {n}", room)
            report = Reported(room, posted.seq, "rude", guest.member, guest.nickname)
            assert await office.ops.reported(report) is None
            await told(office.house.directory, lambda reply: PurgeRoom(reply, room))
        listed = (await office.do("report.list")).detail["items"]
        assert len({row["epoch"] for row in listed}) == len(listed) == 2


async def call_for_help(office: Office, person: Person, alert: str, note: str) -> None:
    heard = Answer()
    office.house.alerts.urge(Receipt(heard, person.member, AlertId(alert), 1, ReceiptState.HELP, note))
    assert await heard.wait(60) is None


async def test_a_call_for_help_is_resolved_and_open_again_by_undo_or_by_another_call(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        guest, other = await office.come(1, "main-stage"), await office.come(2, "main-stage")
        alert = (await office.do("alert.raise", DRILL, confirm="DRILL")).detail["alert"]
        for person in (guest, other):
            await call_for_help(office, person, alert, "my leg")

        async def still_open() -> list[str]:
            page = (await office.do("alert.ledger", {"alert": alert, "state": "help_open"})).detail
            return [row["member"] for row in page["items"]]

        assert await still_open() == [guest.member, other.member]
        done = await office.do("help.resolve", {"alert": alert, "member": guest.member}, role=Role.MODERATOR)
        assert await still_open() == [other.member]
        everybody = (await office.do("alert.ledger", {"alert": alert, "state": "help"})).detail["items"]
        assert [(row["member"], row["helped"]) for row in everybody] == [(other.member, False), (guest.member, True)]
        ledger = (await office.do("alert.show", {"alert": alert})).detail["ledger"]
        assert (ledger["help"], ledger["helped"]) == (2, 1)
        told = [event for event in office.house.feed.replay() if event.act == done.act]
        assert [(event.member, event.operator) for event in told] == [(guest.member, "ana")]
        await office.do("act.undo", {"act": done.act})
        assert sorted(await still_open()) == sorted([guest.member, other.member])
        again = await office.do("help.resolve", {"alert": alert, "member": guest.member})
        await call_for_help(office, guest, alert, "still here")
        assert guest.member in await still_open()
        await office.do("act.undo", {"act": again.act})
        assert guest.member in await still_open(), "an undo closes nobody's call"


async def test_only_a_call_that_there_is_can_be_resolved(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        guest = await office.come(1, "main-stage")
        alert = (await office.do("alert.raise", DRILL, confirm="DRILL")).detail["alert"]
        for args in ({"alert": alert, "member": guest.member}, {"alert": "A009-222", "member": guest.member}):
            assert await office.refused("help.resolve", args) == "not_found"
        await call_for_help(office, guest, alert, "")
        assert await office.refused("help.resolve", {"alert": alert, "member": guest.member}, role=Role.VIEWER) == (
            "forbidden"
        )
