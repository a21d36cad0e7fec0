"""What a room stands on, without sockets and disks: a log in memory, a voice that speaks in lines, an outlet whose pace
the test sets. All of it in virtual time."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

import trio
from attrs import define, evolve, field

from actors.events import (
    Body,
    Deleted,
    Edited,
    Entry,
    Hidden,
    Message,
    Pinned,
    Policy,
    PolicyChanged,
    Restored,
    Tombstone,
    Veiling,
)
from actors.journal.log import (
    Draft,
    EpochChanged,
    Following,
    LogFailed,
    Opening,
    Outcome,
    Page,
    RoomLog,
    RoomRecord,
    RosterRow,
    Stored,
)
from actors.kernel import Asks
from actors.names import Cid, Epoch, MemberId, Nickname, RoomCode, RoomName
from actors.people.outlet import Batch, Outlet
from actors.refusals import Reason, Refused
from actors.room.presence import Counted, Diff
from actors.room.veil import Veil
from actors.room.voice import Voice

NOON = 1_790_000_000.0
NOWHERE = RoomName("")

# The log


@define(eq=False, repr=False)
class Shelf:
    """One room's entries, each read as it reads now."""

    name: RoomName
    code: RoomCode
    title: str
    epochs: int = 1
    oldest: int = 1
    zone: str = ""
    official: bool = False
    deleted: float | None = None
    active: float = 0.0
    entries: list[Entry] = field(factory=list)
    written: list[Entry] = field(factory=list)
    """As they were committed, before any edit."""
    reactions: dict[int, dict[str, set[MemberId]]] = field(factory=dict)
    followings: list["MemoryFollowing"] = field(factory=list)

    @property
    def epoch(self) -> Epoch:
        return Epoch(f"{self.name}{self.epochs:04}")

    @property
    def head(self) -> int:
        return len(self.entries)

    @property
    def record(self) -> RoomRecord:
        return RoomRecord(
            self.name, self.code, self.title, self.epoch, self.head, self.oldest, NOON, self.zone, self.official,
            self.deleted, self.active,
        )  # fmt: skip

    @property
    def veil(self) -> Veil:
        veil = Veil()
        for entry in self.written:
            if isinstance(entry.body, Veiling):
                veil.obey(entry.body)
        return veil

    def read(self, entries: Sequence[Entry]) -> list[Entry]:
        veil = self.veil
        return [evolve(entry, body=veil.face(entry)) for entry in entries]

    def counts(self, seq: int) -> dict[str, int]:
        return {emoji: len(who) for emoji, who in self.reactions.get(seq, {}).items() if who}

    def all_counts(self, entries: Sequence[Entry]) -> dict[int, dict[str, int]]:
        return {entry.seq: counts for entry in entries if (counts := self.counts(entry.seq))}

    def message(self, seq: int) -> Entry | None:
        if not self.oldest <= seq <= self.head:
            return None
        entry = self.entries[seq - 1]
        return entry if isinstance(entry.body, Message) else None

    def put(self, entry: Entry) -> None:
        self.written.append(entry)
        self.entries.append(entry)
        match entry.body:
            case Edited(target, text):
                old = self.entries[target - 1]
                assert isinstance(old.body, Message)
                self.entries[target - 1] = evolve(old, body=evolve(old.body, text=text, edited=entry.seq))
            case Deleted(target):
                self.reactions.pop(target, None)
                for at, old in enumerate(self.entries):
                    if old.seq == target or (isinstance(old.body, Edited) and old.body.target == target):
                        self.entries[at] = evolve(old, body=Tombstone(None if old.seq == target else target))
            case _:
                pass


@define(eq=False, repr=False)
class MemoryFollowing:
    shelf: Shelf
    wake: Callable[[], None]
    pending: list[Entry] = field(factory=list)

    @property
    def oldest(self) -> int:
        return self.shelf.oldest

    def take(self) -> Sequence[Entry]:
        taken, self.pending = self.pending, []
        return taken

    def stop(self) -> None:
        self.pending.clear()
        if self in self.shelf.followings:
            self.shelf.followings.remove(self)


