"""Member tokens: whoever shows one is the member it was given to. HMAC-SHA-256 over (key id, member, issued), so that
nothing is stored for a token, and every node that holds the key file knows every member.

The key file is text, one key a line, oldest first: key id (8 hex digits), issue time, key (64 hex digits). It is made
with one key and never changed from here; of several the last one signs, and all are accepted."""

import hmac
import os
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from attrs import define, field, frozen

from actors.names import MemberId, member_bytes, member_of

PREFIX = "b1."
"""Version 1 of the token's text."""
PURPOSE = b"bandstand member token v1\0"
TOKEN = re.compile(r"b1\.[A-Za-z0-9_-]{76}", re.ASCII)
KEY_LINE = re.compile(r"([0-9a-f]{8}) ([0-9]{1,12}) ([0-9a-f]{64})", re.ASCII)
HEADER = "# bandstand member keys, version 1: id, issued, key; the last one signs"
FILE_LIMIT_BYTES = 64 * 1024
KEEP_S = 30 * 86_400.0
AHEAD_S = 86_400.0
"""A token from further in the future than this was issued by a clock that was wrong."""


class KeyFileError(Exception):
    """The key file cannot be used; str() says what to do about it."""


@frozen
class Key:
    id: bytes
    issued: int
    secret: bytes = field(repr=False)


@frozen
class Identity:
    member: MemberId
    issued: int
    """Unix seconds, whole."""


class Why(StrEnum):
    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown key"
    FORGED = "forged"
    EXPIRED = "expired"
    REVOKED = "revoked"


@frozen
class TokenRefused:
    reason: Why


@define(eq=False)
class MemberTokens:
    """Issues and verifies. `keys`: oldest first, at least one. `revoked`: a member's tokens issued up to then (Unix
    seconds) are no longer accepted; those issued in a later second are. Read at each look, written elsewhere."""

    _keys: tuple[Key, ...]
    _keep_s: float = KEEP_S
    _revoked: Mapping[MemberId, int] = field(factory=dict)

    def issue(self, member: MemberId, wall: float) -> str:
        signing = self._keys[-1]
        claim = signing.id + member_bytes(member) + int(wall).to_bytes(5, "big")
        return PREFIX + urlsafe_b64encode(claim + _mac(signing, claim)).decode()

    def verify(self, token: str, wall: float) -> Identity | TokenRefused:
        """Every character counts: of the texts that decode to the same bytes, none but the issued one is accepted."""
        if not TOKEN.fullmatch(token):
            return TokenRefused(Why.MALFORMED)
        raw = urlsafe_b64decode(token[len(PREFIX) :])
        claim, mac = raw[:25], raw[25:]
        key = next((each for each in self._keys if each.id == claim[:4]), None)
        if key is None:
            return TokenRefused(Why.UNKNOWN_KEY)
        if not hmac.compare_digest(_mac(key, claim), mac):
            return TokenRefused(Why.FORGED)
        return self._judge(Identity(member_of(claim[4:20]), int.from_bytes(claim[20:], "big")), wall)

    def _judge(self, who: Identity, wall: float) -> Identity | TokenRefused:
        if not -AHEAD_S <= wall - who.issued < self._keep_s:
            return TokenRefused(Why.EXPIRED)
        if who.issued <= self._revoked.get(who.member, -1):
            return TokenRefused(Why.REVOKED)
        return who


def _mac(key: Key, claim: bytes) -> bytes:
    return hmac.new(key.secret, PURPOSE + claim, sha256).digest()


def load_or_create_keys(path: Path, wall: float) -> tuple[Key, ...]:
    """The keys of the file, made with one key if it is not there. Of several processes that start at once one makes
    the file and all read the same. Raises KeyFileError."""
    if not path.exists():
        _create(path, [_new_key(wall)])
    return load_keys(path)


def load_keys(path: Path) -> tuple[Key, ...]:
    """Raises KeyFileError, among others if anybody but the owner may read or write the file."""
    with _named_errors(path), path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if os.name == "posix" and mode & 0o077:
            raise KeyFileError(f"{path} may be used by others than its owner; run: chmod 600 {path}")
        text = file.read(FILE_LIMIT_BYTES + 1)
    lines = [line.strip() for line in text.decode("ascii", "replace").splitlines()]
    keys = tuple(_key(path, line) for line in lines if line and not line.startswith("#"))
    if not keys or len(text) > FILE_LIMIT_BYTES:
        raise KeyFileError(f"{path} holds no keys; put a backup of it in place, or remove it to begin with a new key")
    if len({key.id for key in keys}) < len(keys):
        raise KeyFileError(f"{path} has two keys of the same id; remove one")
    return keys


def _new_key(wall: float) -> Key:
    return Key(secrets.token_bytes(4), int(wall), secrets.token_bytes(32))


def _key(path: Path, line: str) -> Key:
    found = KEY_LINE.fullmatch(line)
    if found is None:
        raise KeyFileError(f"{path} has a line that is not a key; put a backup of it in place")
    return Key(bytes.fromhex(found[1]), int(found[2]), bytes.fromhex(found[3]))


def _create(path: Path, keys: list[Key]) -> None:
    """A hard link, unlike a rename, leaves alone what another process has just made. Where a file system has none, the
    last of two that start in the same instant wins."""
    with _named_errors(path), _written_beside(path, keys) as temporary, suppress(FileExistsError):
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:
            temporary.replace(path)


@contextmanager
def _written_beside(path: Path, keys: list[Key]) -> Iterator[Path]:
    """A whole file, on disk, under a temporary name that is gone afterwards."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    lines = [HEADER, *(f"{key.id.hex()} {key.issued} {key.secret.hex()}" for key in keys), ""]
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write("\n".join(lines))
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as wrong:
        raise KeyFileError(f"cannot use the key file {path}: {wrong.strerror or wrong}") from wrong
