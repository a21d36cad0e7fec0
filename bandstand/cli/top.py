"""`bandstand top`: the house in one view, once a second."""

import sys
from collections.abc import Mapping
from typing import Any

import click
import trio
from attrs import define, field
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bandstand.admin_client import Desk
from bandstand.admin_line import Json
from bandstand.cli import exits
from bandstand.cli.admin_door import Door, door_options
from bandstand.cli.lines import plain
from gateway.units import as_duration

FIRST_SECONDS = 10.0
"""For the first figures to come."""
OLD_MS = 3_500
TITLE = 28
LOCKDOWN = {5: "normal", 4: "no new rooms", 3: "slow, no links", 2: "known only", 1: "staff only"}
TOPICS = ("stats", "rooms")


@click.command()
@click.option("--once", is_flag=True, help="Show the figures of this moment and end.")
@door_options
def command(once: bool, door: Door) -> None:
    """Rooms, people, messages and how fast they go; live until Ctrl-C."""
    door.run(lambda desk: Top(desk, door).run(once))


@define
class Top:
    desk: Desk
    door: Door
    stats: dict[str, Any] = field(factory=dict)
    rooms: dict[str, Any] = field(factory=dict)
    _at: dict[str, float] = field(factory=dict)

    async def run(self, once: bool) -> None:
        if once:
            await self._first()
            self._print()
            return
        if self.door.cli.json:
            await self._gather(self._tell)
        elif not self.door.cli.color:
            await self._gather(lambda topic: self._print() if topic == "rooms" and self.stats else None)
        else:
            await self._live()

    async def _first(self) -> None:
        with trio.move_on_after(FIRST_SECONDS):
            async with trio.open_nursery() as nursery:
                for topic in TOPICS:
                    nursery.start_soon(self._follow, topic, lambda _: None, True)
            if self.door.cli.json:
                self._tell("stats")
                self._tell("rooms")
            return
        raise exits.Failed(f"no figures within {FIRST_SECONDS:g} s")

    async def _gather(self, seen: Any) -> None:
        async with trio.open_nursery() as nursery:
            for topic in TOPICS:
                nursery.start_soon(self._follow, topic, seen, False)

    async def _follow(self, topic: str, seen: Any, once: bool) -> None:
        async for snapshot in self.desk.watch(topic):
            if snapshot.get("unknown"):
                continue  # Nothing was measured yet.
            self._at[topic] = trio.current_time()
            setattr(self, topic, dict(snapshot))
            seen(topic)
            if once:
                return

    async def _live(self) -> None:
        console = Console(file=sys.stdout)
        with Live(console=console, auto_refresh=False, screen=True) as live:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._gather, lambda topic: None)
                while True:
                    live.update(self.view(console.height), refresh=True)
                    await trio.sleep(1)

    def _tell(self, topic: str) -> None:
        self.door.cli.data(getattr(self, topic))

    def _print(self) -> None:
        if self.door.cli.json:
            return
        width = None if self.door.cli.color else 120
        console = Console(file=sys.stdout, no_color=not self.door.cli.color, width=width, highlight=False)
        console.print(self.view(10_000))

    # The view

    @property
    def age_ms(self) -> float:
        since = self._at.get("stats")
        return 0 if since is None else (trio.current_time() - since) * 1000 + self.stats.get("age_ms", 0)

    def view(self, height: int) -> Group:
        rows = self.rooms.get("rooms", [])
        room = max(3, height - 6)
        more = len(rows) - room + self.rooms.get("more", 0)
        parts: list[Any] = [*kpis(self.stats, self.age_ms, self.desk.why_offline), rooms_table(rows[:room])]
        if more > 0:
            parts.append(Text(f"and {more:,} more rooms", style="dim"))
        return Group(*parts)


def kpis(stats: Json, age_ms: float, offline: str) -> list[Text]:
    """Two lines, and a third one where something is to be said."""
    second, minute = _part(stats, "rates", "1s"), _part(stats, "rates", "1m")
    people, rooms = _part(stats, "people"), _part(stats, "rooms")
    level = stats.get("lockdown", 5)
    alerts = stats.get("alerts_active", 0)
    lines = [
        Text(
            f"people {_n(people.get('online'))} (most {_n(people.get('peak'))})   msg/s {_n(second.get('messages'))}"
            f"   deliveries/s {_n(second.get('deliveries'))}   p50 {_ms(minute.get('p50_ms'))}"
            f"   p99 {_ms(minute.get('p99_ms'))}   lag {_ms(stats.get('lag_p99_ms'))}",
            style="bold",
        ),
        Text.assemble(
            (f"lockdown {level} {LOCKDOWN.get(level, '')}", "bold red" if level != 5 else ""),
            "   ",
            (f"alerts {alerts}", "bold red" if alerts else ""),
            f"   rooms {_n(rooms.get('up'))} of {_n(rooms.get('known'))}",
            (f", {rooms['quarantined']} quarantined" if rooms.get("quarantined") else "", "bold red"),
            f"   journal {_ms(_part(stats, 'journal').get('commit_p99_ms'))}"
            f"   slow readers {_n(stats.get('slow_members'))}   up {as_duration(round(stats.get('uptime_s', 0)))}",
        ),
    ]
    if offline:
        lines.append(Text(f"offline: {plain(offline)}; figures are {age_ms / 1000:.0f} s old", style="bold red"))
    elif age_ms > OLD_MS:
        lines.append(Text(f"figures are {age_ms / 1000:.0f} s old", style="bold red"))
    return lines


def rooms_table(rows: list[Json]) -> Table:
    """Titles are people's: Text, so that no markup of rich is read in them, and escaped for the terminal."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name, side in (
        ("room", "left"), ("title", "left"), ("people", "right"), ("msg/s", "right"), ("deliv/s", "right"),
        ("p99", "right"), ("behind", "right"), ("state", "left"),
    ):  # fmt: skip
        table.add_column(name, justify="right" if side == "right" else "left", no_wrap=True)
    for row in rows:
        cells = [
            plain(str(row.get("room", ""))), title(row), _n(row.get("online")),
            _n(row.get("messages_per_s")), _n(row.get("deliveries_per_s")), _ms(row.get("p99_ms")),
            _n(row.get("behind")), state(row),
        ]  # fmt: skip
        table.add_row(*(Text(cell) for cell in cells))
    return table


def title(row: Json) -> str:
    """Short enough to leave the figures their place."""
    shown = plain(str(row.get("title") or ""))
    return shown if len(shown) <= TITLE else shown[: TITLE - 1] + "…"


def state(row: Json) -> str:
    words = [plain(str(row.get("state", "")))]
    words += ["frozen"] if row.get("frozen") else []
    words += [f"slow {row['slow_s']:g} s"] if row.get("slow_s") else []
    words += ["closed"] if row.get("closed") and "closed" not in words else []
    return ", ".join(words)


def _part(stats: Json, *names: str) -> Json:
    found: Any = stats
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _n(value: object) -> str:
    if not isinstance(value, int | float):
        return "-"
    return f"{value:,.0f}" if value == int(value) or value >= 100 else f"{value:,.1f}"


def _ms(value: object) -> str:
    return f"{_n(value)} ms" if isinstance(value, int | float) else "-"
