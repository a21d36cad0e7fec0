"""Orders to rooms and about messages."""

from collections.abc import Callable
from typing import Any

from actors.admin.arguments import Evacuate, Message, Room, RoomCreate, RoomSlow, RoomUpdate
from actors.admin.catalogue import table
from actors.admin.orders import Denied, Order
from actors.admin.plans import ERASE_S, Hands, Plan, Planner
from actors.admin.registers_rooms import message_scope
from actors.admin.undo import Key, Value
from actors.admin.world import Mark, asked, told
from actors.events import Moved, Policy
from actors.names import MemberId, RoomName
from actors.people.registry import SeatsIn
from actors.room.directory import CreateRoom
from actors.room.messages import Remove

ENDING = frozenset({"frozen", "slow_s"})
LIFT_S = 2.0
"""The house takes a timed act out at its end; the room goes by its own clock only where that is late."""


async def _set(hands: Hands, room: RoomName, values: dict[str, Value], **more: Any) -> Plan | Denied:
    record = await hands.rooms.record(room)
    if isinstance(record, Denied):
        return record
    here = await hands.room(room)
    if isinstance(here, Denied):
        return here
    wanted: dict[Key, Value] = {(f"room:{room}", name): value for name, value in values.items()}
    return Plan(wanted, affected=here[0], rev=here[1], **more)


async def _ruling(hands: Hands, order: Order, values: dict[str, Value]) -> Plan | Denied:
    """Rules, and what people are told beside them: why, and until when."""
    room: RoomName = order.args.room
    beside: dict[str, Value] = {"reason": order.reason}
    if not ENDING.isdisjoint(values):
        census = await hands.rooms.census(room)
        if isinstance(census, Denied):
            return census
        beside["expires"] = _until(hands, order, census.policy)
    return await _set(hands, room, {**values, **beside})


def _until(hands: Hands, order: Order, policy: Policy) -> float | None:
    """A room's rules end together, freeze and slow mode, and to nothing. So they may only where that is what the end
    of this act comes to; elsewhere it ends by being taken out alone."""
    if order.ttl_s is None or policy.frozen or policy.slow_s:
        return None
    return hands.world.now() + order.ttl_s + LIFT_S


def _setting(**values: Value) -> Planner:
    async def plan(hands: Hands, order: Order) -> Plan | Denied:
        return await _ruling(hands, order, values)

    return plan


async def slow(hands: Hands, order: Order) -> Plan | Denied:
    args: RoomSlow = order.args
    return await _ruling(hands, order, {"slow_s": args.seconds})


async def update(hands: Hands, order: Order) -> Plan | Denied:
    args: RoomUpdate = order.args
    given = {name: getattr(args, name) for name in ("title", "code", "zone", "capacity", "official")}
    values = {name: value for name, value in given.items() if value is not None}
    if "capacity" not in values:
        return await _set(hands, args.room, values)
    values["capacity"] = values["capacity"] or Policy().max_members
    return await _ruling(hands, order, values)


async def clear(hands: Hands, order: Order) -> Plan | Denied:
    room: RoomName = order.args.room
    census = await hands.rooms.census(room)
    if isinstance(census, Denied):
        return census
    return await _set(hands, room, {"cleared": census.head}, keep_s=ERASE_S, detail={"upto": census.head})


async def delete(hands: Hands, order: Order) -> Plan | Denied:
    return await _set(hands, order.args.room, {"deleted": True}, keep_s=ERASE_S)


async def create(hands: Hands, order: Order) -> Plan | Denied:
    args: RoomCreate = order.args
    records = await hands.rooms.records()
    if isinstance(records, Denied):
        return records
    if args.room in records:
        return Denied("conflict", f"there is a room {args.room} already")

    async def effect(mark: Mark) -> dict[str, Any] | Denied:
        made = await told(
            hands.world.directory,
            lambda reply: CreateRoom(reply, args.room, args.code, args.title, args.official, args.zone),
        )
        if isinstance(made, Denied):
            return made
        if args.capacity is not None:
            done = await hands.rooms.set_policy(args.room, {"max_members": args.capacity}, mark)
            if isinstance(done, Denied):
                return done
        await hands.rooms.look_at_zones()
        hands.world.activity.note("room", f"room {args.room} made", room=args.room, operator=order.by.operator)
        return {"room": made.name, "code": made.code, "title": made.title, "undo_with": _unmaking(order)}

    return Plan(effect=effect)


def _unmaking(order: Order) -> str:
    """What somebody of this role can do about a room that should not be."""
    return "room.delete" if order.by.role >= table()["room.delete"].role else "room.close"


