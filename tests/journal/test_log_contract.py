"""The contract of journal/log.py, rule by rule, for every durability. Another log of rooms would run this suite too."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from actors.events import Deleted, Edited, Message, Policy, PolicyChanged, Tombstone
from actors.journal.log import Durability, EpochChanged, Opening, Stored
from actors.journal.store import Setup
from actors.names import Epoch, RoomCode, RoomName
from actors.refusals import Reason, Refused
from tests.journal.keeping import (
    ANA,
    BO,
    DAY,
    GUARD_S,
    STAGE,
    Keeping,
    Verdict,
    keeping,
    message,
    setup_for,
    words_on_disk,
)

FROZEN = Refused(Reason.FROZEN, "not now")


@pytest.fixture(params=list(Durability))
def setup(request: pytest.FixtureRequest, tmp_path: Path) -> Setup:
    return setup_for(request.param, tmp_path)


@pytest.fixture
async def log(setup: Setup) -> AsyncIterator[Keeping]:
    async with keeping(setup) as log:
        yield log


# Rule 1: answers, cids


async def test_rule_1_the_answer_comes_once_and_not_from_inside_append(log: Keeping) -> None:
    record = await log.room()
    draft, verdict = log.draft(record, message("hi"))
    log.desk.append(draft)
    assert verdict.outcomes == []
    assert await verdict.wait() == Stored(record.epoch, 1, log.clock.wall)
    await log.post(record, "later")
    assert len(verdict.outcomes) == 1


async def test_rule_1_a_repeated_cid_gets_the_first_position(log: Keeping) -> None:
    record = await log.room()
    first = await log.post(record, "hi", cid="c")
    log.clock.pass_by(5)
    assert await log.append(record, "hi", cid="c") == Stored(record.epoch, 1, first.ts, dup=True)
    assert [entry.seq for entry in await log.history()] == [1]


async def test_rule_1_a_repeat_in_the_same_batch_is_found_as_well(log: Keeping) -> None:
    record = await log.room()
    drafts = [log.draft(record, message("hi"), cid="c") for _ in range(3)]
    for draft, _ in drafts:
        log.desk.append(draft)
    outcomes = [await verdict.wait() for _, verdict in drafts]
    assert [(outcome.seq, outcome.dup) for outcome in outcomes] == [(1, False), (1, True), (1, True)]


@pytest.mark.parametrize(
    "other",
    [message("ho"), message("hi", reply_to=1), Edited(1, "hi"), Deleted(1), PolicyChanged(Policy())],
    ids=["text", "anchor", "edit", "delete", "policy"],
)
async def test_rule_1_a_cid_used_for_something_else_is_told_so(log: Keeping, other: Message) -> None:
    record = await log.room()
    await log.post(record, "hi", cid="c")
    outcome = await log.append(record, other, cid="c")
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.CID_REUSED


async def test_rule_1_a_cid_of_another_room_is_used_and_one_of_another_author_is_not(log: Keeping) -> None:
    record, other = await log.room(), await log.room("side-stage")
    await log.post(record, "hi", cid="c")
    outcome = await log.append(other, "hi", cid="c")
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.CID_REUSED
    assert (await log.post(record, "hi", cid="c", author=BO)).dup is False


async def test_rule_1_a_retry_under_a_new_nickname_is_still_the_same_message(log: Keeping) -> None:
    record = await log.room()
    await log.post(record, message("hi", nickname="Ana"), cid="c")
    assert (await log.post(record, message("hi", nickname="Ana 2"), cid="c")).dup


async def test_rule_1_a_retried_policy_may_expire_at_another_time(log: Keeping) -> None:
    record = await log.room()
    await log.post(record, PolicyChanged(Policy(frozen=True, expires=5.0)), cid="c")
    assert (await log.post(record, PolicyChanged(Policy(frozen=True, expires=6.0)), cid="c")).dup
    outcome = await log.append(record, PolicyChanged(Policy(frozen=False, expires=5.0)), cid="c")
    assert isinstance(outcome, Refused)


async def test_rule_1_a_refusal_counts_only_for_a_new_cid(log: Keeping) -> None:
    record = await log.room()
    await log.post(record, "hi", cid="c")
    assert (await log.post(record, "hi", cid="c", refusal=FROZEN)).dup
    assert await log.append(record, "new", refusal=FROZEN) == FROZEN
    assert len(await log.history()) == 1


async def test_rule_1_what_is_deleted_in_the_same_commit_is_compared_no_more(log: Keeping) -> None:
    record = await log.room()
    await log.post(record, "hi", cid="c")
    log.gather()
    drafts = [log.draft(record, Deleted(1)), log.draft(record, message("ho"), cid="c")]
    for draft, _ in drafts:
        log.desk.append(draft)
    outcomes = [await verdict.wait() for _, verdict in drafts]
    assert [isinstance(outcome, Stored) and outcome.dup for outcome in outcomes] == [False, True]


async def test_rule_1_a_refused_cid_may_be_used_again(log: Keeping) -> None:
    record = await log.room()
    assert await log.append(record, "hi", cid="c", refusal=FROZEN) == FROZEN
    assert (await log.post(record, "hi", cid="c")).dup is False


async def test_rule_1_an_old_epoch_is_judged_again_whatever_was_judged(log: Keeping) -> None:
    record = await log.room()
    await log.post(record, "hi", cid="c")
    renewed = await log.renew()
    assert await log.append(record, "new", refusal=FROZEN) == EpochChanged(renewed.epoch)
    assert (await log.post(record, "hi", cid="c")).dup  # the cid comes first


async def test_rule_1_an_unknown_room_is_an_answer_and_not_a_crash(log: Keeping) -> None:
    record = await log.room()
    draft, verdict = log.draft(record, message("hi"))
    outcome = await log.append(type(record)(RoomName("nowhere"), RoomCode(""), "", Epoch("1"), 0, 1, 0.0), "hi")
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.UNKNOWN_ROOM
    log.desk.append(draft)
    assert isinstance(await verdict.wait(), Stored)


async def test_rule_1_text_that_is_no_unicode_hurts_only_itself(log: Keeping) -> None:
    record = await log.room()
    bad = log.draft(record, message("\ud800"))
    bad_cid = log.draft(record, message("fine"), cid="\udfff")
    good = log.draft(record, message("fine"))
    for draft, _ in (bad, bad_cid, good):
        log.desk.append(draft)
    assert isinstance(await bad[1].wait(), Refused)
    assert isinstance(await bad_cid[1].wait(), Refused)
    assert isinstance(await good[1].wait(), Stored)


async def test_rule_1_answers_come_in_the_order_of_the_drafts(log: Keeping) -> None:
    record = await log.room()
    answered: list[int] = []
    for number in range(1_200):
        draft, _ = log.draft(record, message(str(number)))
        log.desk.append(type(draft)(*(getattr(draft, name) for name in ("room", "epoch", "author", "cid", "body")),
                                    lambda outcome, number=number: answered.append(number)))  # fmt: skip
    await log.post(record, "last")
    assert answered == list(range(1_200))
    assert log.desk.counters.biggest_batch > 100


# Rule 2: stored is stored


async def test_rule_2_what_was_answered_is_there_after_a_restart(tmp_path: Path) -> None:
    for durability in (Durability.POWER, Durability.PROCESS):
        setup = setup_for(durability, tmp_path / durability)
        async with keeping(setup) as log:
            record = await log.room()
            first = await log.post(record, "hi", cid="c")
        async with keeping(setup) as log:
            assert (await log.room()).epoch == record.epoch
            assert await log.append(record, "hi", cid="c") == Stored(first.epoch, 1, first.ts, dup=True)
            assert [entry.body for entry in await log.history()] == [message("hi")]


async def test_rule_2_nobody_is_shown_what_is_not_committed(log: Keeping) -> None:
    record = await log.room()
    _, listener = await log.open()
    draft, verdict = log.draft(record, message("hi"))
    log.desk.append(draft)
    assert listener.following.take() == []
    await verdict.wait()
    assert [entry.seq for entry in await listener.hear(1)] == [1]


# Rule 3: following


async def test_rule_3_a_following_shows_everything_in_order(log: Keeping) -> None:
    record = await log.room()
    await log.post(record, "before")
    opening, listener = await log.open()
    verdicts = []
    for number in range(100):
        draft, verdict = log.draft(record, message(str(number)), author=BO if number % 2 else ANA)
        log.desk.append(draft)
        verdicts.append(verdict)
    heard = await listener.hear(100)
    assert [entry.seq for entry in opening.tail] == [1]
    assert [(entry.seq, entry.body) for entry in heard] == [(n + 2, message(str(n))) for n in range(100)]


async def test_rule_3_opening_and_following_leave_no_hole_however_they_race(log: Keeping) -> None:
    record = await log.room()

    async def talk() -> None:
        for number in range(200):
            await log.post(record, str(number))

    async def join() -> None:
        for _ in range(10):
            opening, listener = await log.open(tail=1_000)
            heard = await listener.hear(200 - len(opening.tail))
            seqs = [entry.seq for entry in (*opening.tail, *heard)]
            assert seqs == list(range(1, len(seqs) + 1))
            listener.following.stop()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(talk)
        nursery.start_soon(join)


async def test_rule_3_what_came_while_a_room_was_loading_wakes_it(
    log: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await log.room()
    load = log.desk._open

    async def slowly(room: RoomName, tail: int) -> Opening:
        opening = await load(room, tail)
        await log.post(record, "meanwhile")
        return opening

    monkeypatch.setattr(log.desk, "_open", slowly)
    opening, listener = await log.open()
    assert opening.tail == ()
    with trio.fail_after(GUARD_S):
        await listener.woken()
    assert [entry.seq for entry in listener.following.take()] == [1]


async def test_rule_3_answers_come_before_the_one_wake_of_a_batch(log: Keeping) -> None:
    record, other = await log.room(), await log.room("side-stage")
    events: list[str] = []
    await log.desk.open(STAGE, 10, lambda: events.append("wake"))
    await log.desk.open(other.name, 10, lambda: events.append("other"))
    log.gather()
    for number in range(5):
        draft, _ = log.draft(record, message(str(number)))
        log.desk.append(type(draft)(draft.room, draft.epoch, draft.author, draft.cid, draft.body,
                                    lambda outcome: events.append("answer")))  # fmt: skip
    await log.post(other, "hi")
    await trio.testing.wait_all_tasks_blocked()
    assert events == ["answer"] * 5 + ["wake", "other"]


async def test_rule_3_a_room_that_takes_nothing_is_bounded_and_loses_nothing(setup: Setup) -> None:
    async with keeping(setup, pending_limit=10) as log:
        record = await log.room()
        _, listener = await log.open()
        for number in range(95):
            await log.post(record, str(number))
        assert len(listener.following._pending) == 10
        heard = await listener.hear(95)
        await log.post(record, "live again")
        heard += await listener.hear(1)
        assert [entry.seq for entry in heard] == list(range(1, 97))


async def test_rule_3_a_following_that_was_stopped_hears_no_more(log: Keeping) -> None:
    record = await log.room()
    _, listener = await log.open()
    listener.following.stop()
    await log.post(record, "hi")
    assert listener.wakes == 0
    assert listener.following.take() == []


async def test_rule_3_a_callback_that_raises_hurts_nobody(log: Keeping) -> None:
    record = await log.room()

    def broken(*_: object) -> None:
        raise RuntimeError("a fault of the room")

    await log.desk.open(STAGE, 10, broken)
    _, listener = await log.open()
    log.gather()
    draft, _ = log.draft(record, message("hi"))
    log.desk.append(type(draft)(draft.room, draft.epoch, draft.author, draft.cid, draft.body, broken))
    await log.post(record, "ho")
    assert [entry.seq for entry in await listener.hear(2)] == [1, 2]
    assert log.desk.counters.callback_errors == 2
    assert "a fault of the room" in log.desk.counters.last_callback_error


# Rule 4: rules outlive words


async def test_rule_4_rules_are_never_trimmed(setup: Setup) -> None:
    async with keeping(setup) as log:
        record = await log.room()
        await log.post(record, PolicyChanged(Policy(frozen=True, reason="first")))
        await log.post(record, "old words")
        await log.post(record, PolicyChanged(Policy(frozen=False, reason="second")))
        await log.post(record, "more old words")
        log.clock.pass_by(31 * DAY)
        await log.post(record, "new words")
        await log.journal.keep_house()
        opening, _ = await log.open()
        assert (opening.record.oldest, opening.record.head) == (5, 5)
        assert [entry.body.policy for entry in opening.rules] == [
            Policy(rev=1, frozen=True, reason="first"),
            Policy(rev=3, frozen=False, reason="second"),
        ]
        assert [entry.body for entry in opening.tail] == [message("new words")]
        page = await log.desk.read(STAGE, after=0, before=None, limit=10, max_bytes=10_000)
        assert (page.oldest, [entry.seq for entry in page.entries]) == (5, [5])


async def test_rule_4_a_room_whose_words_are_all_trimmed_goes_on_counting(setup: Setup) -> None:
    async with keeping(setup) as log:
        record = await log.room()
        await log.post(record, "old")
        await log.post(record, "words")
        log.clock.pass_by(31 * DAY)
        await log.journal.keep_house()
        opening, _ = await log.open()
        assert (opening.record.oldest, opening.record.head, opening.tail) == (3, 2, ())
        assert (await log.post(record, "new")).seq == 3
        assert (await log.open())[0].tail[0].seq == 3


# Rule 5: erasure and edits


async def test_rule_5_a_deleted_message_and_its_edits_read_as_tombstones(log: Keeping) -> None:
    record = await log.room()
    await log.post(record, "kept")
    await log.post(record, "secret")
    await log.edit(record, 2, "secret too")
    await log.post(record, "kept as well")
    assert await log.delete(record, 2) == Stored(record.epoch, 5, log.clock.wall)
    bodies = [entry.body for entry in await log.history()]
    assert bodies == [message("kept"), Tombstone(), Tombstone(2), message("kept as well"), Deleted(2)]


async def test_rule_5_no_byte_of_a_deleted_message_is_left(log: Keeping, tmp_path: Path) -> None:
    record = await log.room()
    await log.post(record, "the-first-secret")
    await log.edit(record, 1, "the-second-secret")
    await log.post(record, "nothing-to-hide")
    await log.delete(record, 1)
    await log.journal.keep_house()
    assert words_on_disk(tmp_path, ["the-first-secret", "the-second-secret"]) == {}


async def test_rule_5_the_cid_of_an_erased_message_is_still_known(log: Keeping) -> None:
    record = await log.room()
    first = await log.post(record, "secret", cid="c")
    await log.delete(record, 1)
    assert await log.append(record, "secret", cid="c") == Stored(record.epoch, 1, first.ts, dup=True)


async def test_rule_5_an_edited_message_has_its_newest_text(log: Keeping) -> None:
    record = await log.room()
    await log.post(record, "one", cid="c")
    await log.edit(record, 1, "two")
    await log.edit(record, 1, "three")
    served = (await log.history())[0].body
    assert served == Message(message("").nickname, "three", None, edited=3)
    assert (await log.open())[0].tail[0].body == served
    assert (await log.post(record, "one", cid="c")).dup  # the retry still compares with what was sent


# Rule 6: whose message, which message


async def test_rule_6_only_the_author_edits_and_deletes(log: Keeping) -> None:
    record = await log.room()
    await log.post(record, "mine")
    for outcome in (await log.edit(record, 1, "yours", author=BO), await log.delete(record, 1, author=BO)):
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.FORBIDDEN
    assert isinstance(await log.edit(record, 1, "moderated", author=BO, any_author=True), Stored)
    assert isinstance(await log.delete(record, 1, author=BO, any_author=True), Stored)


@pytest.mark.parametrize("target", [0, 2, 3, 4, 5, 99], ids=["none", "edit", "policy", "deleted", "delete", "future"])
async def test_rule_6_what_is_no_message_cannot_be_edited_or_deleted(log: Keeping, target: int) -> None:
    record = await log.room()
    await log.post(record, "1")
    await log.edit(record, 1, "2")
    await log.post(record, PolicyChanged(Policy()))
    await log.post(record, "4")
    await log.delete(record, 4)
    for outcome in (await log.edit(record, target, "x"), await log.delete(record, target)):
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.BAD_ANCHOR


async def test_rule_6_holds_within_one_batch(log: Keeping) -> None:
    record = await log.room()
    bodies = [message("1"), Edited(1, "2"), Deleted(1), Edited(1, "4"), Deleted(1)]
    drafts = [log.draft(record, body) for body in bodies]
    for draft, _ in drafts:
        log.desk.append(draft)
    outcomes = [await verdict.wait() for _, verdict in drafts]
    assert [type(outcome) for outcome in outcomes] == [Stored, Stored, Stored, Refused, Refused]
    assert [entry.body for entry in await log.history()] == [Tombstone(), Tombstone(1), Deleted(1)]


async def test_rule_6_a_trimmed_message_is_no_message(setup: Setup) -> None:
    async with keeping(setup) as log:
        record = await log.room()
        await log.post(record, "old")
        log.clock.pass_by(31 * DAY)
        await log.post(record, "new")
        await log.journal.keep_house()
        outcome = await log.delete(record, 1)
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.BAD_ANCHOR


# Rule 7: epochs


async def test_rule_7_epochs_sort_by_creation(log: Keeping) -> None:
    names = [(await log.room()).epoch]
    for _ in range(5):
        names.append((await log.renew()).epoch)
    log.clock.wall -= DAY  # the clock was set back
    names.append((await log.renew()).epoch)
    names.append((await log.room("side-stage")).epoch)
    assert names == sorted(set(names))


async def test_rule_7_a_following_ends_with_its_epoch(log: Keeping) -> None:
    record = await log.room()
    _, old = await log.open()
    renewed = await log.renew()
    await log.post(renewed, "hi")
    assert old.following.take() == []
    opening, _ = await log.open()
    assert [(entry.epoch, entry.seq) for entry in opening.tail] == [(renewed.epoch, 1)]
    assert record.epoch < renewed.epoch


async def test_rule_7_a_room_made_anew_has_a_new_epoch(log: Keeping) -> None:
    record = await log.room()
    assert await log.desk.forget(STAGE)
    anew = await log.room()
    assert anew.epoch > record.epoch
    assert await log.append(record, "hi") == EpochChanged(anew.epoch)


async def test_rule_7_memory_begins_anew_at_every_start(tmp_path: Path) -> None:
    setup = setup_for(Durability.MEMORY, tmp_path)
    names = []
    for _ in range(3):
        async with keeping(setup) as log:
            names.append((await log.room()).epoch)
    assert len(set(names)) == 3


# Rule 8: bounded at the source


async def test_rule_8_more_than_the_bound_in_flight_is_refused_busy(setup: Setup) -> None:
    async with keeping(setup, max_in_flight=3) as log:
        record = await log.room()
        verdicts: list[Verdict] = []
        for number in range(5):
            draft, verdict = log.draft(record, message(str(number)))
            log.desk.append(draft)
            verdicts.append(verdict)
        assert all(verdict.outcomes == [] for verdict in verdicts)
        outcomes = [await verdict.wait() for verdict in verdicts]
        assert [type(outcome) for outcome in outcomes] == [Stored] * 3 + [Refused] * 2
        assert {outcome.reason for outcome in outcomes[3:]} == {Reason.BUSY}
        assert isinstance(await log.append(record, "again"), Stored)
        assert log.desk.counters.in_flight == 0
