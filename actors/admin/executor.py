"""How an order is carried out, from the first look to the record: may this operator, what would it change, does
somebody else have to agree, was it done before; then the intention on disk, the effect, the outcome, the audit.

The intention goes to disk before anything is done, under a name made of operator and cid. So an order that is given
again, after whatever broke in between, is answered with the first outcome, or finished, and never done twice."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, evolve, field

from actors.admin.acts import CidReused, digest_of
from actors.admin.approval import Approvals
from actors.admin.commands import TABLE
from actors.admin.deeds import Deed, Deeds, Phase
from actors.admin.orders import Answer, Denied, Order, Outcome, Pending, Spec, UndoKind
from actors.admin.plans import Hands, Plan, Planner
from actors.admin.undo import Change, Layers, from_row, to_row
from actors.admin.world import Mark

LONGEST_S = 7 * 86_400.0
NEVER_ALONE = frozenset({"house.wipe"})
"""No breaking the glass here: erasing everything can wait for a second person."""


@define
class Executor:
    """One order at a time: whoever owns it sees to that."""

    hands: Hands
    deeds: Deeds
    planners: Mapping[str, Planner]
    approvals: Approvals
    layers: Layers = field(factory=Layers)
    due: Callable[[Deed], None] = lambda deed: None
    """Told of each deed that has something left to do at a time: to be lifted, or to become final."""

    async def carry_out(self, order: Order) -> Answer:
        """With its rows in the audit and the feed."""
        spec = TABLE[order.name]
        answer, loud = await self._answer(spec, order)
        await self._record(spec, order, answer, loud)
        return answer

    async def _answer(self, spec: Spec, order: Order) -> tuple[Answer, bool]:
        """Also: whether the glass was broken."""
        wrong = self._may(spec, order)
        if wrong is not None:
            return wrong, False
        before = None if order.dry_run else await self._done_before(order)
        if before is not None:
            return before, False
        plan = await self._plan(order)
        if isinstance(plan, Denied):
            return plan, False
        if order.expect_rev is not None and order.expect_rev != plan.rev:
            return Denied("conflict", f"it was changed meanwhile: its revision is {plan.rev}"), False
        changes = await self.hands.registers.changes(plan.wanted)
        if isinstance(changes, Denied):
            return changes, False
        if order.dry_run:
            return self._would(spec, order, plan, changes), False
        agreed = self._agreed(spec, order)
        if isinstance(agreed, Order):
            return await self._do(spec, agreed, plan, changes), order.break_glass and self._demands(spec, order)
        return agreed, False

    # -- before anything is done ---------------------------------------------------------------------------------------

    def _may(self, spec: Spec, order: Order) -> Denied | None:
        if order.by.role < spec.role:
            return Denied("forbidden", f"{spec.name} needs the role {spec.role.word}")
        if isinstance(order.args, Denied):
            return order.args
        needed = spec.role_for(order.args)
        if order.by.role < needed:
            return Denied("forbidden", f"this {spec.name} needs the role {needed.word}")
        if not order.cid and not order.dry_run:
            return Denied("bad_frame", "an act needs a cid: a name of your own for it, so that a retry runs once")
        if order.ttl_s is not None and not spec.timed:
            return Denied("bad_frame", f"{spec.name} cannot be given for a time")
        if order.ttl_s is not None and not 1 <= order.ttl_s <= LONGEST_S:
            return Denied("bad_frame", f"ttl_s must be 1 to {LONGEST_S:g}")
        return None

    async def _done_before(self, order: Order) -> Answer | None:
        deed = await self.deeds.get(order.act)
        if deed is None:
            return None
        if digest_of(deed.name, deed.raw) != digest_of(order.name, order.raw):
            return Denied("cid_reused", "this cid was used for another order")
        if deed.outcome is not None:
            return deed.outcome
        said = "this was begun before the server stopped, and how it ended is not known: look before giving it anew"
        return None if deed.repeat else Denied("conflict", said)

    async def _plan(self, order: Order) -> Plan | Denied:
        if order.name == "act.undo":
            return await self._plan_undo(order)
        if order.name == "house.uncalm":
            return await self._plan_uncalm()
        return await self.planners[order.name](self.hands, order)

    def _demands(self, spec: Spec, order: Order) -> bool:
        return spec.second is not None and spec.name in self.hands.world.second and spec.second(order.args)

    def _agreed(self, spec: Spec, order: Order) -> Order | Answer:
        """The order to carry out; or what is missing."""
        word = "" if spec.confirm is None else spec.confirm(order.args, self.hands.world.event)
        if word and order.confirm != word:
            return Denied("confirm", f"type {word!r} to confirm")
        if not self._demands(spec, order):
            return order
        now = self.hands.world.now()
        if order.confirm_of is not None:
            first = self.approvals.confirm(order, spec.role_for(order.args), now)
            if isinstance(first, Denied):
                return first
            return evolve(order, reason=first.reason or order.reason)
        if order.break_glass and spec.name not in NEVER_ALONE:
            return order
        return self.approvals.ask(order, now)

    def _would(self, spec: Spec, order: Order, plan: Plan, changes: tuple[Change, ...]) -> Outcome:
        word = "" if spec.confirm is None else spec.confirm(order.args, self.hands.world.event)
        detail = {
            **plan.detail,
            "changes": [_shown(change) for change in changes[:100]],
            "confirm": word,
            "second": self._demands(spec, order),
        }
        until = self.hands.world.now() + plan.keep_s if spec.undo is UndoKind.EXACT else None
        return Outcome("", plan.rev, plan.affected, spec.undo, until, dry_run=True, detail=detail)

    # -- doing it ------------------------------------------------------------------------------------------------------

    async def _do(self, spec: Spec, order: Order, plan: Plan, changes: tuple[Change, ...]) -> Answer:
        now = self.hands.world.now()
        exact = spec.undo is UndoKind.EXACT
        deed = Deed(
            act=order.act,
            name=order.name,
            operator=order.by.operator,
            cid=order.cid,
            raw=dict(order.raw),
            reason=order.reason,
            at=now,
            repeat=plan.repeat,
            changes=to_row(changes),
            undo=spec.undo,
            undo_until=now + max(plan.keep_s, order.ttl_s or 0.0) if exact else None,
            lift_at=None if order.ttl_s is None else now + order.ttl_s,
            extra=plan.detail,
        )
        if isinstance(await self.deeds.begin(deed), CidReused):
            return Denied("cid_reused", "this cid was used for another order")
        done = await self._effect(plan, Mark(order.act, order.by.operator, order.reason, now))
        if isinstance(done, Denied):
            await self.deeds.finish(evolve(deed, phase=Phase.FAILED))
            return done
        rev, said = done
        once = said.pop("once", {})
        detail = {name: value for name, value in {**plan.detail, **said}.items() if name != "members"}
        outcome = Outcome(deed.act, rev or plan.rev, plan.affected, deed.undo, deed.undo_until, detail=detail)
        deed = evolve(deed, outcome=outcome, phase=Phase.OPEN if exact else Phase.FINAL)
        await self.deeds.finish(deed)
        if exact:
            self.layers.lay(deed.act, changes)
            self.due(deed)
        return evolve(outcome, detail={**detail, **once}) if once else outcome

    async def _effect(self, plan: Plan, mark: Mark) -> tuple[int, dict[str, Any]] | Denied:
        said: dict[str, Any] = {}
        if plan.effect is not None:
            found = await plan.effect(mark)
            if isinstance(found, Denied):
                return found
            said |= found
        rev = await self.hands.registers.write(plan.wanted, mark)
        if isinstance(rev, Denied):
            return rev
        if plan.after is not None:
            found = await plan.after(mark)
            if isinstance(found, Denied):
                return found
            said |= found
        return rev, said

    # -- undoing -------------------------------------------------------------------------------------------------------

    async def _plan_undo(self, order: Order) -> Plan | Denied:
        deed = await self.deeds.get(order.args.act)
        wrong = _may_undo(deed, order, self.layers, self.hands.world.now())
        if wrong is not None:
            return wrong
        assert deed is not None
        return await self.taking_out(deed)

    async def _plan_uncalm(self) -> Plan | Denied:
        deed = await self.deeds.get(self.layers.last(("house", "calm")))
        if deed is None or deed.name != "house.calm":
            return Denied("conflict", "the house is not in calm")
        return await self.taking_out(deed)

    async def taking_out(self, deed: Deed) -> Plan | Denied:
        """The plan that puts back what the deed changed, where that still shows."""
        now = await self.hands.registers.read([change.key for change in self.layers.changes(deed.act)])
        if isinstance(now, Denied):
            return now
        restoring = self.layers.restoring(deed.act, now)

        async def after(mark: Mark) -> dict[str, Any] | Denied:
            moved = self.layers.take_out(deed.act)
            await self.deeds.finish(evolve(deed, phase=Phase.UNDONE, undone_by=mark.act))
            for act, changes in moved.items():
                above = await self.deeds.get(act)
                if above is not None:
                    await self.deeds.finish(evolve(above, changes=to_row(changes)))
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

    async def lift(self, deed: Deed) -> Answer:
        """Its time is over: the house itself undoes it."""
        plan = await self.taking_out(deed)
        if isinstance(plan, Denied):
            return plan
        act = f"{deed.act}.lift"
        done = await self._effect(plan, Mark(act, "house", f"the time of {deed.name} is over", self.hands.world.now()))
        if isinstance(done, Denied):
            return done
        detail = {"undone": deed.act, **plan.detail}
        await self.deeds.audit("house", "local", "act.undo", {"act": deed.act}, "its time is over", "ok", act)
        self.hands.world.activity.note(
            "act", f"{deed.name} by {deed.operator} is over", operator="house", act=deed.act, data=detail
        )
        return Outcome(act, done[0], plan.affected, detail=detail)

    async def finish_late(self, deed: Deed) -> None:
        """It was interrupted, and its registers have been written now."""
        detail = {**{name: value for name, value in deed.extra.items() if name != "members"}, "finished_late": True}
        outcome = Outcome(deed.act, 0, 0, deed.undo, deed.undo_until, detail=detail)
        done = evolve(deed, outcome=outcome, phase=Phase.OPEN if deed.undo is UndoKind.EXACT else Phase.FINAL)
        await self.deeds.finish(done)
        if done.phase is Phase.OPEN:
            self.layers.lay(deed.act, from_row(deed.changes))
            self.due(done)

    async def settle(self, deed: Deed) -> None:
        """It can no longer be undone, and what it hid is erased."""
        self.layers.settle(deed.act)
        await self.deeds.finish(evolve(deed, phase=Phase.FINAL))

    # -- the record ----------------------------------------------------------------------------------------------------

    async def _record(self, spec: Spec, order: Order, answer: Answer, loud: bool) -> None:
        act, result = "", "pending"
        if isinstance(answer, Denied):
            result = answer.code
        elif isinstance(answer, Outcome):
            act, result = answer.act, "dry_run" if answer.dry_run else "break_glass" if loud else "ok"
        by = order.by
        args = {**order.raw, **({"confirm_of": order.confirm_of} if order.confirm_of else {})}
        await self.deeds.audit(by.operator, by.address, order.name, args, order.reason, result, act)
        note = self.hands.world.activity.note
        room, member = (_word(order, name) for name in ("room", "member"))
        if loud:
            note("fault", f"{by.operator} broke the glass: {order.name} without a second person", operator=by.operator)
        if isinstance(answer, Outcome) and not answer.dry_run:
            data = {
                "reason": order.reason,
                "affected": answer.affected,
                "undo": answer.undo.value,
                "command": order.name,
            }
            note(
                "act",
                f"{by.operator}: {order.name}",
                operator=by.operator,
                act=act,
                data=data,
                room=room,
                member=member,
            )
        elif isinstance(answer, Pending):
            # With what a second person needs to give the same order.
            same = {"pending": answer.id, "name": order.name, "args": dict(order.raw), "ttl_s": order.ttl_s}
            note(
                "act",
                f"{by.operator} asks a second person for {order.name}",
                operator=by.operator,
                data=same,
                room=room,
                member=member,
            )


def _may_undo(deed: Deed | None, order: Order, layers: Layers, now: float) -> Denied | None:
    if deed is None:
        return Denied("not_found", "there is no such act")
    spec = TABLE[deed.name]
    if order.by.role < spec.role:
        return Denied("forbidden", f"to undo a {deed.name} needs the role {spec.role.word}")
    if deed.undo is not UndoKind.EXACT:
        extra = (
            "; " + str(deed.extra.get("undo_with")) + " makes up for it" if deed.undo is UndoKind.COMPENSATING else ""
        )
        return Denied("conflict", f"{deed.name} cannot be undone{extra}")
    if deed.phase is Phase.UNDONE:
        return Denied("conflict", "this was undone already")
    if deed.phase is not Phase.OPEN or deed.act not in layers or (deed.undo_until or 0) <= now:
        return Denied("conflict", "this can no longer be undone")
    return None


def _word(order: Order, name: str) -> str | None:
    value = order.raw.get(name)
    return value if isinstance(value, str) else None


def _shown(change: Change) -> dict[str, Any]:
    return {"what": [change.scope, change.name], "before": change.before, "after": change.after}


def load(executor: Executor, deeds: list[Deed]) -> None:
    """After a start: the acts that can still be undone, in the order in which they were done."""
    for deed in deeds:
        if deed.phase is Phase.OPEN:
            changes = from_row(deed.changes)
            executor.layers.lay(deed.act, changes)
            for change in changes:
                executor.hands.registers.recall(change.key, change.after)
