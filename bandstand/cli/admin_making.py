"""What operators make, change and remove from a terminal: rooms, members, addresses that are shut out."""

import functools
import ipaddress
from collections.abc import Callable
from typing import Any

import click

from bandstand.admin_client import Desk
from bandstand.cli import exits
from bandstand.cli.admin_acts import Act, How, act_options, give, given
from bandstand.cli.admin_reads import member_named
from bandstand.cli.lines import plain

CAPACITY = click.IntRange(0, 1_000_000)


def _room_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for add in (
        click.option("--official/--unofficial", default=None, help="One of the organisers' own."),
        click.option(
            "--capacity",
            type=CAPACITY,
            metavar="N",
            help="Members at most; 0 in an update: as many as the server allows.",
        ),
        click.option("--zone", metavar="Z", help="Where it is; alerts can be sent to a zone."),
        click.option("--code", metavar="C", help="For coming in, such as blue-stage-42."),
        click.option("--title", metavar="TEXT", help="As people read it."),
    ):
        command = add(command)
    return command


def _said(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


@click.command()
@click.argument("room")
@_room_options
@act_options
def create(room: str, how: How, **values: Any) -> None:
    """Make ROOM."""
    give(Act("room.create", {"room": room, **_said(values)}), how)


@click.command()
@click.argument("room")
@_room_options
@act_options
def update(room: str, how: How, **values: Any) -> None:
    """Change title, code, zone or capacity of ROOM."""
    give(Act("room.update", {"room": room, **_changes(values)}), how)


@click.command()
@click.argument("room")
@act_options
def delete(room: str, how: How) -> None:
    """Hide ROOM now; it is erased in 10 minutes."""
    give(Act("room.delete", {"room": room}, dangerous=True), how)


def _changes(values: dict[str, Any]) -> dict[str, Any]:
    changed = _said(values)
    if not changed:
        raise exits.Usage("an update has to change something")
    return changed


@click.group()
def member() -> None:
    """Make, change, write to, sign out or erase a member. `admin who` finds them."""


@member.command("create")
@click.argument("nickname")
@click.option("--role", metavar="R", help="staff: speaks while a room is frozen.")
@click.option("--badge", metavar="B", help="Shown beside the name, such as steward.")
@act_options
def create_member(nickname: str, how: How, **values: Any) -> None:
    """A member with a token to hand out; it is printed once."""
    how.door.run(functools.partial(_create_member, Act("member.create", {"nickname": nickname, **_said(values)}), how))


async def _create_member(act: Act, how: How, desk: Desk) -> None:
    made = await given(desk, act, how)
    if made is not None and not how.cli.json:
        how.cli.say(f"member: {plain(str(made.detail.get('member', '')))}")
        how.cli.say(f"token: {plain(str(made.detail.get('token', '')))}")
        how.cli.note("-- the token is shown once: whoever has it is this member")


@member.command("update")
@click.argument("who")
@click.option("--nickname", metavar="N")
@click.option("--role", metavar="R", help='"" takes it away.')
@click.option("--badge", metavar="B", help='"" takes it away.')
@act_options
def update_member(who: str, how: How, **values: Any) -> None:
    """Nickname, role or badge of the member WHO."""
    _to_member("member.update", who, how, _changes(values))


@member.command()
@click.argument("who")
@click.argument("text")
@act_options
def message(who: str, text: str, how: How) -> None:
    """A note that only the member WHO reads."""
    _to_member("member.message", who, how, {"text": text})


@member.command()
@click.argument("who")
@act_options
def erase(who: str, how: How) -> None:
    """Hide all that the member WHO wrote now; it is erased in 10 minutes."""
    _to_member("member.erase", who, how, {}, dangerous=True)


@member.command("revoke")
@click.argument("who")
@act_options
def revoke_member(who: str, how: How) -> None:
    """Tokens of the member WHO are worth nothing any more, for one that was stolen: it lets nobody in as WHO."""
    _to_member("member.revoke", who, how, {}, dangerous=True)


def _to_member(name: str, who: str, how: How, args: dict[str, Any], dangerous: bool = False) -> None:
    async def order(desk: Desk) -> None:
        await given(desk, Act(name, {"member": await member_named(desk, who), **args}, dangerous), how)

    how.door.run(order)


@click.command("ban-address")
@click.argument("whose")
@act_options
def ban_address(whose: str, how: How) -> None:
    """Nobody comes in from WHOSE address: an IP address, or that of a member who is here. For an hour, or for --for."""
    try:
        address = str(ipaddress.ip_address(whose))
    except ValueError:
        _to_member("address.ban", whose, how, {}, dangerous=True)
    else:
        give(Act("address.ban", {"address": address}, dangerous=True), how)


@click.command("unban-address")
@click.argument("address")
@act_options
def unban_address(address: str, how: How) -> None:
    """People from ADDRESS may come in again."""
    give(Act("address.unban", {"address": address}), how)


@click.command()
@click.argument("pending")
@act_options
def refuse(pending: str, how: How) -> None:
    """Say no to the order that waits for a second person as PENDING, or take back one's own."""
    give(Act("act.refuse", {"pending": pending}), how)


COMMANDS: tuple[click.Command, ...] = (create, update, delete, member, ban_address, unban_address, refuse)
