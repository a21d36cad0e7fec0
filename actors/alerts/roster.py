"""Who was in which room lately: whom an alert is for when they are not connected. Pure."""

from collections.abc import Container, Iterable, Iterator
from itertools import islice

from attrs import define, evolve, frozen

from actors.alerts.vocabulary import ERASED
from actors.names import MemberId, Nickname, RoomName

_NOBODY: dict[MemberId, None] = {}


@define(eq=False)
class Known:
    nickname: str
    seen: float
    """Unix seconds: when the member last came, went, or joined."""
    rooms: dict[RoomName, None]


@frozen
class Stay:
    """A change of who is in a room, for the store."""

    member: MemberId
    room: RoomName
    at: float
    here: bool


@frozen
class Seen:
    member: MemberId
    nickname: str
    at: float


@frozen
class Target:
    member: MemberId
    nickname: str
    rooms: tuple[RoomName, ...]


class Roster:
    """`audience_s`: who was not seen for so long is no longer counted on."""

    def __init__(self, audience_s: float) -> None:
        self.audience_s = audience_s
        self.people: dict[MemberId, Known] = {}
        self.unsaved_stays: dict[tuple[MemberId, RoomName], Stay] = {}
        self.unsaved_people: dict[MemberId, Seen] = {}
        self._by_room: dict[RoomName, dict[MemberId, None]] = {}
        self._tuples: dict[tuple[RoomName, ...], tuple[RoomName, ...]] = {}

    def seen(self, member: MemberId, nickname: str, at: float) -> Known:
        known = self.people.get(member)
        if known is None:
            known = self.people[member] = Known(nickname, at, {})
        known.seen = max(known.seen, at)
        if nickname:
            known.nickname = nickname
        self.unsaved_people[member] = Seen(member, known.nickname, known.seen)
        return known

    def called(self, member: MemberId) -> Nickname | None:
        """None: not known, or erased."""
        known = self.people.get(member)
        return None if known is None or known.nickname in ("", ERASED) else Nickname(known.nickname)

    def gone(self, member: MemberId, at: float) -> None:
        if member in self.people:
            self.seen(member, "", at)

    def joined(self, member: MemberId, nickname: str, room: RoomName, at: float) -> None:
        known = self.people.get(member)
        if known is None or known.seen < at - 60:  # a minute's difference is not worth a row
            known = self.seen(member, nickname if known is None else "", at)
        if room not in known.rooms:
            known.rooms[room] = None
            self._by_room.setdefault(room, {})[member] = None
            self.unsaved_stays[member, room] = Stay(member, room, at, here=True)

    def left(self, member: MemberId, room: RoomName, at: float) -> None:
        known = self.people.get(member)
        if known is not None and room in known.rooms:
            del known.rooms[room]
            self._take_out(member, room)
            self.unsaved_stays[member, room] = Stay(member, room, at, here=False)

    def _take_out(self, member: MemberId, room: RoomName) -> None:
        del self._by_room[room][member]
        if not self._by_room[room]:
            del self._by_room[room]

    def put_out(self, members: Iterable[MemberId], room: RoomName | None, at: float) -> None:
        """Of a room, or (None) of every room."""
        for member in members:
            known = self.people.get(member)
            for each in (room,) if room is not None else tuple(() if known is None else known.rooms):
                self.left(member, each, at)

    def erase(self, member: MemberId) -> None:
        """What the member is called. Where they are stays: an alert that comes is for them too."""
        known = self.people.get(member)
        if known is not None:
            known.nickname = ERASED
        if member in self.unsaved_people:
            self.unsaved_people[member] = evolve(self.unsaved_people[member], nickname=ERASED)

    def load(self, member: MemberId, nickname: str, seen: float, rooms: Iterable[RoomName]) -> None:
        """From the store, where what happened meanwhile stands above it."""
        known = self.people.setdefault(member, Known(nickname, seen, {}))
        known.nickname = known.nickname or nickname
        for room in rooms:
            known.rooms.setdefault(room)
            self._by_room.setdefault(room, {})[member] = None

    def audience(self, rooms: tuple[RoomName, ...] | None, now: float) -> Iterator[Target]:
        """Everybody in one of the rooms who was seen lately, each once; None: everybody."""
        found: dict[tuple[RoomName, ...], tuple[RoomName, ...]] = {}
        for member in self.members(rooms, now):
            known = self.people[member]
            sits = tuple(known.rooms)
            here = found.get(sits)
            if here is None:
                here = found[sits] = self.rooms_of(sits, rooms)
            yield Target(member, known.nickname, here)

    def members(self, rooms: tuple[RoomName, ...] | None, now: float) -> Iterator[MemberId]:
        """Of the audience."""
        since, people = now - self.audience_s, self.people
        if rooms is None:
            found: Iterable[MemberId] = people
        else:
            found = dict.fromkeys(member for room in rooms for member in self._by_room.get(room, _NOBODY))
        return (member for member in found if people[member].seen >= since)

    def rooms_of(self, sits: Iterable[RoomName], rooms: Container[RoomName] | None) -> tuple[RoomName, ...]:
        """Of where somebody sits, the target rooms; None: all. Equal ones are one object: there are few."""
        found = tuple(room for room in sits if rooms is None or room in rooms)
        return self._tuples.setdefault(found, found)

    def forget(self, before: float) -> None:
        """Of members not seen since: nothing is kept here. Once in a while."""
        for member in [member for member, known in self.people.items() if known.seen < before]:
            for room in self.people.pop(member).rooms:
                self._take_out(member, room)
        self._tuples.clear()

    def take_unsaved(self, most: int) -> tuple[list[Seen], list[Stay]]:
        people = list(islice(self.unsaved_people.values(), most))
        for each in people:
            del self.unsaved_people[each.member]
        stays = list(islice(self.unsaved_stays.values(), most))
        for stay in stays:
            del self.unsaved_stays[stay.member, stay.room]
        return people, stays

    def put_back(self, people: Iterable[Seen], stays: Iterable[Stay]) -> None:
        """They could not be written; what has come since stands, an erased name too."""
        for each in people:
            known = self.people.get(each.member)
            back = each if known is None else evolve(each, nickname=known.nickname)
            self.unsaved_people.setdefault(each.member, back)
        self.unsaved_stays = {(stay.member, stay.room): stay for stay in stays} | self.unsaved_stays
