"""Every number and choice of the server: default, unit and one line of help. Frozen; `Settings()` is the default.

Names are stable: `[bandstand.limits] burst` in the file is BANDSTAND_LIMITS_BURST in the environment and `--set
limits.burst=` on the command line. A name that ends in a unit (_s, _bytes) still reads "90s" or "16KiB". Test hooks are
not settings.
"""

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit

from attrs import frozen

from actors.names import BadName, room_name
from gateway.sources import (
    Check,
    Layer,
    SettingsError,
    Unit,
    env_layer,
    flag_layer,
    load,
    setting,
    toml_layer,
)
from gateway.sources import Loaded as AnyLoaded

__all__ = [
    "Admin",
    "Alerts",
    "Auth",
    "Heartbeat",
    "Journal",
    "Limits",
    "Loaded",
    "Outlet",
    "Restart",
    "RoomPolicySettings",
    "Rooms",
    "Settings",
    "SettingsError",
    "Wire",
    "load_settings",
]


def at_least(low: float) -> Check:
    return lambda value: None if value >= low else f"must be at least {low:g}, not {value:g}"


def between(low: float, high: float) -> Check:
    return lambda value: None if low <= value <= high else f"must be {low:g} to {high:g}, not {value:g}"


def _room_names(names: tuple[str, ...]) -> str | None:
    for name in names:
        try:
            room_name(name)
        except BadName as wrong:
            return f"has {name!r}: {wrong}"
    return None


def _networks(addresses: tuple[str, ...]) -> str | None:
    for address in addresses:
        try:
            ip_network(address)
        except ValueError as wrong:
            return f"has {address!r}: {wrong}; write an address or a network such as 10.0.0.0/8"
    return None


def _url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        whole = False
    return None if whole else f"{url!r} is not an address such as https://chat.example.org"


def _origins(origins: tuple[str, ...]) -> str | None:
    return next((f"has {wrong}" for origin in origins if (wrong := _url_problem(origin))), None)


def _grave(commands: tuple[str, ...]) -> str | None:
    known = ("alert.import", "alert.raise", "house.drain", "house.lockdown", "house.wipe", "room.evacuate")
    wrong = next((name for name in commands if name not in known), None)
    return None if wrong is None else f"has {wrong!r}: only {', '.join(known)} can wait for a second person"


def _host(address: str) -> str | None:
    """An empty one would be all addresses: a variable that is not set must not open the server."""
    return None if address.strip() else "is empty: write 127.0.0.1, or 0.0.0.0 for all addresses"


def _public_url(url: str) -> str | None:
    return _url_problem(url) if url else None


def seconds(default: float, help: str, check: Check | None = None) -> Any:
    return setting(default, help, unit=Unit.SECONDS, check=check)


def size(default: int, help: str, check: Check | None = None) -> Any:
    return setting(default, help, unit=Unit.BYTES, check=check)


def count(default: float, help: str, check: Check | None = None) -> Any:
    return setting(default, help, check=check or at_least(1))


@frozen
class RoomPolicySettings:
    """The rules of a listed room, applied at every start where they differ."""

    title: str = setting("", "shown above the room; empty = its name")
    slow_mode_s: float = seconds(0.0, "least time between two messages of one member; 0 = off")
    frozen: bool = setting(False, "only staff may speak")
    max_members: int = count(20_000, "members at one time")
    history: int = count(1_000, "most entries replayed to someone who comes back", at_least(0))


