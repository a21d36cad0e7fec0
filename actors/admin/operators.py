"""Operators: their names, what each may do, and how a password is kept. Pure but for argon2, which takes its time."""

import re
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from attrs import frozen

from actors.admin.roles import Role

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,62}[a-z0-9]|[a-z0-9]", re.ASCII)
PASSWORD_LEAST, PASSWORD_MOST = 10, 256
"""Characters."""
HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)
"""RFC 9106's second recommendation, with one lane: two at a time are 128 MiB and both cores of a small machine."""
LOCAL = "local"
"""Who the command line is in the record: nobody can have this name."""


class BadOperator(Exception):
    """A name or a password that cannot be used, or a change that may not be made; str() says why and what would do."""


class UnfitOperator(BadOperator):
    """The name or the password itself, whoever else there is."""


class NoSuchOperator(BadOperator):
    pass


@frozen
class Operator:
    name: str
    role: Role
    disabled: bool
    created: float
    seen: float | None
    """The last sign-in."""

    def shown(self) -> dict[str, object]:
        return {
            "name": self.name, "role": self.role.word, "disabled": self.disabled,
            "created": self.created, "seen": self.seen,
        }  # fmt: skip


def operator_name(typed: str) -> str:
    """As it is kept: NFKC, lower case, without blanks around. UnfitOperator."""
    name = unicodedata.normalize("NFKC", typed).strip().lower()
    if not NAME.fullmatch(name):
        raise UnfitOperator("a name is 1 to 64 of a-z, 0-9 and . _ @ - between them, as in ana or ana.k")
    if name == LOCAL:
        raise UnfitOperator(f"{LOCAL} is the command line's own name: take another")
    return name


def hash_password(name: str, password: str) -> str:
    """Takes some 100 ms and 64 MiB: in a worker thread where a loop runs. UnfitOperator: too short or easy."""
    if len(password) < PASSWORD_LEAST:
        raise UnfitOperator(
            f"a password has at least {PASSWORD_LEAST} characters; four unrelated words make a good one"
        )
    if len(password) > PASSWORD_MOST:
        raise UnfitOperator(f"a password has at most {PASSWORD_MOST} characters")
    if password.casefold() == name or len(set(password)) < 4:
        raise UnfitOperator("that password is too easy to guess; four unrelated words make a good one")
    return HASHER.hash(_text(password))


def password_fits(hashed: str, password: str) -> bool:
    """As slow as hashing, whatever the answer is."""
    try:
        return HASHER.verify(hashed, _text(password))
    except (VerificationError, InvalidHashError):
        return False


def _text(password: str) -> str:
    """The same characters from every keyboard."""
    return unicodedata.normalize("NFKC", password)
