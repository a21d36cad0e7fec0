"""Sessions and tokens: secrets that stand for a sign-in. Of each only the SHA-256 is kept: it has 256 bits of chance in
it, so a slow hash would protect nothing more. Pure."""

import re
import secrets
from hashlib import sha256

from attrs import field, frozen

from actors.admin.roles import Role

SESSION_PREFIX, TOKEN_PREFIX = "bs1.", "bt1."
SECRET = re.compile(r"b[st]1\.[A-Za-z0-9_-]{43}", re.ASCII)
SESSION_KEEP_S = 12 * 3600.0
"""A shift. Then the password is asked for again."""
SESSION_IDLE_S = 3600.0
"""Without a connection."""


@frozen
class Session:
    """`seen`: when it was last in use, to the minute."""

    id: str
    operator: str
    role: Role
    address: str
    created: float
    seen: float
    expires: float

    def shown(self) -> dict[str, object]:
        return {
            "session": self.id, "operator": self.operator, "role": self.role.word, "address": self.address,
            "created": self.created, "seen": self.seen, "expires": self.expires,
        }  # fmt: skip


@frozen
class Token:
    """A program's way in. It acts under the name `token:<name>`."""

    id: str
    name: str
    role: Role
    author: str
    created: float
    expires: float | None
    revoked: float | None
    seen: float | None

    @property
    def operator(self) -> str:
        return f"token:{self.name}"

    def shown(self) -> dict[str, object]:
        return {
            "token": self.id, "name": self.name, "role": self.role.word, "author": self.author, "created": self.created,
            "expires": self.expires, "revoked": self.revoked, "seen": self.seen,
        }  # fmt: skip


@frozen
class Issued:
    """`secret`: shown once, kept nowhere."""

    id: str
    secret: str = field(repr=False)


def new_secret(prefix: str) -> str:
    return prefix + secrets.token_urlsafe(32)


def hash_of(secret: str) -> bytes:
    return sha256(secret.encode(errors="replace")).digest()


def looks_like_one(secret: str) -> bool:
    return SECRET.fullmatch(secret) is not None
