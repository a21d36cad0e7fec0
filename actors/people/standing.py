"""Who may come in, enter and speak, and how tense the house is. Pure: written by the admin, read by rooms and doors.

One Standing a house, in memory; where it comes from after a restart is the admin's business. Nothing here waits, and a
look costs a few dictionary reads, so that a room can ask in the turn in which it judges a post."""

import re
from collections.abc import Callable, Iterator
from math import ceil
from typing import Literal

from attrs import define, field, frozen

from actors.names import MemberId, RoomName, member_bytes
from actors.refusals import Reason, Refused

NORMAL, NO_NEW_ROOMS, SLOW_EVERYWHERE, KNOWN_ONLY, STAFF_ONLY = 5, 4, 3, 2, 1
"""Levels of lockdown; each holds all that the ones before it do."""
SLOW_FLOOR_S = 10.0
LINK = re.compile(
    r"(?:[a-z][a-z0-9+.-]{1,15}://|www\.)\S|\b[a-z0-9-]{1,63}\.(?:com|org|net|io|me|gg|ly|app|link)\b", re.I
)

Kind = Literal["mute", "ban"]
_Key = tuple[Kind, str, str]


@frozen
class Sanction:
    """`member` or `address`: whom it is laid on; `room`: None = in the whole house. `until`: Unix seconds, None = until
    it is lifted. `act`: the order that laid it, so that undoing the act finds it."""

    kind: Kind
    member: MemberId | None
    address: str | None = None
    room: RoomName | None = None
    until: float | None = None
    reason: str = ""
    act: str = ""

    def __attrs_post_init__(self) -> None:
        if (self.member is None) == (self.address is None):
            raise ValueError("a sanction is laid on a member or on an address")

    @property
    def key(self) -> _Key:
        """One sanction of a kind stands for a person and a place: a newer one replaces it."""
        return self.kind, f"m:{self.member}" if self.member else f"a:{self.address}", self.room or ""

    def holds(self, now_wall: float) -> bool:
        return self.until is None or now_wall < self.until


def made_at(member: MemberId) -> float | None:
    """A member's id is made when they first come in, and carries the time (names.make_member_id)."""
    try:
        return int.from_bytes(member_bytes(member)[:6], "big") / 1000
    except (ValueError, OverflowError):
        return None


@define
class Standing:
    """`lockdown`: 5 normal, 4 no new rooms, 3 slow everywhere and no links, 2 only known members speak, 1 staff only.
    `lockdown_since`: Unix seconds; who was first seen before it is known."""

    lockdown: int = NORMAL
    lockdown_since: float = 0.0
    lockdown_reason: str = ""
    roles: dict[MemberId, str] = field(factory=dict)
    """steward, staff, medic ...; no entry or "" = an attendee."""
    badges: dict[MemberId, str] = field(factory=dict)
    """What is shown beside the name; where there is none, the role is."""
    revoked: dict[MemberId, int] = field(factory=dict)
    """Tokens of that member that were issued up to then (Unix seconds, whole) prove nothing any more."""
    known: Callable[[MemberId], float | None] = made_at
    """When a member was first seen, Unix seconds."""
    _sanctions: dict[_Key, Sanction] = field(factory=dict, init=False)

    # What rooms and doors ask

    @property
    def slow_floor_s(self) -> float:
        """At least so long between two messages of a member, in every room."""
        return SLOW_FLOOR_S if self.lockdown <= SLOW_EVERYWHERE else 0.0

    def is_staff(self, member: MemberId) -> bool:
        return bool(self.roles.get(member))

    def badge(self, member: MemberId) -> str:
        return self.badges.get(member) or self.roles.get(member, "")

    def may_speak(self, member: MemberId, room: RoomName, text: str, now_wall: float) -> Refused | None:
        """Staff always may, unless muted."""
        muted = self._found("mute", member, room, now_wall)
        if muted is not None:
            return _refused(Reason.MUTED, "you may not write here for now", muted, now_wall)
        if self.lockdown > SLOW_EVERYWHERE or self.is_staff(member):
            return None
        if self.lockdown <= STAFF_ONLY:
            return self._locked("only staff may write now")
        if self.lockdown <= KNOWN_ONLY and not self._is_known(member):
            return self._locked("only people who have been here before may write now")
        if LINK.search(text):
            return self._locked("messages with links are not taken now")
        return None

    def may_enter(self, member: MemberId, room: RoomName, now_wall: float) -> Refused | None:
        banned = self._found("ban", member, room, now_wall)
        return None if banned is None else _refused(Reason.BANNED, "you may not enter this room", banned, now_wall)

    def may_come_in(self, member: MemberId | None, address: str, now_wall: float) -> Refused | None:
        """At the door of the house. `member`: None where nobody has said yet who they are."""
        banned = self._holding(("ban", f"a:{address}", ""), now_wall)
        if banned is None and member is not None:
            banned = self._holding(("ban", f"m:{member}", ""), now_wall)
        return None if banned is None else _refused(Reason.BANNED, "you may not come in here", banned, now_wall)

    # What the admin writes

    def put(self, sanction: Sanction) -> Sanction | None:
        """The one that it replaces, if there was one."""
        earlier = self._sanctions.get(sanction.key)
        self._sanctions[sanction.key] = sanction
        return earlier

    def lift(self, which: Callable[[Sanction], bool]) -> tuple[Sanction, ...]:
        """Those that were lifted."""
        lifted = tuple(sanction for sanction in self._sanctions.values() if which(sanction))
        for sanction in lifted:
            del self._sanctions[sanction.key]
        return lifted

    def marked(self) -> set[MemberId]:
        """Who has a role, a badge or a sanction: they are remembered however long they stay away."""
        sanctioned = {each.member for each in self._sanctions.values() if each.member is not None}
        return sanctioned | self.roles.keys() | self.badges.keys()

    def sanctions(self) -> tuple[Sanction, ...]:
        """All that were laid and not lifted, those that have run out included."""
        return tuple(self._sanctions.values())

    # Within

    def _found(self, kind: Kind, member: MemberId, room: RoomName, now_wall: float) -> Sanction | None:
        """The one that lasts longest: the member is told when it ends."""
        found = self._places(kind, f"m:{member}", room, now_wall)
        return max(found, key=lambda s: float("inf") if s.until is None else s.until, default=None)

    def _places(self, kind: Kind, whom: str, room: RoomName, now_wall: float) -> Iterator[Sanction]:
        for place in (room, ""):
            sanction = self._holding((kind, whom, place), now_wall)
            if sanction is not None:
                yield sanction

    def _holding(self, key: _Key, now_wall: float) -> Sanction | None:
        if not self._sanctions:
            return None
        sanction = self._sanctions.get(key)
        return sanction if sanction is not None and sanction.holds(now_wall) else None

    def _is_known(self, member: MemberId) -> bool:
        seen = self.known(member)
        return seen is not None and seen < self.lockdown_since

    def _locked(self, said: str) -> Refused:
        return Refused(Reason.LOCKED_DOWN, f"{said}: {self.lockdown_reason}" if self.lockdown_reason else said)


def _refused(reason: Reason, said: str, sanction: Sanction, now_wall: float) -> Refused:
    text = f"{said}: {sanction.reason}" if sanction.reason else said
    if sanction.until is None:
        return Refused(reason, text)
    return Refused(reason, text, max(1, ceil((sanction.until - now_wall) * 1000)))
