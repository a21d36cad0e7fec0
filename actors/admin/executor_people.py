"""Orders about members and addresses."""

from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from secrets import token_bytes
from typing import Any

from actors.admin.arguments import (
    AddressBan,
    HelpResolve,
    MemberCreate,
    MemberIn,
    MemberMessage,
    MemberUpdate,
    ReportResolve,
)
from actors.admin.executor_rooms import members_in
from actors.admin.orders import Denied, Order
from actors.admin.plans import ERASE_S, Hands, Plan, Planner
from actors.admin.registers_rooms import message_scope
from actors.admin.undo import Value
from actors.admin.world import Mark, told
from actors.alerts.messages import PutOut
from actors.events import Entry, Message, Tombstone
from actors.journal.log import LogFailed
from actors.kernel import ActorGone, MailboxFull
from actors.names import MemberId, RoomName, make_member_id
from actors.room.messages import Remove
from actors.room.pages import PAGE_BYTES

LEFT, TOKEN, BANNED = 1000, 4401, 4403
"""Close codes: may come back when it likes; not with this token; may not."""


async def _known(hands: Hands, member: MemberId) -> Denied | None:
    try:
        row = await hands.world.log.roster(member)
    except LogFailed as failure:
        return Denied("unavailable", str(failure), failure.retry_after_ms)
    if row is None and not await hands.visits(member):
        return Denied("not_found", "nobody of that id has ever been here")
    return None


def _sanction(order: Order, hands: Hands) -> Value:
    until = None if order.ttl_s is None else hands.world.now() + order.ttl_s
    return {"until": until, "reason": order.reason, "act": order.act}


def _laying(kind: str, on: bool) -> Planner:
    async def plan(hands: Hands, order: Order) -> Plan | Denied:
        args: MemberIn = order.args
        wrong = await _known(hands, args.member)
        if wrong is not None:
            return wrong
        value = _sanction(order, hands) if on else None
        made = Plan({(f"member:{args.member}", f"{kind}:{args.room or ''}"): value})
        made.affected = len({visit.member for visit in await hands.visits(args.member)})
        if kind == "ban" and on:
            until = None if value is None else value["until"]
            made.after = partial(_put_out, hands, args, order.reason, BANNED, until)
        return made

    return plan


async def _put_out(
    hands: Hands, args: MemberIn, reason: str, code: int, until: float | None, _mark: Mark
) -> dict[str, Any] | Denied:
    """Of a room, or of the house with all connections."""
    if args.room is None:
        visits = await hands.visits(args.member)
        for visit in visits:
            visit.part(code)
        if hands.world.alerts is not None:
            with suppress(ActorGone, MailboxFull):
                hands.world.alerts.tell(PutOut((args.member,), None))
        return {"connections": len(visits)}
    ref = await hands.rooms.reach(args.room)
    if isinstance(ref, Denied):
        return ref
    removed = await told(ref, lambda reply: Remove(reply, args.member, reason, until))
    return removed if isinstance(removed, Denied) else {"connections": removed.count}


async def kick(hands: Hands, order: Order) -> Plan | Denied:
    args: MemberIn = order.args
    seated = {} if args.room is None else await members_in(hands, args.room)
    if isinstance(seated, Denied):
        return seated
    here = args.member in seated if args.room is not None else bool(await hands.visits(args.member))
    if not here:
        return Denied("not_found", "this member is not there")
    return Plan(affected=1, effect=partial(_put_out, hands, args, order.reason, LEFT, None), repeat=False)


async def message(hands: Hands, order: Order) -> Plan | Denied:
    args: MemberMessage = order.args
    visits = await hands.visits(args.member)
    if not visits:
        return Denied("not_found", "this member is not here now")

    async def effect(_mark: Mark) -> dict[str, Any] | Denied:
        assert hands.world.gateway is not None
        return {"connections": hands.world.gateway.note(visits, args.text)}

    return Plan(affected=1, effect=effect, repeat=False)


async def create(hands: Hands, order: Order) -> Plan | Denied:
    args: MemberCreate = order.args
    member = make_member_id(hands.world.now(), token_bytes(10))

    async def effect(mark: Mark) -> dict[str, Any] | Denied:
        assert hands.world.gateway is not None
        hands.world.log.seen(member, args.nickname)
        given = {name: value for name, value in (("role", args.role), ("badge", args.badge)) if value}
        if given:
            done = await hands.registers.write(
                {(f"member:{member}", name): value for name, value in given.items()}, mark
            )
            if isinstance(done, Denied):
                return done
        return {"member": member, "nickname": args.nickname, "once": {"token": hands.world.gateway.token_for(member)}}

    return Plan(affected=1, effect=effect, repeat=False)  # it would be somebody else


async def update(hands: Hands, order: Order) -> Plan | Denied:
    args: MemberUpdate = order.args
    wrong = await _known(hands, args.member)
    if wrong is not None:
        return wrong
    given = {name: getattr(args, name) for name in ("nickname", "role", "badge")}
    wanted = {(f"member:{args.member}", name): value for name, value in given.items() if value is not None}
    return Plan(wanted, affected=1)


