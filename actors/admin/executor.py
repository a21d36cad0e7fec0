"""How an order is carried out, from the first look to the record: may this operator, what would it change, does
somebody else have to agree, was it done before; then the intention on disk, the effect, the outcome, the audit.

The intention goes to disk before anything is done, under a name made of operator and cid. So an order that is given
again, after whatever broke in between, is answered with the first outcome, or finished, and never done twice."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import trio
from attrs import define, evolve, field, frozen

from actors.admin import recording
from actors.admin.acts import CidReused, digest_of
from actors.admin.approval import CID_REUSED, PROGRAM, Approvals
from actors.admin.catalogue import table
from actors.admin.deeds import Deed, Deeds, Phase
from actors.admin.orders import Answer, Denied, Order, Outcome, Pending, Spec, UndoKind
from actors.admin.plans import Hands, Plan, Planner, public
from actors.admin.recording import ONESELF, Agreement, Verdict
from actors.admin.recording_later import ACT_RECORD_S, RECORD_S, Owed
from actors.admin.store import StoreFailed
from actors.admin.store_audit import Entry
from actors.admin.taking_up import take_up
from actors.admin.undo import BESIDE, Change, Layers, from_row, to_row
from actors.admin.undoing import Undoing
from actors.admin.world import Mark

T = TypeVar("T")
ALERT = "alert."
SPOKEN_MOST = 256
NEVER_ALONE = frozenset({"house.wipe"})
"""No breaking the glass here: erasing everything can wait for a second person."""
UNKNOWN = Denied(
    "conflict",
    "this was begun before, and how it ended is not known: look what has become of it before giving it anew",
)
WHOSE = Denied("unavailable", "who made this token, and so who else may confirm, cannot be looked up now", 1_000)


@frozen
class Spoken:
    digest: bytes
    outcome: Outcome


@define
class Executor:
    """One order at a time, but for alerts, which touch no register: whoever owns it sees to that."""

    hands: Hands
    deeds: Deeds
    planners: Callable[[], Mapping[str, Planner]]
    approvals: Approvals
    due: Callable[[Deed], None] = lambda deed: None
    """Told of each deed that has something left to do at a time: to be lifted, or to become final."""
    layers: Layers = field(factory=Layers)
    undoing: Undoing = field(init=False)
    owed: Owed = field(init=False)
    spoken: dict[str, Spoken] = field(factory=dict)
    """Alerts that went out in this life, and what else is late on record, by act: what a full disk does not know."""
    _late: bool = field(init=False, default=False)
    """The disk has kept the alert that is carried out now waiting for long enough."""

    def __attrs_post_init__(self) -> None:
        self.undoing = Undoing(self.hands, self.layers)
        note = self.hands.world.activity.note
        self.owed = Owed(
            lambda: note("act", "all that was done is on record again"),
            lambda what: note("fault", f"the record of {what} is lost: too much waits for the disk"),
        )

    async def carry_out(self, order: Order) -> Answer:
        """With its rows in the audit and the feed. Raises StoreFailed, LogFailed."""
        spec = table()[order.name]
        if order.ttl_s is None and spec.usual_s is not None:
            order = evolve(order, ttl_s=spec.usual_s)
        if order.name.startswith(ALERT):
            self._late = False
        verdict = await self._judged(spec, order)
        if verdict.again:
            return verdict.answer
        recording.tell(self.hands.world, order, verdict)
        if not verdict.kept:
            await self._on_record(order, verdict)
        return verdict.answer

    async def _judged(self, spec: Spec, order: Order) -> Verdict:
        wrong = self._may(spec, order)
        if wrong is not None:
            return Verdict(wrong)
        before = None if order.dry_run else await self._done_before(order)
        if before is not None:
            return before
        await self._nothing_owed(order)
        plan = await self._plan(order)
        if isinstance(plan, Denied):
            return Verdict(plan)
        wrong = self._may_plan(spec, order, plan)
        if wrong is not None:
            return Verdict(wrong)
        changes = await self.hands.registers.changes(plan.wanted)
        if isinstance(changes, Denied):
            return Verdict(changes)
        if order.dry_run:
            return Verdict(self._would(spec, order, plan, changes))
        agreed = await self._agreed(spec, order, plan)
        return await self._do(spec, order, plan, changes, agreed) if isinstance(agreed, Agreement) else agreed

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
        if order.ttl_s is not None and not 1 <= order.ttl_s <= spec.longest_s:
            return Denied("bad_frame", f"ttl_s must be 1 to {spec.longest_s:.0f}")
        return None

    def _may_plan(self, spec: Spec, order: Order, plan: Plan) -> Denied | None:
        if order.by.role < plan.role:
            return Denied("forbidden", f"this {spec.name} needs the role {plan.role.word}")
        if order.expect_rev is not None and order.expect_rev != plan.rev:
            return Denied("conflict", f"it was changed meanwhile: its revision is {plan.rev}")
        return None

    async def _done_before(self, order: Order) -> Verdict | None:
        act, digest = self.approvals.carried_out_as(order.act), digest_of(order.name, order.raw)
        if act in self.spoken:
            spoken = self.spoken[act]
            return Verdict(spoken.outcome, again=True) if spoken.digest == digest else Verdict(CID_REUSED)
        deed = await self._kept(order, lambda: self.deeds.get(act))
        if deed is None:
            return None
        if digest_of(deed.name, deed.raw) != digest:
            return Verdict(CID_REUSED)
        if deed.outcome is not None:
            return Verdict(deed.outcome, again=True)
        return None if deed.repeat else Verdict(UNKNOWN)

    async def _plan(self, order: Order) -> Plan | Denied:
        if order.name == "act.undo":
            return await self.undoing.plan(order)
        if order.name == "house.uncalm":
            return await self.undoing.plan_uncalm()
        if order.name == "act.refuse":
            return self._refusal(order)
        return await self.planners()[order.name](self.hands, order)

    def _refusal(self, order: Order) -> Plan | Denied:
        """Whoever may confirm an order may refuse it, and whoever gave it may take it back."""
        id, by = order.args.pending, order.by
        waiting = self.approvals.waiting(id, self.hands.world.now())
        if waiting is None:
            return Denied("not_found", "nothing waits under that name: it has expired, or was answered already")
        first = waiting.order
        if by.operator not in waiting.behind and by.role < waiting.needed:
            return Denied("forbidden", f"to refuse a {first.name} needs the role {waiting.needed.word}")

        async def effect(_mark: Mark) -> dict[str, Any] | Denied:
            self.approvals.refuse(id, by.operator)
            return {"refused": first.name, "first": first.by.operator}

        return Plan(effect=effect)

    def _demands(self, spec: Spec, order: Order, plan: Plan) -> bool:
        grave = plan.grave or (spec.second is not None and spec.second(order.args))
        return grave and spec.may_wait(self.hands.world.second)

    def _word(self, spec: Spec, order: Order) -> str:
        return "" if spec.confirm is None else spec.confirm(order.args, self.hands.world.event)

    async def _agreed(self, spec: Spec, order: Order, plan: Plan) -> Agreement | Verdict:
        """That everybody who has to mean it does; or what is missing."""
        word = self._word(spec, order)
        if word and order.confirm != word:
            return Verdict(Denied("confirm", f"type {word!r} to confirm"))
        if not self._demands(spec, order, plan):
            return ONESELF
        now, needed = self.hands.world.now(), max(plan.role, spec.role_for(order.args))
        if order.confirm_of is not None:
            first = self.approvals.confirm(order, needed, now)
            return Verdict(first) if isinstance(first, Denied) else Agreement(first=first.by.operator)
        if order.break_glass and spec.name not in NEVER_ALONE:
            return Agreement(alone=True)
        behind = await self._behind(order)
        if behind is None:
            return Verdict(WHOSE)
        asked = self.approvals.ask(order, now, needed, behind)
        return Verdict(asked, again=isinstance(asked, Pending) and asked.again)

    async def _behind(self, order: Order) -> frozenset[str] | None:
        """Who is no second person for this order: a token's author would be both."""
        who = order.by.operator
        if not who.startswith(PROGRAM):
            return frozenset({who})
        return await self._kept(order, lambda: self.deeds.store.tokens.behind(who))

    def _would(self, spec: Spec, order: Order, plan: Plan, changes: tuple[Change, ...]) -> Outcome:
        detail = {
            **public(plan.detail),
            **plan.preview,
            "changes": [
                {"what": [each.scope, each.name], "before": each.before, "after": each.after}
                for each in changes if each.name not in BESIDE
            ][:100],
            "confirm": self._word(spec, order),
            "second": self._demands(spec, order, plan),
        }  # fmt: skip
        until = self._intention(spec, order, plan, ()).open_until
        return Outcome("", plan.rev, plan.affected, spec.undo, until, dry_run=True, detail=detail)

    # -- doing it ------------------------------------------------------------------------------------------------------

    async def _do(
        self, spec: Spec, order: Order, plan: Plan, changes: tuple[Change, ...], agreement: Agreement
    ) -> Verdict:
        deed = self._intention(spec, order, plan, changes)
        before = await self._kept(order, lambda: self.deeds.begin(deed))
        if isinstance(before, CidReused):
            return Verdict(CID_REUSED)
        if before is not None and before.outcome is not None:
            return Verdict(before.outcome, again=True)
        if before is not None and before.changes:
            # It was begun and may be half done, so what stood there before it is to be had from its record alone.
            changes = from_row(before.changes)
            plan.wanted = {change.key: change.after for change in changes}
            deed = evolve(deed, changes=before.changes)
        mark = Mark(order.act, order.by.operator, order.reason, deed.at)
        done = await self._effect(plan, mark)
        if isinstance(done, Denied):
            await self._put_back(changes, mark)
            await self._kept(order, lambda: self.deeds.finish(evolve(deed, phase=Phase.FAILED)))
            return Verdict(done, agreement)
        rev, said = done
        once = said.pop("once", {})
        detail = public({**plan.detail, **said})
        rev = said.get("rev") or rev or plan.rev
        outcome = Outcome(deed.act, rev, plan.affected, deed.undo, deed.open_until, detail=detail)
        deed = evolve(deed, outcome=outcome, phase=Phase.OPEN if deed.undo is UndoKind.EXACT else Phase.FINAL)
        if deed.phase is Phase.OPEN:
            self.layers.lay(deed.act, changes)
            self.due(deed)
        verdict = Verdict(outcome, agreement, kept=True)
        await self._finish(order, deed, recording.entry(order, verdict))
        return evolve(verdict, answer=evolve(outcome, detail={**detail, **once})) if once else verdict

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

    async def _finish(self, order: Order, deed: Deed, entry: Entry) -> None:
        """The outcome and its row in the audit, in one. It stands by now: should the disk not take it, it follows."""
        assert deed.outcome is not None
        is_alert = order.name.startswith(ALERT)
        seconds = ACT_RECORD_S if not is_alert else 0.0 if self._late else RECORD_S
        what = f"{order.name} by {order.by.operator}"
        why = await self.owed.keep(what, lambda: self.deeds.finish(deed, entry), seconds)
        if is_alert or why:
            self._remember(Spoken(digest_of(deed.name, deed.raw), deed.outcome))
        if why:
            said = f"{what} is not on record: {why}"
            self.hands.world.activity.note("fault", said, operator=order.by.operator, act=deed.act)

    async def _nothing_owed(self, order: Order) -> None:
        """An act builds on what is on record of those before it. Raises StoreFailed; an alert builds on none."""
        if order.name.startswith(ALERT):
            return
        with trio.move_on_after(ACT_RECORD_S):
            await self.owed.settle()
            return
        raise StoreFailed("what was done before is not on record yet")

    async def _on_record(self, order: Order, verdict: Verdict) -> None:
        """A row of its own, of what is no act, as far as they are not too many."""
        entry, now = recording.entry(order, verdict), self.hands.world.now()
        rows = self.hands.refusals.note(entry, now) if verdict.changed_nothing else [entry]
        for row in rows:
            await self._kept(order, partial(self.deeds.audit, row))

    async def record_counted(self, now: float) -> None:
        """How many orders of minutes that are over have no row of their own. Raises StoreFailed."""
        for row in self.hands.refusals.over(now):
            await self.deeds.audit(row)

    async def _kept(self, order: Order, keeping: Callable[[], Awaitable[T]]) -> T | None:
        """Raises StoreFailed; but an alert goes out whatever becomes of its record, and soon."""
        if not order.name.startswith(ALERT):
            return await keeping()
        if self._late:
            return None
        with trio.move_on_after(RECORD_S) as patience, suppress(StoreFailed):
            return await keeping()
        self._late = patience.cancelled_caught
        return None

    def _remember(self, spoken: Spoken) -> None:
        while len(self.spoken) >= SPOKEN_MOST:
            del self.spoken[next(iter(self.spoken))]
        self.spoken[spoken.outcome.act] = spoken

    async def load(self) -> None:
        """After a start."""
        await take_up(self.hands, self.layers, self.undoing, self.due)
