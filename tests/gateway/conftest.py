"""What the tests of the gateway share."""

import pytest

from tests.admin.conftest import quick_hashes

__all__ = ["quick_hashes"]


@pytest.fixture(autouse=True)
def patient_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes when the house is full has a second, in which a busy machine does not shake hands over TLS."""
    monkeypatch.setattr("gateway.listener.BEYOND_SECONDS", 30.0)
