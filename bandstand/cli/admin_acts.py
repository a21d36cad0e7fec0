"""Giving an order from a terminal: what it would do, whether it is meant, how it ended."""

from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Any

import click
from attrs import evolve, field, frozen

from bandstand.admin_client import Desk
from bandstand.admin_line import Done, Json, Waiting
from bandstand.cli import exits
from bandstand.cli.admin_door import DURATION, Door, door_options
from bandstand.cli.context import Cli
from bandstand.cli.lines import clock, moment, plain

UNDO = {"compensating": "another command makes up for it", "none": "cannot be undone"}


@frozen
class How:
    """How an order is to be given, besides what it is."""

    door: Door
    yes: bool = False
    dry_run: bool = False
    reason: str = ""
    ttl_s: float | None = None
    confirm: str = ""
    confirm_of: str | None = None
    break_glass: bool = False

    @property
    def cli(self) -> Cli:
        return self.door.cli


@frozen
class Act:
    """`dangerous`: shown and asked about first. `by_hand`: --yes alone does not type the confirm word."""

    name: str
    args: Mapping[str, Any] = field(factory=dict)
    dangerous: bool = False
    by_hand: bool = False
    about: str = ""
    """In the line that says it is done; the arguments where it is empty."""

    def said(self) -> str:
        words = self.about or " ".join(plain(str(value)) for value in self.args.values())
        return f"{self.name} {words}".rstrip()


def act_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options of orders and the door's; it is called with `how`."""

    def run(*args: Any, door: Door, **kwargs: Any) -> Any:
        names = ("yes", "dry_run", "reason", "ttl_s", "confirm", "confirm_of", "break_glass")
        return command(*args, how=How(door, *(kwargs.pop(name) for name in names)), **kwargs)

    update_wrapper(run, command)
    for add in (
        click.option("--break-glass", is_flag=True, help="Without the second person; told to everybody."),
        click.option("--confirm-of", metavar="P", help="Be the second person of the order that waits as P."),
        click.option("--confirm", metavar="WORDS", default="", help="The words that are asked for, typed beforehand."),
        click.option("--for", "ttl_s", type=DURATION, metavar="10m", help="Put back by itself after this time."),
        click.option("--reason", metavar="TEXT", default="", help="Why; people and the record are told."),
        click.option("--dry-run", is_flag=True, help="Only say what would change, and for how many."),
        click.option("-y", "--yes", is_flag=True, help="Do not ask."),
    ):
        run = add(run)
    return door_options(run)


def give(act: Act, how: How) -> None:
    """The whole of it: exit 0 done (or a dry run), 1 not done, 4 refused."""
    how.door.run(lambda desk: given(desk, act, how))


async def given(desk: Desk, act: Act, how: How) -> Done | None:
    """None: it was only to be seen what it would do."""
    if how.dry_run or act.dangerous:
        would = await desk.command(act.name, act.args, reason=how.reason, ttl_s=how.ttl_s, dry_run=True)
        if isinstance(would, Done):
            if how.dry_run and how.cli.json:
                how.cli.data(record(act, would))
            elif how.dry_run or not how.yes:
                show_would(how, act, would)
            if how.dry_run:
                return None
            how = evolve(how, confirm=agreed(how, act, str(would.detail.get("confirm") or "")))
    return await carried_out(desk, act, how)


async def carried_out(desk: Desk, act: Act, how: How) -> Done:
    """Without asking."""
    ended = await desk.command(
        act.name,
        act.args,
        reason=how.reason,
        ttl_s=how.ttl_s,
        confirm=how.confirm,
        confirm_of=how.confirm_of,
        break_glass=how.break_glass,
    )
    if how.cli.json:
        how.cli.data(record(act, ended))
    if isinstance(ended, Waiting):
        other = f"the same command with --confirm-of {plain(ended.pending)}"
        raise exits.Failed(f"not done yet: a second person has until {clock(ended.expires)} to give {other}")
    if not how.cli.json:
        how.cli.say(done(act, ended))
    return ended


def agreed(how: How, act: Act, word: str) -> str:
    """The confirm word, typed by somebody; "" where none is asked for. Raises where it is not meant."""
    if how.confirm and how.confirm != word:
        raise exits.Usage(f'--confirm "{plain(word)}" is asked for' if word else "there is nothing to --confirm here")
    if how.confirm or (how.yes and not (word and act.by_hand)):
        return word
    if how.yes:
        raise exits.Usage(f'for this --yes is not enough: --confirm "{plain(word)}"')
    if not how.door.asks():
        more = f' --confirm "{plain(word)}"' if word and act.by_hand else ""
        raise exits.Usage(f"this asks first, and there is no terminal to ask at: --yes{more} or --dry-run")
    if word:
        if click.prompt(f"type {plain(word)} to do it", err=True, default="", show_default=False).strip() != word:
            raise exits.Failed("nothing was done")
    elif not click.confirm("do it?", err=True):
        raise exits.Failed("nothing was done")
    return word


def show_would(how: How, act: Act, would: Done) -> None:
    """On stdout for a dry run, which is asked for; beside the question otherwise."""
    tell = how.cli.say if how.dry_run else lambda line: click.echo(line, err=True)
    tell(f"would: {act.said()}: {people(would.affected)}; {undoing(would)}")
    for change in would.detail.get("changes", ()):
        tell(f"  {change_line(change)}")
    if would.detail.get("second"):
        tell("  a second person has to give the same order within 60 s")


def change_line(change: Json) -> str:
    what = " ".join(plain(str(part)) for part in change.get("what", ()))
    return f"{what}: {_value(change, 'before')} -> {_value(change, 'after')}"


def _value(change: Json, name: str) -> str:
    value = change.get(name)
    return "nothing" if value is None else plain(str(value))


def people(count: int) -> str:
    return f"{count:,} {'person notices' if count == 1 else 'people notice'} it"


def undoing(done: Done) -> str:
    """How it can be undone, in words."""
    if done.undo == "exact":
        until = f" until {moment(done.undo_until)}" if done.undo_until else ""
        return f"undo: bandstand admin undo {done.act}{until}" if done.act else f"can be undone{until}"
    back = done.detail.get("undo_with")
    return f"undo by {plain(str(back))}" if back else UNDO.get(done.undo, plain(done.undo))


def done(act: Act, ended: Done) -> str:
    return f"done: {act.said()}: {people(ended.affected)}; {undoing(ended)}"


def record(act: Act, ended: Done | Waiting) -> dict[str, Any]:
    """For programs."""
    said: dict[str, Any] = {"command": act.name, "args": dict(act.args)}
    if isinstance(ended, Waiting):
        return said | {"pending": ended.pending, "expires": ended.expires, "detail": dict(ended.detail)}
    fields = ("act", "rev", "affected", "undo", "undo_until", "dry_run")
    return said | {name: getattr(ended, name) for name in fields} | {"detail": dict(ended.detail)}
