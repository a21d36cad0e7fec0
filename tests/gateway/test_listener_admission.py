"""Who is let in, by count; time is an argument."""

import sys

import pytest

from gateway.admission import ADDRESSES_MOST, Admission, ListenerLimits, raise_file_limit

LIMITS = ListenerLimits(strangers=3, failures_per_address=4, failures_forgiven_per_s=0.1)


def test_a_house_that_is_full_lets_nobody_in_until_somebody_leaves() -> None:
    admission = Admission(ListenerLimits(), connections=2)
    first, second = admission.enter("a", 0), admission.enter("b", 0)
    assert first is not None
    assert second is not None
    first.authenticated()
    assert admission.enter("c", 0) is None
    assert admission.refused == 1
    first.leave()
    first.leave()
    assert admission.live == 1
    assert admission.enter("c", 0) is not None


def test_strangers_are_bounded_and_members_are_not_strangers() -> None:
    admission = Admission(LIMITS, connections=100)
    tickets = [admission.enter("a", 0) for _ in range(3)]
    assert admission.enter("a", 0) is None
    for ticket in tickets:
        assert ticket is not None
        ticket.authenticated()
        ticket.authenticated()
    assert admission.strangers == 0
    assert admission.enter("a", 0) is not None
    for ticket in tickets:
        assert ticket is not None
        ticket.leave()
    assert (admission.live, admission.strangers) == (1, 1)


def test_an_address_pays_for_its_failures_and_not_for_its_number() -> None:
    """A festival stands behind one address: 10,000 arrivals are no offence."""
    admission = Admission(ListenerLimits(failures_per_address=4, failures_forgiven_per_s=0.1), 100_000)
    ticket = None
    for _ in range(2_000):
        ticket = admission.enter("nat", 0.0)
    assert ticket is not None
    assert not admission.is_barred("nat", 0.0)
    for _ in range(4):
        assert not admission.is_barred("nat", 0.0)
        ticket.failed(0.0)
    assert admission.is_barred("nat", 0.0)
    assert not admission.is_barred("elsewhere", 0.0)
    assert not admission.is_barred("nat", 10.1), "forgiven in time"


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
