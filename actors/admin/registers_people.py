"""Registers of members, addresses and the house: the standing, which rooms and doors read; and of what members have
called for."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import trio
from attrs import define

from actors.admin.orders import Denied
from actors.admin.registers import Family
from actors.admin.store import AdminStore
from actors.admin.undo import Value
from actors.admin.world import NO_ALERTS, PATIENCE_S, Mark, World, asked, for_each
from actors.alerts.messages import HelpCall, ResolveHelp
from actors.alerts.vocabulary import AlertId
from actors.kernel import ActorGone, MailboxFull
from actors.names import MemberId, Nickname, RoomName
from actors.people.registry import Rename
from actors.people.standing import Kind, Sanction
from actors.room.messages import Renamed, RulesChanged

Save = Callable[[], Awaitable[None]]
"""Makes the standing durable."""


@define
class ReportRegisters(Family):
    """Of reports: who has dealt with them, and how."""

    store: AdminStore

    async def read(self, rest: str, names: tuple[str, ...]) -> dict[str, Value] | Denied:
        report = await self.store.reports.get(int(rest)) if rest.isdecimal() else None
        if report is None:
            return Denied("not_found", "there is no such report")
        return {"outcome": report.outcome}

    async def write(self, rest: str, values: Mapping[str, Value], mark: Mark) -> int | Denied:
        await self.store.reports.resolve(int(rest), values["outcome"], mark.operator, mark.at)
        return 0


@define
class HelpRegisters(Family):
    """Of calls for help in alerts: whether they have been dealt with. `rest`: alert/member."""

    world: World

    async def read(self, rest: str, names: tuple[str, ...]) -> dict[str, Value] | Denied:
        alert, _, member = rest.partition("/")
        if self.world.alerts is None:
            return NO_ALERTS
        done = await asked(self.world.alerts, lambda asks: HelpCall(asks, AlertId(alert), MemberId(member)))
        if isinstance(done, Denied):
            return Denied("not_found", done.message) if done.code == "bad_anchor" else done
        return {"done": done}

    async def write(self, rest: str, values: Mapping[str, Value], mark: Mark) -> int | Denied:
        alert, _, member = rest.partition("/")
        if self.world.alerts is None:
            return NO_ALERTS
        name, whose, done = AlertId(alert), MemberId(member), bool(values["done"])
        failed = await asked(self.world.alerts, lambda asks: ResolveHelp(asks, name, whose, done))
        return failed if isinstance(failed, Denied) else 0


def sanction_value(sanction: Sanction | None) -> Value:
    """None: there is none."""
    if sanction is None:
        return None
    return {"until": sanction.until, "reason": sanction.reason, "act": sanction.act}


@define
class MemberRegisters(Family):
    world: World
    save: Save

    async def read(self, rest: str, names: tuple[str, ...]) -> dict[str, Value] | Denied:
        member, standing = MemberId(rest), self.world.standing
        found: dict[str, Value] = {}
        for name in names:
            kind, colon, room = name.partition(":")
            if colon:
                found[name] = sanction_value(self._sanction(kind, member, room))
            elif name == "nickname":
                row = await self.world.log.roster(member)
                if row is None:
                    return Denied("not_found", "nobody of that id has ever been here")
                found[name] = row.nickname
            elif name == "revoked":
                found[name] = standing.revoked.get(member)
            else:
                found[name] = (standing.roles if name == "role" else standing.badges).get(member, "")
        return found

    async def write(self, rest: str, values: Mapping[str, Value], mark: Mark) -> int | Denied:
        member, standing = MemberId(rest), self.world.standing
        for name, value in values.items():
            kind, colon, room = name.partition(":")
            if colon:
                put(self.world, Sanction(_kind(kind), member, None, RoomName(room) or None), value)
            elif name == "nickname":
                failed = await self._rename(member, Nickname(value))
                if failed is not None:
                    return failed
            elif name == "revoked":
                self._revoke(member, value)
            else:
                table = standing.roles if name == "role" else standing.badges
                table[member] = value
                if not value:
                    del table[member]
        await self.save()
        return 0

    def _sanction(self, kind: str, member: MemberId, room: str) -> Sanction | None:
        """Also one that has run out: lifting it is what is left to do."""
        for each in self.world.standing.sanctions():
            if (each.kind, each.member, each.room or "") == (kind, member, room):
                return each
        return None

    def _revoke(self, member: MemberId, value: int | None) -> None:
        """Up to now, which may be later than what was planned: a token may have been issued in between."""
        if value is None:
            self.world.standing.revoked.pop(member, None)
        else:
            self.world.standing.revoked[member] = max(value, int(self.world.now()))

    async def _rename(self, member: MemberId, nickname: Nickname) -> Denied | None:
        """In the roster, for the connections that are here, and in every room where they are: it says so at once."""
        self.world.log.seen(member, nickname)
        rooms = await asked(self.world.people, lambda asks: Rename(member, nickname, asks))
        if isinstance(rooms, Denied):
            return rooms
        await for_each(rooms, lambda room: self._tell(room, Renamed(member, nickname)))
        return None

    async def _tell(self, room: RoomName, fact: Renamed) -> None:
        """A room that cannot hear it now finds it in the seats when it starts."""
        ref = self.world.rooms.get(room)
        if ref is None:
            return
        with suppress(ActorGone), trio.move_on_after(PATIENCE_S):
            try:
                ref.urge(fact)
            except MailboxFull:
                await ref.send(fact)


@define
class AddressRegisters(Family):
    world: World
    save: Save

    async def read(self, rest: str, names: tuple[str, ...]) -> dict[str, Value] | Denied:
        standing = [each for each in self.world.standing.sanctions() if each.address == rest]
        return {name: sanction_value(standing[0] if standing else None) for name in names}

    async def write(self, rest: str, values: Mapping[str, Value], mark: Mark) -> int | Denied:
        put(self.world, Sanction("ban", None, rest), values["ban"])
        await self.save()
        return 0


@define
class HouseRegisters(Family):
    world: World
    save: Save
    calm: bool = False

    async def read(self, rest: str, names: tuple[str, ...]) -> dict[str, Value] | Denied:
        standing = self.world.standing
        values: dict[str, Value] = {
            "lockdown": standing.lockdown, "since": standing.lockdown_since, "reason": standing.lockdown_reason,
            "calm": self.calm,
        }  # fmt: skip
        return {name: values[name] for name in names}

    async def write(self, rest: str, values: Mapping[str, Value], mark: Mark) -> int | Denied:
        standing = self.world.standing
        before = standing.lockdown, standing.lockdown_reason
        self.calm = values.get("calm", self.calm)
        standing.lockdown = values.get("lockdown", standing.lockdown)
        standing.lockdown_since = values.get("since", standing.lockdown_since)
        standing.lockdown_reason = values.get("reason", standing.lockdown_reason)
        if before != (standing.lockdown, standing.lockdown_reason):
            rules_changed(self.world)
        await self.save()
        return 0

    def recall(self, rest: str, name: str, value: Value) -> None:
        if name == "calm":
            self.calm = value


def rules_changed(world: World) -> None:
    """Everybody is told the rules as they hold now. A room that cannot hear it now tells them when it comes back."""
    for ref in list(world.rooms.values()):
        with suppress(ActorGone, MailboxFull):
            ref.urge(RulesChanged())


def put(world: World, bare: Sanction, value: Value) -> None:
    world.standing.lift(lambda each: each.key == bare.key)
    if value is not None:
        world.standing.put(
            Sanction(bare.kind, bare.member, bare.address, bare.room, value["until"], value["reason"], value["act"])
        )


def _kind(word: str) -> Kind:
    return "mute" if word == "mute" else "ban"
