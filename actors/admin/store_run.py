"""What the tables of admin.db ask of the store: to run something on its thread."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

T = TypeVar("T")
RETRY_AFTER_S = 1.0


class StoreFailed(Exception):
    """The disk would not have it: it was not done, or it is unknown. The same call may be made again."""

    def __init__(self, message: str, retry_after_s: float = RETRY_AFTER_S) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Runs(Protocol):
    @property
    def path(self) -> Path | None: ...

    async def run(self, job: Callable[[sqlite3.Connection], T], *, write: bool = False) -> T: ...
