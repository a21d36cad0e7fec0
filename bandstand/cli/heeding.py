"""What this terminal tells the organisers about an alert: that it is here, that it was on a screen, and what the person
there has to say of it."""

import random
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal

import trio
from attrs import define, field

from bandstand.cli.context import Cli
from bandstand.cli.lines import plain
from bandstand.client import Alert, BandstandError, Client

NOTE = 280
"""Code points; docs/protocol.md, alert_receipt."""
State = Literal["received", "seen", "acknowledged"]
Telling = Callable[[], Awaitable[None]]
"""About the alerts there were when it was typed; returns when the server has taken it."""


@define
class Heeding:
    cli: Cli
    client: Client
    _read: set[tuple[str, int]] = field(factory=set, init=False)

    @property
    def on_a_screen(self) -> bool:
        """In a file, or in the hands of a program, nobody has seen it."""
        return sys.stdout.isatty() and not self.cli.json

    def was_read(self, alert: Alert) -> bool:
        return (alert.id, alert.rev) in self._read

    async def arrived(self, alert: Alert) -> None:
        """Each receipt at a random moment, so that ten thousand do not speak at once. A reminder is answered again:
        the first answer may be what was lost."""
        unasked: tuple[State, ...] = ("received", "seen") if self.on_a_screen else ("received",)
        states: tuple[State, ...] = ("acknowledged",) if self.was_read(alert) else unasked
        now = trio.current_time()
        moments = sorted(now + random.uniform(0, alert.receipt_spread_s) for _ in states)  # noqa: S311
        try:
            for state, when in zip(states, moments, strict=True):
                await trio.sleep_until(when)
                if state in unasked and self.was_read(alert):
                    return
                await self.client.receipt(alert, state)
        except BandstandError as refused:
            self.cli.detail(f"-- {plain(alert.id)}: no receipt was taken: {plain(str(refused))}")

    def read(self, rest: str) -> Telling:
        """`/read [ALERT]`: all that are in force, or this one."""
        return partial(self._tell_read, [self._named(rest)] if rest else self._in_force())

    async def _tell_read(self, alerts: list[Alert]) -> None:
        for alert in alerts:
            self._read.add((alert.id, alert.rev))  # whatever becomes of the answer: a reminder may come before it
            await self.client.receipt(alert, "acknowledged")
            self.cli.note(f"-- the organisers know that you have read {plain(alert.id)}")

    def call_for_help(self, rest: str) -> Telling:
        """`/help-me [ALERT] [NOTE]`: in this alert, or in the newest."""
        word, _, behind = rest.partition(" ")
        named = word.upper() in self.client.alerts
        alert = self._named(word) if named else max(self._in_force(), key=lambda each: each.sent)
        note = behind.strip() if named else rest
        if len(note) > NOTE:
            raise ValueError(f"a note has at most {NOTE} characters")
        return partial(self._tell_help, alert, note)

    async def _tell_help(self, alert: Alert, note: str) -> None:
        await self.client.receipt(alert, "help", note)
        self.cli.note(f"-- the organisers know that you need help ({plain(alert.id)})")

    def _in_force(self) -> list[Alert]:
        found = list(self.client.alerts.values())
        if not found:
            raise ValueError("there is no alert in force")
        return found

    def _named(self, name: str) -> Alert:
        found = self.client.alerts.get(name.upper())
        if found is None:
            known = ", ".join(plain(each) for each in self.client.alerts) or "none"
            raise ValueError(f"{plain(name)} is not in force here; what is: {known}")
        return found
