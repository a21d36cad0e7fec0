"""A server in a thread of its own, for commands, which bring a loop of their own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

from gateway.app import App
from gateway.settings import Settings, load_settings


def settings_of(folder: Path, **flags: object) -> Settings:
    """`limits__burst=3` for limits.burst; the journal in `folder`, any free port."""
    named = {name.replace("__", "."): value for name, value in flags.items()}
    usual = {"port": 0, "journal.path": folder / "journal.db", "journal.free_disk_bytes": 0}
    return load_settings(None, {}, {**usual, **named}).settings


@contextmanager
def in_a_thread(settings: Settings) -> Iterator[int]:
    """Its port; drained at the end."""
    ports: list[int] = []
    tokens: list[trio.lowlevel.TrioToken] = []
    ready, stop = threading.Event(), trio.Event()

    async def live() -> None:
        tokens.append(trio.lowlevel.current_trio_token())
        async with App(settings).serve() as running:
            ports.append(running.addresses[0].port)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=trio.run, args=(live,), daemon=True)
    thread.start()
    assert ready.wait(20), "it does not come up"
    try:
        yield ports[0]
    finally:
        tokens[0].run_sync_soon(stop.set)
        thread.join(20)
