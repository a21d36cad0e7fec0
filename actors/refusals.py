"""Why something was not done: the closed list that the wire shows as error codes (docs/protocol.md, errors)."""

from enum import StrEnum

from attrs import frozen


class Reason(StrEnum):
    BAD_FRAME = "bad_frame"
    TOO_BIG = "too_big"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    UNKNOWN_ROOM = "unknown_room"
    UNKNOWN_TYPE = "unknown_type"
    NOT_JOINED = "not_joined"
    RATE = "rate"
    SLOW_MODE = "slow_mode"
    FROZEN = "frozen"
    LOCKED_DOWN = "locked_down"
    MUTED = "muted"
    BANNED = "banned"
    FULL = "full"
    BAD_ANCHOR = "bad_anchor"
    TRIMMED = "trimmed"
    CID_REUSED = "cid_reused"
    BUSY = "busy"
    DRAINING = "draining"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


@frozen
class Refused:
    """An ordinary no. A value, never raised. `retry_after_ms`: None when coming back would not help."""

    reason: Reason
    message: str = ""
    retry_after_ms: int | None = None
    path: str = ""
    """The field of the request that is to blame, if it is one."""
