"""What operators order, as a room and its members see it: standing, hidden words, closed doors, people taken out."""

from typing import Any

import pytest
import trio
from attrs import evolve
from trio.testing import MockClock

from actors.events import Cleared, Erased, Hidden, Message, Moderation, Pinned, Policy, Restored, Tombstone
from actors.journal.log import Stored
from actors.names import HOUSE, Cid, MemberId, RoomCode, RoomName
from actors.people.standing import Sanction
from actors.refusals import Reason, Refused
from actors.room import messages as say
from actors.room.directory import (
    CreateRoom,
    DeleteRoom,
    Listed,
    Listing,
    ListRooms,
    PurgeRoom,
    Reach,
    RestoreRoom,
    RoomRules,
    UpdateRoom,
)
from actors.room.messages import Joined, Removed
from tests.room.fakes import NOON, MemoryLog
from tests.room.hall import MAIN, Answer, Hall, open_hall

ANA, BO = MemberId("m_ana"), MemberId("m_bo")
BLUE = RoomName("blue-room")


def why(value: Any) -> Reason:
    assert isinstance(value, Refused), value
    return value.reason


async def moderate(hall: Hall, body: Moderation, cid: str = "") -> Any:
    hall.cids += 1
    answer = Answer()
    hall.house.refs[MAIN].urge(say.Moderate(answer, HOUSE, Cid(cid or f"order-{hall.cids}"), body))
    return await answer.wait()


async def remove(hall: Hall, member: str | None, **how: Any) -> Any:
    answer = Answer()
    hall.house.refs[MAIN].urge(say.Remove(answer, None if member is None else MemberId(member), "enough", **how))
    return await answer.wait()


async def directory(hall: Hall, order: type, *args: Any) -> Any:
    answer = Answer()
    hall.house.directory.urge(order(answer, *args))
    return await answer.wait()