@frozen
class Rooms:
    create: Literal["anyone", "operators", "listed"] = setting("anyone", "who makes a room by joining it")
    listed: tuple[str, ...] = setting(
        ("main-stage", "lost-and-found"), "rooms that exist from the start", check=_room_names
    )
    tail: int = setting(100, "newest entries a room keeps in memory", check=between(0, 10_000))
    max_rooms: int = count(5_000, "rooms in all")
    creations_per_hour: int = count(3, "rooms one member may make in an hour")
    creations_per_minute: int = count(300, "rooms all members together may make in a minute")
    # Over a restart it is known to the day when somebody was last in a room.
    expire: float = seconds(
        30 * 86400.0, "rooms neither listed nor official go when nobody was there for so long", at_least(172_800)
    )
    leave_grace_s: float = seconds(20.0, "a member who comes back within it has not left")
    policy: Mapping[str, RoomPolicySettings] = setting(
        MappingProxyType({}),
        "a table for each listed room: [bandstand.rooms.policy.main-stage]",
        check=lambda rows: _room_names((*rows,)),
    )


@frozen
class Journal:
    path: Path = setting(Path("bandstand.db"), "the database file; its neighbours stand beside it", flag="--journal")
    durability: Literal["power", "process", "memory"] = setting(
        "power", "what an acknowledged message survives: a power cut, a killed process, or neither", flag="--durability"
    )
    keep: float = seconds(72 * 3600.0, "age at which messages are removed", at_least(60))
    keep_cids: float = seconds(7 * 86400.0, "how long a repeated send is recognised; never less than keep")
    ballast_bytes: int = size(16 * 2**20, "space held back for the checkpoint of a full disk")
    free_disk_bytes: int = size(256 * 2**20, "with less free than this chat is read-only")


@frozen
class Limits:
    request_head_s: float = seconds(5.0, "for the whole request head", at_least(0.1))
    authenticate_s: float = seconds(15.0, "from the accept to a member or operator", at_least(0.1))
    request_head_bytes: int = size(8 * 1024, "request line and headers", between(512, 65_536))
    request_headers: int = count(64, "headers of a request")
    request_path_bytes: int = size(512, "path and query of a request", between(16, 8_192))
    connections: int = setting(
        0, "at one time; 0 = the file limit less spare_files, and never more than that", check=at_least(0)
    )
    spare_files: int = count(256, "files kept free for the journal, pages and operators", at_least(16))
    connections_per_member: int = count(4, "the oldest makes way for one more")
    unauthenticated: int = count(2_048, "connections that are nobody yet")
    failures_per_address: int = count(64, "refused credentials of one address; then each ends its connection")
    accepts_per_s: float = count(1_500, "new connections, as a token bucket of as many")
    retry_after_s: float = seconds(5.0, "when the house is full, with jitter", at_least(1))
    message_bytes: int = size(16 * 1024, "one inbound message", between(1_024, 2**20))
    message_fragments: int = count(16, "pieces of one inbound message, empty ones included")
    text_code_points: int = count(2_000, "text of one chat message")
    messages_per_s: float = count(5, "inbound, for each connection", at_least(0.1))
    burst: int = count(10, "inbound messages at once")
    inbound_bytes_per_s: int = size(64 * 1024, "inbound, for each connection", at_least(1_024))
    control_frames_per_s: float = count(10, "pings and pongs, for each connection", at_least(0.1))
    control_burst: int = count(20, "pings and pongs at once")
    backpressure_s: float = seconds(2.0, "reading may pause, in all, before a message is refused with rate")
    refusals: int = count(20, "refused messages within refusals_window_s, then the connection is closed")
    refusals_window_s: float = seconds(5.0, "for counting refused messages", at_least(0.1))
    room_mailbox_messages: int = count(1_000, "waiting for a room's turn")
    rooms_per_connection: int = count(32, "joined at one time")
    joins_per_s: float = count(2, "for each connection", at_least(0.1))
    joins_burst: int = count(10, "joins at once")
    replay_entries: int = count(1_000, "replayed at most when a member comes back")
    close_s: float = seconds(2.0, "for the closing handshake", at_least(0.1))
    linger_s: float = seconds(1.0, "reading on after a close, so that it arrives")
    linger_bytes: int = size(64 * 1024, "read on after a close at most")


