"""`bandstand admin`: what operators do, from a terminal. The same rights as on the operators' page."""

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from attrs import evolve

from bandstand.admin_client import Desk
from bandstand.cli import admin_alert, admin_making, admin_reads
from bandstand.cli.admin_acts import Act, How, act_options, give, given
from bandstand.cli.admin_door import DURATION, Door, door_options, remembered
from bandstand.cli.admin_reads import member_named
from bandstand.cli.lines import plain
from bandstand.cli.whole_file import whole_file


@click.group()
def command() -> None:
    """Rooms, members, alerts: the operators' side.

    Acts take --yes, --dry-run, --reason TEXT, --for 10m and --json. What is dangerous shows first what would change,
    for how many people and how it can be undone, and asks.
    """


for each in (*admin_reads.COMMANDS, *admin_making.COMMANDS):
    command.add_command(each)
command.add_command(admin_alert.alert_group, "alert")


@command.command("sign-in")
@door_options
def sign_in_command(door: Door) -> None:
    """Sign in and be remembered on this machine: no password for the next 12 hours."""
    asked = door if door.token_file else evolve(door, given=door.asked())
    remembered().keep(door.key, "operator", asked.run(_session))
    door.cli.note(f"-- signed in at {door.key}; `bandstand admin sign-out` forgets it")


async def _session(desk: Desk) -> str:
    return desk.token


@command.command("sign-out")
@door_options
def sign_out_command(door: Door) -> None:
    """End the session that this machine remembers, and forget it."""
    token = remembered().token(door.key, "operator")
    remembered().forget(door.key, "operator")
    if token and not door.leave(token):
        door.cli.note("-- forgotten here; the server was not told: there the session ends an hour after its last use")


# -- one row a command: words for people, arguments, whether it asks first

ROOM = ("room",)
MEMBER = ("member",)
MESSAGE = ("room", "seq")


def _act(
    word: str, name: str, help: str, arguments: tuple[str, ...] = (), *, in_room: bool = False, asks: bool = False
) -> None:
    """A command of one order whose arguments are words of the line. `in_room`: may be narrowed to a room."""

    def run(how: How, in_room_name: str | None = None, **values: Any) -> None:
        args = values | ({"room": in_room_name} if in_room_name else {})
        act = Act(name, args, dangerous=asks)
        if "member" in args:
            how.door.run(functools.partial(_to_member, act, how))
        else:
            give(act, how)

    run.__doc__ = help
    made: Callable[..., Any] = act_options(run)
    if in_room:
        made = click.option("--room", "in_room_name", metavar="R", help="Only in this room (default: the house).")(made)
    for argument in reversed(arguments):
        kinds: dict[str, Any] = {"seq": int, "level": click.IntRange(1, 5), "seconds": float}
        made = click.argument(argument, type=kinds.get(argument, str))(made)
    command.command(word)(made)


async def _to_member(act: Act, how: How, desk: Desk) -> None:
    member = await member_named(desk, str(act.args["member"]))
    await given(desk, Act(act.name, {**act.args, "member": member}, act.dangerous), how)


