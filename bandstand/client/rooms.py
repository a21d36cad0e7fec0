"""The rooms that a session is in, wants into, or has still to say goodbye to. Pure."""

from collections.abc import Iterator

from attrs import define, field

from bandstand.client.membership import Membership
from gateway.protocol.server import OkJoin


@define(eq=False)
class Rooms:
    _all: list[Membership] = field(factory=list, init=False)
    _by_name: dict[str, Membership] = field(factory=dict, init=False)
    _parting: dict[str, None] = field(factory=dict, init=False)
    """Left, and the server does not know yet."""

    def __iter__(self) -> Iterator[Membership]:
        """Those of now: what changes meanwhile is not seen."""
        return iter(list(self._all))

    @property
    def all_joined(self) -> bool:
        return all(each.joined for each in self._all)

    def named(self, room: str) -> Membership | None:
        """As the server calls it; None where we are not in it."""
        return self._by_name.get(room)

    def find(self, *names: str) -> Membership | None:
        """By its name or code, or as it was asked for: in it or on the way."""
        wanted = set(names) - {""}
        return next((each for each in self._all if not wanted.isdisjoint((each.asked, each.name, each.code))), None)

    def add(self, membership: Membership) -> None:
        self._all.append(membership)

    def welcome(self, membership: Membership, ok: OkJoin) -> bool:
        """The server has let it in. False: there is another membership of that room, or it was left meanwhile, which
        the server is then to be told."""
        if membership.left:
            if self.find(ok.room, ok.code) is None:
                self._parting[ok.room] = None
            return False
        other = self._by_name.get(ok.room)
        if other is not None and other is not membership:
            self._all.remove(membership)
            membership.name, membership.twin = other.name, other
            return False
        membership.welcomed(ok)
        self._by_name[membership.name] = membership
        return True

    def remove(self, membership: Membership, *, tell: bool) -> None:
        """`tell`: the server is to be told, if it thinks that we are in."""
        if tell and membership.joined:
            self._parting[membership.name] = None
        membership.left, membership.joined = True, False
        if membership in self._all:
            self._all.remove(membership)
        if self._by_name.get(membership.name) is membership:
            del self._by_name[membership.name]

    @property
    def parting(self) -> tuple[str, ...]:
        return tuple(self._parting)

    def parted(self, room: str) -> None:
        self._parting.pop(room, None)

    def connection_lost(self) -> None:
        """Nobody is in anywhere, and the server knows."""
        self._parting.clear()
        for membership in self._all:
            membership.joined = membership.asking = False
            membership.retry_at = 0.0
