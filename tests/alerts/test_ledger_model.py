"""The ledger against a model that counts anew at every look. After every step each target is in exactly one state, and
their sum is what was targeted, for the whole and for each room; no state ever falls; every list of names is as long as
its count."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actors.alerts.book import Book, Case
from actors.alerts.ledger import Ledger
from actors.alerts.vocabulary import WANTED, Ack, Kind, Life, Reach, ReceiptState
from actors.names import MemberId
from actors.refusals import Refused
from tests.alerts.making import MAIN, TENT, at, draft, target

ROOMS = [(MAIN,), (TENT,), (MAIN, TENT)]
people = st.integers(0, 4)
"""Few: what one person does one after the other is what matters."""
reaches = st.sampled_from([Reach.QUEUED, Reach.WRITTEN])
notes = st.sampled_from(["", "leg"])


class Alerts(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.clock = 0.0
        self.case: Case
        self.reach: dict[tuple[int, MemberId], Reach] = {}
        self.joined: set[tuple[int, MemberId]] = set()
        self.help: set[tuple[int, MemberId]] = set()
        self.helped: set[MemberId] = set()
        """Whose call has been dealt with: in every revision in which there is one."""

    def now(self) -> float:
        self.clock += 1
        return self.clock

    @initialize(who=st.lists(people, max_size=10), ack=st.sampled_from(Ack))
    def raised(self, who: list[int], ack: Ack) -> None:
        made = draft(rooms=["main-stage", "tent"], expires_s=86_400, ack=str(ack))
        case = self.book.begin(made, (MAIN, TENT), "XYZ", "ana", at(0))
        assert isinstance(case, Case)
        self.case = case
        self.book.target(case, [target(n, *ROOMS[n % 3]) for n in who])
        for n in who:
            self.reach[1, target(n).member] = Reach.UNREACHABLE

    @rule(n=people)
    def comes_later(self, n: int) -> None:
        rev, who = self.case.alert.rev, target(n, *ROOMS[n % 3])
        new = self.book.joined_after(self.case, who, at(self.now()).wall)
        assert new == ((rev, who.member) not in self.reach)
        if new:
            self.reach[rev, who.member] = Reach.UNREACHABLE
            self.joined.add((rev, who.member))

    @rule(n=people, reach=reaches, back=st.integers(0, 2))
    def bytes_move(self, n: int, reach: Reach, back: int) -> None:
        """Also for a revision that is not the newest any more: its bytes were under way."""
        rev = max(1, self.case.alert.rev - back)
        member = target(n).member
        before = self.reach.get((rev, member))
        rose = self.case.ledgers[rev].raise_to(member, reach, at(self.now()).wall)
        assert rose == (before is not None and reach > before)
        if before is not None:
            self.reach[rev, member] = max(before, reach)

    @rule(n=people, state=st.sampled_from(ReceiptState), back=st.integers(-1, 3), note=notes)
    def answers(self, n: int, state: ReceiptState, back: int, note: str) -> None:
        self.receipt(n, state, back, note)

    @rule(n=people, back=st.integers(0, 1), note=notes, again=st.booleans())
    def calls_for_help(self, n: int, back: int, note: str, again: bool) -> None:
        """Again: one whose call has been dealt with."""
        helped = [n for n in range(5) if target(n).member in self.helped]
        self.receipt(helped[0] if again and helped else n, ReceiptState.HELP, back, note)

    def receipt(self, n: int, state: ReceiptState, back: int, note: str) -> None:
        rev, member = self.case.alert.rev - back, target(n).member
        found = self.book.receipt(member, self.case.alert.id, rev, state, note, at(self.now()).wall)
        assert isinstance(found, Refused) == ((rev, member) not in self.reach)
        if isinstance(found, Refused):
            return
        rises = {ReceiptState.RECEIVED: 3, ReceiptState.SEEN: 4, ReceiptState.ACKNOWLEDGED: 5, ReceiptState.HELP: 4}
        revs = {rev, self.case.alert.rev} if state is ReceiptState.HELP else {rev}
        for each in revs:
            self.reach[each, member] = max(self.reach[each, member], Reach(rises[state]))
            if state is ReceiptState.HELP:
                self.help.add((each, member))
                self.helped.discard(member)

    @rule(n=people, done=st.booleans())
    def is_helped(self, n: int, done: bool) -> None:
        """Mostly one who has called."""
        callers = sorted(member for rev, member in self.help if rev == self.case.alert.rev)
        member, name = callers[n % len(callers)] if n and callers else target(n).member, self.case.alert.id
        called = (self.case.alert.rev, member) in self.help
        before = self.book.help_call(name, member)
        assert isinstance(before, Refused) != called
        assert not called or before == (member in self.helped)
        assert isinstance(self.book.resolve_help(name, member, done), Refused) != called
        if called:
            self.helped = self.helped | {member} if done else self.helped - {member}

    @rule(kind=st.sampled_from(["update", "update", "update", "cancel", "all_clear"]))
    def revised(self, kind: str) -> None:
        old, name = self.case.alert, self.case.alert.id
        if kind == "update":
            case = self.book.update(name, {"severity": "minor"}, "ana", at(self.now()))
        else:
            case = self.book.end(name, Kind(kind), "", "ana", at(self.now()))
        assert isinstance(case, Refused) == (old.state is not Life.ACTIVE)
        if not isinstance(case, Refused):
            for (rev, member), _ in list(self.reach.items()):
                if rev == old.rev:
                    self.reach[old.rev + 1, member] = Reach.UNREACHABLE
                    if (rev, member) in self.help:
                        self.help.add((old.rev + 1, member))

    @invariant()
    def it_adds_up(self) -> None:
        if not hasattr(self, "case"):
            return
        for rev, ledger in self.case.ledgers.items():
            self.check(rev, ledger)

    def check(self, rev: int, ledger: Ledger) -> None:
        mine = {member: reach for (each, member), reach in self.reach.items() if each == rev}
        later = {member for each, member in self.joined if each == rev}
        assert {member: row.reach for member, row in ledger.rows.items()} == mine
        tally = ledger.tally()
        assert tally.targeted == ledger.targeted == len(mine) - len(later)
        for reach in Reach:
            count = sum(each is reach for member, each in mine.items() if member not in later)
            assert getattr(tally, reach.word) == count
            assert {each.member for each in ledger.names(reach.word, None, 1).people} == {
                member for member, each in mine.items() if each is reach and member not in later
            }
        assert tally.joined_after == len(later) == ledger.names("joined_after", None, 1).total
        assert tally.help == sum(each == rev for each, _ in self.help) == ledger.names("help", None, 1).total
        assert tally.helped == sum(each == rev and member in self.helped for each, member in self.help)
        calls = [(each.help, each.helped) for each in ledger.names("help", None, 1).people]
        assert calls == [(True, False)] * (tally.help - tally.helped) + [(True, True)] * tally.helped
        assert ledger.names("help_open", None, 1).total == tally.help - tally.helped
        wanted = WANTED[self.case.alert.draft.ack] if ledger is self.case.ledger else ledger.wanted
        below = [member for member, each in mine.items() if each < wanted and member not in later]
        assert ledger.names("unanswered", None, 1).total == len(below) == ledger.targeted - ledger.answered
        for room, counts in ledger.by_room().items():
            rows = [row for row in ledger.rows.values() if room in row.rooms and not row.joined_after]
            assert counts.targeted == len(rows)
            assert counts.acknowledged == sum(row.reach is Reach.ACKNOWLEDGED for row in rows)
            assert ledger.names("help", room, 1).total == counts.help
            assert ledger.names("help_open", room, 1).total == counts.help - counts.helped
        assert ledger.score().answered == ledger.answered_part


TestAlerts = Alerts.TestCase
TestAlerts.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
