"""Taking acts back: by order, when their time is over, and the end of that when it no longer can be."""

from typing import Any

from attrs import define, evolve

from actors.admin.commands import TABLE
from actors.admin.deeds import Deed, Phase
from actors.admin.orders import Answer, Denied, Order, Outcome, UndoKind
from actors.admin.plans import Hands, Plan
from actors.admin.undo import Layers, to_row
from actors.admin.world import Mark


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
        return await self.taking_out(deed)

    async def plan_uncalm(self) -> Plan | Denied:
        deed = await self.hands.deeds.get(self.layers.last(("house", "calm")))
        if deed is None or deed.name != "house.calm":
            return Denied("conflict", "the house is not in calm")
        return await self.taking_out(deed)

    def _may(self, deed: Deed | None, order: Order) -> Denied | None:
        if deed is None:
            return Denied("not_found", "there is no such act")
        spec = TABLE[deed.name]
        if order.by.role < spec.role:
            return Denied("forbidden", f"to undo a {deed.name} needs the role {spec.role.word}")
        if deed.undo is UndoKind.COMPENSATING:
            return Denied("conflict", f"{deed.name} cannot be undone; {deed.extra.get('undo_with')} makes up for it")
        if deed.undo is UndoKind.NONE:
            return Denied("conflict", f"{deed.name} cannot be undone")
        if deed.phase is Phase.UNDONE:
            return Denied("conflict", "this was undone already")
        late = deed.undo_until is None or deed.undo_until <= self.hands.world.now()
        if deed.phase is not Phase.OPEN or deed.act not in self.layers or late:
            return Denied("conflict", "this can no longer be undone")
        return None

    async def taking_out(self, deed: Deed) -> Plan | Denied:
        """The plan that puts back what the deed changed, where that still shows."""
        now = await self.hands.registers.read([change.key for change in self.layers.changes(deed.act)])
        if isinstance(now, Denied):
            return now
        restoring = self.layers.restoring(deed.act, now)

        async def after(mark: Mark) -> dict[str, Any] | Denied:
            await self._taken_out(deed, mark.act)
            return {}

        detail = {
            "undone": deed.act,
            "restored": [[scope, name, value] for (scope, name), value in restoring.values.items()][:100],
            "left": [
                {"what": list(left.key), "value": left.value, "by": left.by or "something else"}
                for left in restoring.left[:100]
            ],
        }
        affected = 0 if deed.outcome is None else deed.outcome.affected
        return Plan(restoring.values, affected=affected, detail=detail, after=after)

    async def _taken_out(self, deed: Deed, by: str) -> None:
        deeds = self.hands.deeds
        moved = self.layers.take_out(deed.act)
        await deeds.finish(evolve(deed, phase=Phase.UNDONE, undone_by=by))
        for act, changes in moved.items():
            above = await deeds.get(act)
            if above is not None:
                await deeds.finish(evolve(above, changes=to_row(changes)))

    async def lift(self, deed: Deed) -> Answer:
        """Its time is over: the house itself undoes it."""
        plan = await self.taking_out(deed)
        if isinstance(plan, Denied):
            return plan
        act, why = f"{deed.act}.lift", f"the time of {deed.name} is over"
        rev = await self.hands.registers.write(plan.wanted, Mark(act, "house", why, self.hands.world.now()))
        if isinstance(rev, Denied):
            return rev
        await self._taken_out(deed, act)
        await self.hands.deeds.audit("house", "local", "act.undo", {"act": deed.act}, why, "ok", act)
        self.hands.world.activity.note(
            "act", f"{deed.name} by {deed.operator} is over", operator="house", act=deed.act, data=plan.detail
        )
        return Outcome(act, rev, plan.affected, detail=plan.detail)

    async def settle(self, deed: Deed) -> None:
        """It can no longer be undone, and what it hid is erased."""
        self.layers.settle(deed.act)
        await self.hands.deeds.finish(evolve(deed, phase=Phase.FINAL))
