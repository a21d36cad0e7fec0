"""Orders that wait for a second person. Pure; time is an argument.

Kept in memory only: what nobody confirmed before a restart has to be given again."""

import json
from collections.abc import Callable

from attrs import define, field, frozen

from actors.admin.orders import Denied, Order, Pending
from actors.admin.roles import Role

WAIT_S = 60.0
PROGRAM = "token:"
"""What the names of tokens begin with (actors/admin/sessions.py): whoever made one would be both persons."""
MOST = 64
"""Waiting at one time; the oldest makes way."""


@frozen
class _Waiting:
    order: Order
    expires: float


@define
class Approvals:
    """`new_id`: a fresh name that nobody can guess."""

    new_id: Callable[[], str]
    _waiting: dict[str, _Waiting] = field(init=False, factory=dict)

    def ask(self, order: Order, now: float) -> Pending:
        self._forget(now)
        while len(self._waiting) >= MOST:
            del self._waiting[next(iter(self._waiting))]
        pending = Pending(self.new_id(), now + WAIT_S)
        self._waiting[pending.id] = _Waiting(order, pending.expires)
        return pending

    def confirm(self, order: Order, needed: Role, now: float) -> Order | Denied:
        """The first person's order, to be carried out once. What does not fit leaves it waiting, so that a mistake of
        one person does not undo the call of another."""
        self._forget(now)
        waiting = self._waiting.get(order.confirm_of or "")
        if waiting is None:
            return Denied("second_person", "nothing waits under that name: it has expired, or was confirmed already")
        first = waiting.order
        if order.by.operator == first.by.operator:
            return Denied("second_person", "the second person must be somebody else")
        if order.by.operator.startswith(PROGRAM):
            return Denied("second_person", "the second person must be a person: a token does not count")
        if order.by.role < needed:
            return Denied("forbidden", f"to confirm this needs the role {needed.word}")
        if order.name != first.name or _text(order.raw) != _text(first.raw):
            return Denied("second_person", "this is not the order that waits: name or arguments differ")
        if order.ttl_s != first.ttl_s:
            return Denied("second_person", "this is not the order that waits: ttl_s differs")
        del self._waiting[order.confirm_of or ""]
        return first

    def _forget(self, now: float) -> None:
        for id in [id for id, waiting in self._waiting.items() if waiting.expires <= now]:
            del self._waiting[id]


def _text(raw: object) -> str:
    return json.dumps(raw, sort_keys=True)
