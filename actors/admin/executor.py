"""How an order is carried out, from the first look to the record: may this operator, what would it change, does
somebody else have to agree, was it done before; then the intention on disk, the effect, the outcome, the audit.

The intention goes to disk before anything is done, under a name made of operator and cid. So an order that is given
again, after whatever broke in between, is answered with the first outcome, or finished, and never done twice."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from attrs import define, evolve, field

from actors.admin import recording
from actors.admin.acts import digest_of
from actors.admin.approval import Approvals
from actors.admin.commands import TABLE
from actors.admin.deeds import Deed, Deeds, Phase
from actors.admin.orders import Answer, Denied, Order, Outcome, Spec, UndoKind
from actors.admin.plans import Hands, Plan, Planner
from actors.admin.recording import ONESELF, Agreement
from actors.admin.store import StoreFailed
from actors.admin.undo import Change, Layers, from_row, to_row
from actors.admin.undoing import Undoing
from actors.admin.world import Mark

T = TypeVar("T")
LONGEST_S = 7 * 86_400.0
ALERT = "alert."
SPOKEN_MOST = 256
NEVER_ALONE = frozenset({"house.wipe"})
"""No breaking the glass here: erasing everything can wait for a second person."""
CID_REUSED = Denied("cid_reused", "this cid was used for another order")
UNKNOWN = Denied(
    "conflict",
    "this was begun before, and how it ended is not known: look what has become of it before giving it anew",
)


@define
class Executor:
    """One order at a time, but for alerts, which touch no register: whoever owns it sees to that."""

    hands: Hands
    deeds: Deeds
    planners: Mapping[str, Planner]
    approvals: Approvals
    due: Callable[[Deed], None] = lambda deed: None
    """Told of each deed that has something left to do at a time: to be lifted, or to become final."""
    layers: Layers = field(factory=Layers)
    undoing: Undoing = field(init=False)
    spoken: dict[str, Outcome] = field(factory=dict)
    """Alerts that went out in this life, by act: what a full disk does not know."""

    def __attrs_post_init__(self) -> None:
        self.undoing = Undoing(self.hands, self.layers)

    async def carry_out(self, order: Order) -> Answer:
        """With its rows in the audit and the feed. Raises StoreFailed, LogFailed."""
        answer, agreement = await self._answer(TABLE[order.name], order)
        recording.tell(self.hands.world, order, answer, agreement)
        await self._kept(order, recording.audit(self.deeds, order, answer, agreement))
        return answer

    async def _answer(self, spec: Spec, order: Order) -> tuple[Answer, Agreement]:
        wrong = self._may(spec, order)
        if wrong is not None:
            return wrong, ONESELF
        before = None if order.dry_run else await self._done_before(order)
        if before is not None:
            return before, ONESELF
        plan = await self._plan(order)
        if isinstance(plan, Denied):
            return plan, ONESELF
        if order.expect_rev is not None and order.expect_rev != plan.rev:
            return Denied("conflict", f"it was changed meanwhile: its revision is {plan.rev}"), ONESELF
        changes = await self.hands.registers.changes(plan.wanted)
        if isinstance(changes, Denied):
            return changes, ONESELF
        if order.dry_run:
            return self._would(spec, order, plan, changes), ONESELF
        agreed = self._agreed(spec, order)
        if not isinstance(agreed, Agreement):
            return agreed, ONESELF
        return await self._do(spec, order, plan, changes), agreed

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
        if order.act in self.spoken:
            return self.spoken[order.act]
        deed = await self._kept(order, self.deeds.get(order.act))
        if deed is None:
            return None
        if digest_of(deed.name, deed.raw) != digest_of(order.name, order.raw):
            return CID_REUSED
        if deed.outcome is not None:
            return deed.outcome
        return None if deed.repeat else UNKNOWN

    async def _plan(self, order: Order) -> Plan | Denied:
        if order.name == "act.undo":
            return await self.undoing.plan(order)
        if order.name == "house.uncalm":
            return await self.undoing.plan_uncalm()
        return await self.planners[order.name](self.hands, order)

    def _demands(self, spec: Spec, order: Order) -> bool:
        return spec.second is not None and spec.name in self.hands.world.second and spec.second(order.args)

    def _word(self, spec: Spec, order: Order) -> str:
        return "" if spec.confirm is None else spec.confirm(order.args, self.hands.world.event)

    def _agreed(self, spec: Spec, order: Order) -> Agreement | Answer:
        """That everybody who has to mean it does; or what is missing."""
        word = self._word(spec, order)
        if word and order.confirm != word:
            return Denied("confirm", f"type {word!r} to confirm")
        if not self._demands(spec, order):
            return ONESELF
        now = self.hands.world.now()
        if order.confirm_of is not None:
            first = self.approvals.confirm(order, spec.role_for(order.args), now)
            return first if isinstance(first, Denied) else Agreement(first=first.by.operator)
        if order.break_glass and spec.name not in NEVER_ALONE:
            return Agreement(alone=True)
        return self.approvals.ask(order, now)

    def _would(self, spec: Spec, order: Order, plan: Plan, changes: tuple[Change, ...]) -> Outcome:
        detail = {
            **_public(plan.detail),
            **plan.preview,
            "changes": [
                {"what": [each.scope, each.name], "before": each.before, "after": each.after} for each in changes[:100]
            ],
            "confirm": self._word(spec, order),
            "second": self._demands(spec, order),
        }
        until = self.hands.world.now() + plan.keep_s if spec.undo is UndoKind.EXACT else None
        return Outcome("", plan.rev, plan.affected, spec.undo, until, dry_run=True, detail=detail)

    # -- doing it ------------------------------------------------------------------------------------------------------

    async def _do(self, spec: Spec, order: Order, plan: Plan, changes: tuple[Change, ...]) -> Answer:
        deed = self._intention(spec, order, plan, changes)
        before = await self._kept(order, self.deeds.begin(deed))
        if before is not None and (not isinstance(before, Deed) or before.outcome is not None):
            return before.outcome if isinstance(before, Deed) and before.outcome is not None else CID_REUSED
        mark = Mark(order.act, order.by.operator, order.reason, deed.at)
        done = await self._effect(plan, mark)
        if isinstance(done, Denied):
            await self._put_back(changes, mark)
            await self._kept(order, self.deeds.finish(evolve(deed, phase=Phase.FAILED)))
            return done
        rev, said = done
        once = said.pop("once", {})
        detail = _public({**plan.detail, **said})
        outcome = Outcome(deed.act, rev or plan.rev, plan.affected, deed.undo, deed.undo_until, detail=detail)
        deed = evolve(deed, outcome=outcome, phase=Phase.OPEN if deed.undo is UndoKind.EXACT else Phase.FINAL)
        if order.name.startswith(ALERT):
            self._remember(outcome)
        if deed.phase is Phase.OPEN:
            self.layers.lay(deed.act, changes)
            self.due(deed)
        await self._kept(order, self.deeds.finish(deed))
        return evolve(outcome, detail={**detail, **once}) if once else outcome

    def _intention(self, spec: Spec, order: Order, plan: Plan, changes: tuple[Change, ...]) -> Deed:
        now = self.hands.world.now()
        return Deed(
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
            undo_until=now + max(plan.keep_s, order.ttl_s or 0.0) if spec.undo is UndoKind.EXACT else None,
            lift_at=None if order.ttl_s is None else now + order.ttl_s,
            extra=plan.detail,
        )

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

    async def _put_back(self, changes: tuple[Change, ...], mark: Mark) -> None:
        """Half of an act is none: what was written of it is written back, as far as that can be done."""
        now = await self.hands.registers.read([change.key for change in changes])
        if isinstance(now, Denied):
            return
        values = {change.key: change.before for change in changes if now[change.key] == change.after != change.before}
        await self.hands.registers.write(values, evolve(mark, act=f"{mark.act}.back"))

    # -- the record ----------------------------------------------------------------------------------------------------

    async def _kept(self, order: Order, keeping: Awaitable[T]) -> T | None:
        """Raises StoreFailed; but an alert goes out whatever becomes of its record."""
        try:
            return await keeping
        except StoreFailed as wrong:
            if not order.name.startswith(ALERT):
                raise
            said = f"{order.name} by {order.by.operator} is not on record: {wrong}"
            self.hands.world.activity.note("fault", said, operator=order.by.operator)
            return None

    def _remember(self, outcome: Outcome) -> None:
        while len(self.spoken) >= SPOKEN_MOST:
            del self.spoken[next(iter(self.spoken))]
        self.spoken[outcome.act] = outcome

    # -- after a start -------------------------------------------------------------------------------------------------

    async def take_up(self, deed: Deed) -> None:
        """What a crash interrupted: its registers are written once more, which is the same as once."""
        values = {change.key: change.after for change in from_row(deed.changes)}
        if not values or not deed.repeat:
            return
        if isinstance(
            await self.hands.registers.write(values, Mark(deed.act, deed.operator, deed.reason, deed.at)), Denied
        ):
            return
        detail = {**_public(deed.extra), "finished_late": True}
        outcome = Outcome(deed.act, 0, 0, deed.undo, deed.undo_until, detail=detail)
        phase = Phase.OPEN if deed.undo is UndoKind.EXACT else Phase.FINAL
        await self.deeds.finish(evolve(deed, outcome=outcome, phase=phase))
        undone = await self.deeds.get(str(deed.extra.get("undone", "")))
        if undone is not None and undone.phase is Phase.OPEN:
            await self.deeds.finish(evolve(undone, phase=Phase.UNDONE, undone_by=deed.act))

    async def load(self) -> None:
        """The acts that can still be undone, in the order in which they were done, and what is due."""
        for deed in await self.deeds.unfinished():
            if deed.phase is Phase.BEGUN:
                await self.take_up(deed)
        for deed in await self.deeds.unfinished():
            if deed.phase is Phase.OPEN:
                changes = from_row(deed.changes)
                self.layers.lay(deed.act, changes)
                self.due(deed)
                for change in changes:
                    self.hands.registers.recall(change.key, change.after)


def _public(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is kept for later only."""
    return {name: value for name, value in detail.items() if name != "members"}
