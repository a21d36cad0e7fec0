"""What the tests of the operators' side share."""

import pytest
from argon2 import PasswordHasher

from actors.admin import operators


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """argon2 that costs nothing."""
    monkeypatch.setattr(operators, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
