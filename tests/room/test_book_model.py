"""A whole room against a model of plain lists: what is written, who has seen what, through trims, crashes, new epochs.

The log here keeps what was written and works out how it reads from nothing, every time; the book must come to the same
by folding. Every member checks for themself that nothing is told twice, out of order or left out without a gap."""

from attrs import define, evolve, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.clock import Now
from actors.events import (
    Body,
    Cleared,
    Entry,
    Erased,
    Hidden,
    Message,
    Moderation,
    Notice,
    Pinned,
    Policy,
    PolicyChanged,
    Restored,
    Uncleared,
)
from actors.journal.log import Outcome, Stored
from actors.names import HOUSE, Cid, Epoch, MemberId, Nickname
from actors.refusals import Reason, Refused
from actors.room.book import Book, Judgement
from actors.room.messages import Position
from actors.room.resume import Gap, hasten, plan
from tests.room.test_book_log import ListLog, Named, Signed

TAIL = 6
PEOPLE = [MemberId(name) for name in ("ana", "bo", "cy")]


@define
class Member:
    """What a client knows, and what the room remembers of their seat (cursor, target). They check all they are told."""

    here: bool = False
    epoch: Epoch | None = None
    seen: int = 0
    cursor: int = 0
    target: int | None = None
    caught_up: int | None = None
    contents: dict[Named, Signed] = field(factory=dict)

    def begin(self, epoch: Epoch, seen: int) -> None:
        self.epoch, self.seen = epoch, seen

    def told(self, entry: Entry) -> None:
        assert entry.epoch == self.epoch
        assert entry.seq == self.seen + 1, "I2, I3, I4: in order, once, without a hole"
        self.seen = entry.seq
        name, signed = (entry.epoch, entry.seq), (entry.author, entry.cid)
        assert self.contents.setdefault(name, signed) == signed, "I5: one name, one content"

    def gap(self, gap: Gap) -> None:
        if gap.why == "epoch":
            assert gap.start == 1
            assert gap.end >= 0
        else:
            assert gap.start == self.seen + 1
            assert gap.end >= gap.start
        self.seen = gap.end


