"""This machine, before a server starts on it with these settings. Each check is a function of the settings; what else
it looks at comes in by name, so that a test can show it a bad machine."""

import errno
import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from actors.journal import schema
from actors.journal.disk import free_bytes
from actors.journal.log import JournalUnusable
from actors.journal.marks import Marks, marks_path
from actors.journal.verify import verify
from bandstand.doctor.certificate import look_at_files
from bandstand.doctor.disk import SyncTimes, time_syncs
from bandstand.doctor.findings import Finding, fail, ok, warn
from gateway.admission import raise_file_limit
from gateway.auth import KeyFileError, load_keys
from gateway.http import is_loopback
from gateway.listener import open_socket
from gateway.settings import Settings
from gateway.units import as_size

PROBE_SECONDS = 3.0
FEW_FILES = 8_192
SLOW_SYNC_SECONDS = 0.02
NO_SYNC_SECONDS = 0.000_01
"""No disk is that fast."""
OLDEST_YEAR, LAST_YEAR = 2024, 2100
DRIFT_SECONDS = 0.05
DRIFT_OVER_SECONDS = 0.2


def look_over(settings: Settings) -> Iterator[Finding]:
    """Every check, in the order in which `serve` would stumble."""
    for check in (clock, key_file, tls, port, proxies, files, disk, journal, syncs):
        yield check(settings)


# -- the network -------------------------------------------------------------------------------------------------------


def port(settings: Settings) -> Finding:
    if settings.port == 0:
        return ok("port", "0: any free one")
    try:
        found = socket.getaddrinfo(settings.host or None, settings.port, type=socket.SOCK_STREAM, flags=LOOKUP)
    except OSError as wrong:
        return fail("port", f"{settings.host} is no address: {wrong.strerror}", "give another host, or 0.0.0.0 for all")
    for family, _, _, _, where in found:
        try:
            open_socket(family, (str(where[0]), settings.port, *map(int, where[2:]))).close()
        except OSError as wrong:
            return _not_ours(settings, wrong)
    return ok("port", f"{settings.host} port {settings.port} is free")


LOOKUP = socket.AI_PASSIVE | socket.AI_ADDRCONFIG


def _not_ours(settings: Settings, wrong: OSError) -> Finding:
    where = f"{settings.host} port {settings.port}"
    if wrong.errno == errno.EADDRINUSE:
        if serves_here(settings):
            return ok("port", f"a Bandstand serves on {where} already")
        return fail("port", f"another program listens on {where}", "stop it, or give another port")
    if wrong.errno == errno.EADDRNOTAVAIL:
        return fail(
            "port", f"{settings.host} is not an address of this machine", "give one that is, or 0.0.0.0 for all"
        )
    if wrong.errno == errno.EACCES:
        remedy = "give a port from 1024 on, or AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit"
        return fail("port", f"this user may not listen on {where}", remedy)
    return fail("port", f"cannot listen on {where}: {wrong.strerror}")


def serves_here(settings: Settings) -> bool:
    """What answers on our port speaks as only Bandstand does."""
    try:
        said = _readiness(settings)
    except (OSError, http.client.HTTPException, ValueError):
        return False
    return isinstance(said, dict) and said.keys() >= {"ready", "failing"}


def _readiness(settings: Settings) -> object:
    named = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    # By number: a server answers to the address that one came in by, but not to every name that leads to it.
    host = str(socket.getaddrinfo(named, settings.port, type=socket.SOCK_STREAM)[0][4][0])
    if settings.wire.tls_cert is None:
        line = http.client.HTTPConnection(host, settings.port, timeout=PROBE_SECONDS)
    else:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        line = http.client.HTTPSConnection(host, settings.port, timeout=PROBE_SECONDS, context=context)
    with closing(line):
        line.request("GET", "/readyz")
        return json.loads(line.getresponse().read(64 * 1024))


def tls(settings: Settings) -> Finding:
    wire = settings.wire
    if wire.tls_cert is not None and wire.tls_key is not None:
        return look_at_files(wire.tls_cert, wire.tls_key, time.time())
    if is_loopback(settings.host) or settings.public_url.startswith("https:"):
        return ok("tls", "none here: plain HTTP, for this machine or for a proxy in front")
    remedy = "put a proxy with TLS in front, or give wire.tls_cert and wire.tls_key"
    return warn("tls", "none: whoever shares the network can read along and take a token", remedy)


def proxies(settings: Settings) -> Finding:
    if settings.trusted_proxies:
        return ok("proxies", f"X-Forwarded-For is believed from {', '.join(settings.trusted_proxies)}")
    if settings.public_url.startswith("https:") and settings.wire.tls_cert is None:
        text = (
            "public_url is https and TLS does not end here, yet no proxy is trusted: all clients count as one address"
        )
        return warn("proxies", text, "name the proxy's address in trusted_proxies")
    return ok("proxies", "none: clients connect directly")


def files(settings: Settings, limit: Callable[[], int] = raise_file_limit) -> Finding:
    limits, most = settings.limits, limit()
    room = max(most - limits.spare_files, 0)
    remedy = "raise LimitNOFILE in the unit, or `ulimit -Hn`"
    if limits.connections > room:
        text = f"{limits.connections:,} connections are wanted; {most:,} files leave room for {room:,}"
        return fail("files", text, f"{remedy} to {limits.connections + limits.spare_files:,}")
    text = f"{most:,} files may be open: room for {room:,} connections"
    if not limits.connections and most < FEW_FILES:
        return warn("files", text, f"{remedy} for more")
    return ok("files", text + (f", {limits.connections:,} wanted" if limits.connections else ""))


