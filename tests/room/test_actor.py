"""A room at work: what is posted, what its author hears, and what everyone else sees."""

import pytest
import trio
from trio.testing import MockClock

from actors.events import Policy
from actors.journal.log import Page, Stored
from actors.names import RoomName
from actors.refusals import Reason, Refused
from actors.room.directory import Listed, RoomRules
from actors.room.messages import Done
from tests.room.fakes import MemoryLog
from tests.room.hall import MAIN, Hall, Phone, open_hall


def refused(value: object) -> Reason:
    assert isinstance(value, Refused), value
    return value.reason


# Posts


async def test_a_post_reaches_everyone_once_and_its_author_hears_ok(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        phones = await hall.crowd(5)
        stored = await phones[0].post("hello").wait()
        assert isinstance(stored, Stored)
        assert (stored.seq, stored.dup) == (1, False)
        await hall.all_level(phones)
        assert [phone.place().entries for phone in phones] == [[(1, "Message", "hello")]] * 5


async def test_nothing_is_acknowledged_or_shown_before_it_is_committed(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.crowd(2)
        hall.log.hold()
        answer = ana.post("hello")
        await hall.quiet(60)
        assert not answer.given
        assert ana.place().got == bo.place().got == []
        hall.log.let_go()
        assert isinstance(await answer.wait(), Stored)
        await hall.all_level([ana, bo])


async def test_posts_that_gather_while_one_is_committed_go_together_and_in_order(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        phones = await hall.crowd(4)
        hall.log.hold()
        first = phones[0].post("a")
        await hall.quiet()
        texts = [str(n) for n in range(20)]
        answers = [phones[n % 4].post(text) for n, text in enumerate(texts)]
        await hall.quiet()
        hall.log.let_go()
        for answer in (first, *answers):
            await answer.wait()
        await hall.all_level(phones)
        assert len(hall.log.batches) == 1
        assert {tuple(text for _, _, text in phone.place().entries) for phone in phones} == {("a", *texts)}
        assert hall.voice.calls["entry"] == 21, "framed once for everybody"


async def test_the_same_cid_again_hears_the_first_answer_and_shows_nothing_twice(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.crowd(2)
        first = await ana.post("hello", cid="c1").wait()
        again = await ana.post("hello", cid="c1").wait()
        assert (again.epoch, again.seq, again.ts, again.dup) == (first.epoch, first.seq, first.ts, True)
        assert isinstance(await bo.post("hello", cid="c1").wait(), Stored), "a cid is its author's"
        assert refused(await ana.post("something else", cid="c1").wait()) is Reason.CID_REUSED
        await hall.all_level([ana, bo])
        assert bo.place().got == [1, 2]


async def test_a_refused_post_goes_to_the_log_with_its_refusal_and_is_not_written(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.crowd(2)
        await hall.set_policy(frozen=True, reason="rain")
        answer = await ana.post("hello").wait()
        assert refused(answer) is Reason.FROZEN
        assert answer.message == "this room is frozen: rain"
        draft = hall.log.batches[-1][-1]
        assert draft.refusal == answer
        await hall.quiet()
        assert bo.place().entries == [(1, "PolicyChanged", "")]


async def test_a_frozen_room_answers_a_repetition_with_what_was_said_the_first_time(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        first = await ana.post("hello", cid="c1").wait()
        await hall.set_policy(frozen=True)
        again = await ana.post("hello", cid="c1").wait()
        assert isinstance(again, Stored)
        assert (again.seq, again.dup) == (first.seq, True)


async def test_slow_mode_counts_what_was_written_and_forgives_repetitions(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        await ana.post("before", cid="c0").wait()
        await hall.set_policy(slow_s=10)
        assert (await ana.post("before", cid="c0").wait()).dup
        assert isinstance(await ana.post("one", cid="c1").wait(), Stored), "the repetition did not count"
        too_soon = await ana.post("two", cid="c2").wait()
        assert refused(too_soon) is Reason.SLOW_MODE
        assert 0 < too_soon.retry_after_ms <= 10_000
        assert (await ana.post("one", cid="c1").wait()).dup, "a retry is never judged"
        await trio.sleep(10)
        hall.log.fails = {"append"}
        assert refused(await ana.post("three", cid="c3").wait()) is Reason.UNAVAILABLE
        hall.log.fails = set()
        assert isinstance(await ana.post("three", cid="c3").wait(), Stored), "what the disk refused did not count"


async def test_two_quick_posts_cannot_both_slip_through_slow_mode(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        await hall.set_policy(slow_s=10)
        values = [await answer.wait() for answer in [ana.post("one"), ana.post("two")]]
        assert [type(value) for value in values] == [Stored, Refused]


async def test_the_tally_counts_what_was_accepted_and_what_was_not(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        phones = await hall.crowd(3)
        await phones[0].post("a", cid="c").wait()
        await phones[0].post("a", cid="c").wait()
        await phones[0].post(" ").wait()
        await hall.quiet()
        tally = hall.house.tally
        assert (tally.messages_received, tally.messages_accepted, tally.messages_rejected) == (3, 1, 2)
        assert tally.messages_delivered == 3
        assert tally.catch_ups == {"join": 3, "slow": 0, "restart": 0}


# Edits, deletions


async def test_an_edit_and_a_deletion_are_entries_that_everyone_sees_in_order(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.crowd(2)
        await ana.post("helo").wait()
        await ana.edit(1, "hello").wait()
        assert refused(await bo.edit(1, "mine").wait()) is Reason.FORBIDDEN
        assert refused(await bo.delete(9).wait()) is Reason.BAD_ANCHOR
        await ana.delete(1).wait()
        await hall.all_level([ana, bo])
        assert bo.place().entries == [(1, "Message", "helo"), (2, "Edited", "1 hello"), (3, "Deleted", "1")]


async def test_who_joins_later_sees_what_an_edit_made_of_it_and_nothing_of_what_was_deleted(
    autojump_clock: MockClock,
) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        for text in ("helo", "secret", "bye"):
            await ana.post(text).wait()
        await ana.edit(1, "hello").wait()
        await ana.edit(2, "secrets").wait()
        await ana.delete(2).wait()
        bo = await hall.guest("m_bo")
        assert bo.place().entries == [
            (1, "Message", "hello"),
            (2, "Tombstone", ""),
            (3, "Message", "bye"),
            (4, "Edited", "1 hello"),
            (5, "Tombstone", ""),
            (6, "Deleted", "2"),
        ]


async def test_what_was_written_and_deleted_in_one_batch_is_shown_to_nobody(autojump_clock: MockClock) -> None:
    """The batch was framed as it had been written, after the deletion was folded: the words went out, and the frame
    stayed in memory for everybody who came later."""
    async with open_hall() as hall:
        ana, bo = await hall.crowd(2)
        hall.log.hold()
        await hall.quiet()
        ana.post("first")
        await hall.quiet()
        ana.post("secret")
        ana.edit(2, "secrets")
        ana.delete(2)
        ana.edit(1, "1st")
        await hall.quiet()
        hall.log.let_go()
        await hall.all_level([ana, bo])
        cy = await hall.guest("m_cy")
        for phone in (bo, cy):
            assert not [text for _, _, text in phone.place().entries if "secret" in text]
            # Bo was there: whether the first post went out before its edit is the writer's choice of batches.
            texts = {"1st"} if phone is cy else {"1st", "first"}
            assert phone.place().entries[0] in {(1, "Message", text) for text in texts}


# Reactions


async def test_a_reaction_is_told_to_everyone_within_a_second(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana, bo = await hall.crowd(2)
        await ana.post().wait()
        assert await bo.react(1).wait() == Done()
        await hall.quiet(1.1)
        assert ("reactions", "1+1") in ana.place().told
        assert refused(await bo.react(7).wait()) is Reason.BAD_ANCHOR


async def test_reactions_that_are_counted_together_end_with_the_newest_count(autojump_clock: MockClock) -> None:
    """Their answers come in one batch, but the tasks that wait for them run in any order: the older count won."""
    async with open_hall() as hall:
        phones = await hall.crowd(8)
        for target in range(1, 11):
            await phones[0].post().wait()
            hall.log.hold()
            answers = [phone.react(target) for phone in phones]
            await hall.quiet()
            hall.log.let_go()
            for answer in answers:
                await answer.wait()
        await hall.quiet(3)
        late = await hall.guest("m_late")
        assert late.place().told[-1] == ("reactions", " ".join(f"{target}+8" for target in range(1, 11)))
        frames = [line[1].split() for line in phones[0].place().told if line[0] == "reactions"]
        last = {told.partition("+")[0]: told for frame in frames for told in frame}
        assert sorted(last.values()) == sorted(f"{target}+8" for target in range(1, 11))


# Reading


async def test_history_comes_from_memory_where_it_reaches_and_else_from_the_log(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    log.fill(MAIN, 300)
    async with open_hall(log=log) as hall:
        ana = await hall.guest(tail=0)
        reads = log.calls["read"]
        page = await ana.history(limit=10).wait()
        assert isinstance(page, Page)
        assert ([e.seq for e in page.entries], page.more, page.head) == (list(range(291, 301)), True, 300)
        assert log.calls["read"] == reads
        page = await ana.history(before=150, limit=10).wait()
        assert ([e.seq for e in page.entries], page.more) == (list(range(140, 150)), True)
        page = await ana.history(after=0, limit=5).wait()
        assert ([e.seq for e in page.entries], page.more) == ([1, 2, 3, 4, 5], True)
        page = await ana.history(after=298, limit=5).wait()
        assert ([e.seq for e in page.entries], page.more) == ([299, 300], False)
        page = await ana.history(before=1, limit=5).wait()
        assert (page.entries, page.more) == ((), False)


@pytest.mark.parametrize(("before", "after"), [(None, None), (None, 200), (101, None)])
async def test_a_page_of_history_is_bounded_in_bytes_wherever_it_comes_from(
    before: int | None, after: int | None, autojump_clock: MockClock
) -> None:
    """Memory gave all that was asked for: 100 long messages made a frame that no client has to take."""
    log = MemoryLog()
    log.fill(MAIN, 300, size=2_000)
    async with open_hall(log=log) as hall:
        ana = await hall.guest(tail=0)
        page = await ana.history(before, after, 100).wait()
        assert 1 < len(page.entries) <= 64 * 1024 // 2_000
        assert page.more
        ends = [page.entries[0].seq, page.entries[-1].seq]
        assert ends[0] == 201 if after else ends[1] == (before or 301) - 1


async def test_the_log_in_trouble_is_told_to_who_reads_and_the_room_goes_on(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    log.fill(MAIN, 300)
    async with open_hall(log=log) as hall:
        ana = await hall.guest(tail=0)
        log.fails = {"read", "react"}
        assert refused(await ana.history(before=100).wait()) is Reason.UNAVAILABLE
        assert refused(await ana.react(300).wait()) is Reason.UNAVAILABLE
        assert len((await ana.history(limit=3).wait()).entries) == 3, "memory needs no disk"
        assert isinstance(await ana.post().wait(), Stored)
        assert hall.crashes == []


async def test_only_so_many_read_old_messages_at_once(autojump_clock: MockClock) -> None:
    log = MemoryLog(read_s=lambda: 1.0)
    log.fill(MAIN, 300)
    async with open_hall(log=log) as hall:
        ana = await hall.guest(tail=0)
        values = [await answer.wait() for answer in [ana.history(before=100) for _ in range(40)]]
        assert [type(value) for value in values].count(Page) == 32
        assert {refused(value) for value in values if isinstance(value, Refused)} == {Reason.BUSY}
        assert isinstance(await ana.history(before=100).wait(), Page)


async def test_a_burst_of_hearts_is_not_refused_for_those_who_read(autojump_clock: MockClock) -> None:
    """Both shared the 32 of a room; one pass of a room's turns brings more than that."""
    log = MemoryLog(read_s=lambda: 1.0)
    log.fill(MAIN, 300)
    async with open_hall(log=log) as hall:
        ana = await hall.guest(tail=0)
        reads = [ana.history(before=100) for _ in range(40)]
        hearts = [ana.react(300, emoji=str(n)) for n in range(300)]
        values = [await answer.wait() for answer in hearts]
        assert [type(value) for value in values].count(Done) == 256
        assert {refused(value) for value in values if isinstance(value, Refused)} == {Reason.BUSY}
        assert [type(await answer.wait()) for answer in reads].count(Page) == 32


async def test_who_reads_while_the_room_crashes_is_answered(autojump_clock: MockClock) -> None:
    """The look-up died with the room's nursery, and its asker waited for ever."""
    log = MemoryLog()
    log.fill(MAIN, 300)
    async with open_hall(log=log) as hall:
        ana = await hall.guest(tail=0)
        log.read_s = lambda: 60.0
        answers = [ana.history(before=100), ana.react(300)]
        await hall.quiet(1)
        hall.faults.arm("handle Typing")
        hall.house.refs[MAIN].tell(typing(ana))
        await hall.quiet(1)
        assert [refused(answer.values[0]) for answer in answers] == [Reason.UNAVAILABLE] * 2


def typing(phone: Phone) -> object:
    from actors.room.messages import Typing

    return Typing(phone.member, phone.nickname)


# Rules


async def test_rules_are_an_entry_that_everyone_sees_and_every_instance_keeps(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        stored = await hall.set_policy(frozen=True, reason="rain")
        await hall.quiet()
        assert ana.place().entries == [(1, "PolicyChanged", "")]
        hall.faults.arm("handle Post")
        assert refused(await ana.post().wait()) is Reason.INTERNAL
        assert refused(await ana.post().wait()) is Reason.FROZEN
        policy = (await hall.census()).policy
        assert (policy.frozen, policy.reason, policy.rev) == (True, "rain", stored.seq)


async def test_settings_are_applied_once_and_what_operators_order_afterwards_stands(autojump_clock: MockClock) -> None:
    """A room that the settings list with rules took them back at every restart: a crash lifted a freeze."""
    rules = RoomRules(listed={MAIN: Listed("Main", Policy(slow_s=5))})
    log = MemoryLog()
    async with open_hall(rules=rules, log=log) as hall:
        ana = await hall.guest()
        assert (await hall.census()).policy.slow_s == 5
        await hall.set_policy(frozen=True)
        hall.faults.arm("handle Post")
        await ana.post().wait()
        await hall.quiet()
        assert hall.restarts == ["room:main"]
        assert (await hall.census()).policy.frozen
    async with open_hall(rules=rules, log=log) as hall:
        await hall.quiet()
        assert (await hall.census()).policy.frozen, "after a restart of the server too"
    changed = RoomRules(listed={MAIN: Listed("Main", Policy(slow_s=7))})
    async with open_hall(rules=changed, log=log) as hall:
        await hall.quiet()
        assert (await hall.census()).policy.slow_s == 7, "settings that say something new are applied"
        assert not (await hall.census()).policy.frozen
    assert log.shelves[MAIN].head == 3


async def test_a_room_that_is_not_listed_has_everyday_rules(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        await hall.guest()
        assert (await hall.census()).policy == Policy()


# A new epoch


async def test_a_room_whose_epoch_is_over_is_opened_again_and_everyone_begins_anew(autojump_clock: MockClock) -> None:
    """It went on answering `the room has just begun anew` to every post, for ever."""
    async with open_hall(tail=10) as hall:
        ana, bo = await hall.crowd(2)
        for _ in range(30):
            await ana.post().wait()
        hall.log.renewed(MAIN, 25)
        assert refused(await ana.post("hello", cid="c").wait()) is Reason.UNAVAILABLE
        await hall.all_level([ana, bo])
        assert ("gap", "1", "15", "epoch") in bo.place().told
        assert isinstance(await ana.post("hello", cid="c").wait(), Stored)
        await hall.all_level([ana, bo])
        assert bo.place().entries[-1] == (26, "Message", "hello")
        assert bo.place().count("caught_up") == 2


async def test_who_is_fed_from_an_epoch_that_is_over_makes_the_room_open_again(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    log.fill(MAIN, 300)
    async with open_hall(log=log, tail=10) as hall:
        ana = await hall.guest(tail=0)
        log.renewed(MAIN, 25)
        bo = hall.phone("m_bo")
        await bo.join(tail=200).wait()
        await hall.all_level([ana, bo])
        assert bo.place().seen == 25


async def talk(hall: Hall, phone: Phone, count: int, room: RoomName = MAIN) -> None:
    for answer in [phone.post(room=room) for _ in range(count)]:
        assert isinstance(await answer.wait(), Stored)


async def test_two_rooms_do_not_hear_each_other(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        bo = await hall.guest("m_bo", "other")
        await ana.join("other").wait()
        await talk(hall, bo, 3, RoomName("other"))
        await talk(hall, ana, 2)
        await hall.all_level([ana, bo], "other")
        assert (ana.place().got, ana.place("other").got) == ([1, 2], [1, 2, 3])
        assert bo.place().got == []
