"""`bandstand tail`: what happens in the house, as lines."""

import time
from collections.abc import Callable
from typing import Any

import click
import trio
from attrs import frozen

from bandstand.admin_client import Desk
from bandstand.admin_line import Json
from bandstand.cli.admin_door import DURATION, Door, door_options
from bandstand.cli.lines import plain

PAGES_MOST = 500
"""Pages of 200 that --since goes back."""
REPLAY_SECONDS = 10.0
"""For the first old event to come; an empty feed has none."""
QUIET_SECONDS = 0.5
"""Between two frames of old ones at most."""
KINDS = click.Choice(["act", "alert", "room", "fault", "sign_in", "report", "minute", "server"])


@frozen
class Wanted:
    """Which events are shown."""

    room: str | None = None
    member: str | None = None
    operator: str | None = None
    kinds: tuple[str, ...] = ()

    def __call__(self, event: Json) -> bool:
        return (
            self.room in (None, event.get("room"))
            and self.member in (None, event.get("member"))
            and self.operator in (None, event.get("operator"))
            and (not self.kinds or event.get("kind") in self.kinds)
        )


@click.command()
@click.option("--room", metavar="R", help="Only about this room.")
@click.option("--member", metavar="M", help="Only about this member (id).")
@click.option("--operator", metavar="O", help="Only what this operator did.")
@click.option("--kind", "kinds", type=KINDS, multiple=True, help="Only of this kind; may be repeated.")
@click.option("--since", type=DURATION, metavar="10m", help="All since then (default: the last --lines).")
@click.option("-n", "--lines", type=click.IntRange(0, 1_000), default=20, show_default=True, help="Old ones at first.")
@click.option("--no-follow", is_flag=True, help="End after the old ones.")
@door_options
def command(
    room: str | None, member: str | None, operator: str | None, kinds: tuple[str, ...], since: float | None,
    lines: int, no_follow: bool, door: Door,
) -> None:  # fmt: skip
    """Follow what happens: acts, alerts, rooms, faults, sign-ins, reports. Ctrl-C ends it."""
    wanted = Wanted(room, member, operator, kinds)

    async def follow(desk: Desk) -> None:
        await Tail(desk, door, wanted, since, lines).run(no_follow)

    door.run(follow)


@frozen
class Tail:
    desk: Desk
    door: Door
    wanted: Wanted
    since: float | None
    lines: int
    wall: Callable[[], float] = time.time

    async def run(self, no_follow: bool) -> None:
        """Old ones, ascending, then each as it comes; none twice, over reconnects too."""
        watch = self.desk.watch("activity")
        last = 0
        for event in await self._old(watch):
            last = max(last, int(event["n"]))
            self._show(event)
        while not no_follow:
            for event in (await anext(watch)).get("events", ()):
                if int(event["n"]) > last:
                    last = int(event["n"])
                    self._show(event)

    async def _old(self, watch: Any) -> list[Json]:
        events: list[Json] = []
        # An empty feed pushes nothing; a long one comes in several frames, close together.
        with trio.move_on_after(REPLAY_SECONDS) as replaying:
            async for snapshot in watch:
                events += snapshot.get("events", ())
                replaying.deadline = trio.current_time() + QUIET_SECONDS
        if self.since is None:
            events = [event for event in events if self.wanted(event)]
            return events[len(events) - min(self.lines, len(events)) :]
        begin = self.wall() - self.since
        earlier = await self._earlier(events, begin)
        return [event for event in (*earlier, *events) if event["at"] >= begin and self.wanted(event)]

    async def _earlier(self, events: list[Json], begin: float) -> list[Json]:
        """What the replay does not reach."""
        found: list[Json] = []
        while events:
            first = (found or events)[0]
            if first["at"] < begin or first["n"] <= 1:
                break
            if len(found) >= PAGES_MOST * 200:
                self.door.cli.note(f"-- this goes back {len(found):,} events only; there are earlier ones")
                break
            page = await self.desk.read("activity.page", {"before": first["n"], "limit": 200})
            items = sorted(page.get("items", ()), key=lambda event: int(event["n"]))
            if not items:
                break
            found = [*items, *found]
        return found

    def _show(self, event: Json) -> None:
        if not self.wanted(event):
            return
        if self.door.cli.json:
            self.door.cli.data(event)
        else:
            self.door.cli.say(line(event))


def line(event: Json) -> str:
    """`20:14:07 act     ana: room.freeze main-stage`, with nothing in it that a terminal would obey."""
    at = time.strftime("%H:%M:%S", time.localtime(event.get("at", 0)))
    told = plain(str(event.get("text", "")))
    by = plain(str(event.get("operator") or ""))
    who = f"{by}: " if by and not told.startswith(by) else ""
    room = str(event.get("room") or "")
    where = f" [{plain(room)}]" if room and plain(room) not in told else ""
    act = f" ({plain(str(event['act']))})" if event.get("act") else ""
    return f"{at} {plain(str(event.get('kind', ''))):8}{who}{told}{where}{act}"
