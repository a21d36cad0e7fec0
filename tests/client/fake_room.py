"""A room of the fake server: its log, its rules, who is in it."""

from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field

from gateway.protocol import server

RULES = server.Rules(0, False, 0.0, 20_000, 1_000, "auto", None, "")


@define(eq=False)
class FakeRoom:
    name: str
    code: str
    epoch: str = "1m3250v002t4"
    entries: list[Any] = field(factory=list)
    oldest: int = 1
    rules: server.Rules = RULES
    cids: dict[tuple[str, str], tuple[Any, server.OkSend]] = field(factory=dict)
    reactions: dict[int, dict[str, set[str]]] = field(factory=dict)
    visits: list[Any] = field(factory=list)

    @property
    def head(self) -> int:
        return len(self.entries)

    def add(self, make: Callable[..., Any], *fields: Any, **named: Any) -> Any:
        entry = make(self.name, self.epoch, self.head + 1, 1_790_000_000.0 + self.head, *fields, **named)
        self.entries.append(entry)
        for visit in list(self.visits):
            if visit.cursor[self.name] == entry.seq - 1:
                visit.cursor[self.name] = entry.seq
                visit.push(entry)
        return entry

    def say(self, nickname: str, text: str, member: str = "m_01K4AAAAAAAAAAAAAAAAAAAAAA", cid: str = "") -> Any:
        return self.add(server.MessageFrame, member, nickname, cid or f"seed-{self.head}", text=text)

    def set_rules(self, **changes: Any) -> None:
        self.rules = evolve(self.rules, rev=self.head + 1, **changes)
        r = self.rules
        self.add(
            server.PolicyFrame, r.rev, r.frozen, r.slow_s, r.max_members, r.history, r.presence, r.expires, r.reason
        )

    def begin_anew(self, epoch: str) -> None:
        self.epoch, self.entries, self.oldest = epoch, [], 1
        self.cids.clear()

    def erase(self, target: int) -> None:
        self.entries[target - 1] = self._bare(self.entries[target - 1])
        for at, entry in enumerate(self.entries):
            if isinstance(entry, server.EditedFrame) and entry.target == target:
                self.entries[at] = self._bare(entry)

    def _bare(self, entry: Any) -> Any:
        if isinstance(entry, server.EditedFrame):
            return evolve(entry, text="", deleted=True)
        return server.MessageFrame(self.name, self.epoch, entry.seq, entry.ts, entry.member, text="", deleted=True)
