"""What operators ask of a terminal: rooms, people, reports, acts, the house."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import click

from bandstand.admin_client import Desk
from bandstand.admin_line import Json
from bandstand.cli import exits
from bandstand.cli.admin_door import Door, door_options
from bandstand.cli.context import Cli
from bandstand.cli.lines import moment, plain

TIMES = frozenset(
    {"at", "created", "expires", "first_seen", "last_seen", "lockdown_since", "sent", "undo_until", "until"}
)
"""Fields that hold Unix seconds."""
FOUND = 200
"""Members that a name finds at most; there is no second page."""


def text(value: object) -> str:
    """A cell: harmless, and empty where there is nothing."""
    if value is None or value is False or value == "":
        return ""
    if value is True:
        return "yes"
    if isinstance(value, Mapping):
        return " ".join(f"{plain(str(name))}={text(each) or '-'}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(text(each) or "-" for each in value)
    return f"{value:g}" if isinstance(value, float) else plain(str(value))


def cell(name: str, value: object) -> str:
    """As `text`; what is a time as one that people read."""
    return moment(value) if name in TIMES and isinstance(value, float) and value else text(value)


def table(names: Iterable[str], rows: Iterable[Json]) -> str:
    """Columns of text, those without any content left out."""
    names = list(names)
    cells = [[cell(name, row.get(name)) for name in names] for row in rows]
    wanted = [at for at, name in enumerate(names) if any(row[at] for row in cells)]
    lines = [[names[at] for at in wanted], *([row[at] for at in wanted] for row in cells)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def show(cli: Cli, names: Iterable[str], rows: list[Json], none: str) -> None:
    if cli.json:
        for row in rows:
            cli.data(row)
    elif rows:
        cli.say(table(names, rows))
    else:
        cli.note(f"-- {none}")


def show_some(cli: Cli, names: Iterable[str], page: Json, none: str) -> None:
    """Of a list that is asked for once and has no second page."""
    show(cli, names, list(page.get("items", ())), none)
    if page.get("more"):
        cli.note("-- there are more than these")


def show_one(cli: Cli, detail: Json) -> None:
    if cli.json:
        cli.data(detail)
        return
    for name, value in detail.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            cli.say(f"{plain(name)}:")
            cli.say("\n".join(f"  {line}" for line in table(value[0], value).split("\n")))
        else:
            cli.say(f"{plain(name)}: {cell(name, value) or '-'}")


async def member_named(desk: Desk, who: str) -> str:
    """The id of the member `who`: an id, or a nickname that only one member has."""
    if who.startswith("m_"):
        return who
    page = await desk.read("member.find", {"text": who, "limit": FOUND})
    found = page.get("items", ())
    if page.get("more"):
        # Among those that are not listed there may be another one of that name.
        raise exits.Usage(f"{plain(who)}: too many people have that in their names; give the id (admin who --find)")
    same = [row for row in found if str(row.get("nickname", "")).casefold() == who.casefold()]
    if len(same) == 1:
        return str(same[0]["member"])
    known = [f"{plain(str(row.get('nickname')))} {plain(str(row.get('member')))}" for row in (same or found)[:10]]
    raise exits.Usage(
        f"{plain(who)}: " + ("who of them? give the id: " + "; ".join(known) if known else "nobody has that name")
    )


ROOM_COLUMNS = ("room", "title", "code", "zone", "online", "state", "frozen", "slow_s", "closed", "official")
MEMBER_COLUMNS = ("nickname", "member", "room", "rooms", "role", "badge", "connected", "online")


@click.command()
@click.option("--zone", metavar="Z", help="Only of this zone.")
@door_options
def rooms(zone: str | None, door: Door) -> None:
    """Rooms, with who is there and how they are set."""
    rows = door.run(lambda desk: desk.items("room.list", {"zone": zone} if zone else {}))
    show(door.cli, ROOM_COLUMNS, rows, "no rooms")


@click.command()
@click.argument("room")
@door_options
def room_command(room: str, door: Door) -> None:
    """One room."""
    show_one(door.cli, door.run(lambda desk: desk.read("room.show", {"room": room})))


@click.command()
@click.argument("room", required=False)
@click.option("--find", "part", metavar="TEXT", help="By part of the nickname, those who have left included.")
@click.option("--member", metavar="M", help="One member: rooms, role, sanctions.")
@door_options
def who(room: str | None, part: str | None, member: str | None, door: Door) -> None:
    """Who is here, in ROOM or in the house."""
    if member is not None:
        show_one(door.cli, door.run(functools.partial(_member, member)))
        return
    if part is not None:
        found = door.run(lambda desk: desk.read("member.find", {"text": part, "limit": FOUND}))
        show_some(door.cli, MEMBER_COLUMNS, found, "nobody")
        return
    rows = door.run(lambda desk: desk.items("member.list", {"room": room} if room else {}))
    show(door.cli, MEMBER_COLUMNS, rows, "nobody")


async def _member(member: str, desk: Desk) -> Json:
    return await desk.read("member.show", {"member": await member_named(desk, member)})


@click.command()
@click.option("--all", "closed_too", is_flag=True, help="Those that were dealt with, too.")
@door_options
def reports(closed_too: bool, door: Door) -> None:
    """What members have reported."""
    rows = door.run(lambda desk: desk.items("report.list", {"open": not closed_too}, "before"))
    columns = ("at", "report", "id", "room", "seq", "nickname", "why", "text", "outcome")
    show(door.cli, columns, rows, "nothing is waiting")


@click.command()
@click.option("--by", metavar="O", help="Only of this operator.")
@click.option("-n", "count", type=click.IntRange(1, 200), default=20, show_default=True, help="How many.")
@door_options
def acts(by: str | None, count: int, door: Door) -> None:
    """What was done, newest first, and what of it can be undone."""
    asked: dict[str, Any] = {"limit": count} | ({"operator": by} if by else {})
    rows = list(door.run(lambda desk: desk.read("act.list", asked)).get("items", ()))
    columns = ("at", "act", "operator", "command", "args", "reason", "undo", "undo_until", "undone")
    show(door.cli, columns, rows, "nothing was done yet")


@click.command()
@door_options
def house(door: Door) -> None:
    """The house: lockdown, calm, sanctions, version."""
    show_one(door.cli, door.run(lambda desk: desk.read("house.show")))


def _named(command: click.Command, name: str) -> click.Command:
    command.name = name
    return command


COMMANDS: tuple[click.Command, ...] = (rooms, _named(room_command, "room"), who, reports, acts, house)
