"""A progress bar on a terminal, nothing elsewhere. The caller's own ticks draw it: no thread beside the hot loop."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

Advance = Callable[[float], None]
"""Called with how much of the total is done."""

_EVERY_S = 0.25


@contextmanager
def bar(console: Console, what: str, total: float = 1.0) -> Iterator[Advance]:
    if not console.is_terminal:
        yield lambda _done: None
        return
    percent = TextColumn("{task.percentage:3.0f} %")
    columns = (TextColumn("{task.description}"), BarColumn(), percent, TimeElapsedColumn())
    progress = Progress(*columns, console=console, auto_refresh=False, transient=True)
    task = progress.add_task(what, total=total)
    drawn = 0.0

    def advance(done: float) -> None:
        nonlocal drawn
        now = monotonic()
        if now - drawn >= _EVERY_S:
            drawn = now
            progress.update(task, completed=done)
            progress.refresh()

    with progress:
        yield advance
