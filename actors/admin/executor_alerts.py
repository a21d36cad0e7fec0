"""Orders about alerts: carried out by the alerts actor, which has its own store and its own way to everybody."""

import json
from collections.abc import Callable
from typing import Any

from actors.admin.arguments import AlertEnd, AlertOnly, AlertUpdate
from actors.admin.orders import Denied, Order
from actors.admin.plans import Hands, Plan, Planner
from actors.admin.world import Mark, asked
from actors.alerts.messages import AlertsMessage, AllClear, Cancel, Correct, Preview, Previewed, Raise, Summary, Update
from actors.alerts.vocabulary import Alert, AlertId, Draft

NO_ALERTS = Denied("unavailable", "this server runs without alerts")
MakeAlert = Callable[[Any, str], AlertsMessage]


async def _send(hands: Hands, order: Order, make: MakeAlert) -> dict[str, Any] | Denied:
    assert hands.world.alerts is not None
    alert: Alert | Denied = await asked(hands.world.alerts, lambda asks: make(asks, order.by.operator))
    if isinstance(alert, Denied):
        return alert
    return {"alert": alert.id, "rev": alert.rev, "recorded": alert.recorded, "undo_with": "alert.cancel"}


async def raise_(hands: Hands, order: Order) -> Plan | Denied:
    draft: Draft = order.args
    if hands.world.alerts is None:
        return NO_ALERTS
    seen: Previewed | Denied = await asked(hands.world.alerts, lambda asks: Preview(asks, draft))
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

        return Plan(affected=found[0].total.targeted, effect=effect, repeat=False, rev=found[0].alert.rev)

    return plan


PLANNERS: dict[str, Planner] = {
    "alert.raise": raise_,
    "alert.import": raise_,
    "alert.update": _on(lambda order, asks, by: Update(asks, AlertId(order.args.alert), order.args.changes, by)),
    "alert.cancel": _on(lambda order, asks, by: Cancel(asks, AlertId(order.args.alert), by, order.args.text)),
    "alert.all_clear": _on(lambda order, asks, by: AllClear(asks, AlertId(order.args.alert), by, order.args.text)),
    "alert.correct": _on(lambda order, asks, by: Correct(asks, AlertId(order.args.alert), by)),
}
