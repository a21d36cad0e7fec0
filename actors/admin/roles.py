"""Who may give which order: each role may do what the ones below it may."""

from enum import IntEnum


class Role(IntEnum):
    VIEWER = 1
    MODERATOR = 2
    OPERATOR = 3
    SAFETY = 4
    OWNER = 5

    @property
    def word(self) -> str:
        """As on the wire and in the command line."""
        return self.name.lower()


def role_of(word: str) -> Role | None:
    return Role.__members__.get(word.upper()) if word == word.lower() else None