async def evacuate(hands: Hands, order: Order) -> Plan | Denied:
    args: Evacuate = order.args
    members = await members_in(hands, args.room)
    if isinstance(members, Denied):
        return members
    there = await hands.rooms.record(args.to)
    if isinstance(there, Denied):
        return there
    plan = await _set(hands, args.room, {"closed": True})
    if isinstance(plan, Denied):
        return plan

    async def after(mark: Mark) -> dict[str, Any] | Denied:
        return await send_away(hands, args.room, args.to, mark)

    plan.after = after
    plan.detail = {"to": args.to, "people": len(members), "members": list(members), "undo_with": "room.return"}
    return plan


async def send_away(hands: Hands, room: RoomName, to: RoomName, mark: Mark) -> dict[str, Any] | Denied:
    """The entry that says where, for whoever comes back later, and those who are here. Twice is once."""
    seq = await hands.rooms.moderate(room, Moved(to, mark.reason), mark.cid(f"{room} moved"))
    if isinstance(seq, Denied):
        return seq
    ref = await hands.rooms.reach(room)
    if isinstance(ref, Denied):
        return ref
    removed = await told(ref, lambda reply: Remove(reply, None, mark.reason, None, to))
    return removed if isinstance(removed, Denied) else {"to": to, "connections": removed.count}


async def members_in(hands: Hands, room: RoomName) -> dict[MemberId, str] | Denied:
    """Who sits there now, with their nicknames."""
    found = await asked(hands.world.people, lambda asks: SeatsIn(room, asks))
    if isinstance(found, Denied):
        return found
    return {seat.member: str(seat.nickname) for seat in found.seats}


async def moved(hands: Hands, room: RoomName) -> dict[str, Any] | None:
    """Of the last evacuation: who has come to the other room, and who has not. None: there was none."""
    deed = await hands.deeds.evacuation(room)
    if deed is None:
        return None
    to = RoomName(deed.extra["to"])
    there = await members_in(hands, to)
    arrived = set() if isinstance(there, Denied) else there.keys()
    members = deed.extra["members"]
    missing = [member for member in members if member not in arrived]
    return {"to": to, "moved": len(members) - len(missing), "not_moved": len(missing), "missing": missing[:200]}


async def come_back(hands: Hands, order: Order) -> Plan | Denied:
    room: RoomName = order.args.room
    deed = await hands.deeds.evacuation(room)
    if deed is None:
        return Denied("not_found", f"nobody was sent away from {room}")
    plan = await _set(hands, room, {"closed": False})
    if isinstance(plan, Denied):
        return plan
    to = RoomName(deed.extra["to"])
    there = await members_in(hands, to)
    back = [] if isinstance(there, Denied) else [member for member in deed.extra["members"] if member in there]

    async def after(mark: Mark) -> dict[str, Any] | Denied:
        ref = await hands.rooms.reach(to)
        if isinstance(ref, Denied):
            return ref
        for member in back:
            await told(ref, _sending(MemberId(member), order.reason, room))
        return {"called_back": len(back)}

    plan.after, plan.affected = after, len(back)
    plan.detail = {"from": to}
    return plan


def _sending(member: MemberId, reason: str, to: RoomName) -> Callable[[Any], Remove]:
    return lambda reply: Remove(reply, member, reason, None, to)


# -- messages ----------------------------------------------------------------------------------------------------------


def _hiding(hidden: bool) -> Planner:
    async def plan(hands: Hands, order: Order) -> Plan | Denied:
        args: Message = order.args
        here = await hands.room(args.room)
        if isinstance(here, Denied):
            return here
        return Plan({(message_scope(args.room, args.seq), "hidden"): hidden}, affected=here[0], rev=here[1])

    return plan


async def pin(hands: Hands, order: Order) -> Plan | Denied:
    args: Message = order.args
    found = await hands.registers.read([(message_scope(args.room, args.seq), "hidden")])
    if isinstance(found, Denied):
        return found
    return await _set(hands, args.room, {"pinned": args.seq})


async def unpin(hands: Hands, order: Order) -> Plan | Denied:
    args: Room = order.args
    return await _set(hands, args.room, {"pinned": None})


PLANNERS: dict[str, Planner] = {
    "room.freeze": _setting(frozen=True),
    "room.thaw": _setting(frozen=False),
    "room.close": _setting(closed=True),
    "room.reopen": _setting(closed=False),
    "room.slow": slow,
    "room.update": update,
    "room.clear": clear,
    "room.delete": delete,
    "room.create": create,
    "room.evacuate": evacuate,
    "room.return": come_back,
    "message.hide": _hiding(True),
    "message.restore": _hiding(False),
    "message.pin": pin,
    "message.unpin": unpin,
}
