"""The store against a dictionary: whatever is appended, repeated, edited, deleted, trimmed and reopened, in whatever
order, the log reads as the model says, and its chain verifies."""

import shutil
import tempfile
from pathlib import Path

from attrs import define, evolve, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.clock import Now
from actors.events import Body, Deleted, Edited, Message, Tombstone
from actors.journal import pages
from actors.journal.log import Draft, Durability, EpochChanged, Outcome, Stored
from actors.journal.store import Setup, Store
from actors.journal.verify import verify
from actors.journal.work import Work
from actors.names import Cid, Epoch, MemberId, RoomCode, RoomName
from actors.refusals import Reason, Refused
from tests.journal.keeping import DAY, NOON, message, renew, setup_for

ROOMS = [RoomName("main-stage"), RoomName("side-stage")]
AUTHORS = [MemberId("m_ana"), MemberId("m_bo")]
KEEP_S = 2 * DAY  # less than cids are kept: rows outlive their words

cids = st.sampled_from([Cid(f"c{n}") for n in range(30)])
texts = st.sampled_from(["hi", "ho", "a longer text " * 20, ""])
seqs = st.integers(1, 25)
bodies = st.one_of(texts.map(message), st.builds(Edited, seqs, texts), st.builds(Deleted, seqs))
drafts = st.tuples(st.sampled_from(ROOMS), st.sampled_from(AUTHORS), cids, bodies, st.booleans(), st.booleans())


@define
class Written:
    seq: int
    ts: float
    author: MemberId
    body: Body
    erased: bool = False
    edits: list[int] = field(factory=list)


@define
class ModelRoom:
    epoch: Epoch
    entries: list[Written] = field(factory=list)
    oldest: int = 1
    old_epochs: list[Epoch] = field(factory=list)

    def message(self, seq: int) -> Written | None:
        if not self.oldest <= seq <= len(self.entries):
            return None
        found = self.entries[seq - 1]
        return found if isinstance(found.body, Message) and not found.erased else None

    def erase(self, seq: int) -> None:
        for each in (seq, *self.entries[seq - 1].edits):
            self.entries[each - 1].erased = True

    def served(self) -> list[Body]:
        return [self._served(written) for written in self.entries[self.oldest - 1 :]]

    def _served(self, written: Written) -> Body:
        if written.erased:
            return Tombstone(written.body.target if isinstance(written.body, Edited) else None)
        if isinstance(written.body, Edited) and written.body.target < self.oldest:
            return Tombstone(written.body.target)
        if written.edits and isinstance(written.body, Message):
            newest = self.entries[written.edits[-1] - 1]
            assert isinstance(newest.body, Edited)
            return evolve(written.body, text=newest.body.text, edited=newest.seq)
        return written.body


