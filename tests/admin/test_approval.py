"""The second person: another operator, of sufficient role, in time, once, and for the very same order."""

from itertools import count

import pytest

from actors.admin.approval import CID_REUSED, MOST, WAIT_S, Approvals
from actors.admin.orders import Denied, Giver, Order, Pending
from actors.admin.roles import Role


def order(
    operator: str, role: Role = Role.OWNER, confirm_of: str | None = None, cid: str = "c1", **raw: object
) -> Order:
    return Order("house.wipe", None, raw, Giver(operator, role), "why", cid, confirm_of=confirm_of)


@pytest.fixture
def approvals() -> Approvals:
    numbers = count(1)
    return Approvals(lambda: f"p_{next(numbers)}")


def ask(approvals: Approvals, cid: str = "c1", **raw: object) -> Pending:
    pending = approvals.ask(order("ana", cid=cid, **raw), now=100.0)
    assert isinstance(pending, Pending)
    return pending


def test_another_operator_confirms_and_the_first_order_is_given_back(approvals: Approvals) -> None:
    pending = ask(approvals, level=1)
    assert pending.expires == 100.0 + WAIT_S
    found = approvals.confirm(order("bo", confirm_of=pending.id, level=1), Role.OWNER, 159.9)
    assert isinstance(found, Order)
    assert found.by.operator == "ana"


REFUSED = {
    "oneself": (order("ana", confirm_of="p_1", level=1), 110.0, "second_person"),
    "too low a role": (order("bo", Role.SAFETY, "p_1", level=1), 110.0, "forbidden"),
    "a program's token": (order("token:robot", confirm_of="p_1", level=1), 110.0, "second_person"),
    "expired": (order("bo", confirm_of="p_1", level=1), 160.0, "second_person"),
    "other arguments": (order("bo", confirm_of="p_1", level=2), 110.0, "second_person"),
    "unknown": (order("bo", confirm_of="p_9", level=1), 110.0, "second_person"),
}


@pytest.mark.parametrize(("given", "now", "code"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused(approvals: Approvals, given: Order, now: float, code: str) -> None:
    ask(approvals, level=1)
    found = approvals.confirm(given, Role.OWNER, now)
    assert isinstance(found, Denied)
    assert found.code == code


def test_a_refused_confirmation_leaves_the_order_waiting_and_a_good_one_counts_once(approvals: Approvals) -> None:
    pending = ask(approvals)
    assert isinstance(approvals.confirm(order("ana", confirm_of=pending.id), Role.OWNER, 101.0), Denied)
    good = order("bo", confirm_of=pending.id)
    assert isinstance(approvals.confirm(good, Role.OWNER, 102.0), Order)
    assert isinstance(approvals.confirm(good, Role.OWNER, 103.0), Denied), "a replay"


def test_as_many_wait_as_may(approvals: Approvals) -> None:
    first = ask(approvals)
    for n in range(MOST):
        last = ask(approvals, cid=f"d{n}")
    assert isinstance(approvals.confirm(order("bo", confirm_of=first.id), Role.OWNER, 101.0), Denied)
    assert isinstance(approvals.confirm(order("bo", confirm_of=last.id), Role.OWNER, 101.0), Order)


def test_an_order_that_is_given_again_waits_once(approvals: Approvals) -> None:
    """The page and the desk give an order again under its cid after a lost line. It waited twice, and two people who
    each confirmed one of them raised two alerts."""
    pending = ask(approvals, level=1)
    again = ask(approvals, level=1)
    assert (again.id, again.expires, again.again) == (pending.id, pending.expires, True)
    assert approvals.ask(order("ana", level=2), 101.0) == CID_REUSED
    assert isinstance(approvals.confirm(order("bo", confirm_of=pending.id, level=1), Role.OWNER, 102.0), Order)
    assert isinstance(approvals.confirm(order("cy", confirm_of=again.id, level=1), Role.OWNER, 103.0), Denied)
    assert approvals.carried_out_as(order("ana").act) == order("bo").act


def test_an_order_that_was_refused_does_not_wait_again(approvals: Approvals) -> None:
    approvals.refuse(ask(approvals).id, "bo")
    again = approvals.ask(order("ana"), 101.0)
    assert isinstance(again, Denied)
    assert "bo said no" in again.message
    ask(approvals, cid="c2")


def test_what_nobody_answered_can_be_asked_again(approvals: Approvals) -> None:
    first = ask(approvals)
    later = approvals.ask(order("ana"), 100.0 + WAIT_S)
    assert isinstance(later, Pending)
    assert later.id != first.id