async def revoke(hands: Hands, order: Order) -> Plan | Denied:
    """Whoever stole a token and whoever lost it are the same to the house: both are out, and it lets nobody in."""
    member: MemberId = order.args.member
    wrong = await _known(hands, member)
    if wrong is not None:
        return wrong

    async def after(_mark: Mark) -> dict[str, Any] | Denied:
        gateway = hands.world.gateway
        return {"connections": 0 if gateway is None else gateway.part(member, TOKEN)}

    here = bool(await hands.visits(member))
    return Plan({(f"member:{member}", "revoked"): int(hands.world.now())}, affected=int(here), after=after)


async def ban_address(hands: Hands, order: Order) -> Plan | Denied:
    args: AddressBan = order.args
    addresses = _addresses(args.address) if args.address is not None else await _addresses_of(hands, args)
    if isinstance(addresses, Denied):
        return addresses
    value = _sanction(order, hands)

    async def after(_mark: Mark) -> dict[str, Any] | Denied:
        assert hands.world.gateway is not None
        return {"connections": hands.world.gateway.look_at_the_door()}

    wanted = {(f"address:{address}", "ban"): value for address in addresses}
    behind = 0 if hands.world.gateway is None else hands.world.gateway.behind(addresses)
    said = "an address may stand for a whole festival behind one router: look at how many are behind it"
    return Plan(wanted, affected=behind, after=after, detail={"addresses": list(addresses), "note": said})


async def unban_address(hands: Hands, order: Order) -> Plan | Denied:
    addresses = _addresses(order.args.address)
    if isinstance(addresses, Denied):
        return addresses
    key, now = (f"address:{addresses[0]}", "ban"), hands.world.now()
    if not any(each.address == addresses[0] and each.holds(now) for each in hands.world.standing.sanctions()):
        return Denied("not_found", f"{addresses[0]} is not shut out")
    return Plan({key: None}, detail={"addresses": list(addresses)})


def _addresses(text: str) -> tuple[str, ...] | Denied:
    try:
        return (str(ip_address(text)),)
    except ValueError:
        return Denied("bad_frame", f"{text!r} is not an address")


async def _addresses_of(hands: Hands, args: AddressBan) -> tuple[str, ...] | Denied:
    assert args.member is not None
    assert hands.world.gateway is not None
    found = hands.world.gateway.addresses(args.member)
    return found or Denied("not_found", "this member is not here now, so the address is not known")


async def erase(hands: Hands, order: Order) -> Plan | Denied:
    """Out of sight now; for good when it can no longer be undone (Executor.settle)."""
    member: MemberId = order.args.member
    wrong = await _known(hands, member)
    if wrong is not None:
        return wrong
    found = await written_by(hands, member)
    if isinstance(found, Denied):
        return found
    if len(found) > ERASED_MOST:
        return Denied("too_big", f"{len(found)} messages are more than one order erases ({ERASED_MOST})")
    return Plan(
        {(message_scope(room, seq), "hidden"): True for room, seq in found},
        affected=1,
        detail={"messages": len(found), "rooms": sorted({room for room, _ in found})},
        keep_s=ERASE_S,
    )


ERASED_MOST = 5_000


async def written_by(hands: Hands, member: MemberId) -> list[tuple[RoomName, int]] | Denied:
    """All messages of a member whose words are still kept, those that are hidden or cleared too, by a walk through the
    logs: rare, and never in anybody's way."""
    records = await hands.rooms.records()
    if isinstance(records, Denied):
        return records
    found: list[tuple[RoomName, int]] = []
    for record in records.values():
        after = record.oldest - 1
        more = True
        while more and len(found) <= ERASED_MOST:
            try:
                page = await hands.world.log.read(
                    record.name, after=after, before=None, limit=200, max_bytes=PAGE_BYTES
                )
            except LogFailed as failure:
                return Denied("unavailable", str(failure), failure.retry_after_ms)
            found += [(record.name, each.seq) for each in page.entries if _wrote(each, member)]
            more = page.more and bool(page.entries)
            after = page.entries[-1].seq if page.entries else after
    return found


def _wrote(entry: Entry, member: MemberId) -> bool:
    """Edits go with what they are of."""
    if entry.author != member:
        return False
    match entry.body:
        case Message() | Tombstone(edit_of=None, hidden=True):
            return True
    return False


async def resolve(hands: Hands, order: Order) -> Plan | Denied:
    args: ReportResolve = order.args
    return Plan({(f"report:{args.report}", "outcome"): args.outcome})


async def resolve_help(hands: Hands, order: Order) -> Plan | Denied:
    args: HelpResolve = order.args
    return Plan({(f"help:{args.alert}/{args.member}", "done"): True})


PLANNERS: dict[str, Planner] = {
    "member.mute": _laying("mute", True),
    "member.unmute": _laying("mute", False),
    "member.ban": _laying("ban", True),
    "member.unban": _laying("ban", False),
    "member.kick": kick,
    "member.message": message,
    "member.create": create,
    "member.update": update,
    "member.erase": erase,
    "member.revoke": revoke,
    "address.ban": ban_address,
    "address.unban": unban_address,
    "report.resolve": resolve,
    "help.resolve": resolve_help,
}