# -- the disk ----------------------------------------------------------------------------------------------------------


def disk(settings: Settings, free: Callable[[Path], int] = free_bytes) -> Finding:
    if settings.journal.durability == "memory":
        return ok("disk", "not used: the journal is in memory")
    folder, least = folder_of(settings), settings.journal.free_disk_bytes
    left = free(folder)
    text = f"{left >> 20:,} MiB free in {folder}"
    remedy = "make room, or put journal.path on another disk"
    if left < least:
        return fail("disk", f"{text}, under the bound of {as_size(least)}: chat would be read-only", remedy)
    return (
        warn("disk", f"{text}, close to the bound of {as_size(least)}", remedy)
        if left < 2 * least
        else ok("disk", text)
    )


def journal(settings: Settings) -> Finding:
    path = settings.journal.path
    if settings.journal.durability == "memory":
        return ok("journal", "in memory: a restart begins with nothing")
    folder = folder_of(settings)
    for place in (folder, *([path] if path.exists() else ())):
        if not os.access(place, os.W_OK):
            return fail("journal", f"{place} cannot be written", "check the rights of the file and of its folder")
    try:
        if schema.is_new(path) and not marks_path(path).exists():
            return ok("journal", f"{path} is not there yet and will be made")
        report = verify(path)
    except JournalUnusable as wrong:
        return fail("journal", str(wrong), "" if path.exists() else NOTHING_THERE.format(marks_path(path).name))
    text = f"{path}: {report.entries:,} entries of {report.rooms:,} rooms"
    if report.problems:
        first = report.problems[0]
        remedy = "the room begins a new epoch by itself; keep a copy, and restore a backup if its history matters"
        return fail(
            "journal", f"{text}; {first.room} {first.seq}: {first.text} ({len(report.problems)} in all)", remedy
        )
    if is_held(path) and not serves_here(settings):
        remedy = "stop that server, or give another journal.path"
        return fail("journal", f"{text}; a server that does not answer here holds it", remedy)
    if report.known:
        return warn("journal", f"{text}, all verify but {len(report.known)} epochs that were set aside before")
    return ok("journal", f"{text}, all verify")


NOTHING_THERE = "{} beside it says that there was one: restore a backup, or remove that file to begin with nothing"


def is_held(path: Path) -> bool:
    """A server runs on this journal. Where files cannot be locked (Windows): False."""
    marks = marks_path(path)
    if not marks.exists():
        return False
    try:
        Marks(marks).close()
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def syncs(settings: Settings, measure: Callable[[Path], SyncTimes] = time_syncs) -> Finding:
    if settings.journal.durability != "power":
        return ok("fsync", f"not waited for: durability is {settings.journal.durability}")
    try:
        times = measure(folder_of(settings))
    except OSError as wrong:
        return fail(
            "fsync", f"{folder_of(settings)} cannot be written: {wrong.strerror}", "check its rights and its disk"
        )
    slower = times.slower
    text = (
        f"{times.overwriting * 1000:.2f} ms overwriting, {times.appending * 1000:.2f} ms appending (p50): no author "
        f"hears ok sooner than that, at about {1 / max(slower, 1e-6):,.0f} commits a second"
    )
    if slower < NO_SYNC_SECONDS:
        remedy = "put the journal on a disk, not into a file system in memory"
        return warn("fsync", f"{text}. So fast that nothing reaches a disk: a power cut would lose it", remedy)
    if slower > SLOW_SYNC_SECONDS:
        return warn(
            "fsync", text, "a faster disk; durability = process does without, and may lose the last of a power cut"
        )
    return ok("fsync", text)


def folder_of(settings: Settings) -> Path:
    """Where the journal is or would be: the nearest folder that is there."""
    folder = settings.journal.path.parent
    return next((each for each in (folder, *folder.parents) if each.is_dir()), Path())


# -- the rest ----------------------------------------------------------------------------------------------------------


def key_file(settings: Settings) -> Finding:
    path = settings.key_path
    if not path.exists():
        if settings.journal.path.exists():
            text = f"{path} is missing beside a journal that is there: every member would come in as somebody new"
            return warn("key", text, "put it back from the backup, or set auth.key_path to where it is")
        return ok("key", f"{path} is not there yet and will be made")
    try:
        keys = load_keys(path)
    except KeyFileError as wrong:
        return fail("key", str(wrong))
    return ok("key", f"{path}: {len(keys)} key{'s' * (len(keys) > 1)}, readable by its owner only")


def clock(
    _settings: Settings,
    wall: Callable[[], float] = time.time,
    mono: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Finding:
    began = wall() - mono()
    pause(DRIFT_OVER_SECONDS)
    now = wall()
    year, drift = time.gmtime(now).tm_year, now - mono() - began
    if not OLDEST_YEAR <= year <= LAST_YEAR:
        return fail("clock", f"it says {year}: tokens and the keeping of messages go by it", "set it, and run NTP")
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if abs(drift) > DRIFT_SECONDS:
        text = f"{shown}, and it jumped by {drift * 1000:+.0f} ms within {DRIFT_OVER_SECONDS:g} s"
        return warn("clock", text, "let NTP slew it; look again when it has settled")
    return ok("clock", shown)
