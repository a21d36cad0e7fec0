"""A journal to test with: a clock in hand, the actor under its supervisor, a room to write to."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from os.path import commonprefix
from pathlib import Path

import trio
from attrs import define, evolve

from actors.clock import Now
from actors.events import Body, Deleted, Edited, Entry, Message
from actors.journal.actor import Journal
from actors.journal.desk import Desk
from actors.journal.log import Alarm, Draft, Durability, Following, Opening, Outcome, RoomRecord, Stored
from actors.journal.store import Setup, Store
from actors.kernel import Child, ChildRestarted, Inbox, Supervisor
from actors.names import Cid, MemberId, Nickname, RoomCode, RoomName
from actors.refusals import Refused

ANA, BO = MemberId("m_ana"), MemberId("m_bo")
STAGE = RoomName("main-stage")
NOON = 1_790_000_000.0
DAY = 86_400.0

GUARD_S = 60.0
"""Of real time, against hanging only: a disk that is shared may keep a sync waiting for many seconds."""

_numbers = count(1)


@define
class HandClock:
    wall: float = NOON
    mono: float = 0.0

    def now(self) -> Now:
        return Now(self.wall, self.mono)

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds


def message(text: str, reply_to: int | None = None, nickname: str = "Ana") -> Message:
    return Message(Nickname(nickname), text, reply_to)


def setup_for(durability: Durability, folder: Path, **changes: object) -> Setup:
    path = None if durability is Durability.MEMORY else folder / "journal.db"
    plain = Setup(path, durability, keep_s=30 * DAY, min_free_bytes=0, free=lambda path: 1 << 40, boot=lambda: "boot-1")
    return evolve(plain, **changes)


class JournalByHand(Journal):
    """Nothing goes on in it by itself: a second has passed when a test calls `keep_house`, and the log is verified when
    it calls `Keeping.verify`. By the clock of a slow machine either would come between any two lines of a test, and be
    a reader in the way that puts an erasure off by a second."""

    async def _keep_house(self) -> None: ...

    async def _verify(self) -> None: ...


@define
class Keeping:
    """One running journal."""

    desk: Desk
    journal: Journal
    clock: HandClock
    alarms: list[Alarm]

    async def room(self, name: str = STAGE) -> RoomRecord:
        return await self.desk.create(RoomName(name), RoomCode(f"blue-{name.replace('-', '')}-42"), name.title())

    def gather(self) -> None:
        """Gives the writer something to do, so that what is appended next in this turn goes into one commit."""
        self.desk.seen(ANA, Nickname("Ana"))
        self.desk.housekeep()

    def draft(
        self,
        record: RoomRecord,
        body: Body,
        author: MemberId = ANA,
        cid: str | None = None,
        refusal: Refused | None = None,
        any_author: bool = False,
    ) -> tuple[Draft, "Verdict"]:
        if cid is None:
            cid = f"cid-{next(_numbers)}"
        verdict = Verdict()
        return Draft(record.name, record.epoch, author, Cid(cid), body, verdict, refusal, any_author), verdict

    async def append(self, record: RoomRecord, body: Body | str, **how: object) -> Outcome:
        draft, verdict = self.draft(record, message(body) if isinstance(body, str) else body, **how)
        self.desk.append(draft)
        return await verdict.wait()

    async def post(self, record: RoomRecord, body: Body | str, **how: object) -> Stored:
        outcome = await self.append(record, body, **how)
        assert isinstance(outcome, Stored), outcome
        return outcome

    async def edit(self, record: RoomRecord, target: int, text: str, **how: object) -> Outcome:
        return await self.append(record, Edited(target, text), **how)

    async def delete(self, record: RoomRecord, target: int, **how: object) -> Outcome:
        return await self.append(record, Deleted(target), **how)

    async def open(self, name: RoomName = STAGE, tail: int = 100) -> tuple[Opening, "Listener"]:
        listener = Listener()
        opening, listener.following = await self.desk.open(name, tail, listener.wake)
        return opening, listener

    async def verify(self) -> None:
        """What the journal does in the background, once a life."""
        with trio.fail_after(GUARD_S):
            await Journal._verify(self.journal)

    async def renew(self, name: RoomName = STAGE) -> RoomRecord:
        now = self.clock.now()
        return await self.desk.do(lambda store: renew(store, name, now))

    async def history(self, name: RoomName = STAGE) -> tuple[Entry, ...]:
        return (await self.desk.read(name, after=0, before=None, limit=10_000, max_bytes=1 << 30)).entries


def renew(store: Store, name: RoomName, now: Now) -> RoomRecord:
    """The same entries under a new epoch, as when a room's end was lost."""
    with store._change_of_rooms() as db:
        return store._register.rename_epoch(db, store.rooms[name], now.wall).record


