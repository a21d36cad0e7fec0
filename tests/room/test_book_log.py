"""A room log over plain lists, for the model of a room, and a look at whether it keeps the rules that matter there."""

import pytest
from attrs import evolve

from actors.events import (
    Body,
    Cleared,
    Deleted,
    Edited,
    Entry,
    Erased,
    Hidden,
    Message,
    Pinned,
    Policy,
    PolicyChanged,
    Restored,
    Tombstone,
    Uncleared,
    Veiling,
)
from actors.journal.log import EpochChanged, Opening, Outcome, RoomRecord, Stored
from actors.names import HOUSE, Cid, Epoch, MemberId, Nickname, RoomCode, RoomName
from actors.refusals import Reason, Refused
from actors.room.book import Judgement

Named = tuple[Epoch, int]
Signed = tuple[MemberId, Cid]


class ListLog:
    """journal/log.py's rules over lists, at once and in memory."""

    def __init__(self) -> None:
        self.epochs = 0
        self.ever: dict[Named, Signed] = {}
        self.begin_anew()

    def begin_anew(self) -> None:
        self.epochs += 1
        self.epoch = Epoch(f"e{self.epochs:04}")
        self.written: list[Entry] = []
        self.oldest = 1

    @property
    def head(self) -> int:
        return len(self.written)

    def append(self, epoch: Epoch, author: MemberId, cid: Cid, judgement: Judgement) -> Outcome:
        for old in self.written:
            if (old.author, old.cid) == (author, cid):
                same = old.body == judgement.body
                return Stored(self.epoch, old.seq, old.ts, dup=True) if same else Refused(Reason.CID_REUSED)
        if epoch != self.epoch:
            return EpochChanged(self.epoch)
        refusal = judgement.refusal or self._rule_6(author, judgement.body)
        if refusal is not None:
            return refusal
        entry = Entry(self.epoch, self.head + 1, 1_000.0 + self.head, author, cid, judgement.body)
        self.written.append(entry)
        assert self.ever.setdefault((self.epoch, entry.seq), (author, cid)) == (author, cid)
        return Stored(self.epoch, entry.seq, entry.ts)

    def _rule_6(self, author: MemberId, body: Body) -> Refused | None:
        if not isinstance(body, Edited | Deleted | Hidden | Restored | Pinned) or body.target is None:
            return None
        if not self.oldest <= body.target <= self.head:
            return Refused(Reason.BAD_ANCHOR)
        target = self.reads(self.written[body.target - 1])
        if not isinstance(target.body, Message):
            return Refused(Reason.BAD_ANCHOR)
        if isinstance(body, Hidden | Restored | Pinned):
            return None
        return None if target.author == author else Refused(Reason.FORBIDDEN)

    def veiled(self, entry: Entry) -> Entry:
        """As a member reads it: worked out anew from all orders, every time."""
        about = entry.body.target if isinstance(entry.body, Edited) else entry.seq
        if not isinstance(entry.body, Message | Edited):
            return entry
        orders = [e.body for e in self.written if isinstance(e.body, Veiling)]
        uptos = [
            b.upto for at, b in enumerate(orders) if isinstance(b, Cleared) and Uncleared(b.upto) not in orders[at:]
        ]
        hides = [b for b in orders if isinstance(b, Hidden | Restored) and b.target == about]
        if about <= max(uptos, default=0) or (hides and isinstance(hides[-1], Hidden)):
            return evolve(entry, body=Tombstone(about if isinstance(entry.body, Edited) else None, hidden=True))
        return entry

    def reads(self, entry: Entry) -> Entry:
        about = entry.body.target if isinstance(entry.body, Edited) else entry.seq
        later = [(e.seq, e.body) for e in self.written]
        gone = any(b == Deleted(about) or (isinstance(b, Erased) and about <= b.upto) for _, b in later)
        if isinstance(entry.body, Message | Edited) and gone:
            return evolve(entry, body=Tombstone(about if isinstance(entry.body, Edited) else None))
        edits = [(seq, b.text) for seq, b in later if isinstance(b, Edited) and b.target == entry.seq]
        if isinstance(entry.body, Message) and edits:
            return evolve(entry, body=evolve(entry.body, edited=edits[-1][0], text=edits[-1][1]))
        return entry

    def read(self, after: int, limit: int) -> list[Entry]:
        found = [e for e in self.written if e.seq >= self.oldest and e.seq > after]
        return [self.veiled(self.reads(entry)) for entry in found[:limit]]

    def opening(self, tail: int) -> Opening:
        record = RoomRecord(RoomName("main"), RoomCode("a-b-1"), "", self.epoch, self.head, self.oldest, 0.0)
        rules = tuple(e for e in self.written if isinstance(e.body, PolicyChanged))
        orders = (e for e in self.written if isinstance(e.body, Veiling | Pinned))
        found = [e for e in self.written if e.seq >= self.oldest and e.seq > self.head - tail]
        return Opening(record, (*rules, *orders), tuple(map(self.reads, found)))


ANA, BO = MemberId("ana"), MemberId("bo")


def write(log: ListLog, cid: str, body: Body, author: MemberId = ANA, refusal: Refused | None = None) -> Outcome:
    return log.append(log.epoch, author, Cid(cid), Judgement(body, refusal))


def said(text: str) -> Message:
    return Message(Nickname("Ana"), text)


def test_a_known_cid_is_answered_before_anything_else() -> None:
    log = ListLog()
    first = write(log, "c1", said("a"))
    assert isinstance(first, Stored)
    frozen = Refused(Reason.FROZEN)
    assert write(log, "c1", said("a"), refusal=frozen) == evolve(first, dup=True)
    assert write(log, "c1", said("b"), refusal=frozen) == Refused(Reason.CID_REUSED)
    assert write(log, "c2", said("a"), refusal=frozen) == frozen
    assert log.append(Epoch("e0"), BO, Cid("c1"), Judgement(said("a"))) == EpochChanged(log.epoch)
    assert log.head == 1


@pytest.mark.parametrize(
    ("body", "author", "reason"),
    [
        (Edited(1, "b"), BO, Reason.FORBIDDEN),
        (Deleted(1), BO, Reason.FORBIDDEN),
        (Edited(2, "b"), HOUSE, Reason.BAD_ANCHOR),
        (Edited(3, "b"), ANA, Reason.BAD_ANCHOR),
        (Deleted(0), ANA, Reason.BAD_ANCHOR),
    ],
)
def test_only_ones_own_messages_can_be_changed(body: Body, author: MemberId, reason: Reason) -> None:
    log = ListLog()
    write(log, "c1", said("a"))
    write(log, "c2", PolicyChanged(Policy()), HOUSE)
    assert write(log, "c3", body, author) == Refused(reason)


def test_what_is_read_is_edited_erased_and_trimmed() -> None:
    log = ListLog()
    bodies: list[Body] = [said("a"), said("b"), Edited(1, "aa"), Edited(2, "bb"), Deleted(1)]
    for n, body in enumerate(bodies):
        write(log, f"c{n}", body)
    read = [entry.body for entry in log.read(0, 9)]
    assert read == [Tombstone(), evolve(said("bb"), edited=4), Tombstone(1), Edited(2, "bb"), Deleted(1)]
    log.oldest = 4
    assert [entry.seq for entry in log.read(0, 9)] == [4, 5]
    assert [entry.seq for entry in log.opening(1).tail] == [5]
