"""What is left of each order in the audit and in the feed."""

from attrs import frozen

from actors.admin.deeds import Deed
from actors.admin.orders import Answer, Denied, Order, Outcome, Pending
from actors.admin.store_audit import Entry
from actors.admin.world import World

LATE = "finished_late"
"""As a result: a crash had interrupted it, and the next start finished it."""
UNKNOWN = "unknown"
"""As a result: a crash had interrupted it, and whether it was done nobody knows."""


@frozen
class Agreement:
    """How an order that may need two people was agreed. `alone`: the glass was broken. `first`: who had ordered it."""

    alone: bool = False
    first: str = ""


ONESELF = Agreement()


@frozen
class Verdict:
    """How an order ended. `again`: it had been answered before, so there is nothing new to tell. `kept`: its row is in
    the audit, written together with the act."""

    answer: Answer
    agreement: Agreement = ONESELF
    again: bool = False
    kept: bool = False

    @property
    def result(self) -> str:
        """ok, dry_run, pending, break_glass, or the code of the refusal."""
        match self.answer:
            case Denied(code=code):
                return code
            case Pending():
                return "pending"
        return "dry_run" if self.answer.dry_run else "break_glass" if self.agreement.alone else "ok"

    @property
    def changed_nothing(self) -> bool:
        return isinstance(self.answer, Denied) or (isinstance(self.answer, Outcome) and self.answer.dry_run)


def entry(order: Order, verdict: Verdict) -> Entry:
    """For the audit."""
    args = dict(order.raw)
    if order.confirm_of:
        args["confirm_of"] = order.confirm_of
    if verdict.agreement.first:
        args["first"] = verdict.agreement.first
    act = verdict.answer.act if isinstance(verdict.answer, Outcome) else ""
    by = order.by
    return Entry(by.operator, by.address, order.name, args, order.reason, verdict.result, act)


def entry_later(deed: Deed, result: str) -> Entry:
    """Of an act whose order is known from the disk only."""
    return Entry(deed.operator, "restart", deed.name, deed.raw, deed.reason, result, deed.act)


def tell(world: World, order: Order, verdict: Verdict) -> None:
    note, who, answer, agreement = world.activity.note, order.by.operator, verdict.answer, verdict.agreement
    room, member = (_word(order.raw.get(name)) for name in ("room", "member"))
    if isinstance(answer, Denied):
        return
    if isinstance(answer, Pending):
        said = f"{who} asks a second person for {order.name}"
        note("act", said, operator=who, room=room, member=member, data=_asking(order, answer))
        return
    if answer.dry_run:
        return
    if agreement.alone:
        note("fault", f"{who} broke the glass: {order.name} without a second person", operator=who, act=answer.act)
    data: dict[str, object] = {
        "command": order.name,
        "reason": order.reason,
        "affected": answer.affected,
        "undo": answer.undo.value,
    }
    if agreement.first:
        data |= {"first": agreement.first, "confirm_of": order.confirm_of}
    text = f"{who}: {order.name}"
    if order.name == "act.refuse":
        data |= {**answer.detail, "pending": order.raw["pending"]}
        whose = "their own" if answer.detail["first"] == who else f"{answer.detail['first']}'s"
        text = f"{who} says no to {whose} {answer.detail['refused']}"
    note("act", text, operator=who, act=answer.act, data=data, room=room, member=member)


def tell_later(world: World, deed: Deed, result: str) -> None:
    said = {LATE: "finished after a restart", UNKNOWN: "interrupted by a crash: how it ended is not known"}
    room, member = (_word(deed.raw.get(name)) for name in ("room", "member"))
    data = {"command": deed.name, "reason": deed.reason, "undo": deed.undo.value, "result": result}
    text = f"{deed.operator}: {deed.name}, {said[result]}"
    kind = "act" if result == LATE else "fault"
    world.activity.note(kind, text, operator=deed.operator, act=deed.act, data=data, room=room, member=member)


def _asking(order: Order, answer: Pending) -> dict[str, object]:
    """All that somebody else needs to see what is asked, and to give the same order."""
    return {
        "pending": answer.id, "expires": answer.expires, "name": order.name, "args": dict(order.raw),
        "reason": order.reason, **({} if order.ttl_s is None else {"ttl_s": order.ttl_s}),
    }  # fmt: skip


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None
