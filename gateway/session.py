"""A connection's mind: who it is, how fast it may speak, what each text of it means. Pure: no clock, no socket; the
connection carries out the actions that come back."""

from collections.abc import Callable, Container
from enum import Enum, auto
from math import ceil, inf
from typing import assert_never

from attrs import define, evolve, field, frozen

from actors.names import NICKNAME_LIMIT, MemberId, Nickname, RoomName
from actors.refusals import Reason, Refused
from gateway.auth import Identity, TokenRefused
from gateway.budgets import Budget, Excess, Pace, SessionLimits, Strikes
from gateway.protocol import client, server
from gateway.protocol.codec import BadFrame, Decoder, UnknownType
from gateway.protocol.codes import CloseCode
from gateway.protocol.frames import ClientFrame, RoomRequest
from gateway.protocol.kinds import Count
from gateway.protocol.replies import error

FEATURES = ("history", "members", "edit", "delete", "react", "typing", "presence", "alerts", "report")


class State(Enum):
    HELLO = auto()
    """Nobody yet."""
    ENTERING = auto()
    """Accepted; the connection finds out the rest and calls `entered`, or ends."""
    AUTHENTICATED = auto()
    CLOSING = auto()


@frozen
class Entering:
    """Somebody has said who they are. Pause the wire until `session.entered` is called."""

    re: int
    member: MemberId
    nickname: Nickname | None
    """None: the one of last time, from the roster."""
    pause_s: float = 0.0


@frozen
class TurnedAway:
    """Say so, and charge the peer's address with a failure to authenticate."""

    frame: server.ErrorFrame
    pause_s: float = 0.0


@frozen
class Route:
    """For the room that the frame names."""

    frame: RoomRequest
    pause_s: float = 0.0


@frozen
class Say:
    """An answer that needs nobody else. For the control lane."""

    frame: server.ErrorFrame | server.Ok
    pause_s: float = 0.0


@frozen
class Confirm:
    """A receipt for an alert. Spends no budget but that of bytes: ten thousand may answer one alert at once."""

    frame: client.AlertReceipt
    pause_s: float = 0.0


@frozen
class Beat:
    """A sign of life, with the round trip where it answers our heartbeat. The positions that it tells are for whoever
    reads along."""

    rtt_s: float | None
    answer: server.Ok | None
    pause_s: float = 0.0


@frozen
class Goodbye:
    """Say `last` if there is one, then finish. Everything later is Nothing. `failure`: as for TurnedAway."""

    code: CloseCode
    retry_after_ms: int | None = None
    last: server.ErrorFrame | None = None
    failure: bool = False
    pause_s: float = 0.0


@frozen
class Nothing:
    pause_s: float = 0.0


Action = Entering | TurnedAway | Route | Confirm | Say | Beat | Goodbye | Nothing
"""`pause_s`, of every action: read nothing for so long afterwards."""


