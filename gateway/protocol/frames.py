"""All frames by direction. Two modules, because both sides have a `heartbeat` and a `typing`."""

from types import UnionType
from typing import ClassVar, Protocol, get_args

from gateway.protocol.client import ClientFrame, RoomRequest
from gateway.protocol.server import EntryFrame, OkFrame, ServerFrame

__all__ = [
    "CLIENT_FRAMES",
    "SERVER_FRAMES",
    "ClientFrame",
    "EntryFrame",
    "FrameClass",
    "OkFrame",
    "RoomRequest",
    "ServerFrame",
]


class FrameClass(Protocol):
    """A frame's class: TAG is what stands in `type`."""

    TAG: ClassVar[str]


def classes(union: UnionType) -> tuple[type[FrameClass], ...]:
    return get_args(union)


CLIENT_FRAMES = classes(ClientFrame)
SERVER_FRAMES = classes(ServerFrame)
