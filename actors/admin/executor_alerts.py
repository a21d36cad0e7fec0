"""Orders about alerts: carried out by the alerts actor, which has its own store and its own way to everybody."""

import json
from collections.abc import Callable, Container
from typing import Any

import trio

from actors.admin.arguments import AlertEnd, AlertOnly, AlertUpdate
from actors.admin.orders import Denied, Order
from actors.admin.plans import Hands, Plan, Planner
from actors.admin.roles import Role
from actors.admin.world import NO_ALERTS, Mark, asked
from actors.alerts.book import ENDINGS
from actors.alerts.messages import AlertsMessage, AllClear, Cancel, Correct, Preview, Previewed, Raise, Summary, Update
from actors.alerts.vocabulary import Alert, AlertId, Draft
from actors.names import RoomName

LOOK_UP_S = 0.1
MakeAlert = Callable[[Any, str], AlertsMessage]


async def _send(hands: Hands, order: Order, make: MakeAlert) -> dict[str, Any] | Denied:
    assert hands.world.alerts is not None
    alert: Alert | Denied = await asked(hands.world.alerts, lambda asks: make(asks, order.by.operator))
    if isinstance(alert, Denied):
        return alert
    said: dict[str, Any] = {"alert": alert.id, "rev": alert.rev, "recorded": alert.recorded}
    # What is over can be taken back by nothing: that takes a new alert.
    return said if alert.kind in ENDINGS else {**said, "undo_with": "alert.cancel"}


async def previewed(hands: Hands, draft: Draft) -> Previewed | Denied:
    """What would be sent, and to whom. A slip in a room's name would keep the alert from everybody there; names that
    cannot be looked up at once, or in a house that knows no room, are believed: nothing holds an alert up."""
    if hands.world.alerts is None:
        return NO_ALERTS
    known: Container[RoomName] | Denied = ()
    if draft.rooms:
        with trio.move_on_after(LOOK_UP_S):
            known = await hands.rooms.records()
    unknown = [room for room in draft.rooms if known and not isinstance(known, Denied) and room not in known]
    if unknown:
        return Denied("unknown_room", f"there is no room {unknown[0]}")
    seen: Previewed | Denied = await asked(hands.world.alerts, lambda asks: Preview(asks, draft))
    return seen


async def raise_(hands: Hands, order: Order) -> Plan | Denied:
    draft: Draft = order.args
    seen = await previewed(hands, draft)
    if isinstance(seen, Denied):
        return seen

    async def effect(_mark: Mark) -> dict[str, Any] | Denied:
        return await _send(hands, order, lambda asks, by: Raise(asks, draft, by))

    detail = {"people": seen.people, "connected": seen.connected, "rooms": list(seen.rooms), "headline": draft.headline}
    preview = {"frame": json.loads(seen.frame)}
    return Plan(affected=seen.people, effect=effect, detail=detail, preview=preview, repeat=False)


def _on(make: Callable[[Order, Any, str], AlertsMessage]) -> Planner:
    async def plan(hands: Hands, order: Order) -> Plan | Denied:
        args: AlertOnly | AlertEnd | AlertUpdate = order.args
        if hands.world.alerts is None:
            return NO_ALERTS
        found = await asked(hands.world.alerts, lambda asks: Summary(asks, AlertId(args.alert)))
        if isinstance(found, Denied):
            return found
        if not found:
            return Denied("not_found", f"there is no alert {args.alert}")

        async def effect(_mark: Mark) -> dict[str, Any] | Denied:
            return await _send(hands, order, lambda asks, by: make(order, asks, by))

        alert, affected = found[0].alert, found[0].total.targeted
        plan = Plan(affected=affected, effect=effect, repeat=False, rev=alert.rev)
        if not alert.is_drill:  # whoever may raise a drill may end it; a real alert is as grave with other words
            plan.role, plan.grave = Role.SAFETY, True
        return plan

    return plan


PLANNERS: dict[str, Planner] = {
    "alert.raise": raise_,
    "alert.import": raise_,
    "alert.update": _on(lambda order, asks, by: Update(asks, AlertId(order.args.alert), order.args.changes, by)),
    "alert.cancel": _on(lambda order, asks, by: Cancel(asks, AlertId(order.args.alert), by, order.args.text)),
    "alert.all_clear": _on(lambda order, asks, by: AllClear(asks, AlertId(order.args.alert), by, order.args.text)),
    "alert.correct": _on(lambda order, asks, by: Correct(asks, AlertId(order.args.alert), by)),
}