@define(eq=False)
class Session:
    """`decode`: shared by all sessions. `verify`: a token and the wall time. `make_member`: the wall time. `reserved`:
    nicknames for staff only."""

    _limits: SessionLimits
    _decode: Decoder[ClientFrame]
    _verify: Callable[[str, float], Identity | TokenRefused]
    _make_member: Callable[[float], MemberId]
    _reserved: Container[str] = ()
    state: State = field(init=False, default=State.HELLO)
    member: MemberId | None = field(init=False, default=None)
    nickname: Nickname | None = field(init=False, default=None)
    _rooms: set[RoomName] = field(init=False, factory=set)
    _pace: Pace = field(init=False)
    _refusals: Strikes = field(init=False)
    _bad_frames: Strikes = field(init=False)
    _told_until: float = field(init=False, default=-inf)
    _failures: int = field(init=False, default=0)
    _beat: tuple[float, float] | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._pace = Pace(self._limits)
        self._refusals = Strikes(self._limits.refusals, self._limits.refusals_window_s)
        self._bad_frames = Strikes(self._limits.bad_frames, self._limits.bad_frames_window_s)

    def text(self, raw: str, mono: float, wall: Callable[[], float]) -> Action:
        """One text message. `mono`: the loop's clock, for budgets; `wall`: Unix seconds, asked where a token is."""
        if self.state is State.CLOSING:
            return Nothing()
        frame: ClientFrame | BadFrame | UnknownType
        try:
            frame = self._decode(raw)
        except (BadFrame, UnknownType) as wrong:
            frame = wrong
        granted = self._pace.judge(_budget(frame), _size(raw), mono)
        if isinstance(granted, Excess):
            return self._excess(frame, granted, mono)
        action = self._action(frame, mono, wall)
        return evolve(action, pause_s=granted.pause_s) if granted.pause_s else action

    def _action(self, frame: ClientFrame | BadFrame | UnknownType, mono: float, wall: Callable[[], float]) -> Action:
        match frame:
            case BadFrame():
                return self._bad_frame(frame, mono)
            case UnknownType():
                return Say(error(frame.re, Refused(Reason.UNKNOWN_TYPE, f"unknown type {frame.tag[:32]!r}")))
            case client.Heartbeat():
                return self._heartbeat(frame, mono)
            case client.Auth():
                return self._auth(frame, wall())
            case client.Typing():
                wanted = frame.room in self._rooms and self._pace.quietly(Budget.TYPING, mono)
                return Route(frame) if wanted else Nothing()
            case _ if self.state is not State.AUTHENTICATED:
                return self._refuse(frame.id, Refused(Reason.UNAUTHORIZED), mono)
            case client.AlertReceipt():
                return Confirm(frame)
            case _:
                return self._request(frame)

    def _request(self, frame: RoomRequest) -> Action:
        if isinstance(frame, client.Typing) or frame.room in self._rooms:
            return Route(frame)
        if not isinstance(frame, client.Join):
            return Say(error(frame.id, Refused(Reason.NOT_JOINED)))
        if len(self._rooms) >= self._limits.rooms:
            return Say(error(frame.id, Refused(Reason.FULL, f"at most {self._limits.rooms} rooms a connection")))
        self._rooms.add(frame.room)
        return Route(frame)

    def _auth(self, frame: client.Auth, wall: float) -> Action:
        if self.state is not State.HELLO:
            return Say(error(frame.id, Refused(Reason.FORBIDDEN, "you have said who you are")))
        if frame.token is None and not self._limits.anonymous:
            return self._turn_away(frame.id, Refused(Reason.UNAUTHORIZED, "this server lets in by token only"), "token")
        if frame.nickname is not None and frame.nickname in self._reserved:
            refused = Refused(Reason.FORBIDDEN, "this name is kept for the staff; choose another one")
            return Say(error(frame.id, refused, "nickname"))
        if frame.token is None:
            self.member = self._make_member(wall)
        else:
            who = self._verify(frame.token, wall)
            if isinstance(who, TokenRefused):
                said = f"this token is not accepted ({who.reason}); come in by nickname"
                return self._turn_away(frame.id, Refused(Reason.UNAUTHORIZED, said), "token")
            self.member = who.member
        self.state = State.ENTERING
        return Entering(frame.id, self.member, frame.nickname)

    def _turn_away(self, re: int, refused: Refused, path: str) -> Action:
        self._failures += 1
        if self._failures < self._limits.failures:
            return TurnedAway(error(re, refused, path))
        return self._goodbye(CloseCode.TOKEN, last=error(re, refused, path), failure=True)

    def _heartbeat(self, frame: client.Heartbeat, mono: float) -> Action:
        rtt_s = None
        if self._beat is not None and frame.t == self._beat[0]:
            rtt_s = max(0.0, mono - self._beat[1])
            self._beat = None
        return Beat(rtt_s, None if frame.id is None else server.Ok(frame.id))

    # Refusals

    def _bad_frame(self, wrong: BadFrame, mono: float) -> Action:
        frame = error(wrong.re, Refused(wrong.reason, wrong.message), wrong.path)
        if self._bad_frames.strike(mono):
            return self._goodbye(CloseCode.BAD_PROTOCOL, last=frame)
        return Say(frame)

    def _excess(self, frame: ClientFrame | BadFrame | UnknownType, excess: Excess, mono: float) -> Action:
        # Of typing only the bytes are judged here: by those it is as much work as anything else.
        re = frame.re if isinstance(frame, BadFrame | UnknownType) else getattr(frame, "id", None)
        refused = Refused(Reason.RATE, retry_after_ms=max(1, ceil(excess.wait_s * 1000)))
        heeded = mono >= self._told_until
        self._told_until = mono + excess.wait_s
        # Whoever waits as told before each next try is at the limit, not abusive.
        return Say(error(re, refused)) if heeded else self._refuse(re, refused, mono)

    def _refuse(self, re: int | None, refused: Refused, mono: float) -> Action:
        if not self._refusals.strike(mono):
            return Say(error(re, refused))
        return self._goodbye(CloseCode.ABUSIVE, self._limits.abusive_retry_ms, error(re, refused))

    def _goodbye(
        self,
        code: CloseCode,
        retry_after_ms: int | None = None,
        last: server.ErrorFrame | None = None,
        failure: bool = False,
    ) -> Goodbye:
        self.state = State.CLOSING
        return Goodbye(code, retry_after_ms, last, failure)

    # What the connection tells

    def entered(self, nickname: Nickname) -> None:
        """After Entering: `ready` is about to be said."""
        self.nickname = nickname
        self.state = State.AUTHENTICATED

    def joined(self, asked: RoomName, room: RoomName) -> None:
        """The join that was routed under `asked`, which may be a code, is of `room`."""
        self._rooms.discard(asked)
        self._rooms.add(room)

    def left(self, room: RoomName) -> None:
        """A join was refused, a leave was done, or the room is no longer joined for whatever reason."""
        self._rooms.discard(room)

    def refund_send(self) -> None:
        """It was there already: a retry spends no budget."""
        self._pace.refund(Budget.MESSAGES)

    def heartbeat(self, mono: float, wall: float) -> server.HeartbeatFrame:
        """To be sent now; its echo tells the round trip."""
        self._beat = (wall, mono)
        return server.HeartbeatFrame(wall)

    def close(self) -> None:
        """The connection is being finished: whatever still comes is Nothing."""
        self.state = State.CLOSING


