"""How a room's facts become bytes. The room decides what is said and when; the gateway knows how it looks on the wire.

Every method returns whole frames, ready for any member of the room: encoded and framed once."""

from collections.abc import Mapping
from typing import Protocol

from actors.events import Entry, Policy
from actors.names import MemberId, Nickname, RoomName
from actors.room.presence import Counted, Diff


class Voice(Protocol):
    def entry(self, room: RoomName, entry: Entry) -> bytes: ...

    def caught_up(self, room: RoomName, seq: int) -> bytes: ...

    def behind(self, room: RoomName, start: int) -> bytes: ...

    def gap(self, room: RoomName, start: int, end: int, why: str) -> bytes:
        """why: trimmed | epoch | too_many"""
        ...

    def reactions(self, room: RoomName, counts: Mapping[int, Mapping[str, int]]) -> bytes:
        """seq -> emoji -> how many, for every message whose counts changed."""
        ...

    def rules(self, room: RoomName, policy: Policy) -> bytes:
        """The rules as they hold now, with what the house adds; no entry of the log."""
        ...

    def removed(self, room: RoomName, reason: str, until: float | None, to: RoomName | None) -> bytes:
        """To one who is no longer in the room."""
        ...

    def presence_diff(self, room: RoomName, diff: Diff) -> bytes: ...

    def presence_counts(self, room: RoomName, counted: Counted) -> bytes: ...

    def typing(self, room: RoomName, member: MemberId, nickname: Nickname) -> bytes: ...
