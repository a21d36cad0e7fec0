"""What is left of each order in the audit and in the feed."""

from attrs import frozen

from actors.admin.deeds import Deeds
from actors.admin.orders import Answer, Denied, Order, Outcome
from actors.admin.world import World


@frozen
class Agreement:
    """How an order that may need two people was agreed. `alone`: the glass was broken. `first`: who had ordered it."""

    alone: bool = False
    first: str = ""


ONESELF = Agreement()


def result_of(answer: Answer, agreement: Agreement) -> str:
    """ok, dry_run, pending, break_glass, or the code of the refusal."""
    if isinstance(answer, Denied):
        return answer.code
    if not isinstance(answer, Outcome):
        return "pending"
    return "dry_run" if answer.dry_run else "break_glass" if agreement.alone else "ok"


async def audit(deeds: Deeds, order: Order, answer: Answer, agreement: Agreement) -> None:
    """Raises StoreFailed."""
    args = dict(order.raw)
    if order.confirm_of:
        args["confirm_of"] = order.confirm_of
    if agreement.first:
        args["first"] = agreement.first
    act = answer.act if isinstance(answer, Outcome) else ""
    result = result_of(answer, agreement)
    await deeds.audit(order.by.operator, order.by.address, order.name, args, order.reason, result, act)


def tell(world: World, order: Order, answer: Answer, agreement: Agreement) -> None:
    note, who = world.activity.note, order.by.operator
    room, member = (_word(order, name) for name in ("room", "member"))
    if isinstance(answer, Denied):
        return
    if not isinstance(answer, Outcome):
        note("act", f"{who} asks a second person for {order.name}", operator=who, room=room, member=member)
        return
    if answer.dry_run:
        return
    if agreement.alone:
        note("fault", f"{who} broke the glass: {order.name} without a second person", operator=who, act=answer.act)
    data = {"command": order.name, "reason": order.reason, "affected": answer.affected, "undo": answer.undo.value}
    if agreement.first:
        data["first"] = agreement.first
    note("act", f"{who}: {order.name}", operator=who, act=answer.act, data=data, room=room, member=member)


def _word(order: Order, name: str) -> str | None:
    value = order.raw.get(name)
    return value if isinstance(value, str) else None
