"""People who come back: each with one identity, one outbox and one place in one room, over any number of connections;
and the books against which everything that they hear is checked."""

import random
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import trio
from attrs import define, field, frozen

from bandstand.client import uuid7
from tests.e2e.talker import ENTRIES, Gone, Json, Question, Talker, talking

ROOM = "main-stage"
Position = tuple[str, int]


@define(eq=False)
class Ledger:
    """What the room said, by position, as whoever heard it first heard it; and what was said to be stored."""

    entries: dict[Position, tuple[str, str, object]] = field(factory=dict)
    texts: dict[Position, str] = field(factory=dict)
    posted: dict[str, str] = field(factory=dict)
    """cid -> text, of everything ever sent."""
    acknowledged: dict[str, Position] = field(factory=dict)
    dups: int = 0

    def hear(self, frame: Json) -> None:
        """I3 and I5: one order for everyone, and no position names two contents."""
        position = frame["epoch"], frame["seq"]
        kind = (frame["type"], frame["member"], frame.get("target", frame.get("cid")))
        if frame.get("deleted"):
            return
        assert self.entries.setdefault(position, kind) == kind, f"{position}: {self.entries[position]} and {kind}"
        if frame["type"] == "message" and "edited" not in frame:
            text = frame["text"]
            assert self.texts.setdefault(position, text) == text, position
            wanted = self.posted.get(frame["cid"], text)
            assert text == wanted, f"{position}: not what was posted"

    def ok(self, cid: str, answer: Json) -> None:
        position = answer["epoch"], answer["seq"]
        assert self.acknowledged.setdefault(cid, position) == position, f"{cid} was acknowledged twice, differently"
        self.dups += answer["dup"]


@define(eq=False)
class Place:
    """A member's place in the room: every entry must be the next one, except across a gap that was announced."""

    ledger: Ledger
    epoch: str = ""
    seq: int = 0
    gaps: list[Json] = field(factory=list)
    heard: int = 0
    caught_up: int = -1
    """As of the last caught_up; -1 while it is behind."""
    behind: int = 0
    joining: Question | None = None
    """The join whose answer has not been looked at."""

    @property
    def since(self) -> Json | None:
        return {"epoch": self.epoch, "seq": self.seq} if self.epoch else None

    def begin(self, ok: Json) -> None:
        """The answer to a join without a tail."""
        if self.epoch and ok["mode"] != "gap":
            assert ok["mode"] == "resumed", ok
            assert (ok["epoch"], ok["head"] >= self.seq) == (self.epoch, True), (ok, self)
        elif not self.epoch:
            assert ok["mode"] == "fresh", ok
            self.seq = ok["head"]
        self.epoch = ok["epoch"]

    def push(self, frame: Json) -> None:
        if self.joining is not None and frame.get("room") == ROOM:
            assert self.joining.answer is not None, f"{frame} before the answer to the join"
            self.begin(self.joining.answer)
            self.joining = None
        match frame["type"]:
            case "gap":
                self.gaps.append(frame)
                if frame["why"] == "epoch":
                    self.seq = 0
                if frame["to"] >= frame["from"]:
                    assert frame["from"] == self.seq + 1, (frame, self.seq)
                    self.seq = frame["to"]
            case "caught_up":
                assert frame["seq"] <= self.seq, (frame, self.seq)
                self.caught_up = frame["seq"]
            case "behind":
                assert frame["from"] == self.seq + 1, (frame, self.seq)
                self.behind += 1
                self.caught_up = -1
            case kind if kind in ENTRIES:
                assert frame["epoch"] == self.epoch, frame
                assert frame["seq"] == self.seq + 1, f"seq {frame['seq']} came where {self.seq + 1} was due"
                self.seq += 1
                self.heard += 1
                self.ledger.hear(frame)


