"""The journal's side of the loop: takes drafts, hands them to the writer batch by batch, answers, and tells the rooms.

While one batch is being committed the next one gathers, so the cost of a draft falls as the load rises. The desk
outlives the journal actor's instances: what rooms hold is good for ever."""

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import islice
from sqlite3 import Connection
from typing import TypeVar

import trio
from attrs import define, frozen

from actors.clock import Clock
from actors.events import Entry
from actors.journal import pages
from actors.journal.counters import MAX_BATCH, Counters
from actors.journal.following import PENDING_LIMIT, RoomFollowing
from actors.journal.keeper import Keeper
from actors.journal.log import Alarm, Draft, LogFailed, Opening, Outcome, Page, RoomRecord, RosterRow
from actors.journal.readers import Readers
from actors.journal.store import Store
from actors.journal.work import Committed, Reaction, Seen, Work
from actors.journal.writer import Writer, attempt
from actors.kernel import Asks
from actors.names import Epoch, MemberId, Nickname, RoomCode, RoomName
from actors.refusals import Reason, Refused

T = TypeVar("T")

REPAIR_ENTRIES = 1_000
_BUSY = Refused(Reason.BUSY, "the server has more to store than it can; try again", 1_000)
_DOWN = Refused(Reason.UNAVAILABLE, "the server cannot store this now", 2_000)
_CLOSING = Refused(Reason.DRAINING, "the server is stopping", 5_000)


@frozen
class Line:
    """What the running journal gives the desk. `readers` is None for a database in memory: the writer reads."""

    writer: Writer
    keeper: Keeper
    readers: Readers | None


@define(eq=False)
class Batch:
    drafts: Sequence[Draft]
    reactions: Sequence[tuple[Reaction, Asks[dict[str, int]]]]
    seen: dict[MemberId, Seen]
    """Without those that were erased meanwhile, unlike the writer's own."""
    commit_s: float = 0.0