class MemoryLog:
    """journal/log.py's rules over lists, batch by batch like the real one. `run` is the writer: what was appended by
    the time it begins goes together, committed after `commit_s()`. While on `hold`, nothing is."""

    def __init__(
        self, commit_s: Callable[[], float] = lambda: 0.001, read_s: Callable[[], float] = lambda: 0.0
    ) -> None:
        self.shelves: dict[RoomName, Shelf] = {}
        self.ever: dict[tuple[Epoch, int], tuple[MemberId, Cid]] = {}
        """I5: what every (epoch, seq) has ever named."""
        self.calls: Counter[str] = Counter()
        self.commit_s = commit_s
        self.read_s = read_s
        self.fails: set[str] = set()
        """Calls that raise LogFailed: open, read, create, forget, react, append (Refused)."""
        self.on_call: Callable[[str, RoomName], None] = lambda point, room: None
        self.batches: list[list[Draft]] = []
        self.wakes = True
        """False: the rooms are told of nothing until `wake_up`, as when they are busy with something else."""
        self._asleep: dict[MemoryFollowing, None] = {}
        self._gathering: list[Draft] = []
        self._reacting: list[tuple[RoomName, int, MemberId, str, bool, Asks[dict[str, int]]]] = []
        self._cids: dict[tuple[MemberId, Cid], tuple[RoomName, Body, Stored]] = {}
        self._work = trio.Event()
        self._free = trio.Event()
        self._free.set()
        self._numbers = 0

    def hold(self) -> None:
        self._free = trio.Event()

    def let_go(self) -> None:
        self._free.set()

    async def run(self) -> None:
        while True:
            await self._work.wait()
            await trio.sleep(self.commit_s())
            await self._free.wait()
            self._work = trio.Event()
            self._commit()

    def _commit(self) -> None:
        drafts, self._gathering = self._gathering, []
        reacting, self._reacting = self._reacting, []
        if drafts:
            self.batches.append(drafts)
        woken: dict[MemoryFollowing, None] = {}
        outcomes = [self._written(draft, woken) for draft in drafts]
        for draft, outcome in zip(drafts, outcomes, strict=True):
            draft.answer(outcome)
        for room, seq, member, emoji, on, asks in reacting:
            asks.answer(self._reacted(room, seq, member, emoji, on)) if self.shelves[room].message(
                seq
            ) else asks.refuse(KeyError(seq))
        self._asleep.update(woken)
        if self.wakes:
            self.wake_up()

    def wake_up(self) -> None:
        asleep, self._asleep = self._asleep, {}
        for following in asleep:
            following.wake()

    def _written(self, draft: Draft, woken: dict[MemoryFollowing, None]) -> Outcome:
        known = self._cids.get((draft.author, draft.cid))
        if known is not None:
            room, body, stored = known
            same = room == draft.room and _bare(body) == _bare(draft.body)
            return evolve(stored, dup=True) if same else Refused(Reason.CID_REUSED)
        shelf = self.shelves[draft.room]
        if "append" in self.fails:
            return Refused(Reason.UNAVAILABLE, "no disk", 2_000)
        if draft.epoch != shelf.epoch:
            return EpochChanged(shelf.epoch)
        refusal = draft.refusal or _rule_6(shelf, draft)
        if refusal is not None:
            return refusal
        ts = NOON + trio.current_time()
        entry = Entry(shelf.epoch, shelf.head + 1, ts, draft.author, draft.cid, _stamped(draft.body, shelf.head + 1))
        assert self.ever.setdefault((entry.epoch, entry.seq), (entry.author, entry.cid)) == (entry.author, entry.cid)
        shelf.put(entry)
        stored = Stored(entry.epoch, entry.seq, ts)
        self._cids[draft.author, draft.cid] = (draft.room, draft.body, stored)
        for following in shelf.followings:
            following.pending.append(entry)
            woken[following] = None
        return stored

    def _reacted(self, room: RoomName, seq: int, member: MemberId, emoji: str, on: bool) -> dict[str, int]:
        who = self.shelves[room].reactions.setdefault(seq, {}).setdefault(emoji, set())
        who.add(member) if on else who.discard(member)
        return self.shelves[room].counts(seq)

    # for tests

    def fill(self, name: RoomName, count: int, size: int = 20, author: str = "m_past") -> Shelf:
        """A room that has been talked in; made if it is new."""
        shelf = self.shelves.get(name) or self._shelve(name, RoomCode(f"old-{name}-10"), "")
        for _ in range(count):
            seq = shelf.head + 1
            cid = Cid(f"past-{name}-{seq}")
            self.ever[shelf.epoch, seq] = (MemberId(author), cid)
            shelf.put(Entry(shelf.epoch, seq, NOON, MemberId(author), cid, Message(Nickname("Past"), "x" * size)))
        return shelf

    def renewed(self, name: RoomName, entries: int) -> None:
        """The room begins a new epoch with other contents."""
        shelf = self.shelves[name]
        shelf.epochs += 1
        shelf.oldest = 1
        for kept in (shelf.entries, shelf.written, shelf.reactions):
            kept.clear()
        self.fill(name, entries)

    def trim(self, name: RoomName, oldest: int) -> None:
        """As the log says it: within a minute, or not at all to whom it has not woken."""
        shelf = self.shelves[name]
        shelf.oldest = oldest
        for following in shelf.followings:
            following.wake()

    # RoomLog

    def append(self, draft: Draft) -> None:
        self.calls["append"] += 1
        self._gathering.append(draft)
        self._work.set()

    async def open(self, room: RoomName, tail: int, wake: Callable[[], None]) -> tuple[Opening, Following]:
        await self._answering("open", room)
        shelf = self.shelves[room]
        following = MemoryFollowing(shelf, wake)
        shelf.followings.append(following)
        rules = tuple(entry for entry in shelf.written if isinstance(entry.body, PolicyChanged | Veiling | Pinned))
        entries = tuple(shelf.entries[max(shelf.oldest - 1, shelf.head - tail) :])
        return Opening(shelf.record, rules, entries, shelf.all_counts(entries)), following

    async def read(self, room: RoomName, *, after: int | None, before: int | None, limit: int, max_bytes: int) -> Page:
        await self._answering("read", room)
        shelf = self.shelves[room]
        first = max(shelf.oldest, 1 if after is None else after + 1)
        last = shelf.head if before is None else min(shelf.head, before - 1)
        chosen = shelf.read(shelf.entries[first - 1 : last])
        fit: list[Entry] = []
        for entry in chosen if after is not None else reversed(chosen):
            max_bytes -= 100 + (len(entry.body.text.encode()) if isinstance(entry.body, Message | Edited) else 0)
            if len(fit) >= limit or (fit and max_bytes < 0):
                break
            fit.append(entry)
        entries = tuple(fit if after is not None else fit[::-1])
        more = bool(entries) and (entries[-1].seq < shelf.head if after is not None else entries[0].seq > shelf.oldest)
        return Page(shelf.epoch, entries, more, shelf.oldest, shelf.head, shelf.all_counts(entries))

    async def create(self, room: RoomName, code: RoomCode, title: str) -> RoomRecord:
        await self._answering("create", room)
        if any(shelf.code == code for shelf in self.shelves.values() if shelf.name != room):
            raise KeyError(code)
        return (self.shelves.get(room) or self._shelve(room, code, title)).record

    def _shelve(self, room: RoomName, code: RoomCode, title: str) -> Shelf:
        shelf = self.shelves[room] = Shelf(room, code, title)
        self._numbers += 1
        shelf.epochs = self._numbers * 100
        return shelf

    async def forget(self, room: RoomName) -> bool:
        await self._answering("forget", room)
        if self.shelves[room].entries:
            return False
        del self.shelves[room]
        return True

    async def update(self, record: RoomRecord) -> RoomRecord:
        await self._answering("update", record.name)
        shelf = self.shelves[record.name]
        if any(other.code == record.code for other in self.shelves.values() if other is not shelf):
            raise KeyError(record.code)
        shelf.title, shelf.code, shelf.zone = record.title, record.code, record.zone
        shelf.official, shelf.deleted, shelf.active = record.official, record.deleted, record.active
        return shelf.record

    async def purge(self, room: RoomName) -> bool:
        await self._answering("purge", room)
        return self.shelves.pop(room, None) is not None

    async def rooms(self) -> list[RoomRecord]:
        await self._answering("rooms")
        return [shelf.record for shelf in self.shelves.values()]

    async def react(self, room: RoomName, seq: int, member: MemberId, emoji: str, on: bool) -> dict[str, int]:
        await self._answering("react", room)
        asks: Asks[dict[str, int]] = Asks()
        self._reacting.append((room, seq, member, emoji, on, asks))
        self._work.set()
        return await asks.wait()

    def seen(self, member: MemberId, nickname: Nickname) -> None:
        self.calls["seen"] += 1

    async def roster(self, member: MemberId) -> RosterRow | None:
        return None

    async def find_members(self, text: str, limit: int) -> tuple[RosterRow, ...]:
        return ()

    async def _answering(self, call: str, room: RoomName = NOWHERE) -> None:
        self.calls[call] += 1
        self.on_call(f"log.{call}", room)
        await trio.sleep(self.read_s())
        if call in self.fails:
            raise LogFailed("no disk", 2_000)


