"""Exports come page by page, and one of them is one row of the audit. Pure."""

import json
from collections.abc import Mapping

from attrs import define, field

from actors.admin.orders import Order

MOST = 256
"""Under way at one time; the next page of one that is forgotten is a row again."""


@define
class Carried:
    """What the next page of each export is asked with."""

    _next: dict[str, object] = field(init=False, factory=dict)

    def goes_on(self, order: Order) -> bool:
        """It is the page after the last one, for the same person."""
        after = order.raw.get("after", 0)
        return bool(after) and self._next.get(_of(order)) == after

    def gave(self, order: Order, answer: Mapping[str, object]) -> None:
        key = _of(order)
        self._next.pop(key, None)
        if answer.get("next") is None:
            return
        while len(self._next) >= MOST:
            del self._next[next(iter(self._next))]
        self._next[key] = answer["next"]


def _of(order: Order) -> str:
    args = {name: value for name, value in order.raw.items() if name != "after"}
    return json.dumps([order.by.operator, order.by.session, order.name, args], sort_keys=True)