@frozen
class Heartbeat:
    every_s: float = seconds(25.0, "without inbound bytes before a heartbeat is sent", at_least(1))
    jitter_percent: float = setting(10.0, "spread of every_s", check=between(0, 50))
    dead_s: float = seconds(60.0, "without inbound bytes or outbound progress before a connection is dead", at_least(2))


@frozen
class Restart:
    """How often a room may crash before it is set apart."""

    crashes: int = count(3, "within window_s; one more and the room is quarantined")
    window_s: float = seconds(5.0, "for counting crashes", at_least(0.1))
    quarantine_s: float = seconds(30.0, "for the first time; doubles with each", at_least(0.1))
    quarantine_max_s: float = seconds(600.0, "at most", at_least(0.1))


@frozen
class Outlet:
    """A connection's way out. Beyond the bounds it is fed from the log instead."""

    limit_bytes: int = size(512 * 1024, "queued for one connection", at_least(64 * 1024))
    limit_frames: int = count(512, "queued for one connection", at_least(8))
    stuck_s: float = seconds(60.0, "the kernel's unsent bytes may not fall before a connection is cut", at_least(1))
    notsent_lowat_bytes: int = size(8 * 1024, "TCP_NOTSENT_LOWAT: unsent bytes the kernel takes", at_least(1_024))


@frozen
class Wire:
    kind: Literal["auto", "portable"] = setting(
        "auto", "how sockets are driven; there is one way so far", flag="--wire"
    )
    tls_cert: Path | None = setting(None, "certificate chain, PEM; with tls_key", flag="--tls-cert")
    tls_key: Path | None = setting(None, "private key, PEM", flag="--tls-key")


@frozen
class Auth:
    key_path: Path | None = setting(None, "the signing key of member tokens; empty = beside the journal")
    anonymous: bool = setting(True, "a nickname is enough to come in")
    token_keep: float = seconds(30 * 86400.0, "life of a member token; renewed at each entry", at_least(60))


@frozen
class Admin:
    """The operators' side: who may sign in, and what is kept of what they did."""

    path: Path | None = setting(None, "operators, acts and audit; empty = admin.db beside the journal")
    key_path: Path | None = setting(None, "the key of the audit; empty = admin.key beside admin.path")
    insecure_ops: bool = setting(
        False, "operators may sign in over plain HTTP from other machines", flag="--insecure-ops"
    )
    keep_activity: float = seconds(30 * 86400.0, "age at which events of the feed are removed", at_least(3600))
    origins: tuple[str, ...] = setting(
        (), "other web origins whose pages may open the operators' channel", check=_origins
    )
    second_person: tuple[str, ...] = setting(
        ("house.lockdown", "house.wipe"),
        "grave orders that wait for another operator (lockdown only at level 1); house.wipe always does",
        check=_grave,
    )


@frozen
class Alerts:
    path: Path | None = setting(None, "the alerts' own database; empty = alerts.db beside the journal")
    audience: float = seconds(86_400.0, "who was in a room within this time is warned with it", at_least(60))


