"""Who is let in, by count; time is an argument."""

import sys

import pytest

from gateway.admission import ADDRESSES_MOST, BEYOND_MOST, KEPT_MOST, Admission, ListenerLimits, raise_file_limit

LIMITS = ListenerLimits(strangers=3, failures_per_address=4, failures_forgiven_per_s=0.1)


def test_a_house_that_is_full_lets_nobody_in_until_somebody_leaves() -> None:
    admission = Admission(ListenerLimits(), connections=2)
    first, second = admission.enter("a", 0), admission.enter("b", 0)
    assert first is not None
    assert second is not None
    first.authenticated()
    asked = admission.enter("c", 0)
    assert asked is not None
    assert asked.beyond, "it is only asked what it wants"
    asked.leave()
    first.leave()
    first.leave()
    assert (admission.live, admission.beyond) == (1, 0)
    third = admission.enter("c", 0)
    assert third is not None
    assert not third.beyond


def test_strangers_are_bounded_and_members_are_not_strangers() -> None:
    admission = Admission(LIMITS, connections=100)
    tickets = [admission.enter(address, 0) for address in "abc"]
    assert admission.enter("d", 0, beyond=0) is None
    for ticket in tickets:
        assert ticket is not None
        ticket.authenticated()
        ticket.authenticated()
    assert admission.strangers == 0
    assert admission.enter("d", 0, beyond=0) is not None
    for ticket in tickets:
        assert ticket is not None
        ticket.leave()
    assert (admission.live, admission.strangers) == (1, 1)


def test_an_address_pays_for_its_failures_and_not_for_its_number() -> None:
    """A festival stands behind one address: 10,000 arrivals are no offence."""
    admission = Admission(ListenerLimits(failures_per_address=4, failures_forgiven_per_s=0.1), 100_000)
    for _ in range(10_000):
        ticket = admission.enter("nat", 0.0)
        assert ticket is not None
        assert not ticket.beyond
        ticket.authenticated()
    assert [ticket.failed(0.0) for _ in range(5)] == [False] * 4 + [True]
    assert not admission.failed("elsewhere", 0.0)
    assert not ticket.failed(10.1), "forgiven in time"


def test_one_address_has_three_quarters_of_the_strangers_places_and_no_more() -> None:
    """Connections that say nothing cost one machine nothing: the last places are for everybody else."""
    admission = Admission(ListenerLimits(strangers=8), 100)
    silent = [admission.enter("a", 0.0) for _ in range(7)]
    assert [each is not None and each.beyond for each in silent] == [False] * 6 + [True]
    other = admission.enter("b", 0.0)
    assert other is not None
    assert not other.beyond
    for each in silent:
        assert each is not None
        each.leave()
    assert (admission.strangers, admission.live, admission.beyond) == (1, 1, 0)
    again = admission.enter("a", 0.0)
    assert again is not None
    assert not again.beyond


def test_behind_a_proxy_the_share_is_that_of_the_forwarded_address() -> None:
    admission = Admission(ListenerLimits(strangers=8), 100)
    tickets = [admission.enter("proxy", 0.0, proxied=True) for _ in range(8)]
    told = [each is not None and each.comes_from("a") for each in tickets]
    assert told == [True] * 8, "they may say what they want"
    assert [each is not None and each.beyond for each in tickets] == [False] * 6 + [True] * 2
    assert (admission.strangers, admission.beyond) == (6, 2)
    other = admission.enter("proxy", 0.0, proxied=True)
    assert other is not None
    assert other.comes_from("b")
    assert not other.beyond
    for each in (*tickets, other):
        assert each is not None
        each.leave()
    assert (admission.live, admission.beyond, admission.strangers) == (0, 0, 0)


def test_when_the_house_is_full_few_are_asked_and_fewer_come_in_all_the_same() -> None:
    admission = Admission(ListenerLimits(), connections=1)
    inside = admission.enter("a", 0.0)
    asked = [admission.enter(f"b{n // 2}", 0.0) for n in range(BEYOND_MOST + 1)]
    assert asked.pop() is None
    let_in = [each for each in asked if each is not None and each.is_kept_a_place()]
    assert len(let_in) == KEPT_MOST
    assert admission.beyond == BEYOND_MOST - KEPT_MOST
    let_in[0].authenticated()
    assert admission.kept == KEPT_MOST - 1, "the place is for those who have not signed in yet"
    for each in (inside, *asked):
        assert each is not None
        each.leave()
    assert (admission.live, admission.beyond, admission.kept, admission.strangers) == (0, 0, 0, 0)


def test_one_address_has_a_quarter_of_the_places_in_a_house_that_is_full() -> None:
    """One machine could be asked what it wants all the time, or be an operator who never signs in, 16 times."""
    admission = Admission(ListenerLimits(), connections=1)
    inside = admission.enter("a", 0.0)
    asked = [admission.enter("b", 0.0) for _ in range(BEYOND_MOST // 4 + 1)]
    assert asked.pop() is None
    let_in = [each for each in asked if each is not None and each.is_kept_a_place()]
    assert len(let_in) == KEPT_MOST // 4
    other = admission.enter("c", 0.0)
    assert other is not None
    assert other.is_kept_a_place()
    let_in[0].leave()
    again = admission.enter("b", 0.0)
    assert again is not None
    assert again.is_kept_a_place()
    for each in (inside, other, again, *asked):
        assert each is not None
        each.leave()
    assert (admission.live, admission.beyond, admission.kept, admission.strangers) == (0, 0, 0, 0)


def test_behind_a_proxy_a_quarter_of_the_kept_places_is_for_the_forwarded_address() -> None:
    admission = Admission(ListenerLimits(), connections=1)
    admission.enter("a", 0.0)
    told = []
    for address in ["b"] * (KEPT_MOST // 4 + 1) + ["c"]:
        ticket = admission.enter("proxy", 0.0, proxied=True)
        assert ticket is not None
        assert ticket.comes_from(address)
        told.append(ticket.is_kept_a_place())
    assert told == [True] * (KEPT_MOST // 4) + [False, True]


def test_the_addresses_that_are_remembered_are_bounded() -> None:
    admission = Admission(LIMITS, 10)
    for number in range(ADDRESSES_MOST + 50):
        admission.failed(f"{number}", 0.0)
    assert len(admission._failures) == ADDRESSES_MOST


@pytest.mark.skipif(sys.platform == "win32", reason="no file limit there to raise (2026-11: not planned)")
def test_the_file_limit_is_raised_to_the_hard_one() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, before[1]), before[1]))
        assert raise_file_limit() > 256
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
