"""The key of the audit: in a file of its own, outside the database that it vouches for."""

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from actors.admin.audit import AuditKey

HEADER = "# bandstand audit key, version 1"
LINE = re.compile(r"[0-9a-f]{64}", re.ASCII)


class AdminKeyError(Exception):
    """The key file cannot be used; str() says what to do about it. Never holds the key."""


def load_or_create(path: Path) -> AuditKey:
    """The key of the file, which is made if it is not there. Of several processes at once one makes it, and all read
    the same. AdminKeyError."""
    if not path.exists():
        _create(path)
    return load(path)


def load(path: Path) -> AuditKey:
    """AdminKeyError, among others if anybody but the owner may read or write the file."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(4096).decode("ascii", "replace")
    except OSError as wrong:
        raise AdminKeyError(f"cannot use the key file {path}: {wrong.strerror or wrong}") from wrong
    if os.name == "posix" and mode & 0o077:
        raise AdminKeyError(f"{path} may be used by others than its owner; run: chmod 600 {path}")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) != 1 or not LINE.fullmatch(lines[0]):
        raise AdminKeyError(f"{path} holds no audit key; put a backup of it in place")
    return AuditKey(bytes.fromhex(lines[0]))


def _create(path: Path) -> None:
    """Whole on disk under another name first: who finds the file finds a key in it."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(f"{HEADER}\n{secrets.token_hex(32)}\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(beside, path)
    except OSError as wrong:
        raise AdminKeyError(f"cannot make the key file {path}: {wrong.strerror or wrong}") from wrong
    finally:
        beside.unlink(missing_ok=True)
