"""`bandstand serve`: run the server until Ctrl-C or SIGTERM, then drain."""

import errno
import gc
import logging
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import click
import trio

from actors.admin.store import AdminKeyError, AdminUnusable, StoreFailed
from actors.alerts.store import AlertsUnusable
from actors.journal.log import JournalUnusable, LogFailed
from bandstand.cli.context import Cli, pass_cli
from bandstand.cli.exits import Failed
from bandstand.cli.options import settings_options
from bandstand.cli.qr import terminal_qr
from bandstand.later import load_later
from bandstand.version import VERSION
from gateway import plan
from gateway.app import App, Serving
from gateway.auth import KeyFileError
from gateway.log import JsonLines, PlainLines, log_to
from gateway.settings import Loaded, Settings

COLLECT = (10_000, 20, 10)
"""A look through everything holds up the house for a tenth of a second where five thousand are connected: it is to be
rare, and what it would free is little, since nearly all that is let go of goes at once."""
UNWRITABLE = {errno.EROFS, errno.ENOSPC, errno.EDQUOT}


@click.command()
@settings_options(demo=True)
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@click.option("--check", is_flag=True, help="Check the settings and the TLS files, and exit.")
@click.option("--alerts-only", is_flag=True, help="No chat, its database is not touched: only warn people.")
@pass_cli
def command(cli: Cli, loaded: Loaded, demo: bool, open_page: bool, check: bool, alerts_only: bool) -> None:
    """Run the server."""
    look_at_tls(loaded.settings)
    if check:
        cli.say("the settings are good")
        return
    speak(cli)
    try:
        trio.run(run, cli, loaded.settings, demo, open_page, alerts_only)
    except* (
        AdminKeyError, AdminUnusable, AlertsUnusable, JournalUnusable, KeyFileError, LogFailed, StoreFailed,
    ) as wrong:  # fmt: skip
        raise Failed(str(first(wrong))) from wrong
    except* OSError as wrong:
        raise Failed(in_the_way(loaded.settings, first(wrong))) from wrong


def look_at_tls(settings: Settings) -> None:
    """Before anything is made. Raises Failed."""
    try:
        plan.tls_context(settings)
    except OSError as wrong:  # ssl.SSLError is one
        files = f"certificate {settings.wire.tls_cert} and key {settings.wire.tls_key}"
        why = getattr(wrong, "reason", None) or wrong.strerror
        raise Failed(f"the TLS {files} cannot be used: {why}; `bandstand doctor` says more") from wrong


def in_the_way(settings: Settings, wrong: BaseException) -> str:
    """A file, or else the port."""
    file = getattr(wrong, "filename", None)
    if file is not None:
        why = getattr(wrong, "strerror", wrong)
        if getattr(wrong, "errno", 0) in UNWRITABLE:
            where = Path(file).parent.absolute()
            return f"{where} cannot be written ({why}): make it writable, or set other paths (`bandstand config show`)"
        return f"{file} cannot be used ({why}): check what it is, its owner and its rights"
    return f"cannot serve on {settings.host} port {settings.port}: {wrong}; give another --host or --port"


def first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


def speak(cli: Cli) -> None:
    """The log goes to stderr: JSON for programs, lines for people. Values are escaped by both."""
    terminal = sys.stderr.isatty() and not cli.json
    log_to(
        sys.stderr, logging.WARNING if cli.verbosity < 0 else logging.INFO, PlainLines() if terminal else JsonLines()
    )


async def run(cli: Cli, settings: Settings, demo: bool, open_page: bool, alerts_only: bool = False) -> None:
    from bandstand.pages import routes

    started = time.perf_counter()
    gc.disable()
    app = App(settings, routes=routes(settings.event), alerts_only=alerts_only, version=VERSION)
    for told_to_stop in (signal.SIGTERM, signal.SIGINT):
        # What holds again once the receiver below is left: told again in its last moments, it still ends with 0.
        signal.signal(told_to_stop, signal.SIG_IGN)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as watch:
            async with app.serve() as serving, trio.open_nursery() as nursery:
                gc.freeze()  # what stands now stands for ever: no collection need look at it again
                gc.set_threshold(*COLLECT)
                gc.enable()
                announce(cli, settings, serving, time.perf_counter() - started)
                nursery.start_soon(load_later)
                if open_page:
                    click.launch(url_here(serving))
                if demo:
                    from bandstand.demo import run_bots

                    nursery.start_soon(run_bots, url_here(serving), settings.rooms.listed)
                async for _ in signals:
                    cli.note("stopping; clients come back by themselves")
                    break
                watch.start_soon(stay_calm, cli, signals)
                nursery.cancel_scope.cancel()
            watch.cancel_scope.cancel()


async def stay_calm(cli: Cli, signals: AsyncIterator[int]) -> None:
    """Told again while it drains: a second Ctrl-C must not be the end of what the first one began."""
    async for _ in signals:
        cli.note("stopping already; this takes seconds")


def announce(cli: Cli, settings: Settings, serving: Serving, took_s: float) -> None:
    """What a person needs to see; on stderr, since stdout is for data."""
    url = reachable_url(settings, serving)
    journal = "in memory" if settings.journal.durability == "memory" else str(settings.journal.path)
    # A listed room may have begun by now; what it holds nothing of was not recovered.
    kept = [record.head - record.oldest + 1 for record in serving.recovered if record.head]
    rooms = "1 room" if len(kept) == 1 else f"{len(kept)} rooms"
    cli.note(f"bandstand {VERSION} · journal {journal} ({sum(kept):,} entries) · recovered {rooms} in {took_s:.2f} s")
    codes = "  ".join(f"{record.name} ({record.code})" for record in serving.rooms[:6])
    cli.note(f"  attendees  {url}/        rooms: {codes}")
    if serving.setup is not None:
        cli.note(f"  operators  {url}/ops     first sign-in (once, 15 min): {url}/ops/setup#{serving.setup}")
    else:
        cli.note(f"  operators  {url}/ops")
    cli.note("  metrics    /metrics   health /healthz /readyz")
    if sys.stderr.isatty() and cli.verbosity >= 0:
        cli.note(terminal_qr(url + "/"))
    cli.note(f"listening on {url}    Ctrl-C stops; clients resume")


def url_here(serving: Serving) -> str:
    """For a browser or a bot on this machine."""
    address = serving.addresses[0]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104
    return url_of(host, address.port, address.tls)


def reachable_url(settings: Settings, serving: Serving) -> str:
    """For a phone: the public address, or this machine's own on its network."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    address = serving.addresses[0]
    if address.host in ("0.0.0.0", "::"):  # noqa: S104
        return url_of(own_address(), address.port, address.tls)
    return url_here(serving)


def url_of(host: str, port: int, tls: bool) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{name}:{port}"


def own_address() -> str:
    """The address of the interface that leads outside. Nothing is sent: a datagram socket only looks up the route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737)
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