class Verdict:
    """A draft's answer: exactly one."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self._event = trio.Event()

    def __call__(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._event.set()

    async def wait(self) -> Outcome:
        with trio.fail_after(GUARD_S):
            await self._event.wait()
        assert len(self.outcomes) == 1
        return self.outcomes[0]


class Listener:
    """A room that follows."""

    following: Following

    def __init__(self) -> None:
        self.wakes = 0
        self._woken = trio.Event()

    def wake(self) -> None:
        self.wakes += 1
        self._woken.set()

    async def woken(self) -> None:
        """Once at least."""
        await self._woken.wait()

    async def hear(self, number: int) -> list[Entry]:
        """At least so many entries, waiting for wake-ups in between."""
        heard: list[Entry] = []
        with trio.fail_after(GUARD_S):
            while True:
                self._woken = trio.Event()
                heard += self.following.take()
                if len(heard) >= number:
                    return heard
                await self._woken.wait()


@asynccontextmanager
async def keeping(
    setup: Setup, clock: HandClock | None = None, *, make: type[Journal] = JournalByHand, **desk_settings: int
) -> AsyncIterator[Keeping]:
    """A journal from start to its orderly end. What it raises when it starts comes out here. `make=Journal`: one that
    keeps house and verifies by itself."""
    clock = clock or HandClock()
    alarms: list[Alarm] = []
    desk = Desk(clock, alarms.append, **desk_settings)
    journal = make(desk, setup, lambda: GUARD_S)
    control, control_out = trio.open_memory_channel[object](1)
    data, data_out = trio.open_memory_channel[object](1)
    await journal.started()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.run, Inbox(control_out, data_out))
        try:
            yield Keeping(desk, journal, clock, alarms)
        finally:
            data.close()
            control.close()
    journal.stopped(None)


@asynccontextmanager
async def supervised(setup: Setup) -> AsyncIterator[tuple[Desk, Supervisor, trio.Event]]:
    """The event: the journal was restarted."""
    desk = Desk(HandClock())
    restarted = trio.Event()
    supervisor = Supervisor(events=lambda event: restarted.set() if isinstance(event, ChildRestarted) else None)
    supervisor.start(Child("journal", lambda: Journal(desk, setup, lambda: GUARD_S)))
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        yield desk, supervisor, restarted
        await supervisor.shutdown()


def words_on_disk(folder: Path, words: Sequence[str]) -> dict[str, list[str]]:
    """Which of the words stand in which file."""
    contents = {path.name: those_in(path.read_bytes(), words) for path in sorted(folder.iterdir())}
    return {word: files for word in words if (files := [name for name, has in contents.items() if word in has])}


def those_in(content: bytes, words: Sequence[str]) -> set[str]:
    """As `word in content` for each of them, yet in one pass when they begin alike."""
    start = commonprefix(words).encode()  # noqa: RUF071  (of characters is what is meant)
    if not start:
        return {word for word in words if word.encode() in content}
    lengths = {len(word.encode()) for word in words}
    seen, at = set(), content.find(start)
    while at >= 0:
        seen.update(content[at : at + length] for length in lengths)
        at = content.find(start, at + 1)
    return {word for word in words if word.encode() in seen}