async def test_a_mute_refuses_what_is_new_and_never_what_was_written(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.guest(), await hall.guest("m_bo")
        first = await ana.post("hi", cid="c1").wait()
        hall.house.standing.put(Sanction("mute", ANA, room=MAIN, reason="shouting"))
        assert await ana.post("hi", cid="c1").wait() == evolve(first, dup=True)
        assert why(await ana.post("again").wait()) is Reason.MUTED
        assert why(await ana.edit(1, "reworded").wait()) is Reason.MUTED
        assert isinstance(await bo.post("me too").wait(), Stored)
        hall.house.standing.lift(lambda each: each.member == ANA)
        assert isinstance(await ana.post("again").wait(), Stored)


async def test_a_ban_keeps_out_and_a_closed_room_keeps_those_who_are_in(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        assert isinstance(await hall.set_policy(closed=True, reason="full house"), Stored)
        await hall.quiet()
        refused = await hall.phone("m_bo").join().wait()
        assert (why(refused), "closed" in refused.message) == (Reason.FORBIDDEN, True)
        assert isinstance(await ana.rejoin().wait(), Joined)
        assert isinstance(await ana.post().wait(), Stored)
        hall.house.standing.roles[BO] = "steward"
        assert isinstance(await hall.phone("m_bo").join().wait(), Joined)
        hall.house.standing.put(Sanction("ban", ANA, room=MAIN))
        assert why(await ana.rejoin().wait()) is Reason.BANNED
        assert why(await ana.post().wait()) is Reason.BANNED


async def test_who_is_taken_out_is_told_and_gone_on_a_restarted_room_too(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.guest(), await hall.guest("m_bo")
        late = ana.post("on the way out")
        assert await remove(hall, "m_ana", until=NOON + 60) == Removed(1)
        await late.wait()
        assert ana.place().told[-1] == ("removed", "enough", str(NOON + 60), "None")
        assert why(await ana.post("and another thing").wait()) is Reason.NOT_JOINED
        assert await bo.members() == ["bo"]
        hall.faults.arm("handle")
        bo.post("stumble")
        await trio.sleep(5)
        assert hall.crashes
        assert (await hall.census()).seats == 1, "a restarted room does not take them in again"
        assert isinstance(await ana.rejoin().wait(), Joined)
        assert isinstance(await ana.post("sorry").wait(), Stored)


async def test_everybody_is_taken_out_and_told_where_to_go(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        crowd = await hall.crowd(600)
        assert await remove(hall, None, to=BLUE) == Removed(600)
        await hall.quiet()
        assert all(phone.place().told[-1] == ("removed", "enough", "None", BLUE) for phone in crowd)
        census = await hall.census()
        assert (census.online, census.seats, census.level, census.behind) == (0, 0, 0, 0)


async def test_hidden_words_are_told_to_nobody_any_more_and_come_back(autojump_clock: MockClock) -> None:
    async with open_hall(tail=3) as hall:
        ana = await hall.guest()
        for text in ("a", "secret", "c", "d", "e"):
            await ana.post(text).wait()
        await moderate(hall, Hidden(2, "private"))
        await hall.quiet()
        bo = await hall.guest("m_bo", tail=50)
        assert (2, "Tombstone", "") in bo.place().entries
        page = await bo.history(before=3, limit=2).wait()
        assert page.entries[1].body == Tombstone(hidden=True)
        await moderate(hall, Restored(2))
        await hall.quiet()
        page = await bo.history(before=3, limit=2).wait()
        assert isinstance(page.entries[1].body, Message)
        assert why(await moderate(hall, Hidden(6))) is Reason.BAD_ANCHOR, "an order is no message"


async def test_what_was_hidden_before_it_was_told_is_never_told(autojump_clock: MockClock) -> None:
    """Also when the whole tail went by in one pass of the room."""
    async with open_hall(tail=2) as hall:
        ana = await hall.guest()
        hall.log.wakes = False
        await ana.post("secret").wait()
        for _ in range(4):
            await ana.post("x").wait()
        answer = Answer()
        hall.house.refs[MAIN].urge(say.Moderate(answer, HOUSE, Cid("hide"), Hidden(1)))
        assert isinstance(await answer.wait(), Stored)
        hall.log.wakes = True
        hall.log.wake_up()
        await hall.quiet()
        assert ana.place().entries[0] == (1, "Tombstone", "")


async def test_what_is_cleared_and_erased_reads_as_gone(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        for text in ("a", "b"):
            await ana.post(text).wait()
        await hall.quiet()
        await moderate(hall, Cleared(2))
        await hall.quiet()
        bo = await hall.guest("m_bo")
        assert [kind for _, kind, _ in bo.place().entries] == ["Tombstone", "Tombstone", "Cleared"]
        answer = Answer()
        hall.house.refs[MAIN].urge(say.Erase(answer, 2, Cid("erase")))
        assert isinstance(await answer.wait(), Stored)
        await hall.quiet()
        page = await ana.history().wait()
        assert [entry.body for entry in page.entries[:2]] == [Tombstone(), Tombstone()]
        assert page.entries[-1].body == Erased(2)
        assert why(await moderate(hall, Cleared(99))) is Reason.BAD_ANCHOR


async def test_the_pinned_message_and_the_badge_are_told(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        hall.house.standing.roles[ANA] = "medic"
        ana = await hall.guest()
        await ana.post("help is at gate 4").wait()
        await moderate(hall, Pinned(1))
        await hall.quiet()
        joined = await hall.phone("m_bo").join().wait()
        assert joined.pinned == 1
        page = await ana.history().wait()
        assert page.entries[0].body.badge == "medic"


async def test_the_rules_of_the_house_are_pushed_and_told_to_whoever_catches_up(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        standing = hall.house.standing
        standing.lockdown, standing.lockdown_since = 3, NOON
        hall.house.refs[MAIN].urge(say.RulesChanged())
        await trio.sleep(2)
        assert ana.place().told[-1] == ("rules", "3", "10.0", "False")
        joined = await hall.phone("m_bo").join().wait()
        assert (joined.policy.lockdown, joined.policy.slow_s) == (3, 10.0)
        assert isinstance(await ana.post("one").wait(), Stored)
        assert why(await ana.post("two").wait()) is Reason.SLOW_MODE
        await trio.sleep(10)
        assert why(await ana.post("look: https://x.example/y").wait()) is Reason.LOCKED_DOWN
        standing.roles[ANA] = "staff"
        for text in ("three", "https://x.example/y"):
            assert isinstance(await ana.post(text).wait(), Stored)
        cy = await hall.guest("m_cy")
        assert ("rules", "3", "10.0", "False") in cy.place().told
        standing.lockdown = 5
        hall.house.refs[MAIN].urge(say.RulesChanged())
        await trio.sleep(2)
        assert ana.place().told[-1] == ("rules", "5", "0.0", "False")


async def test_rules_out_of_the_settings_hold_before_anybody_is_judged(autojump_clock: MockClock) -> None:
    """A listed room that was frozen by its settings, and thawed in them for the next start, refused the first post
    after that start as `frozen`: the thawing was on its way."""
    log = MemoryLog(commit_s=lambda: 0.3)
    for frozen in (True, False):
        rules = RoomRules(listed={MAIN: Listed(policy=Policy(frozen=frozen))})
        async with open_hall(log=log, rules=rules) as hall:
            ana = hall.phone()
            join = ana.join()
            assert (await join.wait()).policy.frozen is frozen
            value = await ana.post().wait()
            assert (why(value) is Reason.FROZEN) if frozen else isinstance(value, Stored)


async def test_a_disk_that_refuses_the_settings_does_not_keep_the_room_shut(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    log.fails.add("append")
    async with open_hall(log=log, rules=RoomRules(listed={MAIN: Listed(policy=Policy(slow_s=3))})) as hall:
        assert isinstance(await hall.phone().join().wait(5), Joined)
    log.fails.clear()
    log.hold()
    async with open_hall(log=log, rules=RoomRules(listed={MAIN: Listed(policy=Policy(slow_s=3))})) as hall:
        assert isinstance(await hall.phone().join().wait(5), Joined)
        log.let_go()
        await hall.quiet()


# The directory's orders


async def test_rooms_are_made_changed_deleted_restored_and_purged(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        await ana.post("hi").wait()
        code = RoomCode("red-stage-11")
        made = await directory(hall, CreateRoom, BLUE, code, "Blue", True, "north")
        assert (made.code, made.title, made.official, made.zone) == (code, "Blue", True, "north")
        assert why(await directory(hall, CreateRoom, BLUE)) is Reason.FORBIDDEN
        assert why(await directory(hall, UpdateRoom, MAIN, None, code)) is Reason.FORBIDDEN
        changed = await directory(hall, UpdateRoom, MAIN, "Main", RoomCode("big-stage-12"), "south")
        assert (changed.title, changed.zone) == ("Main", "south")
        joined = await hall.phone("m_bo").join("big-stage-12").wait()
        assert (joined.room, joined.title, joined.code) == (MAIN, "Main", "big-stage-12")
        rows = {row.record.name: (row.up, row.online) for row in await directory(hall, ListRooms)}
        assert rows == {MAIN: (True, 2), BLUE: (False, 0)}

        assert (await directory(hall, DeleteRoom, MAIN)).deleted is not None
        await hall.quiet()
        assert ana.place().told[-1][0] == "removed"
        for text in (MAIN, "big-stage-12"):
            assert why(await hall.phone("m_cy").join(text).wait()) is Reason.UNKNOWN_ROOM
        assert (await directory(hall, RestoreRoom, MAIN)).deleted is None
        assert isinstance(await ana.rejoin().wait(), Joined)
        assert (await ana.history().wait()).entries

        await directory(hall, PurgeRoom, MAIN)
        assert MAIN not in hall.log.shelves
        assert [record.name for record in await hall.house.directory.ask(Listing)] == [BLUE]
        assert why(await directory(hall, PurgeRoom, MAIN)) is Reason.UNKNOWN_ROOM
        anew = await hall.phone("m_cy").join().wait()
        assert (anew.head, anew.code != "big-stage-12") == (0, True)


async def test_a_sleeping_room_is_woken_for_operators(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    log.fill(MAIN, 3)
    async with open_hall(log=log) as hall:
        ref = await directory(hall, Reach, MAIN)
        assert (await ref.ask(say.Census)).head == 3
        assert why(await directory(hall, Reach, BLUE)) is Reason.UNKNOWN_ROOM


async def test_people_make_no_rooms_in_a_lockdown(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        hall.house.standing.lockdown = 4
        assert why(await hall.phone().join().wait()) is Reason.LOCKED_DOWN
        hall.house.standing.roles[ANA] = "staff"
        assert isinstance(await hall.phone().join().wait(), Joined)


@pytest.mark.parametrize("kept", ["listed", "official", "visited", "nothing"])
async def test_rooms_that_nobody_has_been_in_for_long_are_purged(kept: str, autojump_clock: MockClock) -> None:
    log = MemoryLog()
    shelf = log.fill(MAIN, 3)
    shelf.official = kept == "official"
    rules = RoomRules(
        listed={MAIN: Listed()} if kept == "listed" else {}, expire_after_s=20 * 3_600.0, creations_per_member_h=100
    )
    async with open_hall(log=log, rules=rules) as hall:
        for _ in range(12):
            await trio.sleep(2 * 3_600)
            if kept == "visited":
                phone = await hall.guest()
                await phone.leave().wait()
        assert (MAIN in log.shelves) == (kept != "nothing")
