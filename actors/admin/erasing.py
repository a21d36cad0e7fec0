"""What was hidden is erased for good, once nobody can undo it any more."""

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from actors.admin.deeds import Deed
from actors.admin.orders import Denied
from actors.admin.plans import Hands
from actors.admin.store_activity import ERASED
from actors.admin.undo import Change, from_row
from actors.admin.world import asked, for_each, told
from actors.alerts.messages import EraseMember
from actors.journal.log import LogFailed
from actors.names import HOUSE, Cid, MemberId, RoomName
from actors.room.messages import Erase

GONE = ("not_found", "unknown_room", "bad_anchor", "forbidden")
"""What was to be erased is not there any more."""


async def erased(hands: Hands, deed: Deed) -> bool:
    """All that the act hid. False: not now. StoreFailed."""
    if deed.name != "member.erase":
        changes = from_row(deed.changes)
        return _gone(await for_each(range(len(changes)), lambda place: _erase_change(hands, deed, changes[place])))
    # Names and notes first: as long as they will not go, all of this is tried again.
    if await forget(hands, _member(deed)) is not None:
        return False
    scopes = [change.scope for change in from_row(deed.changes)]
    return _gone(await for_each(range(len(scopes)), lambda place: _erase_message(hands, deed, place, scopes[place])))


def _gone(failed: Mapping[int, Denied]) -> bool:
    return all(denied.code in GONE for denied in failed.values())


async def _erase_message(hands: Hands, deed: Deed, place: int, scope: str) -> object:
    return await hands.erase_message(_member(deed), scope.partition(":")[2], f"{deed.act}.{place}")


async def _erase_change(hands: Hands, deed: Deed, change: Change) -> object:
    room = RoomName(change.scope.partition(":")[2])
    if change.name == "cleared" and change.after:
        return await erase(hands, room, change.after, f"{deed.act}.erase")
    if change.name == "deleted" and change.after:
        return await hands.purge(room)
    return None


def _member(deed: Deed) -> MemberId:
    """Of a member.erase."""
    return MemberId(str(deed.raw["member"]))


async def erase(hands: Hands, room: RoomName, upto: int, cid: str) -> Any | Denied:
    ref = await hands.rooms.reach(room)
    if isinstance(ref, Denied):
        return ref
    return await told(ref, lambda reply: Erase(reply, upto, Cid(cid), HOUSE))


async def forget(hands: Hands, member: MemberId) -> Denied | None:
    """What else is kept of a member whose messages are erased: the name and the notes in the alerts' ledgers, where
    the counts stay; the nickname in the journal; the text of events and reports; role, badge, the reasons of sanctions.
    StoreFailed."""
    world = hands.world
    if world.alerts is not None:
        found = await asked(world.alerts, lambda asks: EraseMember(asks, member))
        if isinstance(found, Denied):
            return found
    try:
        await world.log.erase_member(member)
    except LogFailed:
        return Denied("unavailable", "the name cannot be erased from the journal now; try again", 2_000)
    world.standing.roles.pop(member, None)
    world.standing.badges.pop(member, None)
    for each in world.standing.sanctions():
        if each.member == member and each.reason:
            world.standing.put(evolve(each, reason=ERASED))
    await hands.deeds.store.standing.erase_member(member)
    return None
