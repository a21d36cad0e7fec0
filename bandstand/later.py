"""What a server needs some time, and not to open its doors: docs/decisions/0012-late-loading.md."""

from importlib import import_module

import trio

from actors.names import skeleton
from gateway.log import EventLog

LATER = ("trio_websocket", "gateway.exposition", "actors.admin.reads", "actors.admin.executors")

log = EventLog("bandstand.later")


async def load_later() -> None:
    """Once the doors are open, in a thread: so that whoever asks first does not wait for a library. Cannot be cut
    short: who tells the server to stop meanwhile waits some tenths of a second more. ImportError, as at a start:
    something is not installed."""
    try:
        await trio.to_thread.run_sync(load)
    except OSError as wrong:
        # A file that cannot be read now is no reason to send everybody away: whoever needs it first tries again.
        log.error("load_later", cause=wrong)


def load() -> None:
    """Not for the loop: it takes that long."""
    for module in LATER:
        import_module(module)
    skeleton("")  # reads the table of look-alikes