@define(eq=False)
class Person:
    """Comes back for ever. Posts while `posting()`, and repeats what was not acknowledged until it is."""

    name: str
    port: Callable[[], int]
    ledger: Ledger
    posting: Callable[[], bool] = lambda: False
    on_ok: Callable[[], None] = lambda: None
    patience: float = 1.0
    """Of what it is told to wait, the part that it does wait."""
    pause: float = 0.0
    place: Place = field(init=False)
    token: str | None = None
    waiting: tuple[str, str] | None = None
    """cid and text without an answer."""
    losses: list[Gone] = field(factory=list)
    refusals: list[Json] = field(factory=list)
    online: Talker | None = None
    member: str = ""

    def __attrs_post_init__(self) -> None:
        self.place = Place(self.ledger)

    async def live(self) -> None:
        while True:
            try:
                await self._visit()
            except OSError:
                await trio.sleep(random.uniform(0.02, 0.1))
            except Gone as gone:
                self.losses.append(gone)
                after = 0 if gone.bye is None else gone.bye.get("retry_after_ms", 0)
                await trio.sleep(after / 1000 * self.patience + random.uniform(0, 0.02))
            finally:
                self.online = None

    async def _visit(self) -> None:
        async with talking(self.port(), self.name, self.token) as talker:
            self.token = talker.ready["token"]
            assert self.member in ("", talker.ready["member"]), "the token gives the same member"
            self.member = talker.ready["member"]
            # The entries may come together with the answer to the join; what comes before it is of no room.
            self.place.joining = talker.soon("join")
            talker.on_push = self._push
            answer = await talker.put(self.place.joining, room=ROOM, since=self.place.since, tail=0, presence=False)
            assert answer["type"] == "ok", answer
            self.online = talker
            await self._talk(talker)

    def _push(self, frame: Json) -> None:
        if self.online is not None:
            self.online.heard.clear()
        self.place.push(frame)

    async def _talk(self, talker: Talker) -> None:
        while True:
            if self.waiting is None:
                await talker.until(self.posting)
                cid = uuid7()
                self.waiting = cid, f"{self.name} says {cid}"
                self.ledger.posted[cid] = self.waiting[1]
            cid, text = self.waiting
            answer = await talker.say(ROOM, text, cid)
            if answer["type"] == "ok":
                self.ledger.ok(cid, answer)
                self.waiting = None
                self.on_ok()
            else:
                self.refusals.append(answer)
                assert answer["retry"], answer
                await trio.sleep(answer.get("retry_after_ms", 100) / 1000 * self.patience)
            if self.pause:
                await trio.sleep(self.pause)


async def settled(true: Callable[[], object]) -> None:
    """For what stands in other processes' hands; the caller's scope says how long."""
    while not true():  # noqa: ASYNC110
        await trio.sleep(0.01)


def percentile(values: Sequence[float], part: float) -> float:
    """0.5: the median."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


@frozen
class Row:
    epoch: str
    seq: int
    cid: str
    kind: int


def stored(journal: Path) -> list[Row]:
    """What the database holds of the room, in order, whatever the server says; the file is whole."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        query = """SELECT p.name, e.seq, e.cid, e.kind FROM entries e JOIN epochs p ON p.id = e.epoch
            JOIN rooms r ON r.id = p.room WHERE r.name = ? ORDER BY p.name, e.seq"""
        return [Row(*row) for row in db.execute(query, (ROOM,))]


def settle(ledger: Ledger, rows: Sequence[Row], people: Sequence[Person]) -> None:
    """I1 to I6 at the end, with nothing on its way: every post is stored once, where it was said to be, in one
    sequence without holes, and everybody has heard it."""
    assert len({row.epoch for row in rows}) == 1, "one epoch"
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1)), "no holes"
    by_cid = {row.cid: (row.epoch, row.seq) for row in rows}
    assert len(by_cid) == len(rows), "nothing stored twice"
    lost = {cid: at for cid, at in ledger.acknowledged.items() if by_cid.get(cid) != at}
    assert not lost, f"{len(lost)} acknowledged and not there: {list(lost.items())[:3]}"
    assert set(ledger.posted) == set(by_cid), "every post is there, and nothing else"
    assert set(ledger.entries) <= set(by_cid.values()), "nobody heard what is not committed"
    for person in people:
        assert person.place.seq == len(rows), f"{person.name} holds {person.place.seq} of {len(rows)}"
        assert not person.place.gaps, person.place.gaps