class Desk:
    """The RoomLog of this process (journal/log.py)."""

    def __init__(
        self,
        clock: Clock,
        alarm: Callable[[Alarm], None] = lambda alarm: None,
        max_in_flight: int = 16_384,
        pending_limit: int = PENDING_LIMIT,
    ) -> None:
        self.clock = clock
        self.counters = Counters()
        self.spares: Callable[[], Collection[MemberId]] | None = None
        """Whom the roster does not forget, however long ago they were here. None: nobody is forgotten."""
        self.faulted = trio.Event()
        self.fault: Exception | None = None
        """A fault of the desk's own: the journal ends with it, and begins anew."""
        self._alarm = alarm
        self._max_in_flight = max_in_flight
        self._pending_limit = pending_limit
        self._line: Line | None = None
        self._attached = trio.Event()
        self._down: Refused | None = None
        self._gathering: deque[Draft] = deque()
        self._reactions: list[tuple[Reaction, Asks[dict[str, int]]]] = []
        self._seen: dict[MemberId, Seen] = {}
        self._batch: Batch | None = None
        """With the writer."""
        self._answering: Batch | None = None
        """Back from the writer."""
        self._scheduled = False
        self._idle = trio.Event()
        self._followings: dict[RoomName, list[RoomFollowing]] = {}

    # for the journal actor

    def attach(self, line: Line) -> None:
        self._line, self._down = line, None
        self.faulted, self.fault = trio.Event(), None
        self._attached.set()
        for following in self._all_followings():
            following.lag()
        self._soon()

    async def drain(self, stopping: bool) -> None:
        """Take nothing new, and wait until all that was taken is answered. `stopping`: for good."""
        self._down = _CLOSING if stopping else _DOWN
        while self._line is not None and (self._batch or self._has_work() or self._seen):
            self._idle = trio.Event()
            self._hand_over(roster=True)
            await self._idle.wait()

    def detach(self, stopped: bool) -> None:
        """The journal goes, and its writer is told nothing more. Whatever waits hears so; `stopped`: for good."""
        self._line = None
        self._down = _CLOSING if stopped else _DOWN
        self._attached.set()
        batches = [batch for batch in (self._answering, self._batch) if batch is not None]
        drafts = [*(draft for batch in batches for draft in batch.drafts), *self._gathering]
        reactions = [*(reaction for batch in batches for reaction in batch.reactions), *self._reactions]
        self._answering = self._batch = None
        self._gathering.clear()
        self._reactions.clear()
        self._answer(drafts, [self._down] * len(drafts))
        for _, asks in reactions:
            asks.refuse(LogFailed(self._down.message))
        self._idle.set()

    def housekeep(self) -> None:
        """Once a second: what waits for no draft."""
        self._hand_over(roster=True)
        for following in self._all_followings():
            following.retry()

    def trimmed(self, oldest: Mapping[RoomName, tuple[Epoch, int]]) -> None:
        """How far retention has come; all of it each time, so that one telling that was lost is made up for."""
        for following in self._all_followings():
            where = oldest.get(following.room)
            if where is not None and following.trim(*where):
                self._call(following.wake)

    def raise_alarm(self, alarm: Alarm) -> None:
        self._call(self._alarm, alarm)

    async def do(self, job: Callable[[Store], T]) -> T:
        """In the writer's order, behind what was handed to it before. LogFailed, and what `job` raises."""
        line = await self._running()
        asks: Asks[T] = Asks()
        now = self.clock.now()
        line.writer.submit(lambda: line.keeper.do(job, now), asks.answer, asks.refuse)
        return await asks.wait()

    # what rooms write

    def append(self, draft: Draft) -> None:
        if self._down is not None or self.counters.in_flight >= self._max_in_flight:
            refused = self._down or _BUSY
            trio.lowlevel.current_trio_token().run_sync_soon(self._answer_one, draft, refused)
            return
        self.counters.in_flight += 1
        self._gathering.append(draft)
        if self._batch is None and not self._scheduled:
            # The first of a pass goes at once, and what follows it gathers while it is committed.
            self._guarded(self._hand_over)

    def seen(self, member: MemberId, nickname: Nickname) -> None:
        self._seen[member] = Seen(nickname, self.clock.now().wall)

    async def react(self, room: RoomName, seq: int, member: MemberId, emoji: str, on: bool) -> dict[str, int]:
        await self._running()
        if self._down is not None:
            raise LogFailed(self._down.message)
        asks: Asks[dict[str, int]] = Asks()
        self._reactions.append((Reaction(room, seq, member, emoji, on), asks))
        self._soon()
        return await asks.wait()

    def _soon(self) -> None:
        """At the end of this pass of the loop, for what is not to be done in the midst of somebody's turn."""
        if self._line is not None and self._batch is None and not self._scheduled:
            self._scheduled = True
            trio.lowlevel.current_trio_token().run_sync_soon(self._guarded, self._hand_over)

    def _has_work(self) -> bool:
        return bool(self._gathering or self._reactions)

    def _hand_over(self, roster: bool = False) -> None:
        """What has gathered, to the writer if it is free. `roster`: also when there is nothing but the roster."""
        self._scheduled = False
        if self._line is None or self._batch is not None or not (self._has_work() or (roster and self._seen)):
            return
        gathering = self._gathering
        drafts = [gathering.popleft() for _ in range(min(len(gathering), MAX_BATCH))]
        reactions, self._reactions = self._reactions[:MAX_BATCH], self._reactions[MAX_BATCH:]
        seen = dict(islice(self._seen.items(), MAX_BATCH))
        for member in seen:
            del self._seen[member]
        batch = self._batch = Batch(drafts, reactions, dict(seen))
        work = Work(self.clock.now(), drafts, [reaction for reaction, _ in reactions], seen)
        self._line.writer.submit(
            partial(_commit, self._line.keeper, work, batch),
            partial(self._guarded, self._committed, batch),
            partial(self._guarded, self._broken, batch),
        )

    def _committed(self, batch: Batch, committed: Committed) -> None:
        """Next batch to the writer first, so that it works while we answer; then news, answers, wakes."""
        if self._batch is not batch:
            return  # an earlier life's; its drafts were answered when that ended
        self._answering, self._batch = batch, None
        if committed.ok:
            self._hand_over()
        elif self._down is None:
            again = {member: one for member, one in committed.again.items() if member in batch.seen}
            self._seen = {**again, **self._seen}
        self._count(batch, committed)
        woken = self._spread(committed.news)
        self._answering = None
        self._answer(batch.drafts, committed.outcomes)
        for (_, asks), counts in zip(batch.reactions, committed.reactions, strict=True):
            asks.refuse(counts) if isinstance(counts, Exception) else asks.answer(counts)
        for following in woken:
            self._call(following.wake)
        if committed.resync:
            for following in self._all_followings():
                following.lag()
        if self._batch is None:
            self._idle.set()
            if self._has_work():
                self._soon()

    def _broken(self, batch: Batch, error: Exception) -> None:
        raise error

    def _count(self, batch: Batch, committed: Committed) -> None:
        counters = self.counters
        counters.commits += 1
        counters.rows += committed.rows
        counters.failed_commits += not committed.ok
        counters.biggest_batch = max(counters.biggest_batch, len(batch.drafts))
        counters.last_commit_s = batch.commit_s
        counters.commit.observe(batch.commit_s)
        counters.batch_rows.observe(len(batch.drafts))

    def _answer(self, drafts: Sequence[Draft], outcomes: Sequence[Outcome]) -> None:
        self.counters.in_flight -= len(drafts)
        for draft, outcome in zip(drafts, outcomes, strict=True):
            self._answer_one(draft, outcome)

    def _answer_one(self, draft: Draft, outcome: Outcome) -> None:
        if type(outcome) is Refused:
            self.counters.refused += 1
        self._call(draft.answer, outcome)

    # what rooms read

    async def open(self, room: RoomName, tail: int, wake: Callable[[], None]) -> tuple[Opening, RoomFollowing]:
        """Hears of commits first and loads then, from a reader: no commit waits for a room that starts."""
        await self._running()
        following = RoomFollowing(self, room, wake, self._pending_limit)
        self._followings.setdefault(room, []).append(following)
        try:
            opening = await self._open(room, tail)
        except BaseException:  # a cancellation too: what nobody follows is not kept for anybody
            following.stop()
            raise
        following.begin(opening.record.epoch, opening.record.head, opening.record.oldest)
        if following.has_news:
            trio.lowlevel.current_trio_token().run_sync_soon(self._call, wake)
        return opening, following

    async def _open(self, room: RoomName, tail: int) -> Opening:
        load = partial(pages.opening, name=room, tail=tail)
        try:
            return await self.look(load)
        except pages.Unverified as found:
            where = f"entry {found.seq}" if found.seq else "found before"
            text = f"the log does not verify ({where}): a new epoch begins, the old one {found.room.epoch} is set aside"
            self.raise_alarm(Alarm("corrupt", text, room))
            epoch_id = found.room.epoch_id
        now = self.clock.now()
        await self.do(lambda store: store.set_aside(room, epoch_id, now))
        return await self.look(load)

    async def read(self, room: RoomName, *, after: int | None, before: int | None, limit: int, max_bytes: int) -> Page:
        await self._running()
        return await self.look(
            lambda db: pages.page(db, room, after=after, before=before, limit=limit, max_bytes=max_bytes)
        )

    async def look(self, read: Callable[[Connection], T]) -> T:
        """Read, not in the writer's order. LogFailed, and what `read` raises."""
        line = await self._running()
        if line.readers is None:
            return await self.do(lambda store: read(store.db))
        return await line.readers.run(read)

    def repair(self, following: RoomFollowing) -> None:
        if self._line is None:
            following.repair_failed()
            return
        keeper, now = self._line.keeper, self.clock.now()

        look = partial(pages.page, name=following.room, before=None, limit=REPAIR_ENTRIES, max_bytes=1 << 20)

        def job(store: Store) -> Page:
            return look(store.db, after=following.last, veiled=False)

        def done(page: Page) -> None:
            following.repaired(page.epoch, page.entries, page.more)

        failed = following.repair_failed
        self._line.writer.submit(lambda: keeper.do(job, now), partial(self._guarded, done), lambda error: failed())

    def leave(self, following: RoomFollowing) -> None:
        others = [other for other in self._followings.pop(following.room, []) if other is not following]
        if others:
            self._followings[following.room] = others

    def _spread(self, news: Mapping[RoomName, Sequence[Entry]]) -> list[RoomFollowing]:
        return [
            following
            for room, entries in news.items()
            for following in self._followings.get(room, ())
            if following.put(entries)
        ]

    def _all_followings(self) -> list[RoomFollowing]:
        return [following for each in self._followings.values() for following in each]

    # the rooms and the people

    async def create(self, room: RoomName, code: RoomCode, title: str) -> RoomRecord:
        now = self.clock.now()
        return await self.do(lambda store: store.create(room, code, title, now))

    async def forget(self, room: RoomName) -> bool:
        return await self.do(lambda store: store.forget(room))

    async def update(self, record: RoomRecord) -> RoomRecord:
        return await self.do(lambda store: store.update(record))

    async def purge(self, room: RoomName) -> bool:
        return await self.do(lambda store: store.purge(room))

    async def rooms(self) -> list[RoomRecord]:
        return [room.record for room in await self.look(pages.rooms)]

    async def erase_member(self, member: MemberId) -> None:
        self._seen.pop(member, None)
        if self._batch is not None:  # which comes back before the erasure does, when it fails
            self._batch.seen.pop(member, None)
        await self.do(lambda store: store.erase_member(member))

    async def roster(self, member: MemberId) -> RosterRow | None:
        row = await self.look(lambda db: pages.roster(db, member))
        now = self._seen.get(member) or (self._batch.seen.get(member) if self._batch else None)
        if now is None:
            return row
        return RosterRow(member, now.nickname, row.first_seen if row else now.ts, now.ts)

    async def find_members(self, text: str, limit: int) -> tuple[RosterRow, ...]:
        return await self.look(lambda db: pages.find_members(db, text, limit))

    async def _running(self) -> Line:
        """Waits for the first start only."""
        await self._attached.wait()
        if self._line is None:
            raise LogFailed("the log is not running")
        return self._line

    def _call(self, callback: Callable[..., None], *args: object) -> None:
        """Whoever hears badly hurts neither the log nor the others."""
        error = attempt(callback, *args)
        if error is not None:
            self.counters.callback_errors += 1
            self.counters.last_callback_error = repr(error)

    def _guarded(self, call: Callable[..., None], *args: object) -> None:
        """For what the writer calls back: a fault of ours ends this life of the journal."""
        error = attempt(call, *args)
        if error is not None:
            self.fault = error
            self.faulted.set()


def _commit(keeper: Keeper, work: Work, batch: Batch) -> Committed:
    started = time.perf_counter()
    try:
        return keeper.commit(work)
    finally:
        batch.commit_s = time.perf_counter() - started
