"""Orders to the whole house."""

from collections.abc import Mapping
from typing import Any

from actors.admin.arguments import Announce
from actors.admin.erasing import erase
from actors.admin.orders import Denied, Order
from actors.admin.plans import Hands, Plan, Planner
from actors.admin.undo import Key, Value
from actors.admin.undoing import CALM
from actors.admin.world import Mark, for_each
from actors.events import Notice
from actors.names import RoomName
from actors.people.standing import NORMAL, SLOW_EVERYWHERE

BADGE = "organisers"
KEPT_S = 366 * 86_400.0
"""Calm is lifted by taking it out from under what came later, however long it has lasted."""


async def announce(hands: Hands, order: Order) -> Plan | Denied:
    args: Announce = order.args
    records = await hands.rooms.records()
    if isinstance(records, Denied):
        return records
    unknown = [room for room in args.rooms if room not in records]
    if unknown:
        return Denied("unknown_room", f"there is no room {unknown[0]}")
    rooms = args.rooms or tuple(name for name, record in records.items() if not record.deleted)

    async def effect(mark: Mark) -> dict[str, Any] | Denied:
        body = Notice(args.text, BADGE)
        failed = await for_each(rooms, lambda room: hands.rooms.moderate(room, body, mark.cid(f"{room} notice")))
        return _done(len(rooms), failed)

    return Plan(affected=await hands.online(), effect=effect, detail={"rooms": len(rooms)})


async def calm(hands: Hands, order: Order) -> Plan | Denied:
    """Slow everywhere, no links and no new rooms are what lockdown 3 is; a house that is tenser already stays so."""
    level = min(hands.world.standing.lockdown, SLOW_EVERYWHERE)
    return Plan({CALM: True, **_level(hands, order, level)}, affected=await hands.online(), keep_s=KEPT_S)


async def lockdown(hands: Hands, order: Order) -> Plan | Denied:
    return Plan(_level(hands, order, order.args.level), affected=await hands.online())


def _level(hands: Hands, order: Order, level: int) -> dict[Key, Value]:
    """Who is known is asked as of when it last grew tenser."""
    standing = hands.world.standing
    since = hands.world.now() if level < standing.lockdown else standing.lockdown_since
    reason = standing.lockdown_reason if level == standing.lockdown else order.reason if level < NORMAL else ""
    return {("house", "lockdown"): level, ("house", "since"): since, ("house", "reason"): reason}


async def drain(hands: Hands, order: Order) -> Plan | Denied:
    async def after(_mark: Mark) -> dict[str, Any] | Denied:
        assert hands.world.gateway is not None
        hands.world.gateway.drain()
        return {}

    return Plan(affected=await hands.online(), after=after, repeat=False)


async def wipe(hands: Hands, order: Order) -> Plan | Denied:
    records = await hands.rooms.records()
    if isinstance(records, Denied):
        return records

    async def effect(mark: Mark) -> dict[str, Any] | Denied:
        failed = await for_each(records, lambda room: _erase_all(hands, room, mark))
        return _done(len(records), failed)

    return Plan(affected=await hands.online(), effect=effect, detail={"rooms": len(records)})


def _done(rooms: int, failed: Mapping[RoomName, Denied]) -> dict[str, Any]:
    said = {room: denied.message for room, denied in list(failed.items())[:50]}
    return {"rooms": rooms - len(failed), **({"failed": said} if said else {})}


async def _erase_all(hands: Hands, room: RoomName, mark: Mark) -> Any | Denied:
    census = await hands.rooms.census(room)
    if isinstance(census, Denied):
        return census
    return await erase(hands, room, census.head, mark.cid(f"{room} erased")) if census.head else None


PLANNERS: dict[str, Planner] = {
    "house.announce": announce,
    "house.calm": calm,
    "house.lockdown": lockdown,
    "house.drain": drain,
    "house.wipe": wipe,
}