@settings(max_examples=300, stateful_step_count=40, deadline=None)
class WholeRoom(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.log = ListLog()
        self.members = {who: Member() for who in PEOPLE}
        self.clock = 0.0
        self.cids = 0
        self.sent: list[tuple[MemberId, Cid, Body, Outcome]] = []
        self.start()

    def start(self) -> None:
        """A new instance of the room: it knows what the log tells it, and has forgotten who spoke when."""
        self.book = Book.open(self.log.opening(TAIL), tail_limit=TAIL)
        self.passes: list[tuple[MemberId, float]] = []

    @property
    def now(self) -> Now:
        return Now(5_000.0 + self.clock, self.clock)

    # What a plain reading of the rules says

    def folded(self) -> list[Entry]:
        return self.log.written[: self.book.head] if self.book.epoch == self.log.epoch else []

    def expected_refusal(self, author: MemberId, text: str, reply_to: int | None) -> Reason | None:
        rules = Policy()
        for entry in self.folded():
            if isinstance(entry.body, PolicyChanged):
                rules = entry.body.policy
        over = rules.expires is not None and self.now.wall >= rules.expires
        if not text.strip():
            return Reason.BAD_FRAME
        if rules.frozen and not over:
            return Reason.FROZEN
        if reply_to is not None:
            known = [entry for entry in self.folded() if entry.seq == reply_to]
            if not known or (
                reply_to > self.book.head - len(self.book.tail) and not isinstance(known[0].body, Message)
            ):
                return Reason.BAD_ANCHOR
        waits = [who for who, when in self.passes if self.clock - when < rules.slow_s and not over]
        return Reason.SLOW_MODE if author in waits else None

    def hand_in(self, author: MemberId, cid: Cid, judgement: Judgement) -> Outcome:
        outcome = self.log.append(self.book.epoch, author, cid, judgement)
        self.sent.append((author, cid, judgement.body, outcome))
        return outcome

    def fresh_cid(self) -> Cid:
        self.cids += 1
        return Cid(f"c{self.cids}")

    # Writing

    def post_as(self, author: MemberId, cid: Cid, text: str, reply_to: int | None) -> Outcome:
        expected = self.expected_refusal(author, text, reply_to) if self.book.epoch == self.log.epoch else None
        judgement = self.book.post(author, Nickname(author), text, reply_to, self.now)
        if self.book.epoch == self.log.epoch:
            assert (judgement.refusal and judgement.refusal.reason) == expected
        outcome = self.hand_in(author, cid, judgement)
        if isinstance(outcome, Stored) and not outcome.dup:
            self.passes.append((author, self.clock))
        elif judgement.refusal is None:
            self.book.forgive(author, self.now)
        return outcome

    @rule(who=st.sampled_from(PEOPLE), text=st.sampled_from(["hi", "ho", " "]), back=st.none() | st.integers(-1, 12))
    def post(self, who: MemberId, text: str, back: int | None) -> None:
        self.post_as(who, self.fresh_cid(), text, None if back is None else self.book.head - back)

    @rule(who=st.sampled_from(PEOPLE), count=st.integers(1, 12))
    def chatter(self, who: MemberId, count: int) -> None:
        for _ in range(count):
            self.post_as(who, self.fresh_cid(), "la", None)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), other=st.booleans())
    def retry(self, data: st.DataObject, other: bool) -> None:
        author, cid, body, first = data.draw(st.sampled_from(self.sent))
        if not isinstance(body, Message):
            return
        text = body.text + "!" if other else body.text
        outcome = self.post_as(author, cid, text, body.reply_to)
        if isinstance(first, Stored) and first.epoch == self.log.epoch:
            if other:
                assert outcome == Refused(Reason.CID_REUSED)
            else:
                assert outcome == evolve(first, dup=True), "a retry is never judged by a later rule"

    @rule(who=st.sampled_from(PEOPLE), back=st.integers(-1, 9), text=st.sampled_from(["new", "newer"]))
    def edit(self, who: MemberId, back: int, text: str) -> None:
        self.hand_in(who, self.fresh_cid(), self.book.edit(who, self.log.head - back, text, self.now))

    @rule(who=st.sampled_from(PEOPLE), back=st.integers(-1, 9))
    def delete(self, who: MemberId, back: int) -> None:
        self.hand_in(who, self.fresh_cid(), self.book.delete(who, self.log.head - back, self.now))

    @rule(
        frozen=st.booleans(), slow=st.sampled_from([0.0, 3.0]), lasts=st.none() | st.just(5.0), most=st.integers(0, 9)
    )
    def set_policy(self, frozen: bool, slow: float, lasts: float | None, most: int) -> None:
        expires = None if lasts is None else self.now.wall + lasts
        policy = Policy(frozen=frozen, slow_s=slow, expires=expires, history=most)
        self.hand_in(HOUSE, self.fresh_cid(), self.book.set_policy(policy, HOUSE, self.now))

    def moderate(self, body: Moderation) -> Outcome:
        return self.hand_in(HOUSE, self.fresh_cid(), self.book.moderate(body))

    @rule(back=st.integers(-1, 9), how=st.sampled_from([Hidden, Hidden, Restored, Pinned]))
    def order_about_one(self, back: int, how: type[Hidden] | type[Restored] | type[Pinned]) -> None:
        self.moderate(how(self.log.head - back))

    @rule(back=st.integers(-1, 6), how=st.sampled_from([Cleared, Cleared, Uncleared, Erased]))
    def order_about_many(self, back: int, how: type[Cleared] | type[Uncleared] | type[Erased]) -> None:
        upto = self.book.head - back
        outcome = self.moderate(how(upto))
        if not 1 <= upto <= self.book.head and self.book.epoch == self.log.epoch:
            assert isinstance(outcome, Refused)

    @precondition(lambda self: any(isinstance(entry.body, Cleared) for entry in self.log.written))
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        cleared = [entry.body.upto for entry in self.log.written if isinstance(entry.body, Cleared)]
        self.moderate(Uncleared(data.draw(st.sampled_from(cleared))))

    @precondition(lambda self: self.book.veil.hidden and self.book.epoch == self.log.epoch)
    @rule(data=st.data(), then=st.sampled_from(["edit", "delete", "restore", "restore"]))
    def go_on_with_a_hidden_one(self, data: st.DataObject, then: str) -> None:
        target = data.draw(st.sampled_from(sorted(self.book.veil.hidden)))
        author = self.log.written[target - 1].author
        if then == "edit":
            self.hand_in(author, self.fresh_cid(), self.book.edit(author, target, "newest", self.now))
        elif then == "delete":
            self.hand_in(author, self.fresh_cid(), self.book.delete(author, target, self.now))
        else:
            self.moderate(Restored(target))

    @rule()
    def unpin_and_announce(self) -> None:
        self.moderate(Pinned(None))
        self.moderate(Notice("hear, hear"))

    @rule(seconds=st.sampled_from([1.0, 2.0, 4.0]))
    def wait(self, seconds: float) -> None:
        self.clock += seconds

    # Folding and fanning out: the room lags behind its log

    @rule(count=st.integers(1, 20), late=st.booleans())
    def follow(self, count: int, late: bool) -> None:
        if self.book.epoch != self.log.epoch:
            self.start()
            return
        for entry in self.log.written[self.book.head : self.book.head + count]:
            shown = self.log.reads(entry) if late else entry
            level = [m for m in self.members.values() if m.here and self.is_level(m)]
            assert self.book.fold(shown)
            if isinstance(entry.body, PolicyChanged):
                self.passes.clear()
            for member in level:
                self.tell(member, self.book.face(shown))

    def is_level(self, member: Member) -> bool:
        return member.epoch == self.book.epoch and member.cursor == self.book.head

    def tell(self, member: Member, entry: Entry) -> None:
        assert self.log.ever[entry.epoch, entry.seq] == (entry.author, entry.cid), "I6: delivered implies committed"
        member.told(entry)
        member.cursor = entry.seq
        if member.cursor == member.target:
            member.caught_up, member.target = member.cursor, None

    @rule(who=st.sampled_from(PEOPLE), anew=st.booleans(), tail=st.integers(0, 8), most=st.integers(0, 12))
    def join(self, who: MemberId, anew: bool, tail: int, most: int) -> None:
        member, book = self.members[who], self.book
        since = None if anew or member.epoch is None else Position(member.epoch, member.seen)
        start = plan(since, tail, most, book.epoch, book.head, book.oldest, book.policy)
        if start.beyond_head:
            assert member.seen > book.head, "only a room that lags behind its log knows less than a member"
            return
        if start.mode == "resumed":
            assert (member.epoch, member.seen) == (book.epoch, start.cursor)
        elif start.gap is None:
            member.begin(book.epoch, start.cursor)
        else:
            member.epoch = book.epoch
            member.gap(start.gap)
        assert member.seen == start.cursor
        bound = tail if since is None or since.epoch != book.epoch else most
        assert book.head - start.cursor <= min(bound, most, book.policy.history)
        member.here, member.cursor, member.target = True, start.cursor, start.target

    @rule(who=st.sampled_from(PEOPLE), limit=st.integers(1, 5))
    def feed(self, who: MemberId, limit: int) -> None:
        member = self.members[who]
        if not member.here or member.epoch != self.book.epoch or self.book.epoch != self.log.epoch:
            return
        if member.cursor + 1 < self.book.oldest:
            member.gap(Gap(member.cursor + 1, self.book.oldest - 1, "trimmed"))
            member.cursor = self.book.oldest - 1
        page = self.book.recent(None, member.cursor, limit)
        if page is None:
            page = tuple(e for e in self.log.read(member.cursor, limit) if e.seq <= self.book.head)
        assert page or member.cursor == self.book.head, "there is always a way on"
        for entry in page:
            self.tell(member, entry)
            if self.book.head == self.log.head:
                assert entry == self.log.veiled(self.log.reads(entry)), "what is hidden is told to nobody"

    @rule(who=st.sampled_from(PEOPLE), rate=st.sampled_from([None, 0.0, 1.0]))
    def hurry(self, who: MemberId, rate: float | None) -> None:
        member = self.members[who]
        if member.here and member.epoch == self.book.epoch:
            cursor = hasten(member.cursor, self.book.head, rate, 1.0, 4.0, 2)
            if cursor > member.cursor:
                member.gap(Gap(member.cursor + 1, cursor, "too_many"))
                member.cursor = cursor

    @rule(who=st.sampled_from(PEOPLE))
    def drop(self, who: MemberId) -> None:
        self.members[who].here = False

    # Accidents

    @rule(keep=st.integers(0, 9))
    def trim(self, keep: int) -> None:
        if self.book.epoch == self.log.epoch:
            self.log.oldest = max(self.log.oldest, self.book.head + 1 - keep)
            self.book.trimmed(self.log.oldest)

    @rule()
    def crash_and_refold(self) -> None:
        if self.book.epoch == self.log.epoch:
            self.follow(self.log.head - self.book.head, True)
        folded = self.book
        self.start()
        assert self.book == folded or folded.epoch != self.book.epoch, "the same entries are the same room"

    @rule(noticed=st.booleans())
    def lose_everything(self, noticed: bool) -> None:
        self.log.begin_anew()
        if noticed:
            self.start()

    # At any time

    @invariant()
    def what_was_acknowledged_is_there(self) -> None:
        for author, cid, _, outcome in self.sent:
            if isinstance(outcome, Stored):
                assert self.log.ever[outcome.epoch, outcome.seq] == (author, cid), "I1"

    @invariant()
    def the_tail_reads_as_the_log_does(self) -> None:
        tail = self.book.tail
        assert len(tail) <= TAIL
        assert [e.seq for e in tail] == list(range(self.book.head - len(tail) + 1, self.book.head + 1))
        if (self.book.epoch, self.book.head) == (self.log.epoch, self.log.head):
            wanted = self.log.read(self.log.head - len(tail), TAIL)
            assert list(tail) == wanted
            assert len(tail) == min(TAIL, self.log.head - self.log.oldest + 1)

    @invariant()
    def the_room_knows_where_its_members_are(self) -> None:
        for member in self.members.values():
            if member.here and member.epoch == self.book.epoch:
                assert member.seen == member.cursor <= self.book.head


TestWholeRoom = WholeRoom.TestCase