class StoreMachine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.setup: Setup = setup_for(Durability.PROCESS, self.folder, keep_s=KEEP_S)
        self.now = Now(NOON, 0.0)
        self.cids: dict[tuple[MemberId, Cid], tuple[RoomName, Written]] = {}
        self.store = Store(self.setup, self.no_alarm)
        self.store.open(self.now)
        self.rooms = {}
        for number, name in enumerate(ROOMS):
            record = self.store.create(name, RoomCode(f"blue-stage-1{number}"), name, self.now)
            self.rooms[name] = ModelRoom(record.epoch)

    def no_alarm(self, alarm: object) -> None:
        raise AssertionError(alarm)

    def teardown(self) -> None:
        self.store.close()
        try:
            assert verify(self.folder / "journal.db").good
        finally:
            shutil.rmtree(self.folder)

    @rule(batch=st.lists(drafts, min_size=1, max_size=8))
    def append(self, batch: list[tuple[RoomName, MemberId, Cid, Body, bool, bool]]) -> None:
        made = [
            Draft(room, self.epoch_of(room, stale), author, cid, body, print, any_author=moderates)
            for room, author, cid, body, stale, moderates in batch
        ]
        committed = self.store.commit(Work(self.now, made))
        expected = [self.expect(draft) for draft in made]
        assert [self.plain(outcome) for outcome in committed.outcomes] == expected

    def epoch_of(self, name: RoomName, stale: bool) -> Epoch:
        room = self.rooms[name]
        return room.old_epochs[-1] if stale and room.old_epochs else room.epoch

    @staticmethod
    def plain(outcome: Outcome) -> object:
        return outcome.reason if isinstance(outcome, Refused) else outcome

    def expect(self, draft: Draft) -> object:
        room = self.rooms[draft.room]
        known = self.cids.get((draft.author, draft.cid))
        if known is not None:
            return self.expect_known(draft, *known)
        if draft.epoch != room.epoch:
            return EpochChanged(room.epoch)
        if isinstance(draft.body, Edited | Deleted):
            target = room.message(draft.body.target)
            if target is None:
                return Reason.BAD_ANCHOR
            if target.author != draft.author and not draft.any_author:
                return Reason.FORBIDDEN
        return self.take(room, draft)

    def expect_known(self, draft: Draft, name: RoomName, written: Written) -> object:
        same = type(written.body) is type(draft.body) and (written.erased or written.body == draft.body)
        if name != draft.room or not same:
            return Reason.CID_REUSED
        return Stored(self.rooms[name].epoch, written.seq, written.ts, dup=True)

    def take(self, room: ModelRoom, draft: Draft) -> Stored:
        written = Written(len(room.entries) + 1, self.now.wall, draft.author, draft.body)
        room.entries.append(written)
        self.cids[draft.author, draft.cid] = (draft.room, written)
        if isinstance(draft.body, Edited):
            room.entries[draft.body.target - 1].edits.append(written.seq)
        if isinstance(draft.body, Deleted):
            room.erase(draft.body.target)
        return Stored(room.epoch, written.seq, written.ts)

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        self.now = Now(self.now.wall + hours * 3600, self.now.mono + hours * 3600)

    @rule()
    def prune(self) -> None:
        while self.store.prune(self.now):
            pass
        for room in self.rooms.values():
            for written in room.entries[room.oldest - 1 :]:
                if written.ts >= self.now.wall - KEEP_S:
                    break
                room.oldest = written.seq + 1
        for room in self.rooms.values():
            for written in room.entries[: room.oldest - 1]:
                written.erased = written.erased or not isinstance(written.body, Deleted)
        self.forget_old_cids()

    def forget_old_cids(self) -> None:
        """All but that of the newest entry of all: its row is what the next id is counted from."""
        newest = max((written.ts for _, written in self.cids.values()), default=0.0)
        limit = self.now.wall - 7 * DAY
        if newest >= limit:
            self.cids = {key: known for key, known in self.cids.items() if known[1].ts >= limit}

    @rule(name=st.sampled_from(ROOMS))
    def renew(self, name: RoomName) -> None:
        room = self.rooms[name]
        room.old_epochs.append(room.epoch)
        room.epoch = renew(self.store, name, self.now).epoch
        assert room.epoch > room.old_epochs[-1]

    @rule(clean=st.booleans())
    def reopen(self, clean: bool) -> None:
        self.store.close() if clean else self.store.abandon()
        self.store = Store(self.setup, self.no_alarm)
        self.store.open(self.now)

    @precondition(lambda self: hasattr(self, "rooms"))
    @invariant()
    def reads_as_the_model_says(self) -> None:
        for name, room in self.rooms.items():
            page = pages.page(self.store.db, name, after=0, before=None, limit=1_000, max_bytes=1 << 20)
            assert (page.epoch, page.oldest, page.head) == (room.epoch, room.oldest, len(room.entries))
            assert [entry.body for entry in page.entries] == room.served()
            assert [entry.seq for entry in page.entries] == list(range(room.oldest, len(room.entries) + 1))
            opening = pages.opening(self.store.db, name, 5)
            assert [entry.body for entry in opening.tail] == room.served()[-5:]


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=40, stateful_step_count=25)
