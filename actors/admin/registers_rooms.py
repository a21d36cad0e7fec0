"""Registers of rooms and messages: rules and moderation through the room's own log, names through the directory."""

from collections.abc import Mapping
from math import inf
from typing import Any

from attrs import define, evolve, field

from actors.admin.orders import Denied
from actors.admin.registers import Family
from actors.admin.undo import Value
from actors.admin.world import Mark, World, asked, told
from actors.events import Cleared, Hidden, Message, Moderation, Pinned, Policy, Restored, Tombstone, Uncleared
from actors.journal.log import LogFailed, RoomRecord, Stored
from actors.kernel import Ref
from actors.names import HOUSE, Cid, RoomName
from actors.room.directory import DeleteRoom, Listing, Reach, RestoreRoom, UpdateRoom
from actors.room.messages import Census, Moderate, RoomCensus, RoomMessage, SetPolicy

POLICY = {
    "frozen": "frozen", "slow_s": "slow_s", "closed": "closed", "capacity": "max_members", "reason": "reason",
    "expires": "expires",
}  # fmt: skip
RECORD = ("title", "code", "zone", "official")


@define
class RoomHand:
    """Reaching rooms, those that sleep included. What only acts do the acts know: it is filled from them at a start."""

    world: World
    cleared: dict[RoomName, int] = field(factory=dict)
    """Up to where a room shows no message."""
    hidden: set[tuple[RoomName, int]] = field(factory=set)
    """Messages that are hidden one by one. Of those that no clearing covers the log can tell as well."""

    async def reach(self, room: RoomName) -> Ref[RoomMessage] | Denied:
        ref = self.world.rooms.get(room)
        if ref is not None and not ref.closed:
            return ref
        found: Ref[RoomMessage] | Denied = await told(self.world.directory, lambda reply: Reach(reply, room))
        return found

    async def census(self, room: RoomName) -> RoomCensus | Denied:
        ref = await self.reach(room)
        if isinstance(ref, Denied):
            return ref
        found: RoomCensus | Denied = await asked(ref, Census)
        return found

    async def records(self) -> dict[RoomName, RoomRecord] | Denied:
        found = await asked(self.world.directory, Listing)
        return found if isinstance(found, Denied) else {record.name: record for record in found}

    async def record(self, room: RoomName) -> RoomRecord | Denied:
        found = await self.records()
        if isinstance(found, Denied):
            return found
        return found.get(room) or Denied("unknown_room", f"there is no room {room}")

    async def look_at_zones(self) -> None:
        """Alerts to a zone go by this table. A house that knows no room, its log being shut, leaves what was there."""
        records = await self.records()
        if records and not isinstance(records, Denied):
            self.world.zones.clear()
            self.world.zones.update({name: each.zone for name, each in records.items() if each.zone})

    async def moderate(self, room: RoomName, body: Moderation, cid: str) -> int | Denied:
        """The entry's seq."""
        ref = await self.reach(room)
        if isinstance(ref, Denied):
            return ref
        stored: Stored | Denied = await told(ref, lambda reply: Moderate(reply, HOUSE, Cid(cid), body))
        return stored if isinstance(stored, Denied) else stored.seq

    async def set_policy(self, room: RoomName, changes: Mapping[str, Any], mark: Mark) -> int | Denied:
        """The new revision. Only what differs is written."""
        ref = await self.reach(room)
        if isinstance(ref, Denied):
            return ref
        census: RoomCensus | Denied = await asked(ref, Census)
        if isinstance(census, Denied):
            return census
        policy: Policy = evolve(census.policy, **{"reason": mark.reason, **changes}, lockdown=5, official=False)
        stored: Stored | Denied = await told(
            ref, lambda reply: SetPolicy(reply, policy, Cid(mark.cid(f"{room} policy")), HOUSE)
        )
        return stored if isinstance(stored, Denied) else stored.seq


