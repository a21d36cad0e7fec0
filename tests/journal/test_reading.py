"""Pages, openings, reactions, the roster, and the rooms themselves."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from actors.events import Policy, PolicyChanged
from actors.journal.log import Durability, RoomRecord
from actors.names import Epoch, MemberId, Nickname, RoomCode, RoomName
from tests.journal.keeping import ANA, BO, DAY, STAGE, Keeping, keeping, setup_for, words_on_disk


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
        await log.desk.update(RoomRecord(STAGE, RoomCode("blue-stage-42"), "", Epoch("1"), 0, 1, 0.0))
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


async def test_the_roster_forgets_who_has_not_been_here_for_long(tmp_path: Path) -> None:
    """It only ever grew: a row for each anonymous visitor, for ever."""
    setup = setup_for(Durability.POWER, tmp_path, keep_s=DAY)  # the roster goes with the cids, after seven
    cy, di = MemberId("m_cy"), MemberId("m_di")
    async with keeping(setup) as log:
        for member in (ANA, BO, cy):
            log.desk.seen(member, Nickname(f"name-of-{member}"))
        await log.journal.keep_house()
        log.clock.pass_by(6 * DAY)
        log.desk.seen(BO, Nickname("name-of-m_bo"))
        log.desk.seen(di, Nickname("name-of-m_di"))
        log.clock.pass_by(2 * DAY)
        await log.journal.keep_house()
        assert await log.desk.roster(ANA) is not None  # as long as nobody has said who must stay
        log.desk.spares = lambda: {cy}
        log.clock.pass_by(61)
        await log.journal.keep_house()
        await log.journal.keep_house()
        known = [member for member in (ANA, BO, cy, di) if await log.desk.roster(member) is not None]
        assert known == [BO, cy, di]
        assert words_on_disk(tmp_path, ["name-of-m_ana"]) == {}


async def test_an_erased_member_leaves_no_nickname(tmp_path: Path) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        log.desk.seen(ANA, Nickname("the-nickname"))
        await log.desk.do(lambda store: None)
        await log.journal.keep_house()
        log.desk.seen(ANA, Nickname("the-nickname"))  # not written yet
        await log.desk.erase_member(ANA)
        await log.journal.keep_house()
        row = await log.desk.roster(ANA)
        assert row is not None
        assert row.nickname == ""
        assert await log.desk.find_members("the-nick", 10) == ()
        assert words_on_disk(tmp_path, ["the-nickname"]) == {}
        await log.desk.erase_member(BO)
        assert await log.desk.roster(BO) is None


async def test_whoever_follows_hears_how_far_retention_has_come(tmp_path: Path) -> None:
    """Rooms keep framed copies of what they have read; they were never told that its time was over."""
    async with keeping(setup_for(Durability.MEMORY, tmp_path, keep_s=3_600)) as log:
        record = await log.room()
        for number in range(3):
            await log.post(record, str(number))
        opening, listener = await log.open()
        assert listener.following.oldest == opening.record.oldest == 1
        log.clock.pass_by(1_800)
        await log.post(record, "3")
        await listener.hear(1)
        log.clock.pass_by(1_900)
        wakes = listener.wakes
        await log.journal.keep_house()
        assert (listener.following.oldest, listener.wakes, listener.following.take()) == (4, wakes + 1, [])
        log.clock.pass_by(61)
        await log.journal.keep_house()
        assert listener.wakes == wakes + 1
        assert (await log.open())[1].following.oldest == 4
