"""Settings -> the limits and rules of each part. Every part has defaults of its own; this is where they meet."""

import ssl
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from actors.events import Policy
from actors.journal.log import Durability
from actors.journal.store import Setup
from actors.kernel import Budget
from actors.names import ReservedNames, RoomName
from actors.room.directory import Listed, RoomRules
from gateway.admission import ListenerLimits
from gateway.budgets import SessionLimits
from gateway.connection import Times
from gateway.http import HeadLimits, Network, is_loopback
from gateway.settings import RoomPolicySettings, Settings
from gateway.wire.limits import WireLimits


def room_rules(settings: Settings) -> RoomRules:
    rooms = settings.rooms
    listed: dict[RoomName, Listed] = {}
    for name in rooms.listed:
        row = rooms.policy.get(name)
        listed[RoomName(name)] = Listed() if row is None else Listed(row.title, policy_of(row))
    return RoomRules(
        create=rooms.create,
        listed=listed,
        most_rooms=rooms.max_rooms,
        creations_per_member_h=rooms.creations_per_hour,
        creations_per_min=rooms.creations_per_minute,
        expire_after_s=rooms.expire,
        mailbox=settings.limits.room_mailbox_messages,
    )


def policy_of(row: RoomPolicySettings) -> Policy:
    return Policy(frozen=row.frozen, slow_s=row.slow_mode_s, max_members=row.max_members, history=row.history)


def reserved(settings: Settings) -> ReservedNames:
    return ReservedNames(settings.reserved_names)


def restart_budget(settings: Settings) -> Budget:
    restart = settings.restart
    return Budget(restart.crashes, restart.window_s, restart.quarantine_s, restart.quarantine_max_s)


def journal_setup(settings: Settings) -> Setup:
    journal = settings.journal
    durability = Durability(journal.durability)
    path = None if durability is Durability.MEMORY else journal.path
    return Setup(
        path,
        durability,
        keep_s=journal.keep,
        min_free_bytes=journal.free_disk_bytes,
        keep_cids_s=max(journal.keep, journal.keep_cids),
        ballast_bytes=journal.ballast_bytes,
    )


def alerts_path(settings: Settings) -> Path | None:
    """None: in memory, as the journal is."""
    if settings.alerts.path is None and settings.journal.durability == "memory":
        return None
    return settings.alerts.path or settings.journal.path.with_name("alerts.db")


def admin_path(settings: Settings) -> Path | None:
    """None: in memory, as the journal is."""
    if settings.admin.path is None and settings.journal.durability == "memory":
        return None
    return settings.admin_path


def admin_origins(settings: Settings) -> frozenset[str]:
    return frozenset(origin.lower().rstrip("/") for origin in settings.admin.origins)


def is_secure(settings: Settings, address: str, *, proxied: bool) -> bool:
    """Whether an operator's password may travel over a connection from `address`: encrypted here, or by the proxy that
    this very one came through, or not leaving the machine, or allowed all the same."""
    encrypted = settings.wire.tls_cert is not None or (proxied and settings.public_url.startswith("https://"))
    return encrypted or settings.admin.insecure_ops or is_loopback(address)


def session_limits(settings: Settings) -> SessionLimits:
    limits = settings.limits
    return SessionLimits(
        messages_per_s=limits.messages_per_s,
        burst=limits.burst,
        bytes_per_s=limits.inbound_bytes_per_s,
        frame_bytes=limits.message_bytes,
        text_code_points=limits.text_code_points,
        joins_per_s=limits.joins_per_s,
        joins_burst=limits.joins_burst,
        rooms=limits.rooms_per_connection,
        backpressure_s=limits.backpressure_s,
        refusals=limits.refusals,
        refusals_window_s=limits.refusals_window_s,
        authenticate_s=limits.authenticate_s,
        anonymous=settings.auth.anonymous,
    )


def wire_limits(settings: Settings) -> WireLimits:
    limits, outlet = settings.limits, settings.outlet
    return WireLimits(
        message_bytes=limits.message_bytes,
        message_fragments=limits.message_fragments,
        control_per_s=limits.control_frames_per_s,
        control_burst=limits.control_burst,
        chat_bytes=outlet.limit_bytes,
        chat_frames=outlet.limit_frames,
        stuck_s=outlet.stuck_s,
        close_s=limits.close_s,
        linger_s=limits.linger_s,
        linger_bytes=limits.linger_bytes,
    )


def listener_limits(settings: Settings) -> ListenerLimits:
    limits = settings.limits
    return ListenerLimits(
        head=HeadLimits(limits.request_head_bytes, limits.request_headers, limits.request_path_bytes),
        head_s=limits.request_head_s,
        connections=limits.connections,
        spare_files=limits.spare_files,
        strangers=limits.unauthenticated,
        accepts_per_s=limits.accepts_per_s,
        failures_per_address=limits.failures_per_address,
        retry_after_s=limits.retry_after_s,
        unsent_bytes=settings.outlet.notsent_lowat_bytes,
        linger_s=limits.linger_s,
        linger_bytes=limits.linger_bytes,
    )


def times(settings: Settings) -> Times:
    beat = settings.heartbeat
    return Times(beat.every_s, beat.jitter_percent / 100, beat.dead_s, settings.limits.authenticate_s)


def hosts(settings: Settings) -> frozenset[str]:
    """Names to answer to besides the own addresses."""
    public = urlsplit(settings.public_url).hostname
    return frozenset(name.lower() for name in (*settings.allowed_hosts, *([public] if public else ())))


def origins(settings: Settings) -> frozenset[str]:
    public = [settings.public_url.rstrip("/")] if settings.public_url else []
    return frozenset(origin.lower().rstrip("/") for origin in (*settings.allowed_origins, *public))


def proxies(settings: Settings) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in settings.trusted_proxies)


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """OSError, ssl.SSLError: the files cannot be used."""
    if settings.wire.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.wire.tls_cert, settings.wire.tls_key)
    return context
