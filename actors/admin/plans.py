"""What an order would do, worked out before anything is done: the same plan answers a dry run and is carried out. And
the hands that plans are made and carried out with."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import define, field

from actors.admin.deeds import Deeds
from actors.admin.orders import Denied, Order
from actors.admin.recording_exports import Carried
from actors.admin.recording_refusals import Refusals
from actors.admin.registers import Registers
from actors.admin.registers_rooms import RoomHand
from actors.admin.roles import Role
from actors.admin.signin import SignIn
from actors.admin.undo import Key, Value
from actors.admin.world import Mark, World, asked, told
from actors.names import Cid, MemberId, RoomName
from actors.people.outlet import Visit
from actors.people.registry import Everyone, VisitsOf
from actors.room.directory import PurgeRoom
from actors.room.messages import Delete

DAY_S = 86_400.0
ERASE_S = 600.0
"""What erases hides first; until then it can be undone."""

PRIVATE = ("members",)
"""Of a plan's detail: kept for later, and in no answer."""

Effect = Callable[[Mark], Awaitable["dict[str, Any] | Denied"]]


@define
class Plan:
    """`wanted`: registers to be written. `effect`: what is done besides, before the registers; it gives the detail of
    the answer. `after`: as the effect, behind the registers."""

    wanted: Mapping[Key, Value] = field(factory=dict)
    affected: int = 0
    detail: dict[str, Any] = field(factory=dict)
    preview: dict[str, Any] = field(factory=dict)
    """More detail, for a dry run only."""
    rev: int = 0
    keep_s: float = DAY_S
    """How long an exact undo can be had."""
    effect: Effect | None = None
    after: Effect | None = None
    repeat: bool = True
    """May be done again where it is not known whether it was done."""
    role: Role = Role.VIEWER
    """The least that may give it, where the arguments alone do not say."""
    grave: bool = False
    """A second person may be demanded, where the arguments alone do not say."""


Planner = Callable[["Hands", Order], Awaitable[Plan | Denied]]


@define
class Hands:
    world: World
    registers: Registers
    rooms: RoomHand
    deeds: Deeds
    sign_in: SignIn
    refusals: Refusals = field(factory=Refusals)
    carried: Carried = field(factory=Carried)

    async def room(self, name: RoomName) -> "tuple[int, int] | Denied":
        """(people here, revision of the rules)."""
        census = await self.rooms.census(name)
        return census if isinstance(census, Denied) else (census.online, census.policy.rev)

    async def visits(self, member: MemberId) -> tuple[Visit, ...]:
        found = await asked(self.world.people, lambda asks: VisitsOf(member, asks))
        return () if isinstance(found, Denied) else found

    async def purge(self, room: RoomName) -> Any | Denied:
        return await told(self.world.directory, lambda reply: PurgeRoom(reply, room))

    async def erase_message(self, member: MemberId, place: str, cid: str) -> Any | Denied:
        """`place`: room/seq. As if the member had deleted it."""
        room, _, seq = place.rpartition("/")
        ref = await self.rooms.reach(RoomName(room))
        if isinstance(ref, Denied):
            return ref
        return await told(ref, lambda reply: Delete(reply, member, Cid(cid), int(seq)))

    async def online(self) -> int:
        found = await asked(self.world.people, Everyone)
        return 0 if isinstance(found, Denied) else len({visit.member for visit in found})


def public(detail: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in detail.items() if name not in PRIVATE}