_act("freeze", "room.freeze", "Only staff may write in ROOM.", ROOM)
_act("thaw", "room.thaw", "Everybody may write in ROOM again.", ROOM)
_act("slow", "room.slow", "SECONDS between two messages of a member; 0 = off.", ("room", "seconds"))
_act("clear", "room.clear", "Hide all messages of ROOM now; they are erased in 10 minutes.", ROOM, asks=True)
_act("close", "room.close", "Nobody comes into ROOM; who is there stays.", ROOM, asks=True)
_act("reopen", "room.reopen", "People may come into ROOM again.", ROOM)
_act("evacuate", "room.evacuate", "Send everybody in ROOM to the room TO.", ("room", "to"), asks=True)
_act("return", "room.return", "Call back to ROOM who was sent elsewhere.", ROOM, asks=True)
_act(
    "lockdown",
    "house.lockdown",
    "5 normal, 4 no new rooms, 3 slow and no links, 2 only known members, 1 staff only.",
    ("level",),
    asks=True,
)
_act("calm", "house.calm", "Slow everywhere, no links, no new rooms.", asks=True)
_act("uncalm", "house.uncalm", "Back to what was before calm.")
_act(
    "kick", "member.kick", "Put MEMBER out of the house (or of a room); may come back.", MEMBER, in_room=True, asks=True
)
_act("ban", "member.ban", "MEMBER may not come in.", MEMBER, in_room=True, asks=True)
_act("unban", "member.unban", "MEMBER may come in again.", MEMBER, in_room=True)
_act("mute", "member.mute", "MEMBER may not write.", MEMBER, in_room=True)
_act("unmute", "member.unmute", "MEMBER may write again.", MEMBER, in_room=True)
_act("hide", "message.hide", "Take message SEQ of ROOM out of sight.", MESSAGE)
_act("restore", "message.restore", "Show a hidden message again.", MESSAGE)
_act("pin", "message.pin", "Keep message SEQ on top of ROOM.", MESSAGE)
_act("unpin", "message.unpin", "Pin nothing in ROOM.", ROOM)
_act("undo", "act.undo", "Put back what ACT changed, and nothing else.", ("act",))


@command.command()
@click.argument("text")
@click.option("--room", "rooms", multiple=True, metavar="R", help="Only in this room; may be repeated.")
@act_options
def announce(text: str, rooms: tuple[str, ...], how: How) -> None:
    """A notice of the house, in all rooms or in some."""
    args = {"text": text, "rooms": list(rooms)} if rooms else {"text": text}
    where = ", ".join(plain(room) for room in rooms) or "all rooms"
    give(Act("house.announce", args, dangerous=True, about=f"{where}: {plain(text)}"), how)


@command.command()
@click.argument("report")
@click.option("--dismiss", is_flag=True, help="There was nothing in it.")
@act_options
def resolve(report: str, dismiss: bool, how: How) -> None:
    """REPORT has been dealt with."""
    give(Act("report.resolve", {"report": report, "outcome": "dismissed" if dismiss else "done"}), how)


@command.command()
@click.argument("room")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV instead of JSON Lines.")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="F", help="Into file F instead of stdout.")
@door_options
def export(room: str, as_csv: bool, out: Path | None, door: Door) -> None:
    """All messages of ROOM, oldest first."""
    from bandstand.cli.admin_export import export_room

    kind = "csv" if as_csv else "jsonl"
    if out is None:
        door.run(lambda desk: export_room(desk, room, kind, lambda text: click.echo(text, nl=False)))
        return
    with whole_file(out) as file:
        count = door.run(lambda desk: export_room(desk, room, kind, file.write))
    door.cli.note(f"-- {count:,} messages in {plain(str(out))}")


@command.command()
@click.option("--since", type=DURATION, default="24h", show_default=True, metavar="2h", help="How far back.")
@click.option("--room", metavar="R", help="Only about this room.")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="F", help="As JSON Lines into file F.")
@door_options
def timeline(since: float, room: str | None, out: Path | None, door: Door) -> None:
    """Acts, alerts, faults, counts and sign-ins on one axis of time, oldest first."""
    from bandstand.cli.admin_export import export_timeline
    from bandstand.cli.tail import line

    asked = {"since": time.time() - since, **({"room": room} if room else {})}
    if out is None:

        async def tell(desk: Desk) -> None:
            async for page in desk.pages("timeline.show", asked):
                for event in page.get("items", ()):
                    door.cli.data(event) if door.cli.json else door.cli.say(line(event))

        door.run(tell)
        return
    with whole_file(out) as file:
        count = door.run(lambda desk: export_timeline(desk, asked, file.write))
    door.cli.note(f"-- {count:,} events in {plain(str(out))}")
