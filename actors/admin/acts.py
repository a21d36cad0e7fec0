"""Acts: orders that were carried out, kept to be undone, to be finished later, and to be known again. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Any

from attrs import frozen

from actors.admin.audit import canonical

Json = Any


class ActState(StrEnum):
    BEGUN = "begun"
    """Recorded before it was carried out. After a crash: whether it was is to be looked at."""
    DONE = "done"
    UNDONE = "undone"
    SETTLED = "settled"
    """It can no longer be undone: what it hid is erased."""


@frozen
class Act:
    """`n` rises with each. `digest`: of the order's body. `outcome`: as it was answered, None while begun. `undo`: what
    the undo needs, None when there is none; `undo_until`: Unix seconds."""

    act: str
    operator: str
    cid: str
    digest: bytes
    at: float
    command: str
    body: Mapping[str, Json]
    outcome: Mapping[str, Json] | None = None
    undo: Json = None
    undo_until: float | None = None
    state: ActState = ActState.DONE
    n: int = 0


@frozen
class CidReused:
    """The operator has given another order under this cid."""

    act: str


def digest_of(command: str, body: Mapping[str, Json]) -> bytes:
    """Equal for equal orders, however their JSON was written."""
    return sha256(canonical([command, dict(body)]).encode()).digest()