@frozen
class Settings:
    host: str = setting("127.0.0.1", "address to listen on; 0.0.0.0 = all", flag="--host", check=_host)
    port: int = setting(8080, "port to listen on; 0 = any free one", flag="--port", check=between(0, 65_535))
    event: str = setting("Bandstand", "name of the event, shown on the pages", flag="--event")
    node: str = setting("n1", "name of this server among others")
    public_url: str = setting("", "how the outside reaches this server", flag="--public-url", check=_public_url)
    allowed_origins: tuple[str, ...] = setting(
        (), "other web origins that may connect; the own one always may", flag="--allowed-origin", check=_origins
    )
    allowed_hosts: tuple[str, ...] = setting(
        (), "other Host names to answer to; own addresses and public_url always are", flag="--allowed-host"
    )
    trusted_proxies: tuple[str, ...] = setting(
        (), "networks whose X-Forwarded-For is believed", flag="--trusted-proxy", check=_networks
    )
    reserved_names: tuple[str, ...] = setting(
        ("admin", "bandstand", "medic", "operator", "police", "security", "staff", "steward", "system"),
        "nicknames, and look-alikes of them, that only staff may carry",
    )
    drain_s: float = seconds(20.0, "for the whole stop; clients are told to come back", at_least(1))
    rooms: Rooms = Rooms()
    journal: Journal = Journal()
    limits: Limits = Limits()
    heartbeat: Heartbeat = Heartbeat()
    restart: Restart = Restart()
    outlet: Outlet = Outlet()
    wire: Wire = Wire()
    auth: Auth = Auth()
    alerts: Alerts = Alerts()
    admin: Admin = Admin()

    @property
    def admin_path(self) -> Path:
        """The database of the operators' side. With journal.durability = memory nothing is kept in it."""
        return self.admin.path or self.journal.path.with_name("admin.db")

    @property
    def admin_key_path(self) -> Path:
        return self.admin.key_path or self.admin_path.with_suffix(".key")

    @property
    def admin_heads_path(self) -> Path:
        """Where the end of the audit is copied out to."""
        return self.admin_path.with_suffix(".heads")

    @property
    def key_path(self) -> Path:
        """The signing key's file: beside the journal unless auth.key_path says otherwise."""
        return self.auth.key_path or self.journal.path.with_suffix(".key")


Loaded = AnyLoaded[Settings]


def load_settings(
    config_path: Path | None,
    env: Mapping[str, str],
    flags: Mapping[str, object],
    presets: Mapping[str, object] | None = None,
) -> Loaded:
    """The settings, and where each came from. Raises SettingsError with every problem found, not only the first.

    `flags`: values by dotted path ("journal.path"); None means not given. `presets` (what `--demo` changes) stand
    below the file.
    """
    problems: list[str] = []
    layers = [Layer(presets or {}, lambda _path: "--demo")]
    if config_path is not None:
        layer, wrong = toml_layer(Settings, config_path)
        layers.append(layer)
        problems += wrong
    for layer, wrong in (env_layer(Settings, env), flag_layer(Settings, flags)):
        layers.append(layer)
        problems += wrong
    loaded = load(Settings, layers, problems)
    problems = [f"{where}: {what}" for where, what in _contradictions(loaded)]
    if problems:
        raise SettingsError(problems)
    return loaded


def _contradictions(loaded: Loaded) -> list[tuple[str, str]]:
    """Values that are right one by one and wrong together, with the places they came from."""
    it = loaded.settings
    pairs = [
        (
            (it.wire.tls_cert is None) != (it.wire.tls_key is None),
            ("wire.tls_cert", "wire.tls_key"),
            "give both or neither",
        ),
        (
            it.heartbeat.dead_s <= it.heartbeat.every_s * (1 + it.heartbeat.jitter_percent / 100),
            ("heartbeat.dead_s", "heartbeat.every_s"),
            "a connection would be dead before its heartbeat: make dead_s the longer one",
        ),
        (
            it.restart.quarantine_max_s < it.restart.quarantine_s,
            ("restart.quarantine_max_s", "restart.quarantine_s"),
            "the longest quarantine is shorter than the first",
        ),
        (
            it.limits.authenticate_s < it.limits.request_head_s,
            ("limits.authenticate_s", "limits.request_head_s"),
            "authenticate_s counts from the accept, so it cannot be the shorter one",
        ),
    ]
    found = [
        (", ".join(sorted({loaded.origins[path] for path in paths})), f"{' and '.join(paths)}: {what}")
        for wrong, paths, what in pairs
        if wrong
    ]
    for name in sorted(set(it.rooms.policy) - set(it.rooms.listed)):
        row = f"rooms.policy.{name}"
        where = next((origin for path, origin in loaded.origins.items() if path.startswith(row)), "rooms.policy")
        found.append((where, f"{row}: {name} is not in rooms.listed, so nothing would use it"))
    return found
