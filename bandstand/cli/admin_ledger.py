"""How far an alert has come, as it comes: the ledger in a terminal."""

import time
from collections.abc import Mapping
from typing import Any

import trio
from attrs import define, field

from bandstand.admin_client import Desk
from bandstand.admin_line import Json
from bandstand.cli import exits
from bandstand.cli.admin_door import Door
from bandstand.cli.admin_phone import status_word
from bandstand.cli.lines import clock, plain

STEPS = ("unreachable", "queued", "written", "received", "seen", "acknowledged")
STATES = {"active": "in force", "cancelled": "cancelled", "expired": "over", "cleared": "all clear"}
BAR = 40
MARKS = dict(zip(STEPS, " .-=+#", strict=True))
APPEARS_SECONDS = 10.0
ROOMS_SHOWN = 12


async def watch_ledger(desk: Desk, door: Door, alert: str, until_answered: bool = False) -> None:
    """Until the alert is over, or (until_answered) all are in the wanted state; Ctrl-C before that."""
    view = Ledger(door)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch_the_line, desk, view)
        appeared = await _follow(desk, view, alert, until_answered)
        nursery.cancel_scope.cancel()
    if not appeared:
        raise exits.Failed(f"there is no alert {plain(alert)}")


async def _follow(desk: Desk, view: "Ledger", alert: str, until_answered: bool) -> bool:
    with trio.move_on_after(APPEARS_SECONDS) as appearing:
        async for snapshot in desk.watch("alerts"):
            row = next((row for row in snapshot.get("alerts", ()) if row.get("id") == alert), None)
            if row is None:
                continue
            appearing.deadline = float("inf")
            view.show(row)
            if row.get("state") != "active" or (until_answered and answered(row)):
                return True
    return False


async def _watch_the_line(desk: Desk, view: "Ledger") -> None:
    """An old ledger looks like the present one: whoever watches is told when it is old."""
    while desk.over is None:
        await desk.until(offline=True)
        if desk.over is None:
            view.offline(desk.why_offline)
        await desk.until(offline=False)
        if desk.over is None:
            view.offline("")


def answered(row: Json) -> bool:
    ledger = row.get("ledger", {})
    wanted = {"required": "acknowledged", "seen": "seen"}.get(str(row.get("ack")), "written")
    above = STEPS[STEPS.index(wanted) :]
    return bool(ledger.get("targeted")) and sum(ledger.get(step, 0) for step in above) >= ledger["targeted"]


@define
class Ledger:
    """A line for each change, or a picture that stays in its place on a terminal."""

    door: Door
    _last: Mapping[str, Any] = field(factory=dict)
    _lines: int = 0
    _at: str = ""
    """When the newest figures came."""
    _old: str = ""
    """What is to be said of figures that are old."""

    def show(self, row: Json) -> None:
        cli = self.door.cli
        self._at = time.strftime("%H:%M:%S")
        if cli.json:
            if row != self._last:
                cli.data(row)
        elif cli.color:
            self._draw(row)
        elif row != self._last:
            cli.say(line(row))
        self._last = dict(row)

    def offline(self, why: str) -> None:
        """ "": there is a line again."""
        cli = self.door.cli
        stood = f"; this is how it stood at {self._at}" if self._at else ""
        self._old = f"offline: {plain(why)}{stood}" if why else ""
        if cli.color and not cli.json and self._last:
            self._draw(self._last)
        else:
            cli.note(f"-- {self._old or 'online again'}")

    def _draw(self, row: Json) -> None:
        back = f"\x1b[{self._lines}F\x1b[J" if self._lines else ""
        text = "\n".join(each for each in (picture(row), self._old) if each)
        self._lines = text.count("\n") + 1
        self.door.cli.say(back + text)


def counts(ledger: Json) -> str:
    return "  ".join(f"{step} {ledger.get(step, 0):,}" for step in STEPS if ledger.get(step))


def calls(ledger: Json) -> str:
    """How many have asked for help, and of them those whose call was dealt with."""
    helped = ledger.get("helped", 0)
    return f"help {ledger.get('help', 0):,}" + (f" ({helped:,} dealt with)" if helped else "")


def line(row: Json) -> str:
    ledger = row.get("ledger", {})
    after = f"  joined after {ledger['joined_after']:,}" if ledger.get("joined_after") else ""
    said = f"{time.strftime('%H:%M:%S')} {name(row)} targeted {ledger.get('targeted', 0):,}  {counts(ledger)}"
    return f"{said}  {calls(ledger)}{after}{final(row)}{score(row)}"


def name(row: Json) -> str:
    state = STATES.get(str(row.get("state")), plain(str(row.get("state"))))
    word = status_word(row.get("status"))
    return f"{word + ' ' if word else ''}{plain(str(row.get('id')))} rev {row.get('rev')} {state}:"


def bar(ledger: Json, width: int = BAR) -> str:
    """Each target's share, the furthest first; the rounding goes to the last."""
    total = ledger.get("targeted", 0)
    drawn = ""
    gone = 0
    for step in reversed(STEPS):
        gone += ledger.get(step, 0)
        drawn += MARKS[step] * ((gone * width // total if total else 0) - len(drawn))
    return f"[{drawn:{width}}]"


def picture(row: Json) -> str:
    ledger = row.get("ledger", {})
    total = ledger.get("targeted", 0)
    part = 100 * ledger.get("acknowledged", 0) // total if total else 0
    lines = [
        f"{name(row)} {plain(str(row.get('headline', '')))}",
        f"sent {clock(row['sent'])}, until {clock(row['expires'])}" if row.get("sent") else "",
        f"{bar(ledger)} {part} % of {total:,} have read it",
        f"  {counts(ledger)}  {calls(ledger)}  joined after {ledger.get('joined_after', 0):,}",
    ]
    for room, inside in list(row.get("rooms", {}).items())[:ROOMS_SHOWN]:
        lines.append(
            f"  {bar(inside, 20)} {inside.get('acknowledged', 0):>6,} of {inside.get('targeted', 0):,} {plain(room)}"
        )
    lines += [said.strip() for said in (final(row), score(row)) if said]
    return "\n".join(each for each in lines if each)


def final(row: Json) -> str:
    """Of an alert that is over: where its last revision in force stood."""
    found = row.get("final")
    if not isinstance(found, Mapping):
        return ""
    return f"  at its end rev {found.get('rev')} had: {counts(found)}  {calls(found)}"


def score(row: Json) -> str:
    """Of a drill."""
    found = row.get("drill")
    if not isinstance(found, Mapping):
        return ""
    half = "-" if found.get("half_s") is None else f"{found['half_s']:.0f} s"
    most = "-" if found.get("most_s") is None else f"{found['most_s']:.0f} s"
    # Rounded down: it does not say that all have answered while one has not.
    reached, read = (int(100 * found.get(part, 0) + 1e-9) for part in ("reached", "answered"))
    return f"  score: reached {reached} %, answered {read} %, half after {half}, nine in ten after {most}"
