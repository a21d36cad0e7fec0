"""Pages, openings, reactions, the roster, and the rooms themselves."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from actors.events import Policy, PolicyChanged
from actors.journal.log import Durability
from actors.names import MemberId, Nickname, RoomCode, RoomName
from tests.journal.keeping import ANA, BO, DAY, STAGE, Keeping, keeping, setup_for


@pytest.fixture(params=[Durability.PROCESS, Durability.MEMORY])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Keeping]:
    async with keeping(setup_for(request.param, tmp_path)) as log:
        yield log


@pytest.mark.parametrize(
    ("after", "before", "limit", "seqs", "more"),
    [
        (0, None, 3, [1, 2, 3], True),
        (3, None, 100, [4, 5, 6, 7, 8, 9, 10], False),
        (10, None, 5, [], False),
        (99, None, 5, [], False),
        (None, None, 3, [8, 9, 10], True),
        (None, 4, 100, [1, 2, 3], False),
        (None, 4, 2, [2, 3], True),
        (None, 1, 5, [], False),
        (None, 99, 2, [9, 10], True),
        (None, 4, 0, [3], True),
    ],
)
async def test_pages_in_both_directions(
    log: Keeping, after: int | None, before: int | None, limit: int, seqs: list[int], more: bool
) -> None:
    record = await log.room()
    for number in range(10):
        await log.post(record, str(number))
    page = await log.desk.read(STAGE, after=after, before=before, limit=limit, max_bytes=100_000)
    assert ([entry.seq for entry in page.entries], page.more) == (seqs, more)
    assert (page.epoch, page.oldest, page.head) == (record.epoch, 1, 10)


async def test_a_page_ends_at_its_bytes_but_holds_at_least_one(log: Keeping) -> None:
    record = await log.room()
    for _ in range(5):
        await log.post(record, "x" * 1_000)
    forth = await log.desk.read(STAGE, after=0, before=None, limit=100, max_bytes=2_800)
    back = await log.desk.read(STAGE, after=None, before=None, limit=100, max_bytes=2_800)
    tiny = await log.desk.read(STAGE, after=2, before=None, limit=100, max_bytes=1)
    assert [[entry.seq for entry in page.entries] for page in (forth, back, tiny)] == [[1, 2], [4, 5], [3]]
    assert forth.more
    assert back.more


async def test_a_page_after_what_was_trimmed_begins_at_the_oldest(log: Keeping) -> None:
    record = await log.room()
    for number in range(4):
        await log.post(record, str(number))
        log.clock.pass_by(10 * DAY)
    await log.journal.keep_house()
    page = await log.desk.read(STAGE, after=0, before=None, limit=10, max_bytes=10_000)
    assert (page.oldest, [entry.seq for entry in page.entries]) == (2, [2, 3, 4])
    back = await log.desk.read(STAGE, after=None, before=3, limit=10, max_bytes=10_000)
    assert ([entry.seq for entry in back.entries], back.more) == ([2], False)


async def test_rooms_that_do_not_exist_are_key_errors(log: Keeping) -> None:
    with pytest.raises(KeyError):
        await log.desk.read(STAGE, after=0, before=None, limit=1, max_bytes=1)
    with pytest.raises(KeyError):
        await log.desk.open(STAGE, 10, lambda: None)
    with pytest.raises(KeyError):
        await log.desk.renew(STAGE)
    assert not await log.desk.forget(STAGE)
    assert log.desk._followings == {}


async def test_rooms_are_made_once_and_codes_are_theirs(log: Keeping) -> None:
    code = RoomCode("blue-stage-42")
    record = await log.desk.create(STAGE, code, "Main")
    assert await log.desk.create(STAGE, RoomCode("red-stage-17"), "Other") == record
    with pytest.raises(KeyError):
        await log.desk.create(RoomName("other"), code, "Other")
    assert await log.desk.rooms() == [record]
    assert await log.desk.forget(STAGE)
    assert (await log.desk.create(RoomName("other"), code, "Other")).code == code


async def test_an_opening_has_all_rules_and_the_tail(log: Keeping) -> None:
    record = await log.room()
    for number in range(10):
        await log.post(record, PolicyChanged(Policy(slow_s=number)) if number in (1, 8) else str(number))
    opening, _ = await log.open(tail=4)
    assert [entry.seq for entry in opening.rules] == [2, 9]
    assert [entry.seq for entry in opening.tail] == [7, 8, 9, 10]
    assert opening.record.head == 10
    assert (await log.open(tail=0))[0].tail == ()


async def test_reactions_are_counted_by_member(log: Keeping) -> None:
    record = await log.room()
    await log.post(record, "hi")
    assert await log.desk.react(STAGE, 1, ANA, "+1", True) == {"+1": 1}
    assert await log.desk.react(STAGE, 1, ANA, "+1", True) == {"+1": 1}
    assert await log.desk.react(STAGE, 1, BO, "+1", True) == {"+1": 2}
    assert await log.desk.react(STAGE, 1, BO, "!", True) == {"+1": 2, "!": 1}
    assert await log.desk.react(STAGE, 1, ANA, "+1", False) == {"+1": 1, "!": 1}
    assert (await log.open())[0].reactions == {1: {"+1": 1, "!": 1}}
    page = await log.desk.read(STAGE, after=0, before=None, limit=1, max_bytes=1)
    assert page.reactions == {1: {"+1": 1, "!": 1}}
    await log.delete(record, 1)
    assert (await log.open())[0].reactions == {}
    for seq in (1, 2, 3):
        with pytest.raises(KeyError):
            await log.desk.react(STAGE, seq, ANA, "+1", True)


async def test_a_message_takes_twenty_different_reactions(log: Keeping) -> None:
    record = await log.room()
    await log.post(record, "hi")
    for number in range(21):
        counts = await log.desk.react(STAGE, 1, ANA, f"e{number}", True)
    assert len(counts) == 20
    assert await log.desk.react(STAGE, 1, BO, "e3", True) == {**counts, "e3": 2}


async def test_the_roster_remembers_first_and_last(log: Keeping) -> None:
    assert await log.desk.roster(ANA) is None
    start = log.clock.wall
    log.desk.seen(ANA, Nickname("Ana"))
    row = await log.desk.roster(ANA)
    assert row is not None
    assert (row.nickname, row.first_seen, row.last_seen) == ("Ana", start, start)
    await log.journal.keep_house()
    log.clock.pass_by(5)
    log.desk.seen(ANA, Nickname("Ana B."))
    await log.post(await log.room(), "takes the roster along")
    row = await log.desk.roster(ANA)
    assert row is not None
    assert (row.nickname, row.first_seen, row.last_seen) == ("Ana B.", start, start + 5)
    assert await log.desk.roster(MemberId("m_nobody")) is None


async def test_the_roster_makes_no_commits_of_its_own_but_one_a_second(log: Keeping) -> None:
    record = await log.room()
    log.desk.seen(ANA, Nickname("Ana"))
    await log.post(record, "takes Ana along")
    log.desk.seen(BO, Nickname("Bo"))
    await log.desk.do(lambda store: None)
    assert log.desk.counters.commits == 1
    await log.journal.keep_house()
    assert log.desk.counters.commits == 2


async def test_the_log_in_memory_takes_no_real_time(autojump_clock: trio.testing.MockClock, tmp_path: Path) -> None:
    """So that everything above it can be tested in virtual time."""
    async with keeping(setup_for(Durability.MEMORY, tmp_path)) as log:
        record = await log.room()
        before = trio.current_time()
        for number in range(50):
            await log.post(record, str(number))
        await log.history()
        assert trio.current_time() == before
