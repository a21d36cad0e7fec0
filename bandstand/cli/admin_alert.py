"""`bandstand admin alert`: drafts, exactly what phones will show, the typed word, and the ledger as it fills."""

import functools
import json
from itertools import count
from pathlib import Path
from typing import Any

import click
import trio
from attrs import evolve

from bandstand.admin_client import Desk
from bandstand.admin_line import Done, Json
from bandstand.cli import exits
from bandstand.cli.admin_acts import Act, How, act_options, agreed, carried_out, give, given
from bandstand.cli.admin_door import DURATION, Door, door_options
from bandstand.cli.admin_ledger import STATES, watch_ledger
from bandstand.cli.admin_phone import phone, status_word
from bandstand.cli.admin_reads import member_named, show, show_one
from bandstand.cli.lines import clock, plain

SEVERITIES = click.Choice(["extreme", "severe", "moderate", "minor", "unknown"])
URGENCIES = click.Choice(["immediate", "expected", "future", "past", "unknown"])
CERTAINTIES = click.Choice(["observed", "likely", "possible", "unlikely", "unknown"])
RESPONSES = click.Choice(["shelter", "evacuate", "prepare", "execute", "avoid", "monitor", "assess", "none"])
USUAL: dict[str, Any] = {
    "severity": "severe", "urgency": "immediate", "certainty": "observed", "response": "none",
    "expires_s": 1_800.0, "ack": "required",
}  # fmt: skip
"""Where neither the line nor the file says."""
DRAFT_LIMIT = 64 * 1024
CAP_LIMIT = 15 * 1024
"""A frame to the server may have 16 KiB, with what stands around the message."""


@click.group()
def alert_group() -> None:
    """Raise, follow and end alerts and drills."""


@alert_group.command()
@click.option("--actual", "status", flag_value="actual", help="Real: something has happened.")
@click.option("--drill", "status", flag_value="exercise", help="A drill: everybody sees that it is one.")
@click.option("--test", "status", flag_value="test", help="A test of the system.")
@click.option("--draft", type=click.Path(path_type=Path), metavar="F", help="A prepared alert: JSON of these fields.")
@click.option("--headline", metavar="TEXT", help="At most 160 characters.")
@click.option("--text", metavar="TEXT", help="What people should know and do.")
@click.option("--lang", metavar="L", help="Of headline and text (en).")
@click.option("--also", nargs=3, multiple=True, metavar="L HEADLINE TEXT", help="The same in another language.")
@click.option("--room", "rooms", multiple=True, metavar="R", help="To this room; may be repeated.")
@click.option("--zone", "zones", multiple=True, metavar="Z", help="To the rooms of this zone; may be repeated.")
@click.option("--all", "everybody", is_flag=True, help="To everybody.")
@click.option("--severity", type=SEVERITIES, help="(severe)")
@click.option("--urgency", type=URGENCIES, help="(immediate)")
@click.option("--certainty", type=CERTAINTIES, help="(observed)")
@click.option("--response", type=RESPONSES, help="What people should do (none).")
@click.option("--expires", "expires_s", type=DURATION, metavar="30m", help="In force for (30m).")
@click.option("--ack", type=click.Choice(["none", "seen", "required"]), help="The answer that is wanted (required).")
@click.option("--remind", "remind_s", type=DURATION, metavar="60s", help="Again to who has not answered; 0 = never.")
@click.option("--escalate", "escalate_s", type=DURATION, metavar="2m", help="An alarm when by then too few answered.")
@click.option("--escalate-below", type=click.FloatRange(0, 1), metavar="0.9", help="How few are too few.")
@click.option("--correction", nargs=2, metavar="HEADLINE TEXT", help="Prepared now, sent by `alert correct`.")
@click.option("--no-watch", is_flag=True, help="Do not follow how far it comes.")
@act_options
def send(how: How, status: str | None, draft: Path | None, no_watch: bool, **words: Any) -> None:
    """Raise an alert: shows the phone view and to how many, asks for the word, and follows it until Ctrl-C.

    An actual one is never sent by --yes alone: it also takes --confirm "SEND ALERT".
    """
    args = draft_args(status, _read_draft(draft), words)
    how.door.run(functools.partial(_send, args, how, no_watch))