def hello(
    limits: SessionLimits, node: str, wall: float, heartbeat: server.HeartbeatTimes, history: server.Retention
) -> server.Hello:
    """The first frame, with the numbers that a Session of these limits enforces."""
    said = server.Limits(
        messages_per_s=limits.messages_per_s,
        burst=Count(limits.burst),
        bytes_per_s=Count(limits.bytes_per_s),
        frame_bytes=Count(limits.frame_bytes),
        text_code_points=Count(limits.text_code_points),
        nickname_code_points=Count(NICKNAME_LIMIT),
        rooms=Count(limits.rooms),
        joins_per_s=limits.joins_per_s,
        joins_burst=Count(limits.joins_burst),
        authenticate_ms=Count(round(limits.authenticate_s * 1000)),
    )
    return server.Hello(1, node, wall, heartbeat, said, history, FEATURES)


def _size(raw: str) -> int:
    return len(raw) if raw.isascii() else len(raw.encode(errors="replace"))


def _budget(frame: ClientFrame | BadFrame | UnknownType) -> Budget | None:
    """None: only its bytes count."""
    match frame:
        case client.Send() | client.Edit() | client.Delete():
            return Budget.MESSAGES
        case client.Join():
            return Budget.JOINS if frame.since is None else Budget.RESUMES
        case BadFrame() | client.Typing() | client.AlertReceipt():
            return None
        case (
            UnknownType() | client.Auth() | client.Leave() | client.React() | client.History() | client.Members()
            | client.Report() | client.Heartbeat()
        ):  # fmt: skip
            return Budget.CONTROL
    assert_never(frame)
