"""A session in any order of events, against the little that is always true."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.names import MemberId, Nickname, ReservedNames, RoomName
from gateway.protocol import client
from gateway.protocol.codes import CloseCode
from gateway.session import Action, Entering, Goodbye, Nothing, Route, Say, State, TurnedAway
from tests.gateway.talk import ANA, JOIN, NEW, REQUESTS, TYPING, make, tell


class Life(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.session = make(ReservedNames(["admin"]))
        self.now = 0.0
        self.here: set[str] = set()
        self.member: MemberId | None = None
        self.routed: list[float] = []
        self.over = False

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.3, 2.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(
        frame=st.one_of(
            st.sampled_from([JOIN, *REQUESTS, TYPING, {"type": "heartbeat", "id": 9}]),
            st.sampled_from(["no", "{}", '{"type":"alert","id":9}', '{"type":"send","id":9}']),
            st.builds(lambda room: JOIN | {"room": f"room-{room}"}, st.integers(0, 40)),
        )
    )  # fmt: skip
    def say(self, frame: dict[str, Any] | str) -> None:
        self.judge(tell(self.session, frame, self.now), 9)

    @rule(auth=st.sampled_from([{"nickname": "Ana"}, {"nickname": "Adm1n"}, {"token": "good"}, {"token": "bad"}]))
    def auth(self, auth: dict[str, str]) -> None:
        before = self.session.state
        action = tell(self.session, {"type": "auth", "id": 9, **auth}, self.now)
        self.judge(action, 9)
        if isinstance(action, Entering):
            assert before is State.HELLO
            assert action.member == (ANA if "token" in auth else NEW)
            assert auth.get("nickname") != "Adm1n"
            assert auth.get("token") != "bad"

    def judge(self, action: Action, re: int) -> None:
        if self.over:
            assert action == Nothing()
        match action:
            case Route(frame):
                assert self.session.state is State.AUTHENTICATED
                if isinstance(frame, client.Join):
                    self.here.add(frame.room)
                assert frame.room in self.here
                if isinstance(frame, client.Send | client.Edit | client.Delete):
                    self.routed.append(self.now)
            case Say(frame) | TurnedAway(frame):
                assert frame.re in (re, None)
            case Goodbye(code, _, last):
                assert code in CloseCode
                assert last is not None
                self.over = True
            case _:
                pass
        assert 0 <= action.pause_s <= 2.0

    @precondition(lambda self: self.session.state is State.ENTERING)
    @rule()
    def enter(self) -> None:
        self.session.entered(Nickname("Ana"))
        self.member = self.session.member

    @precondition(lambda self: self.here)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        room = data.draw(st.sampled_from(sorted(self.here)))
        self.here.discard(room)
        self.session.left(RoomName(room))

    @invariant()
    def nobody_changes(self) -> None:
        if self.member is not None:
            assert self.session.member == self.member

    @invariant()
    def rooms_are_bounded(self) -> None:
        assert len(self.here) <= 32

    @invariant()
    def the_rate_is_kept(self) -> None:
        """Burst, and what may be lent for 2 s of pause; then the rate."""
        for at, start in enumerate(self.routed):
            count = sum(1 for each in self.routed[at:] if each - start <= 5.0)
            assert count <= 10 + 10 + 5 * 5 + 1


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
