"""Who somebody was at a server the last time: member tokens, in a file that nobody else may read."""

import json
import os
from pathlib import Path

from attrs import frozen

KEPT = 200
"""Identities at most; the oldest go first."""


def state_file() -> Path:
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "bandstand" / "members.json"


@frozen
class Identities:
    """Tokens by server and nickname. A file that cannot be read or written only means that nobody is remembered."""

    path: Path

    def token(self, server: str, nickname: str) -> str | None:
        return self._read().get(_key(server, nickname))

    def keep(self, server: str, nickname: str, token: str) -> None:
        known = self._read()
        known.pop(_key(server, nickname), None)
        known[_key(server, nickname)] = token
        self._write(dict(list(known.items())[-KEPT:]))

    def forget(self, server: str, nickname: str) -> None:
        known = self._read()
        if known.pop(_key(server, nickname), None) is not None:
            self._write(known)

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}

    def _write(self, known: dict[str, str]) -> None:
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(known, file, indent=1)
            beside.replace(self.path)
        except OSError:
            beside.unlink(missing_ok=True)


def _key(server: str, nickname: str) -> str:
    return f"{server} {nickname}"