def draft_args(status: str | None, base: Json, words: dict[str, Any]) -> dict[str, Any]:
    """The line goes over the file, the file over what is usual."""
    args = {**USUAL, **base}
    if status is not None:
        args["status"] = status
    if "status" not in args:
        raise exits.Usage("say what it is: --actual, --drill or --test")
    where = {"rooms": list(words["rooms"]), "zones": list(words["zones"]), "all": words["everybody"]}
    if any(where.values()):
        args = {name: value for name, value in args.items() if name not in where}
        args |= {name: value for name, value in where.items() if value}
    plain_fields = (
        "headline", "text", "lang", "severity", "urgency", "certainty", "response", "expires_s", "ack", "remind_s",
        "escalate_s", "escalate_below",
    )  # fmt: skip
    args |= {name: words[name] for name in plain_fields if words.get(name) is not None}
    if words["also"]:
        args["info"] = {lang: {"headline": headline, "text": text} for lang, headline, text in words["also"]}
    if words["correction"]:
        args["correction"] = dict(zip(("headline", "text"), words["correction"], strict=True))
    if not args.get("headline") and not args.get("info"):
        raise exits.Usage("an alert needs a --headline")
    if sum(bool(args.get(name)) for name in where) != 1:
        raise exits.Usage("say whom it is for: --all, or --room R, or --zone Z")
    return args


def _read_draft(path: Path | None) -> Json:
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8")[:DRAFT_LIMIT])
    except (OSError, ValueError) as error:
        raise exits.Usage(f"{plain(str(path))}: cannot be read as a draft: {error}") from error
    if not isinstance(found, dict):
        raise exits.Usage(f"{plain(str(path))}: a draft is a JSON object")
    return found


async def _send(args: dict[str, Any], how: How, no_watch: bool, desk: Desk) -> None:
    would = await desk.command("alert.raise", args, reason=how.reason, dry_run=True)
    assert isinstance(would, Done)
    seen = await desk.read("alert.preview", args)
    if how.dry_run and how.cli.json:
        how.cli.data({"command": "alert.raise", "dry_run": True, "affected": would.affected, "detail": seen})
        return
    tell = how.cli.say if how.dry_run else functools.partial(click.echo, err=True)
    tell(phone(frame_of(seen, args)))
    tell(to_whom(args, would, seen))
    if would.detail.get("second"):
        tell("a second person has to give the same order within 60 s")
    if how.dry_run:
        return
    act = Act("alert.raise", args, True, args["status"] == "actual", plain(str(args.get("headline", ""))))
    how = evolve(how, confirm=agreed(how, act, str(would.detail.get("confirm") or "")))
    done = await carried_out(desk, act, how)
    alert = str(done.detail.get("alert", ""))
    if not how.cli.json:
        how.cli.say(f"sent: {plain(alert)}; end it with: bandstand admin alert all-clear {plain(alert)}")
    if not no_watch and alert:
        await watch_ledger(desk, how.door, alert)


def frame_of(seen: Json, args: Json) -> Json:
    """As the server would send it."""
    frame = seen.get("frame")
    if isinstance(frame, str):
        frame = json.loads(frame)
    if isinstance(frame, dict):
        return frame
    words = {"headline": args.get("headline", ""), "text": args.get("text", "")}
    own = {str(args.get("lang", "en")): words} if args.get("headline") else {}
    return {**args, "info": {**own, **args.get("info", {})}}


def to_whom(args: Json, would: Done, seen: Json) -> str:
    kind = {"actual": "A REAL ALERT", "exercise": "a drill", "test": "a test"}[str(args["status"])]
    where = "everywhere" if args.get("all") else "in " + ", ".join(map(plain, args.get("rooms") or args["zones"]))
    connected = seen.get("connected", would.detail.get("connected"))
    here = "" if connected is None else f" ({connected:,} of them connected now)"
    return f"{kind} to {would.affected:,} {'person' if would.affected == 1 else 'people'} {where}{here}"


@alert_group.command()
@click.argument("alert")
@click.option("--headline", metavar="TEXT")
@click.option("--text", metavar="TEXT")
@click.option("--lang", metavar="L", help="Of headline and text.")
@click.option("--severity", type=SEVERITIES)
@click.option("--response", type=RESPONSES)
@click.option("--expires", "expires_s", type=DURATION, metavar="30m", help="In force for so long from now.")
@act_options
def update(alert: str, how: How, **changes: Any) -> None:
    """New words for ALERT. New words replace all the old ones, in every language."""
    changed = {name: value for name, value in changes.items() if value is not None}
    if not changed:
        raise exits.Usage("an update has to change something")
    give(Act("alert.update", {"alert": alert, "changes": changed}, True, about=plain(alert)), how)


@alert_group.command()
@click.argument("alert")
@click.option("--text", metavar="TEXT", default="", help="What to tell people.")
@act_options
def cancel(alert: str, text: str, how: How) -> None:
    """Withdraw ALERT: it should not have been, or no longer is."""
    give(Act("alert.cancel", {"alert": alert, "text": text}, True, about=plain(alert)), how)


@alert_group.command("all-clear")
@click.argument("alert")
@click.option("--text", metavar="TEXT", default="", help="What to tell people.")
@act_options
def all_clear(alert: str, text: str, how: How) -> None:
    """The danger of ALERT is over."""
    give(Act("alert.all_clear", {"alert": alert, "text": text}, True, about=plain(alert)), how)


