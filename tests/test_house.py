"""The storeys: what starts on what, what stops before what, and how long each may take."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from attrs import define, field
from trio.testing import MockClock

from actors.house import Deadlines, House
from actors.journal.actor import Journal
from actors.journal.desk import Desk
from actors.journal.log import Durability, JournalUnusable, LogFailed, Page, RoomRecord, Stored
from actors.journal.store import Setup
from actors.kernel import Actor, Child, ChildStopped, Inbox, Restart, SupervisionEvent
from actors.people.visits import Seated
from actors.room.directory import Listed, Listing, RoomRules
from tests.room.fakes import LineVoice, MemoryLog
from tests.room.hall import MAIN, Hall, LoopClock, open_hall

ORDER = ["directory", "room:main", "alerts", "people", "journal", "stats"]


class Nothing(Actor[object]):
    def handle(self, message: object) -> None:
        """Nobody writes."""


class Stubborn(Actor[object]):
    """Does not let itself be stopped, but by force."""

    async def run(self, inbox: Inbox[object]) -> None:
        await trio.sleep_forever()


@define
class Diary:
    events: list[SupervisionEvent] = field(factory=list)
    ended: dict[str, float] = field(factory=dict)

    def __call__(self, event: SupervisionEvent) -> None:
        self.events.append(event)
        if isinstance(event, ChildStopped):
            self.ended[event.name] = trio.current_time()


async def stand(
    house: House, diary: Diary, log: MemoryLog, then: Callable[[House], object] = lambda house: None
) -> float:
    """Open the house with one room in it, do something, close it. Returns how long the closing took."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        async with house.open():
            await house.directory.ask(Listing)
            await trio.sleep(1)
            then(house)
            began = trio.current_time()
        nursery.cancel_scope.cancel()
        return trio.current_time() - began


def house_of(diary: Diary, journal: Actor[object] | None = None, **how: object) -> tuple[House, MemoryLog]:
    log = MemoryLog()
    child = Child[object]("journal", lambda: journal or Nothing())
    rules = RoomRules(listed={MAIN: Listed("Main")})
    house = House(log, child, LineVoice(), rules, clock=LoopClock(), events=diary, **how)  # type: ignore[arg-type]
    return house, log


async def test_storeys_are_left_from_the_top_down(autojump_clock: MockClock) -> None:
    diary = Diary()
    house, log = house_of(diary)
    assert await stand(house, diary, log) < 0.1
    assert list(diary.ended) == ORDER


