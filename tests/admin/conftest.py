"""What the tests of the operators' side share."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import trio
from argon2 import PasswordHasher

from actors.admin import operators

T = TypeVar("T")


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """argon2 that costs nothing."""
    monkeypatch.setattr(operators, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture(autouse=True)
def no_threads_in_virtual_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time does not wait for a thread: while a hash was made there, minutes passed and orders were given up."""

    async def on_the_loop(call: Callable[..., T], *args: object, **_how: Any) -> T:
        await trio.lowlevel.checkpoint()
        return call(*args)

    if "autojump_clock" in request.fixturenames:
        monkeypatch.setattr(trio.to_thread, "run_sync", on_the_loop)
