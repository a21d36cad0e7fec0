"""What goes along with a copy of the journal: the operators' record, the alerts, and the keys; where each is while the
server uses it, and where in a backup."""

from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from actors.admin import keyfile, store_schema
from actors.alerts import store as alerts
from actors.journal.copies import Kind, Pair
from gateway import auth, plan
from gateway.settings import Settings

# Nobody is signed in after a restore: a session that was ended since the backup would hold again.
ADMIN = Kind(store_schema.APPLICATION_ID, len(store_schema.MIGRATIONS), ("DELETE FROM sessions",))
ALERTS = Kind(alerts.APPLICATION_ID, alerts.VERSION)
WORDS = {ADMIN: "operators, acts and audit", ALERTS: "alerts and who was told"}


@frozen
class Belonging:
    live: Path
    copy: Path
    kind: Kind | None


@frozen
class KeyFile:
    """`load` raises KeyFileError or AdminKeyError on one that cannot be used. `kept` and `lost`: what it means that
    this key is in place, or that none is."""

    live: Path
    copy: Path
    load: Callable[[Path], object]
    what: str
    kept: str
    lost: str


def belongings(settings: Settings, backup: Path) -> tuple[Belonging, ...]:
    """In the order in which they are copied: the heads before the log whose end they say, which may grow meanwhile."""
    alerts_path = plan.alerts_path(settings)
    assert alerts_path is not None, "settings_for has refused a journal in memory"
    return (
        Belonging(alerts_path, beside(backup, "alerts.db"), ALERTS),
        Belonging(settings.admin_heads_path, beside(backup, "admin.heads"), None),
        Belonging(settings.admin_path, beside(backup, "admin.db"), ADMIN),
    )


def to_backup(all: tuple[Belonging, ...]) -> list[Pair]:
    """What is there. Heads without their database say nothing."""
    return [
        Pair(each.live, each.copy, each.kind) for each in all if each.live.exists() and _has_base(all, each, "live")
    ]


def to_restore(all: tuple[Belonging, ...]) -> list[Pair]:
    """What the backup has; heads also where it has none, so that those of another history do not stay."""
    return [Pair(each.copy, each.live, each.kind) for each in all if _has_base(all, each, "copy")]


def _has_base(all: tuple[Belonging, ...], each: Belonging, side: str) -> bool:
    base = next(one for one in all if one.kind is ADMIN) if each.kind is None else each
    return bool(getattr(base, side).exists())


def member_key(settings: Settings, backup: Path) -> KeyFile:
    return KeyFile(
        settings.key_path,
        beside(backup, "key"),
        auth.load_keys,
        "the key of the member tokens",
        "Members keep who they are",
        "a new one is made at the start, and members come back as somebody new",
    )


def audit_key(settings: Settings, backup: Path) -> KeyFile:
    return KeyFile(
        settings.admin_key_path,
        beside(backup, "admin.key"),
        keyfile.load,
        "the key of the audit",
        "The audit can be verified",
        "put it there before the start, or a new one is made and the rows before it cannot be verified",
    )


def beside(backup: Path, ending: str) -> Path:
    return backup.with_name(f"{backup.name}.{ending}")