async def test_opening_yields_the_rooms_that_the_log_knows(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    log.fill(MAIN, 7)
    house = House(log, None, LineVoice(), clock=LoopClock())
    async with house.open() as rooms:
        assert [(record.name, record.head) for record in rooms] == [(MAIN, 7)]
        assert isinstance(rooms[0], RoomRecord)
        assert house.refs == {}


async def test_each_storey_has_its_own_deadline_and_the_ones_below_still_get_theirs(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    diary = Diary()
    house, log = house_of(diary, Stubborn(), deadlines=Deadlines(journal_s=8, people_s=1, rooms_s=6, directory_s=1))
    for storey in ("actors.house.Directory", "actors.house.People", "actors.room.directory.Room"):
        monkeypatch.setattr(f"{storey}.run", Stubborn.run)
    monkeypatch.setattr("actors.house.Directory.started", Nothing.started)

    def furnish(house: House) -> None:
        house.rooms.start(Child("room:main", Stubborn))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        async with house.open():
            await trio.sleep(1)
            furnish(house)
            await trio.sleep(1)
            began = trio.current_time()
        nursery.cancel_scope.cancel()
    assert {name: round(at - began) for name, at in diary.ended.items()} == {
        "directory": 1,
        "room:main": 7,
        "alerts": 7,
        "people": 8,
        "journal": 16,
        "stats": 16,
    }
    assert trio.current_time() - began < 20


async def test_a_house_that_is_cancelled_is_left_in_order_too(autojump_clock: MockClock) -> None:
    diary = Diary()
    house, log = house_of(diary)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        with trio.move_on_after(5):
            async with house.open():
                await trio.sleep_forever()
        nursery.cancel_scope.cancel()
    assert list(diary.ended) == ORDER


async def test_what_was_said_before_the_stop_is_committed_and_answered(autojump_clock: MockClock) -> None:
    """The rooms finish what waits in their mailboxes; the log below them is still there to take it."""
    async with open_hall() as hall:
        phones = await hall.crowd(10)
        answers = [phone.post(str(n)) for n, phone in enumerate(phones)]
        log = hall.log
    assert log.calls["append"] == 10
    assert not any(answer.given and not isinstance(answer.values[0], Stored) for answer in answers)


async def test_restarts_of_rooms_are_counted(autojump_clock: MockClock) -> None:
    async with open_hall() as hall:
        ana = await hall.guest()
        hall.faults.arm("handle Post")
        await ana.post().wait()
        await hall.quiet()
        assert hall.house.room_restarts == 1
        assert "ChildCrashed" in {type(event).__name__ for event in hall.events}


async def test_people_can_say_who_sits_where_before_any_room_starts(autojump_clock: MockClock) -> None:
    async with open_hall(rules=RoomRules(listed={MAIN: Listed()})) as hall:
        await hall.house.directory.ask(Listing)
        assert (await hall.census()).seats == 0
        assert hall.house.visits.seated(MAIN) == Seated((), ())


# A journal that cannot


async def opened(house: House) -> None:
    with trio.fail_after(20):
        async with house.open():
            pytest.fail("it opened")


def causes(raised: BaseException) -> list[BaseException]:
    if isinstance(raised, BaseExceptionGroup):
        return [cause for part in raised.exceptions for cause in causes(part)]
    return [raised]


async def test_a_journal_that_cannot_be_used_is_what_opening_raises(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"this is no database" * 100)
    desk = Desk(LoopClock())
    setup = Setup(path, Durability.POWER, keep_s=86_400.0, min_free_bytes=0)
    journal = Child("journal", lambda: Journal(desk, setup), restart=Restart.NEVER)
    house = House(desk, journal, LineVoice(), clock=LoopClock())
    with pytest.raises(BaseExceptionGroup) as raised:
        await opened(house)
    assert [type(cause) for cause in causes(raised.value)] == [JournalUnusable]
    assert str(path) in str(causes(raised.value)[0])
    assert path.read_bytes().startswith(b"this is no database"), "never answered by starting an empty one"


async def test_a_log_that_cannot_be_read_is_what_opening_raises(autojump_clock: MockClock) -> None:
    log = MemoryLog()
    log.fails = {"rooms"}
    diary = Diary()
    house = House(log, Child("journal", Nothing), LineVoice(), clock=LoopClock(), events=diary)
    with pytest.raises(BaseExceptionGroup) as raised:
        await opened(house)
    assert [type(cause) for cause in causes(raised.value)] == [LogFailed]
    assert "journal" in diary.ended, "what had started was stopped"


async def test_the_real_journal_under_the_house(tmp_path: Path) -> None:
    """One room over SQLite, twice: what was said the first time is there the second."""
    for round in (1, 2):
        desk = Desk(LoopClock())
        setup = Setup(tmp_path / "journal.db", Durability.POWER, keep_s=86_400.0 * 30, min_free_bytes=0)
        journal = Child("journal", lambda desk=desk, setup=setup: Journal(desk, setup))
        diary = Diary()
        rules = RoomRules(listed={MAIN: Listed("Main")})
        house = House(desk, journal, LineVoice(), rules, clock=LoopClock(), events=diary)
        async with trio.open_nursery() as nursery:
            with trio.fail_after(30):
                async with house.open():
                    await house.directory.ask(Listing)
                    hall = Hall(desk, LineVoice(), house, None, nursery, [])  # type: ignore[arg-type]
                    ana = hall.phone()
                    ana.outlet_faults = False
                    joined = await ana.join().wait(20)
                    assert joined.head == round - 1
                    stored = await ana.post(f"round {round}", cid=f"c{round}").wait(20)
                    assert (stored.seq, stored.dup) == (round, False)
                    page = await ana.history(limit=10).wait(20)
                    assert isinstance(page, Page), page
            nursery.cancel_scope.cancel()
        assert list(diary.ended) == ORDER