@define
class RoomRegisters(Family):
    hand: RoomHand

    async def read(self, rest: str, names: tuple[str, ...]) -> dict[str, Value] | Denied:
        room = RoomName(rest)
        record = await self.hand.record(room)
        if isinstance(record, Denied):
            return record
        found: dict[str, Value] = {name: getattr(record, name) for name in RECORD}
        found["deleted"] = record.deleted is not None
        found["cleared"] = self.hand.cleared.get(room, 0)
        if not {*names} <= found.keys():
            census = await self.hand.census(room)
            if isinstance(census, Denied):
                return census
            found |= {name: getattr(census.policy, kept) for name, kept in POLICY.items()}
            found["pinned"] = census.pinned
        return {name: found[name] for name in names}

    async def write(self, rest: str, values: Mapping[str, Value], mark: Mark) -> int | Denied:
        room, rev = RoomName(rest), 0
        record = {name: values[name] for name in RECORD if name in values}
        if record:
            done = await told(self.hand.world.directory, lambda reply: self._update(reply, room, record))
            if isinstance(done, Denied):
                return done
            await self.hand.look_at_zones()
        policy = {kept: values[name] for name, kept in POLICY.items() if name in values}
        if policy:
            if (policy.get("expires") or inf) <= self.hand.world.now():
                policy["expires"] = None  # it is over: no room takes rules that have ended
            set_ = await self.hand.set_policy(room, policy, mark)
            if isinstance(set_, Denied):
                return set_
            rev = set_
        for name in ("pinned", "cleared", "deleted"):
            if name in values:
                denied = await self._moderate(room, name, values[name], mark)
                if denied is not None:
                    return denied
        return rev

    def recall(self, rest: str, name: str, value: Value) -> None:
        if name == "cleared":
            self.hand.cleared[RoomName(rest)] = value

    async def withdraw(self, rest: str, name: str, value: Value, mark: Mark) -> None:
        """Of a clearing that lies under a later one, the log keeps both."""
        if name == "cleared":
            await self.hand.moderate(RoomName(rest), Uncleared(value), mark.cid(f"{rest} withdrawn"))

    @staticmethod
    def _update(reply: Any, room: RoomName, record: Mapping[str, Value]) -> UpdateRoom:
        return UpdateRoom(reply, room, *(record.get(name) for name in RECORD))

    async def _moderate(self, room: RoomName, name: str, value: Value, mark: Mark) -> Denied | None:
        match name:
            case "pinned":
                return denied_of(await self.hand.moderate(room, Pinned(value), mark.cid(f"{room} pinned")))
            case "cleared":
                upto = self.hand.cleared.get(room, 0)
                # The one below still stands in the log: it was laid before, and is withdrawn when it is undone.
                body = Cleared(value) if value >= upto else Uncleared(upto)
                seq = await self.hand.moderate(room, body, mark.cid(f"{room} cleared"))
                if not isinstance(seq, Denied):
                    self.hand.cleared[room] = value
                return denied_of(seq)
        make: type[DeleteRoom | RestoreRoom] = DeleteRoom if value else RestoreRoom
        done = await told(self.hand.world.directory, lambda reply: make(reply, room))
        return denied_of(done)


@define
class MessageRegisters(Family):
    hand: RoomHand

    async def read(self, rest: str, names: tuple[str, ...]) -> dict[str, Value] | Denied:
        room, seq = _place(rest)
        try:
            page = await self.hand.world.log.read(room, after=seq - 1, before=None, limit=1, max_bytes=1)
        except LogFailed as failure:
            return Denied("unavailable", str(failure), failure.retry_after_ms)
        except KeyError:
            return Denied("unknown_room", f"there is no room {room}")
        body = page.entries[0].body if page.entries and page.entries[0].seq == seq else None
        match body:
            case Message():
                return {"hidden": False}
            case Tombstone(hidden=True):
                covered = seq <= self.hand.cleared.get(room, 0)
                return {"hidden": not covered or (room, seq) in self.hand.hidden}
            case Tombstone():
                return Denied("not_found", "this message has been deleted")
        return Denied("not_found", "there is no such message (any more)")

    async def write(self, rest: str, values: Mapping[str, Value], mark: Mark) -> int | Denied:
        room, seq = _place(rest)
        body: Moderation = Hidden(seq, mark.reason) if values["hidden"] else Restored(seq)
        done = await self.hand.moderate(room, body, mark.cid(f"{rest} hidden"))
        if not isinstance(done, Denied):
            self.recall(rest, "hidden", values["hidden"])
        return done if isinstance(done, Denied) else 0

    def recall(self, rest: str, name: str, value: Value) -> None:
        (self.hand.hidden.add if value else self.hand.hidden.discard)(_place(rest))


def denied_of(done: object) -> Denied | None:
    return done if isinstance(done, Denied) else None


def room_of(scope: str) -> RoomName | None:
    """Where a register of a room, or of a message in it, is."""
    family, _, rest = scope.partition(":")
    match family:
        case "room":
            return RoomName(rest)
        case "message":
            return _place(rest)[0]
    return None


def message_scope(room: RoomName, seq: int) -> str:
    return f"message:{room}/{seq}"


def _place(rest: str) -> tuple[RoomName, int]:
    room, _, seq = rest.rpartition("/")
    return RoomName(room), int(seq)
