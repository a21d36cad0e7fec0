"""Telling the operators' feed what happened. Everyone may; nobody waits for it, and nobody is hurt by it."""

from collections.abc import Mapping
from typing import Protocol

from attrs import frozen

SERVER = "server"
KINDS = frozenset({"act", "alert", "room", "fault", "sign_in", "report", "minute", SERVER})
"""act: an operator's order and its outcome. room: one was made or has retired. fault: a crash, a quarantine, an alarm
of the journal. minute: how many joined and wrote in a room within a minute. server: it has started, or stops."""

NOTHING: Mapping[str, object] = {}


@frozen
class Event:
    """One row of the feed. `n` rises, and within one run of the server without holes; `at` is in Unix seconds."""

    n: int
    at: float
    kind: str
    text: str
    room: str | None = None
    member: str | None = None
    operator: str | None = None
    act: str | None = None
    data: Mapping[str, object] = NOTHING

    def shown(self) -> dict[str, object]:
        """As it is told on the admin channel and in the activity table: what is not there is left out."""
        said: dict[str, object] = {"n": self.n, "at": self.at, "kind": self.kind, "text": self.text}
        for name in ("room", "member", "operator", "act"):
            value = getattr(self, name)
            if value is not None:
                said[name] = value
        if self.data:
            said["data"] = dict(self.data)
        return said


class Activity(Protocol):
    """What the house tells the feed through."""

    def note(
        self,
        kind: str,
        text: str,
        *,
        room: str | None = None,
        member: str | None = None,
        operator: str | None = None,
        act: str | None = None,
        data: Mapping[str, object] = NOTHING,
    ) -> None:
        """Never blocks, never raises. `kind` is one of KINDS. `data` is kept as it is, so it is not changed later,
        and holds only what JSON can say."""
        ...


class Silent:
    """An Activity that nobody reads."""

    def note(
        self,
        kind: str,
        text: str,
        *,
        room: str | None = None,
        member: str | None = None,
        operator: str | None = None,
        act: str | None = None,
        data: Mapping[str, object] = NOTHING,
    ) -> None:
        """Forgotten at once."""