@alert_group.command()
@click.argument("alert")
@act_options
def correct(alert: str, how: How) -> None:
    """Send the correction that was prepared with ALERT."""
    give(Act("alert.correct", {"alert": alert}, True), how)


@alert_group.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@act_options
def import_command(file: Path, how: How) -> None:
    """Raise the alert in FILE, a CAP 1.2 message; shows first to how many, and asks for the word."""
    try:
        with file.open("rb") as opened:
            words = opened.read(CAP_LIMIT + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise exits.Usage(f"{plain(str(file))}: cannot be read as a CAP message: {error}") from error
    if len(json.dumps(words)) > CAP_LIMIT:
        raise exits.Usage(f"{plain(str(file))}: is longer than the {CAP_LIMIT:,} bytes that fit one order")
    give(Act("alert.import", {"xml": words}, True, by_hand=True, about=plain(str(file))), how)


@alert_group.command("list")
@door_options
def list_command(door: Door) -> None:
    """Alerts with how far they have come, newest first."""
    found = door.run(lambda desk: desk.items("alert.list"))
    if not door.cli.json:
        found = [_row(row) for row in found]
    columns = ("alert", "sent", "state", "headline", "targeted", "acknowledged", "seen", "received", "help")
    show(door.cli, columns, found, "no alert was raised yet")


def _row(row: Json) -> Json:
    ledger = row.get("ledger", {})
    word = status_word(row.get("status"))
    headline = f"{word}: {row.get('headline', '')}" if word else str(row.get("headline", ""))
    state = STATES.get(str(row.get("state")), str(row.get("state")))
    return {"alert": row.get("id"), "sent": clock(row.get("sent", 0)), "state": state, "headline": headline} | {
        name: ledger.get(name) for name in ("targeted", "acknowledged", "seen", "received", "help")
    }


@alert_group.command("show")
@click.argument("alert")
@door_options
def show_command(alert: str, door: Door) -> None:
    """One alert, with all its words."""
    show_one(door.cli, door.run(lambda desk: desk.read("alert.show", {"alert": alert})))


@alert_group.command()
@click.argument("alert")
@click.option("--until-answered", is_flag=True, help="End when everybody has answered.")
@click.option("--for", "seconds", type=DURATION, default=None, metavar="10m", help="End after this time.")
@door_options
def watch(alert: str, until_answered: bool, seconds: float | None, door: Door) -> None:
    """Follow how far ALERT comes, until it is over or Ctrl-C."""

    async def follow(desk: Desk) -> None:
        with trio.move_on_after(float("inf") if seconds is None else seconds):
            await watch_ledger(desk, door, alert, until_answered)

    door.run(follow)


@alert_group.command()
@click.argument("alert")
@click.option(
    "--state",
    default="unanswered",
    show_default=True,
    help="unanswered, help, help_open, joined_after, unreachable, queued, written, received, seen or acknowledged.",
)
@click.option("--room", metavar="R", help="Only of this room.")
@click.option("--rev", type=int, help="Of this revision (default: the newest).")
@door_options
def names(alert: str, state: str, room: str | None, rev: int | None, door: Door) -> None:
    """Who has not answered ALERT, who has asked for help (--state help), or whose call waits (--state help_open)."""
    asked = {"alert": alert, "state": state} | ({"room": room} if room else {}) | ({"rev": rev} if rev else {})
    rows = door.run(functools.partial(_names, asked))
    if not door.cli.json:
        rows = [{**row, "at": clock(row["at"]) if row.get("at") else ""} for row in rows]
    show(door.cli, ("nickname", "member", "state", "at", "help", "helped", "note", "rooms"), rows, "nobody")


@alert_group.command()
@click.argument("alert")
@click.argument("member")
@act_options
def helped(alert: str, member: str, how: How) -> None:
    """The call for help of MEMBER in ALERT has been dealt with; `undo`, or another call, opens it again."""

    async def resolve(desk: Desk) -> None:
        who = await member_named(desk, member)
        await given(desk, Act("help.resolve", {"alert": alert, "member": who}), how)

    how.door.run(resolve)


async def _names(asked: dict[str, Any], desk: Desk) -> list[Json]:
    found: list[Json] = []
    for page in count(1):
        detail = await desk.read("alert.ledger", {**asked, "page": page})
        found += detail.get("items", ())
        if not detail.get("more"):
            return found
    raise AssertionError("unreachable")


@alert_group.command()
@click.argument("alert")
@door_options
def xml(alert: str, door: Door) -> None:
    """ALERT as CAP 1.2 XML."""
    detail = door.run(lambda desk: desk.read("alert.export", {"alert": alert}))
    door.cli.data(detail) if door.cli.json else click.echo(str(detail.get("xml", "")))
