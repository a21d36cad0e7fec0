"""Orders about rooms that meet something else: a sweep, a join on its way, the end of the directory."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.journal.log import Stored
from actors.names import Epoch, RoomCode, RoomName
from actors.people.outlet import Seat
from actors.refusals import Reason, Refused
from actors.room import messages as say
from actors.room.directory import DeleteRoom, Listing, PurgeRoom, RestoreRoom, RoomRules, UpdateRoom
from actors.room.messages import Done, Joined
from tests.room.hall import MAIN, Answer, Hall, Phone, open_hall

DAY_S = 86_400.0


def order(hall: Hall, kind: type, *args: Any) -> Answer:
    answer = Answer()
    hall.house.directory.urge(kind(answer, *args))
    return answer


@pytest.mark.parametrize("kind", ["update", "delete"])
async def test_a_sweep_does_not_undo_an_order_that_is_being_written(kind: str, autojump_clock: MockClock) -> None:
    """Once a day the sweep writes when somebody was last there. It wrote the record as it had been before the order:
    an old title came back, and a room that had been deleted was open again."""
    async with open_hall() as hall:
        ana = await hall.guest()
        await ana.post().wait()
        await trio.sleep(DAY_S - 5 - trio.current_time())
        hall.log.read_s = lambda: 40.0
        answer = order(hall, UpdateRoom, MAIN, "New") if kind == "update" else order(hall, DeleteRoom, MAIN)
        ordered = await answer.wait()
        hall.log.read_s = lambda: 0.0
        await trio.sleep(120)
        (known,) = await hall.house.directory.ask(Listing)
        shelf = hall.log.shelves[MAIN]
        assert known.active > 0, "the sweep has been there"
        for record in (known, shelf.record):
            assert (record.title, record.deleted) == (ordered.title, ordered.deleted)


async def test_a_purge_that_meets_the_sweep_leaves_no_code_behind(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        await ana.post().wait()
        code = ana.answers[0].values[0].code
        await trio.sleep(DAY_S - trio.current_time())
        hall.log.read_s = lambda: 40.0
        while hall.log.calls["update"] == 0:  # noqa: ASYNC110
            await trio.sleep(1)
        assert await order(hall, PurgeRoom, MAIN).wait() == Done()
        hall.log.read_s = lambda: 0.0
        refused = await hall.phone("m_bo").join(code).wait()
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.UNKNOWN_ROOM


async def behind_a_flood(hall: Hall, ana: Phone, phone: Phone) -> Answer:
    """A join that waits in the room's mailbox, behind more than it does in one go."""
    for _ in range(900):
        hall.house.refs[MAIN].offer(say.Typing(ana.member, ana.nickname))
    answer = phone.join()
    for _ in range(3):
        await trio.lowlevel.checkpoint()
    return answer


async def test_a_join_on_its_way_does_not_enter_a_room_that_is_deleted(autojump_clock: MockClock) -> None:
    """The order overtook it, and took out who was there; it came after that."""
    async with open_hall() as hall:
        ana, bo = await hall.guest(), hall.phone("m_bo")
        joins: list[Answer] = []
        update = hall.log.update

        async def slow_update(record: Any) -> Any:
            written = await update(record)
            joins.append(await behind_a_flood(hall, ana, bo))
            return written

        hall.log.update = slow_update  # type: ignore[method-assign]
        await order(hall, DeleteRoom, MAIN).wait()
        refused = await joins[0].wait(5)
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.UNKNOWN_ROOM
        assert (await hall.census()).seats == 0
        hall.log.update = update  # type: ignore[method-assign]
        await order(hall, RestoreRoom, MAIN).wait()
        await hall.quiet()
        assert isinstance(await bo.join().wait(), Joined)


async def test_at_the_purge_of_a_room_that_was_deleted_whoever_is_left_is_told(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        await order(hall, DeleteRoom, MAIN).wait()
        await hall.quiet()
        stray = hall.phone("m_stray", "Stray")
        answer = Answer()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("actors.room.houseview.Doorkeeper.no_entry", lambda *_: None)
            seat = Seat(MAIN, stray.member, stray.nickname, stray.outlet, Epoch(""))
            hall.house.refs[MAIN].tell(say.Join(answer, seat, None, 10, 100, True))
            await answer.wait()
        assert await order(hall, PurgeRoom, MAIN).wait() == Done()
        assert seat.removed
        assert ana.seats[MAIN].removed


async def test_a_room_of_which_the_log_knows_nothing_is_known_no_longer(autojump_clock: MockClock) -> None:
    """It stayed in the directory, and whoever wanted to join it crashed it."""
    async with open_hall() as hall:
        ana = await hall.guest()
        await ana.post().wait()
        del hall.log.shelves[MAIN]
        with pytest.MonkeyPatch.context() as patch:

            async def written(record: Any) -> Any:
                return record

            patch.setattr(hall.log, "update", written)
            refused = await order(hall, PurgeRoom, MAIN).wait()
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.UNKNOWN_ROOM
        assert isinstance(await hall.phone("m_bo").join().wait(), Joined), "made anew"


async def test_an_order_is_answered_when_the_directory_crashes_under_it(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        await ana.post().wait()
        hall.log.read_s = lambda: 10.0
        answers = [order(hall, UpdateRoom, MAIN, "New"), order(hall, UpdateRoom, MAIN, None, RoomCode("big-stage-12"))]
        await trio.sleep(1)
        hall.house.directory.tell(None)  # type: ignore[arg-type]
        for answer in answers:
            refused = await answer.wait(1)
            assert isinstance(refused, Refused)
            assert refused.reason is Reason.UNAVAILABLE
        assert hall.crashes == ["directory"]


async def test_a_bare_room_in_which_somebody_comes_while_an_order_is_written_is_not_forgotten(
    autojump_clock: MockClock,
) -> None:
    rules = RoomRules(retire_after_s=10.0, creations_per_member_h=100)
    async with open_hall(rules=rules, grace_s=1.0) as hall:
        ana, _ = await hall.guest(), await hall.guest("m_bo", "other")
        ana.go()
        hall.log.read_s = lambda: 60.0
        slow = order(hall, UpdateRoom, RoomName("other"), "Other")
        while MAIN in hall.house.refs:  # noqa: ASYNC110
            await trio.sleep(0.5)
        hall.log.read_s = lambda: 0.0
        back = ana.come_back()
        assert isinstance(await back.join().wait(5), Joined)
        await slow.wait()
        await trio.sleep(30)
        assert MAIN in hall.log.shelves
        assert isinstance(await back.post().wait(), Stored)
        await hall.all_level([back])
