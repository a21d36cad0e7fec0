"""An operator's connection's mind: signed in or not, how fast it may speak, what each text means. Pure: no clock, no
socket; the connection carries out the actions that come back."""

from enum import Enum, auto
from math import ceil

from attrs import define, evolve, field, frozen

from actors.admin.orders import Denied
from actors.refusals import Reason
from gateway.budgets import Budget, Excess, Pace, SessionLimits, Strikes
from gateway.protocol import admin
from gateway.protocol.codec import BadFrame, Decoder, UnknownType
from gateway.protocol.codes import ERRORS, CloseCode
from gateway.protocol.kinds import Count, RequestId

FEATURES = ("watch", "dry_run", "ttl", "confirm", "undo")
LIMITS = SessionLimits(control_per_s=20.0, control_burst=60)
"""A person is slower; a program that steers the house is told `rate` and waits."""
RETRIED = frozenset(reason.value for reason in Reason if ERRORS[reason].retry)


class State(Enum):
    HELLO = auto()
    SIGNING_IN = auto()
    """A password is being checked; one at a time."""
    SIGNED_IN = auto()
    CLOSING = auto()


@frozen
class Knock:
    frame: admin.Auth
    pause_s: float = 0.0


@frozen
class Give:
    frame: admin.Command
    pause_s: float = 0.0


@frozen
class Look:
    frame: admin.Watch | admin.Unwatch
    pause_s: float = 0.0


@frozen
class Say:
    frame: admin.ErrorFrame | admin.Ok
    pause_s: float = 0.0


@frozen
class Beat:
    frame: admin.Heartbeat
    pause_s: float = 0.0


@frozen
class Goodbye:
    """Say `last`, then finish."""

    code: CloseCode
    last: admin.ErrorFrame
    retry_after_ms: int | None = None
    pause_s: float = 0.0


@frozen
class Nothing:
    pause_s: float = 0.0


Action = Knock | Give | Look | Say | Beat | Goodbye | Nothing


@define(eq=False)
class AdminSession:
    """`decode`: shared by all."""

    _decode: Decoder[admin.AdminClientFrame]
    _limits: SessionLimits = LIMITS
    state: State = field(init=False, default=State.HELLO)
    _pace: Pace = field(init=False)
    _refusals: Strikes = field(init=False)
    _bad_frames: Strikes = field(init=False)

    def __attrs_post_init__(self) -> None:
        limits = self._limits
        self._pace = Pace(limits)
        self._refusals = Strikes(limits.refusals, limits.refusals_window_s)
        self._bad_frames = Strikes(limits.bad_frames, limits.bad_frames_window_s)

    def text(self, raw: str, mono: float) -> Action:
        if self.state is State.CLOSING:
            return Nothing()
        frame: admin.AdminClientFrame | BadFrame | UnknownType
        try:
            frame = self._decode(raw)
        except (BadFrame, UnknownType) as wrong:
            frame = wrong
        granted = self._pace.judge(Budget.CONTROL, len(raw.encode(errors="replace")), mono)
        if isinstance(granted, Excess):
            wait_ms = max(1, ceil(granted.wait_s * 1000))
            return self._refuse(_id(frame), Denied("rate", "too fast; wait a moment", wait_ms), mono)
        action = self._action(frame, mono)
        return evolve(action, pause_s=granted.pause_s) if granted.pause_s else action

    def _action(self, frame: "admin.AdminClientFrame | BadFrame | UnknownType", mono: float) -> Action:
        match frame:
            case BadFrame():
                said = error(frame.re, Denied(frame.reason.value, frame.message), frame.path)
                if self._bad_frames.strike(mono):
                    return self._goodbye(CloseCode.BAD_PROTOCOL, said)
                return Say(said)
            case UnknownType():
                return Say(error(frame.re, Denied("unknown_type", f"unknown type {frame.tag[:32]!r}")))
            case admin.Heartbeat():
                return Beat(frame)
            case admin.Auth():
                return self._sign_in(frame)
        if self.state is not State.SIGNED_IN:
            return self._refuse(frame.id, Denied("unauthorized", "sign in first"), mono)
        return Give(frame) if isinstance(frame, admin.Command) else Look(frame)

    def _sign_in(self, frame: admin.Auth) -> Action:
        if self.state is State.SIGNED_IN:
            return Say(error(frame.id, Denied("forbidden", "you are signed in already")))
        if self.state is State.SIGNING_IN:
            return Say(error(frame.id, Denied("busy", "one sign-in at a time", 1_000)))
        self.state = State.SIGNING_IN
        return Knock(frame)

    def _refuse(self, re: int | None, denied: Denied, mono: float) -> Action:
        if not self._refusals.strike(mono):
            return Say(error(re, denied))
        return self._goodbye(CloseCode.ABUSIVE, error(re, denied), self._limits.abusive_retry_ms)

    def _goodbye(self, code: CloseCode, last: admin.ErrorFrame, retry_after_ms: int | None = None) -> Goodbye:
        self.state = State.CLOSING
        return Goodbye(code, last, retry_after_ms)

    # What the connection tells

    def signed_in(self) -> None:
        if self.state is State.SIGNING_IN:
            self.state = State.SIGNED_IN

    def not_signed_in(self) -> None:
        if self.state is State.SIGNING_IN:
            self.state = State.HELLO

    def close(self) -> None:
        self.state = State.CLOSING


def error(re: int | None, denied: Denied, path: str = "") -> admin.ErrorFrame:
    after = None if denied.retry_after_ms is None else Count(denied.retry_after_ms)
    return admin.ErrorFrame(
        re=None if re is None else RequestId(re),
        code=denied.code,
        message=denied.message,
        retry=denied.retry_after_ms is not None or denied.code in RETRIED,
        retry_after_ms=after,
        path=path or None,
    )


def _id(frame: "admin.AdminClientFrame | BadFrame | UnknownType") -> int | None:
    return frame.re if isinstance(frame, BadFrame | UnknownType) else frame.id
