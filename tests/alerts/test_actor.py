"""Alerts in virtual time: who gets what when, over people who come, go and answer."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.alerts.actor import CALLS_TOLD, RECORD_S
from actors.alerts.delivery import CHUNK
from actors.alerts.messages import (
    AllClear,
    Cancel,
    Correct,
    Final,
    HelpCall,
    Left,
    Names,
    NamesPage,
    Preview,
    Previewed,
    PutOut,
    Raise,
    ResolveHelp,
    Tally,
    Update,
)
from actors.alerts.vocabulary import Ack, Alert, AlertId, Life, ReceiptState
from actors.kernel import ActorGone, Asks
from actors.names import RoomName
from actors.refusals import Reason, Refused
from tests.alerts.making import MAIN, TENT, draft, member
from tests.alerts.station import BrokenDisk, Station, station

FIRST = "alert A001-222 1"


async def settle() -> None:
    await wait_all_tasks_blocked()


async def test_it_goes_to_whoever_is_in_the_room_and_to_nobody_else(autojump_clock: MockClock) -> None:
    async with station() as here:
        inside, outside = here.arrive(1, MAIN), here.arrive(2, TENT)
        alert = await here.start()
        assert (inside.frames, outside.frames) == ([FIRST], [])
        assert (alert.recorded, alert.rooms) == (True, (MAIN,))
        report = await here.report()
        assert (report.total.targeted, report.total.written) == (1, 1)
        assert ("alert", "A001-222 rev 1 (actual alert): Leave by the north gate") in here.diary.notes


async def test_one_for_all_reaches_those_in_no_room_and_every_connection(autojump_clock: MockClock) -> None:
    async with station() as here:
        one, two = here.arrive(1), here.arrive(1)
        await here.start(rooms=None, all=True)
        assert one.frames == two.frames == [FIRST]
        assert (await here.report()).total.targeted == 1


async def test_who_was_there_lately_is_a_target_unreachable_until_back(autojump_clock: MockClock) -> None:
    async with station() as here:
        here.board.roster.audience_s = 600
        away, gone, left = here.arrive(1, MAIN), here.arrive(2, MAIN), here.arrive(3, MAIN)
        here.leave(gone)
        here.alerts.tell(Left(left.member, MAIN))
        left.seats.clear()
        await trio.sleep(here.board.roster.audience_s)
        here.leave(away)
        await trio.sleep(60)
        await here.start()
        total = (await here.report()).total
        assert (total.targeted, total.unreachable) == (1, 1)
        back = here.arrive(1)
        await settle()
        total = (await here.report()).total
        assert (total.unreachable, total.written) == (0, 1)
        assert back.frames == []  # its `ready` has listed it


async def test_who_joins_afterwards_gets_it_and_is_counted_apart(autojump_clock: MockClock) -> None:
    async with station() as here:
        here.arrive(1, MAIN)
        await here.start()
        late = here.arrive(2)
        here.join(late, MAIN)
        await settle()
        total = (await here.report()).total
        assert (total.targeted, total.joined_after) == (1, 1)
        page = await here.alerts.ask(lambda asks: Names(asks, AlertId("A001-222"), None, "joined_after"))
        assert isinstance(page, NamesPage)
        assert [(each.nickname, each.state.word) for each in page.people] == [("n2", "written")]


async def test_who_comes_while_it_is_raised_gets_it_once(autojump_clock: MockClock) -> None:
    """Between the look at who is here and the delivery nobody falls through, and nobody gets it twice."""
    async with station() as here:
        asks: Asks[Alert | Refused] = Asks()
        here.alerts.tell(Raise(asks, draft(), "ana"))
        for number in range(1, 30):
            here.arrive(number, MAIN)
            if number % 7 == 0:
                await trio.lowlevel.checkpoint()
        await asks.wait()
        await settle()
        told = {phone.member: phone.frames for phone in here.phones.values()}
        total = (await here.report()).total
        assert total.targeted + total.joined_after == 29
        assert total.queued == total.unreachable == 0
        assert all(len(frames) <= 1 for frames in told.values())


async def test_reminders_go_to_those_below_the_wanted_state(autojump_clock: MockClock) -> None:
    async with station() as here:
        quiet, done, stuck = here.arrive(1, MAIN), here.arrive(2, MAIN), here.arrive(3, MAIN)
        stuck.outlet.stuck = True
        alert = await here.start(remind_s=60)
        here.receipt(2, alert, ReceiptState.ACKNOWLEDGED)
        await trio.sleep(130)
        assert (quiet.frames, done.frames) == ([FIRST] * 3, [FIRST])
        assert len(stuck.outlet.held) == 1  # it waits in its lane: one is enough
        stuck.outlet.loosen()
        assert (await here.report()).total.written == 2


async def test_it_expires_and_is_withdrawn(autojump_clock: MockClock) -> None:
    async with station() as here:
        phone = here.arrive(1, MAIN)
        alert = await here.start(expires_s=30, remind_s=0)
        here.receipt(1, alert, ReceiptState.HELP)
        await trio.sleep(31)
        assert phone.frames == [FIRST, "over A001-222 1 expired"]
        report = await here.report()
        assert report.alert.state is Life.EXPIRED
        assert report.final == Final(1, Ack.REQUIRED, report.total)
        event = here.diary.about("has expired")
        assert event.text == "A001-222 has expired: 0 of 1 acknowledged, 1 asked for help (1 of them still waits)"
        assert event.data["final"] == {"rev": 1, "ack": "required", **Tally(seen=1, help=1).shown()}
        assert here.board.active_for(member(1), (MAIN,)) == ()


@pytest.mark.parametrize(("order", "state"), [(Cancel, "cancelled"), (AllClear, "cleared")])
async def test_an_end_is_said_and_then_it_is_withdrawn(autojump_clock: MockClock, order: Any, state: str) -> None:
    async with station() as here:
        phone, later = here.arrive(1, MAIN), here.arrive(2)
        alert = await here.start()
        here.receipt(1, alert, ReceiptState.ACKNOWLEDGED)
        here.join(later, MAIN)
        ended = await here.alerts.ask(lambda asks: order(asks, alert.id, "bo", "Thank you."), urgent=True)
        assert isinstance(ended, Alert)
        await settle()
        assert phone.frames == [FIRST, "alert A001-222 2", f"over A001-222 2 {state}"]
        assert later.frames[-2:] == ["alert A001-222 2", f"over A001-222 2 {state}"]
        report = await here.report()
        assert (report.total.targeted, report.total.acknowledged) == (2, 0)
        assert report.final == Final(1, Ack.REQUIRED, Tally(acknowledged=1, joined_after=1))
        event = here.diary.about("A001-222 ended")
        assert event.text.endswith("; A001-222 ended: 1 of 1 acknowledged")
        assert event.data["final"] == {"rev": 1, "ack": "required", **Tally(acknowledged=1, joined_after=1).shown()}
        again = await here.alerts.ask(lambda asks: order(asks, alert.id, "bo", ""), urgent=True)
        assert isinstance(again, Refused)


async def test_updates_and_the_prepared_correction_are_revisions(autojump_clock: MockClock) -> None:
    async with station() as here:
        phone = here.arrive(1, MAIN)
        alert = await here.start(correction={"headline": "False alarm"})
        here.receipt(1, alert, ReceiptState.ACKNOWLEDGED)
        updated = await here.alerts.ask(lambda asks: Update(asks, alert.id, {"severity": "minor"}, "bo"))
        corrected = await here.alerts.ask(lambda asks: Correct(asks, alert.id, "bo"))
        assert isinstance(updated, Alert)
        assert isinstance(corrected, Alert)
        await settle()
        assert "; rev 1 ended: 1 of 1 acknowledged" in here.diary.about("rev 2 (actual update)").text
        assert (await here.report()).final is None
        assert (corrected.rev, corrected.draft.headline) == (3, "False alarm")
        assert phone.frames[-1] == "alert A001-222 3"
        assert (await here.report()).total.written == 1  # what was acknowledged was the first revision
        nothing = await here.alerts.ask(lambda asks: Correct(asks, AlertId("A009-222"), "bo"))
        assert isinstance(nothing, Refused)


async def test_escalation_is_an_alarm_and_a_reminder_at_once(autojump_clock: MockClock) -> None:
    async with station() as here:
        phone = here.arrive(1, MAIN)
        await here.start(escalate_s=20, escalate_below=0.9, remind_s=0)
        await trio.sleep(21)
        assert phone.frames == [FIRST, FIRST]
        assert ("fault", "A001-222: only 0 of 1 have answered in time") in here.diary.notes


async def test_receipts_rise_and_what_matters_is_answered_when_it_is_on_disk(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with station(tmp_path / "alerts.db") as here:
        here.arrive(1, MAIN)
        alert = await here.start()
        seen = here.receipt(1, alert, ReceiptState.SEEN)
        acknowledged = here.receipt(1, alert, ReceiptState.ACKNOWLEDGED)
        again = here.receipt(1, alert, ReceiptState.ACKNOWLEDGED)
        stranger = here.receipt(2, alert, ReceiptState.HELP)
        await settle()
        assert seen.said == acknowledged.said == again.said == [None]
        assert isinstance(stranger.said[0], Refused)
        assert (await here.report()).total.acknowledged == 1


async def test_while_the_disk_fails_alerts_go_out_and_receipts_wait(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with station(tmp_path / "alerts.db") as here:
        phone = here.arrive(1, MAIN)
        await settle()
        assert here.board.recorder is not None
        disk = BrokenDisk(here.board.recorder.store)
        began = trio.current_time()
        alert = await here.start()
        assert trio.current_time() - began <= 0.06
        assert not alert.recorded
        assert phone.frames == [FIRST]
        reply = here.receipt(1, alert, ReceiptState.HELP, "my leg")
        await trio.sleep(5)
        assert [refused.reason for refused in reply.said if refused] == [Reason.UNAVAILABLE]
        assert (await here.report()).total.help == 1  # counts all the same
        assert disk.tries < 10
        assert len(here.alarms) == 1
        disk.heal()
        await trio.sleep(2)
        assert here.alarms[-1] == ""
        assert (await here.report()).alert.recorded
        reply = here.receipt(1, alert, ReceiptState.HELP, "my leg")
        await settle()
        assert reply.said == [None]
    async with station(tmp_path / "alerts.db") as here:
        assert (await here.report()).total.help == 1


@pytest.mark.parametrize("kill", [True, False])
async def test_everything_adds_up_after_the_process_is_gone(
    autojump_clock: MockClock, tmp_path: Path, kill: bool
) -> None:
    async with station(tmp_path / "alerts.db", kill=kill) as here:
        for number in range(20):
            here.arrive(number, MAIN)
        alert = await here.start(expires_s=86_400)
        for number in range(5):
            here.receipt(number, alert, ReceiptState.ACKNOWLEDGED)
        await settle()
        if not kill:
            before = (await here.report()).total
    async with station(tmp_path / "alerts.db") as here:
        report = await here.report()
        assert report.alert.id == alert.id
        assert (report.total.targeted, report.total.acknowledged) == (20, 5)
        if not kill:
            assert report.total == before
        assert here.board.active_for(member(19)) == (report.alert,)
        phone = here.arrive(19)
        await trio.sleep(61)
        assert phone.frames == [FIRST]  # reminded
        second = await here.start()
        assert second.id == "A002-222"


async def test_a_crash_of_the_actor_forgets_nothing_not_even_what_is_not_recorded(autojump_clock: MockClock) -> None:
    async with station() as here:
        here.arrive(1, MAIN)
        assert here.board.recorder is not None
        BrokenDisk(here.board.recorder.store)
        alert = await here.start()
        here.alerts.tell("poison")  # type: ignore[arg-type]
        here.alerts.tell(Update)  # type: ignore[arg-type]
        here.board.book.cases[alert.id].ledger.rows[member(1)].rooms = None  # type: ignore[assignment]
        here.receipt(1, alert, ReceiptState.SEEN)  # crashes in its turn
        await settle()
        here.board.book.cases[alert.id].ledger.rows[member(1)].rooms = (MAIN,)
        assert here.supervisor.children["alerts"].restarts == 1
        assert here.board.active_for(member(1)) == ((await here.report()).alert,)


async def test_a_crash_before_an_alert_was_carried_keeps_it_from_nobody_and_chat_goes_on(
    autojump_clock: MockClock,
) -> None:
    """It was in the book, unreachable, and who was connected got it with the first reminder, or never."""
    async with station() as here:
        phone = here.arrive(1, MAIN)
        await settle()
        assert here.board.recorder is not None
        BrokenDisk(here.board.recorder.store)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(refused, here)
            await trio.sleep(RECORD_S / 2)
            assert phone.frames == []
            here.alerts.tell(PutOut(None, None))  # type: ignore[arg-type]  # a fault of its turn
        began = trio.current_time()
        await here.precedence.give_way()
        assert trio.current_time() == began
        await settle()
        assert phone.frames == [FIRST]
        assert here.supervisor.children["alerts"].restarts == 1
        here.alerts.tell(PutOut(None, None))  # type: ignore[arg-type]
        await settle()
        assert phone.frames == [FIRST], "who has it does not get it again"


async def test_an_alert_that_cannot_be_carried_does_not_take_the_next_one_down(
    autojump_clock: MockClock,
) -> None:
    """Each new instance took it up again and crashed in it, until alerts were in quarantine."""
    async with station() as here:
        phone = here.arrive(1, MAIN)
        await settle()
        phone.outlet.got = None  # type: ignore[assignment]  # its `alert` raises
        await here.start(remind_s=0)
        await trio.sleep(1)
        phone.outlet.got = []
        assert here.supervisor.children["alerts"].restarts == 2
        await here.start()
        assert phone.frames == ["alert A002-222 1"]


async def refused(here: Station) -> None:
    with pytest.raises(ActorGone):
        await here.start(remind_s=0)


async def test_the_loop_is_given_back_between_chunks(autojump_clock: MockClock) -> None:
    async with station() as here:
        for number in range(10 * CHUNK):
            here.arrive(number, MAIN)
        await settle()
        passes: list[int] = []

        async def watch() -> None:
            while True:
                passes.append(sum(len(phone.frames) for phone in here.phones.values()))
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            made = draft()
            await here.alerts.ask(lambda asks: Raise(asks, made, "ana"), urgent=True)
            while sum(len(phone.frames) for phone in here.phones.values()) < 10 * CHUNK:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        # Two, because both tasks may run in any order within a pass of the loop.
        assert max(later - earlier for earlier, later in pairwise(passes)) <= 2 * CHUNK


async def test_a_preview_counts_and_sends_nothing(autojump_clock: MockClock) -> None:
    async with station() as here:
        phone, away = here.arrive(1, MAIN), here.arrive(2, MAIN)
        here.leave(away)
        made = draft()
        shown = await here.alerts.ask(lambda asks: Preview(asks, made))
        assert isinstance(shown, Previewed)
        assert (shown.people, shown.connected, phone.frames) == (2, 1, [])
        nowhere = draft(rooms=None, zones=["nowhere"])
        assert isinstance(await here.alerts.ask(lambda asks: Preview(asks, nowhere)), Refused)
        assert isinstance(await here.alerts.ask(lambda asks: Raise(asks, nowhere, "ana")), Refused)


async def test_names_that_are_asked_for_wrongly_are_refused(autojump_clock: MockClock) -> None:
    async with station() as here:
        alert = await here.start()
        for name, rev, state, page in [
            (AlertId("A009-222"), None, "help", 1),
            (alert.id, 7, "help", 1),
            (alert.id, 1, "asleep", 1),
            (alert.id, 1, "help", 0),
        ]:
            ask = await here.alerts.ask(
                lambda asks, name=name, rev=rev, state=state, page=page: Names(asks, name, rev, state, None, page)  # type: ignore[misc]
            )
            assert isinstance(ask, Refused)


async def test_without_the_registry_of_people_it_is_recorded_and_reaches_those_who_come(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with station() as here:
        here.arrive(1, MAIN)
        await settle()
        await here.supervisor.stop_and_wait("people")
        alert = await here.start()
        assert (await here.report()).total.targeted == 1
        assert [each.id for each in here.board.active_for(member(1))] == [alert.id]


@pytest.mark.parametrize("room", [MAIN, None])
async def test_who_was_put_out_is_no_target_of_the_room_any_more(
    autojump_clock: MockClock, room: RoomName | None
) -> None:
    async with station() as here:
        stays, goes, away = here.arrive(1, MAIN), here.arrive(2, MAIN, TENT), here.arrive(3, MAIN)
        here.leave(away)
        await settle()
        for seat in goes.seats.values():
            seat.removed = True
        here.alerts.tell(PutOut((goes.member, away.member), room))
        await here.start()
        total = (await here.report()).total
        assert (total.targeted, total.unreachable, len(stays.frames), goes.frames) == (1, 0, 1, [])
        goes.seats.clear()
        here.join(goes, MAIN)
        await settle()
        assert (await here.report()).total.joined_after == 1


async def test_who_leaves_with_one_of_two_connections_is_still_counted_on(autojump_clock: MockClock) -> None:
    async with station() as here:
        phone, laptop = here.arrive(1, MAIN), here.arrive(1, MAIN)
        del laptop.seats[MAIN]
        here.alerts.tell(Left(laptop.member, MAIN))
        await settle()
        here.leave(phone)
        here.leave(laptop)
        await here.start()
        assert (await here.report()).total.unreachable == 1
        here.alerts.tell(Left(phone.member, MAIN))
        await settle()
        await here.start()
        assert (await here.report()).total.targeted == 0


async def test_a_call_for_help_is_told_once_and_again_only_with_another_note(autojump_clock: MockClock) -> None:
    """Each repeat was an event of the operators' feed: one phone could flush everybody else's calls out of it."""
    async with station() as here:
        here.arrive(1, MAIN)
        alert = await here.start()

        def calls() -> list[object]:
            return [event.data.get("note") for event in here.diary.events if "needs help" in event.text]

        for note in ("", "", "my leg", "my leg", "", "north gate"):
            reply = here.receipt(1, alert, ReceiptState.HELP, note)
            await settle()
            assert reply.said == [None]
        assert calls() == ["", "my leg", "north gate"]
        for number in range(100):
            here.receipt(1, alert, ReceiptState.HELP, f"note {number}")
        await settle()
        assert len(calls()) == CALLS_TOLD, "the newest note stands in the ledger all the same"


async def test_a_call_that_was_dealt_with_is_open_again_when_the_member_calls_again(autojump_clock: MockClock) -> None:
    async with station() as here:
        here.arrive(1, MAIN)
        alert = await here.start()
        who = member(1)

        async def resolve(done: bool, name: AlertId = alert.id) -> Refused | None:
            answer = await here.alerts.ask(lambda asks: ResolveHelp(asks, name, who, done), urgent=True)
            assert answer is None or isinstance(answer, Refused)
            return answer

        async def counted() -> tuple[int, int]:
            total = (await here.report()).total
            return total.help, total.helped

        for name in (alert.id, AlertId("A009-222")):
            refused = await resolve(True, name)
            assert isinstance(refused, Refused)
            assert refused.reason is Reason.BAD_ANCHOR
        for number in range(CALLS_TOLD):
            here.receipt(1, alert, ReceiptState.HELP, f"note {number}")
        await settle()
        assert await resolve(True) is None
        assert await counted() == (1, 1)
        assert await here.alerts.ask(lambda asks: HelpCall(asks, alert.id, who), urgent=True) is True
        here.receipt(1, alert, ReceiptState.HELP)
        await settle()
        assert await counted() == (1, 0)
        told = [event for event in here.diary.events if "needs help" in event.text]
        assert len(told) == CALLS_TOLD + 1, "it is news again"
        assert await resolve(True) is None
        assert await resolve(False) is None
        assert await counted() == (1, 0)