def _bare(body: Body) -> Body:
    match body:
        case Message():
            return evolve(body, nickname=Nickname(""), edited=0)
        case PolicyChanged(policy):
            return PolicyChanged(evolve(policy, rev=0, expires=None))
        case _:
            return body


def _stamped(body: Body, seq: int) -> Body:
    return PolicyChanged(evolve(body.policy, rev=seq)) if isinstance(body, PolicyChanged) else body


def _rule_6(shelf: Shelf, draft: Draft) -> Refused | None:
    if not isinstance(draft.body, Edited | Deleted | Hidden | Restored):
        return None
    target = shelf.message(draft.body.target)
    if target is None or target.seq <= shelf.veil.erased:
        return Refused(Reason.BAD_ANCHOR)
    anyones = draft.any_author or isinstance(draft.body, Hidden | Restored)
    return None if target.author == draft.author or anyones else Refused(Reason.FORBIDDEN)


# The voice


class LineVoice:
    """A frame is a line of fields between bars. `calls` counts how often each kind was made."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.on_call: Callable[[str, RoomName], None] = lambda point, room: None

    def _line(self, kind: str, room: RoomName, *fields: object) -> bytes:
        self.calls[kind] += 1
        self.on_call(f"voice.{kind}", room)
        return "|".join([kind, room, *map(str, fields)]).encode() + b"\n"

    def entry(self, room: RoomName, entry: Entry) -> bytes:
        match entry.body:
            case Message(_, text):
                said = text
            case Edited(target, text):
                said = f"{target} {text}"
            case Deleted(target):
                said = str(target)
            case _:
                said = ""
        kind = type(entry.body).__name__
        return self._line("entry", room, entry.epoch, entry.seq, entry.author, entry.cid, kind, said)

    def caught_up(self, room: RoomName, seq: int) -> bytes:
        return self._line("caught_up", room, seq)

    def behind(self, room: RoomName, start: int) -> bytes:
        return self._line("behind", room, start)

    def gap(self, room: RoomName, start: int, end: int, why: str) -> bytes:
        return self._line("gap", room, start, end, why)

    def reactions(self, room: RoomName, counts: Mapping[int, Mapping[str, int]]) -> bytes:
        told = " ".join(f"{seq}{e}{n}" for seq, emoji in sorted(counts.items()) for e, n in sorted(emoji.items()))
        return self._line("reactions", room, told)

    def rules(self, room: RoomName, policy: Policy) -> bytes:
        return self._line("rules", room, policy.lockdown, policy.slow_s, policy.closed)

    def removed(self, room: RoomName, reason: str, until: float | None, to: RoomName | None) -> bytes:
        return self._line("removed", room, reason, until, to)

    def presence_diff(self, room: RoomName, diff: Diff) -> bytes:
        joins = ",".join(card.nickname for card in diff.joins)
        return self._line("diff", room, diff.instance, diff.rev, joins, ",".join(diff.leaves), diff.online)

    def presence_counts(self, room: RoomName, counted: Counted) -> bytes:
        return self._line("counts", room, counted.instance, counted.rev, counted.online)

    def typing(self, room: RoomName, member: MemberId, nickname: Nickname) -> bytes:
        return self._line("typing", room, member, nickname)


def words(frame: bytes) -> list[str]:
    """Of an alert, which comes as a real WebSocket frame, its bytes more or less."""
    return frame.decode(errors="replace").rstrip("\n").split("|")


# The outlet


@define(eq=False)
class Run:
    """What is left of a batch: its frames from `at` on."""

    batch: Batch
    page: bool
    frames: list[bytes]
    at: int = 0

    @property
    def size(self) -> int:
        return sum(map(len, self.frames[self.at :]))

    @property
    def first_left(self) -> int:
        return min(self.batch.first + self.at, self.batch.last + 1)


@define(eq=False, repr=False, slots=False)
class FakeOutlet:
    """gateway/outlet.py in frames instead of bytes: lanes, a bound on chat, exact reports of what was dropped.

    `pace`: bytes a second; None = at once; 0 = nothing leaves. `hear` is given every frame that has left."""

    nursery: trio.Nursery
    hear: Callable[[bytes], None] = lambda frame: None
    on_behind: Callable[[RoomName, int], None] = lambda room, first: None
    on_dead: Callable[[], None] = lambda: None
    on_call: Callable[[str], None] = lambda point: None
    pace: float | None = None
    bound_bytes: int = 512 * 1024
    bound_frames: int = 512
    bytes_per_s: float | None = None
    owed: int = 0
    dead: bool = False
    code: int = 0
    overflows: int = 0
    offered: int = 0
    """Calls of chat."""
    pages: list[Batch] = field(factory=list)
    _control: deque[bytes] = field(factory=deque)
    _chat: deque[Run] = field(factory=deque)
    _news: dict[str, bytes] = field(factory=dict)
    _waiting: list[Callable[[], None]] = field(factory=list)
    _flushing: bool = False
    _moved: trio.Event = field(factory=trio.Event)
    _page_began: float = 0.0

    # The protocol

    def look(self) -> int:
        return self.owed

    def chat(self, batch: Batch) -> bool:
        self.offered += 1
        self.on_call("outlet.chat")
        if self.dead:
            return True
        if self.idle:
            return self._take(Run(batch, False, _frames(batch)))
        waiting_bytes = sum(run.size for run in self._chat)
        waiting_frames = sum(len(run.frames) - run.at for run in self._chat)
        if self._chat and (
            waiting_bytes + len(batch.blob) > self.bound_bytes or waiting_frames + batch.frames > self.bound_frames
        ):
            self._overflow(batch)
            return False
        return self._take(Run(batch, False, _frames(batch)))

    def page(self, batch: Batch) -> None:
        self.on_call("outlet.page")
        self.pages.append(batch)
        self._page_began = trio.current_time()
        if not self.dead:
            self._take(Run(batch, True, _frames(batch)))

    def control(self, frame: bytes) -> None:
        if frame.startswith(b"behind"):
            self.on_call("outlet.behind")
        self._push(self._control.append, frame)

    def alert(self, frame: bytes, on_written: Callable[[], None] | None = None) -> None:
        self._push(self._control.appendleft, frame)

    def news(self, key: str, frame: bytes) -> None:
        self.on_call("outlet.news")
        self._push(lambda said: self._news.update({key: said}), frame)

    def forget(self, room: RoomName) -> None:
        self._chat = deque(run for run in self._chat if run.batch.room != room)

    def finish(self, code: int, retry_after_ms: int | None = None) -> None:
        if not self.dead:
            self.code = self.code or code
            self.die()

    @property
    def idle(self) -> bool:
        return not self._flushing and not self.dead

    def when_idle(self, call: Callable[[], None]) -> None:
        self.on_call("outlet.when_idle")
        if self.idle:
            call()
        elif not self.dead:
            self._waiting.append(call)

    # For tests

    def at_pace(self, pace: float | None) -> None:
        self.pace = pace
        self._moved.set()

    def die(self) -> None:
        if not self.dead:
            self.dead = True
            self._chat.clear()
            self._control.clear()
            self._news.clear()
            self._waiting.clear()
            self._moved.set()
            self.on_dead()

    # Within

    def _overflow(self, batch: Batch) -> None:
        self.overflows += 1
        dropped = {batch.room: batch.first}
        for run in self._chat:
            dropped[run.batch.room] = min(run.first_left, dropped.get(run.batch.room, run.first_left))
        self._chat.clear()
        for room, first in dropped.items():
            self.on_behind(room, first)

    def _push(self, into: Callable[[bytes], None], frame: bytes) -> None:
        if self.dead:
            return
        if self.idle and self.pace is None:
            self.hear(frame)
            return
        into(frame)
        self._begin()

    def _take(self, run: Run) -> bool:
        if self.idle and self.pace is None:
            for frame in run.frames:
                self.hear(frame)
            self._left(run)
        else:
            self._chat.append(run)
            self._begin()
        return True

    def _left(self, run: Run) -> None:
        if run.page and len(run.batch.blob) >= 512:
            self.bytes_per_s = len(run.batch.blob) / max(trio.current_time() - self._page_began, 0.001)

    def _begin(self) -> None:
        if not self._flushing:
            self._flushing = True
            self.nursery.start_soon(self._flush)

    async def _flush(self) -> None:
        while not self.dead and (frame := self._next()) is not None:
            await self._travel(len(frame))
            if not self.dead:
                self.hear(frame)
                if self._run is not None and self._run.at == len(self._run.frames):
                    self._left(self._run)
        self._flushing = False
        while self._waiting and self.idle:
            self._waiting.pop(0)()

    _run: Run | None = None
    """Whose frame is in flight."""

    def _next(self) -> bytes | None:
        self._run = None
        if self._control:
            return self._control.popleft()
        if self._chat:
            run = self._run = self._chat[0]
            frame = run.frames[run.at]
            run.at += 1
            if run.at == len(run.frames):
                self._chat.popleft()
            return frame
        return self._news.pop(next(iter(self._news))) if self._news else None

    async def _travel(self, size: int) -> None:
        while not self.dead and self.pace == 0:
            self._moved = trio.Event()
            await self._moved.wait()
        await trio.sleep(size / self.pace if self.pace else 0)


def _frames(batch: Batch) -> list[bytes]:
    frames = batch.blob.splitlines(keepends=True)
    assert len(frames) == batch.frames
    assert batch.frames >= batch.last - batch.first + 1
    return frames


as_log: type[RoomLog] = MemoryLog
as_voice: type[Voice] = LineVoice
as_outlet: type[Outlet] = FakeOutlet
