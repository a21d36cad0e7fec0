"""Whoever applies the diffs of a room, and asks anew where a revision is left out, comes to the truth."""

import re

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import actors.room.presence
from actors.names import MemberId, Nickname
from actors.room.presence import Counted, Diff
from tests.room.test_presence import house, m, skeleton

NAMES = st.sampled_from(["Ana", "ana", "Bo", "Ana 2"])


class Listener(RuleBasedStateMachine):
    """Around the hysteresis, with a small house: the thresholds are lowered so that few steps cross them."""

    @initialize()
    def open(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(actors.room.presence, "DIFF_UP_TO", 3)
        self.patch.setattr(actors.room.presence, "COUNTS_ABOVE", 5)
        self.presence = house()
        self.clock = 0.0
        self.seats: dict[MemberId, int] = {}
        self.names: dict[MemberId, str] = {}
        self.rev = 0
        self.list: dict[MemberId, str] = {}

    def teardown(self) -> None:
        self.patch.undo()

    @rule(who=st.integers(0, 8), name=NAMES)
    def enter(self, who: int, name: str) -> None:
        self.is_called(m(who), name, self.presence.enter(m(who), Nickname(name)))
        self.seats[m(who)] = self.seats.get(m(who), 0) + 1

    @rule(who=st.integers(0, 8), name=NAMES)
    def rename(self, who: int, name: str) -> None:
        got = self.presence.rename(m(who), Nickname(name))
        assert (got is None) == (m(who) not in self.seats)
        if got is not None:
            self.is_called(m(who), name, got)

    def is_called(self, member: MemberId, name: str, got: str) -> None:
        """As wanted, or with a suffix where somebody else looks so; and then with the one that they have."""
        before = self.names[member] if member in self.seats else ""
        if skeleton(name) not in {skeleton(self.names[other]) for other in self.seats if other != member}:
            assert got == name
        elif before == name or re.fullmatch(f"{name} [0-9]+", before):
            assert got == before
        else:
            assert re.fullmatch(f"{name} [0-9]+", got)
        self.names[member] = got

    @rule(who=st.integers(0, 8))
    def leave_seat(self, who: int) -> None:
        had = self.seats.get(m(who), 0)
        if had:
            self.seats[m(who)] = had - 1
        assert self.presence.leave_seat(m(who)) == (had == 1)

    @rule(who=st.integers(0, 8))
    def lapse(self, who: int) -> None:
        gone = self.seats.get(m(who)) == 0
        assert self.presence.lapse(m(who)) == gone
        if gone:
            del self.seats[m(who)]

    @rule(who=st.integers(0, 8))
    def leave_now(self, who: int) -> None:
        assert self.presence.leave_now(m(who)) == (self.seats.pop(m(who), None) is not None)

    @rule(seconds=st.sampled_from([0.3, 1.0, 5.0]), policy=st.sampled_from(["auto", "auto", "off"]))
    def listen(self, seconds: float, policy: str) -> None:
        self.clock += seconds
        news = self.presence.due(self.clock, policy)
        assert news is None or policy == "auto"
        match news:
            case Diff():
                if news.rev == self.rev + 1:
                    for member in news.leaves:
                        del self.list[member]
                    self.list.update({shown.member: shown.nickname for shown in news.joins})
                else:
                    self.list = {shown.member: shown.nickname for shown in self.presence.page(1).members}
                assert self.list == {member: self.names[member] for member in self.seats}
            case Counted():
                self.list = {}
        if news is not None:
            assert news.rev > self.rev
            assert news.online == len(self.seats)
            self.rev = news.rev

    @invariant()
    def the_house_is_as_counted(self) -> None:
        assert self.presence.online == len(self.seats)
        shown = {card.member: str(card.nickname) for card in self.presence.page(1).members}
        assert shown == {member: self.names[member] for member in self.seats}
        assert len({skeleton(name) for name in shown.values()}) == len(shown), "no two look alike"


TestListener = settings(max_examples=150, stateful_step_count=40, deadline=None)(Listener).TestCase
