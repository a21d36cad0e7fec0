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
OVER_MOST = 256
"""Answered ones that are remembered."""
CID_REUSED = Denied("cid_reused", "this cid was used for another order")


@frozen
class Waiting:
    """`needed`: the role of whoever confirms it. `behind`: who gave it, and where that is a program, who made its
    token."""

    order: Order
    expires: float
    needed: Role
    behind: frozenset[str]
    id: str


@define
class Approvals:
    """`new_id`: a fresh name that nobody can guess."""

    new_id: Callable[[], str]
    _waiting: dict[str, Waiting] = field(init=False, factory=dict)
    _over: dict[str, str | Denied] = field(init=False, factory=dict)
    """First person's act -> the act under which it was carried out, or the no."""

    def ask(
        self, order: Order, now: float, needed: Role = Role.OWNER, behind: frozenset[str] = frozenset()
    ) -> Pending | Denied:
        """The same order again, after a lost line: the same answer, so that it can be confirmed once."""
        self._forget(now)
        again = next((each for each in self._waiting.values() if each.order.act == order.act), None)
        if again is not None:
            same = _text(again.order) == _text(order)
            return Pending(again.id, again.expires, again=True) if same else CID_REUSED
        over = self._over.get(order.act)
        if isinstance(over, Denied):
            return over
        while len(self._waiting) >= MOST:
            del self._waiting[next(iter(self._waiting))]
        pending = Pending(self.new_id(), now + WAIT_S)
        both = behind | {order.by.operator}
        self._waiting[pending.id] = Waiting(order, pending.expires, needed, both, pending.id)
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
        if order.by.operator in waiting.behind:
            return Denied("second_person", f"the second person must be somebody else: you made {first.by.operator}")
        if order.by.operator.startswith(PROGRAM):
            return Denied("second_person", "the second person must be a person: a token does not count")
        if order.by.role < needed:
            return Denied("forbidden", f"to confirm this needs the role {needed.word}")
        if _text(order) != _text(first):
            return Denied("second_person", "this is not the order that waits: name, arguments or ttl_s differ")
        self._end(waiting, order.act)
        return first

    def waiting(self, id: str, now: float) -> Waiting | None:
        """What waits under that name."""
        self._forget(now)
        return self._waiting.get(id)

    def refuse(self, id: str, by: str) -> None:
        """Nobody can confirm it any more."""
        waiting = self._waiting.get(id)
        if waiting is not None:
            self._end(waiting, Denied("second_person", f"{by} said no to this order"))

    def carried_out_as(self, act: str) -> str:
        """The act that this one has become: the second person's, where one has confirmed it."""
        over = self._over.get(act)
        return over if isinstance(over, str) else act

    def _end(self, waiting: Waiting, how: str | Denied) -> None:
        del self._waiting[waiting.id]
        while len(self._over) >= OVER_MOST:
            del self._over[next(iter(self._over))]
        self._over[waiting.order.act] = how

    def _forget(self, now: float) -> None:
        for id in [id for id, waiting in self._waiting.items() if waiting.expires <= now]:
            del self._waiting[id]


def _text(order: Order) -> str:
    """What both persons have to mean."""
    return json.dumps([order.name, dict(order.raw), order.ttl_s], sort_keys=True)
