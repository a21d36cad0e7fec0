"""Codes are data: what an error or a close means for whoever gets it (docs/protocol.md, errors and close codes)."""

from enum import Enum, IntEnum, StrEnum

from attrs import frozen

from actors.refusals import Reason


class Scope(StrEnum):
    """What the refusal is about."""

    FRAME = "frame"
    ROOM = "room"
    CONNECTION = "connection"


@frozen
class ErrorCode:
    """`retry`: the same request may succeed later, after `retry_after_ms` where the error has one, else when what
    stands in its way has changed (a policy frame, a place in the room)."""

    retry: bool
    scope: Scope
    message: str


ERRORS: dict[Reason, ErrorCode] = {
    Reason.BAD_FRAME: ErrorCode(False, Scope.FRAME, "this is not a frame of protocol v1"),
    Reason.TOO_BIG: ErrorCode(False, Scope.FRAME, "this is too big"),
    Reason.UNAUTHORIZED: ErrorCode(False, Scope.CONNECTION, "say who you are first"),
    Reason.FORBIDDEN: ErrorCode(False, Scope.FRAME, "you may not do that"),
    Reason.UNKNOWN_ROOM: ErrorCode(False, Scope.ROOM, "there is no such room"),
    Reason.UNKNOWN_TYPE: ErrorCode(False, Scope.FRAME, "this server does not know that type of frame"),
    Reason.NOT_JOINED: ErrorCode(False, Scope.ROOM, "join the room first"),
    Reason.RATE: ErrorCode(True, Scope.CONNECTION, "too fast; wait a moment"),
    Reason.SLOW_MODE: ErrorCode(True, Scope.ROOM, "this room is in slow mode"),
    Reason.FROZEN: ErrorCode(True, Scope.ROOM, "this room is paused"),
    Reason.LOCKED_DOWN: ErrorCode(True, Scope.CONNECTION, "this is closed for the moment"),
    Reason.MUTED: ErrorCode(False, Scope.ROOM, "you are muted in this room"),
    Reason.BANNED: ErrorCode(False, Scope.ROOM, "you are banned from this room"),
    Reason.FULL: ErrorCode(True, Scope.ROOM, "this room is full"),
    Reason.BAD_ANCHOR: ErrorCode(False, Scope.FRAME, "there is no such message"),
    Reason.TRIMMED: ErrorCode(False, Scope.FRAME, "that is no longer kept"),
    Reason.CID_REUSED: ErrorCode(False, Scope.FRAME, "this cid was used for something else"),
    Reason.BUSY: ErrorCode(True, Scope.FRAME, "busy; try again in a moment"),
    Reason.DRAINING: ErrorCode(True, Scope.CONNECTION, "the server is about to restart"),
    Reason.UNAVAILABLE: ErrorCode(True, Scope.ROOM, "this room is closed for the moment"),
    Reason.INTERNAL: ErrorCode(True, Scope.FRAME, "something went wrong here; try again"),
}


class Verdict(Enum):
    """What a client does after a close."""

    STAYS_AWAY = "has left"
    COMES_BACK = "comes back with full-jitter back-off and resumes"
    COMES_BACK_AFTER = "comes back after retry_after_ms, without growing back-off, and resumes"
    GIVES_UP = "does not come back as it is"


class CloseCode(IntEnum):
    LEFT = 1000
    OVERLOADED = 4100
    INTERNAL = 4101
    HEARTBEAT_LOST = 4102
    STUCK = 4103
    """Not sent: whoever takes no bytes could not be told either, and is cut. For clients' own use."""
    AUTH_TIMEOUT = 4104
    DRAINING = 4200
    REPLACED_NODE = 4201
    """Not sent so far: there is one node."""
    BAD_PROTOCOL = 4400
    TOKEN = 4401
    BANNED = 4403
    VERSION = 4406
    REPLACED = 4409
    TOO_BIG = 4413
    """Not sent so far: a message that is too big ends in RFC 6455's own 1009."""
    ABUSIVE = 4429
    """Not before retry_after_ms."""

    @property
    def text(self) -> str:
        """For `bye` and the close frame."""
        return self.name.lower().replace("_", " ")


def verdict(code: int) -> Verdict:
    """By range, so that a client knows what to do about a code that is newer than itself."""
    if code == CloseCode.LEFT:
        return Verdict.STAYS_AWAY
    if 4200 <= code < 4300:
        return Verdict.COMES_BACK_AFTER
    if 4400 <= code < 4500 or code in (1002, 1003) or 1007 <= code <= 1010:
        return Verdict.GIVES_UP
    return Verdict.COMES_BACK
