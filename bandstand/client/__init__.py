"""The Python client: `connect`, and everything that it gives and raises. See docs/client.md."""

from actors.names import BadName
from bandstand.address import BadAddress
from bandstand.client.client import Client, connect
from bandstand.client.comeback import Backoff
from bandstand.client.errors import BandstandError, CannotConnect, Refused, SessionOver
from bandstand.client.events import (
    Behind,
    Card,
    CaughtUp,
    ConnectionState,
    Deleted,
    Edited,
    Event,
    Gap,
    HistoryPage,
    LogEntry,
    MembersPage,
    Message,
    OtherEntry,
    Policy,
    PolicyChanged,
    Position,
    Presence,
    Reactions,
    Removed,
    RoomEvent,
    State,
    Stored,
    Typing,
)
from bandstand.client.names import uuid7
from bandstand.client.room import Room

__all__ = [
    "Backoff",
    "BadAddress",
    "BadName",
    "BandstandError",
    "Behind",
    "CannotConnect",
    "Card",
    "CaughtUp",
    "Client",
    "ConnectionState",
    "Deleted",
    "Edited",
    "Event",
    "Gap",
    "HistoryPage",
    "LogEntry",
    "MembersPage",
    "Message",
    "OtherEntry",
    "Policy",
    "PolicyChanged",
    "Position",
    "Presence",
    "Reactions",
    "Refused",
    "Removed",
    "Room",
    "RoomEvent",
    "SessionOver",
    "State",
    "Stored",
    "Typing",
    "connect",
    "uuid7",
]
