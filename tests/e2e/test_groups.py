"""That tests with a real server run one at a time: two cores carry no more."""

import pytest


def test_the_group_of_a_test_reaches_whoever_hands_them_out(request: pytest.FixtureRequest) -> None:
    """Under a pytest that xdist did not know yet it did not, and nobody noticed: everything ran beside everything."""
    if hasattr(request.config, "workerinput"):  # one of several processes
        assert request.node.nodeid.endswith("@servers")
