"""Taking acts back: by order, when their time is over, and the end of that when it no longer can be."""

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import define, evolve

from actors.admin.catalogue import table
from actors.admin.deeds import Deed, Phase
from actors.admin.orders import Answer, Denied, Order, Outcome, UndoKind
from actors.admin.plans import Hands, Plan
from actors.admin.registers_rooms import room_of
from actors.admin.store_audit import Entry
from actors.admin.undo import BESIDE, Layers, to_row
from actors.admin.world import Mark

CALM = ("house", "calm")
ERASED = "act.erase"
"""In the audit: what an act hid is gone for good."""


@define
class Undoing:
    hands: Hands
    layers: Layers

    async def plan(self, order: Order) -> Plan | Denied:
        """For `act.undo`."""
        deed = await self.hands.deeds.get(order.args.act)
        wrong = self._may(deed, order)
        if wrong is not None:
            return wrong
        assert deed is not None
        return await self.taking_out([deed])

    async def plan_uncalm(self) -> Plan | Denied:
        """However often it was ordered, lifting it lifts it."""
        found = [await self.hands.deeds.get(act) for act in self.layers.of(CALM)]
        calms = [deed for deed in found if deed is not None and deed.name == "house.calm"]
        return await self.taking_out(calms) if calms else Denied("conflict", "the house is not in calm")

    def _may(self, deed: Deed | None, order: Order) -> Denied | None:
        if deed is None:
            return Denied("not_found", "there is no such act")
        spec = table()[deed.name]
        if order.by.role < spec.role:
            return Denied("forbidden", f"to undo a {deed.name} needs the role {spec.role.word}")
        if deed.undo is UndoKind.COMPENSATING:
            said = {} if deed.outcome is None else deed.outcome.detail
            return Denied("conflict", f"{deed.name} cannot be undone; {said.get('undo_with')} makes up for it")
        if deed.undo is UndoKind.NONE:
            return Denied("conflict", f"{deed.name} cannot be undone")
        if deed.phase is Phase.UNDONE:
            return Denied("conflict", "this was undone already")
        late = deed.undo_until is None or deed.undo_until <= self.hands.world.now()
        if deed.phase is not Phase.OPEN or deed.act not in self.layers or late:
            return Denied("conflict", "this can no longer be undone")
        return None

    async def taking_out(self, deeds: Sequence[Deed]) -> Plan | Denied:
        """The plan that puts back what they changed, where that still shows."""
        acts = [deed.act for deed in deeds]
        now = await self.hands.registers.read({change.key for act in acts for change in self.layers.changes(act)})
        if isinstance(now, Denied):
            return now
        restoring = self.layers.restoring(acts, now)

        async def after(mark: Mark) -> dict[str, Any] | Denied:
            for deed in deeds:
                await self.taken_out(deed, mark)
            return {}

        detail = {
            "undone": acts[0] if len(acts) == 1 else acts,
            "restored": [[scope, name, value] for (scope, name), value in restoring.values.items()
                         if name not in BESIDE][:100],
            "left": [
                {"what": list(left.key), "value": left.value, "by": left.by or "something else"}
                for left in restoring.left if left.key[1] not in BESIDE
            ][:100],
        }  # fmt: skip
        affected = max((deed.outcome.affected for deed in deeds if deed.outcome is not None), default=0)
        rev = await self._rev(change.key[0] for act in acts for change in self.layers.changes(act))
        return Plan(restoring.values, affected=affected, detail=detail, rev=rev, after=after)

    async def _rev(self, scopes: Iterable[str]) -> int:
        """Of the rules of the room in which all of it is; 0: it is not in one room."""
        rooms = {room_of(scope) for scope in scopes}
        name = rooms.pop() if len(rooms) == 1 else None
        if name is None:
            return 0
        found = await self.hands.room(name)
        return 0 if isinstance(found, Denied) else found[1]

    async def taken_out(self, deed: Deed, mark: Mark, *entries: Entry) -> None:
        """Its registers have been put back; what is under another act's goes without being seen."""
        deeds = self.hands.deeds
        for change in self.layers.changes(deed.act):
            if self.layers.last(change.key) != deed.act:
                await self.hands.registers.withdraw(change.key, change.after, mark)
        moved = self.layers.take_out(deed.act)
        await deeds.finish(evolve(deed, phase=Phase.UNDONE, undone_by=mark.act), *entries)
        for act, changes in moved.items():
            above = await deeds.get(act)
            if above is not None:
                await deeds.finish(evolve(above, changes=to_row(changes)))

    async def lift(self, deed: Deed) -> Answer:
        """Its time is over: the house itself undoes it."""
        plan = await self.taking_out([deed])
        if isinstance(plan, Denied):
            return plan
        why = f"the time of {deed.name} is over"
        mark = Mark(f"{deed.act}.lift", "house", why, self.hands.world.now())
        rev = await self.hands.registers.write(plan.wanted, mark)
        if isinstance(rev, Denied):
            return rev
        await self.taken_out(deed, mark, Entry("house", "local", "act.undo", {"act": deed.act}, why, act=mark.act))
        said = f"{deed.name} by {deed.operator} is over"
        self.hands.world.activity.note("act", said, operator="house", act=deed.act, data=plan.detail)
        return Outcome(mark.act, rev, plan.affected, detail=plan.detail)

    async def settle(self, deed: Deed) -> None:
        """It can no longer be undone, and what it hid is erased."""
        self.layers.settle(deed.act)
        entries: tuple[Entry, ...] = ()
        if table()[deed.name].erases:
            entries = (Entry("house", "local", ERASED, {"act": deed.act, "command": deed.name}),)
            said = f"what {deed.operator} hid by {deed.name} is erased"
            self.hands.world.activity.note("act", said, operator="house", act=deed.act, room=deed.raw.get("room"))
        await self.hands.deeds.finish(evolve(deed, phase=Phase.FINAL), *entries)


def undone_by(deed: Deed) -> Sequence[str]:
    """The acts that this one takes out."""
    found = deed.extra.get("undone", ())
    return (found,) if isinstance(found, str) else found
