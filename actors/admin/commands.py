"""The table of all commands: who may give them, what they take, what their undo is. One row is one truth: the roles
that are enforced, the catalogue in `ready`, the pages' buttons and the tests all come from here."""

from collections.abc import Mapping
from typing import Any

from actors.admin import arguments as a
from actors.admin.orders import Denied, Spec, UndoKind
from actors.admin.parsing import BadArgument, describe, parse
from actors.admin.roles import Role
from actors.alerts.cap import from_xml
from actors.alerts.drafts import draft_of
from actors.alerts.vocabulary import Draft, Status
from actors.refusals import Refused

EXACT, COMPENSATING = UndoKind.EXACT, UndoKind.COMPENSATING
VIEWER, MODERATOR, OPERATOR, SAFETY, OWNER = Role
HOUR_S, DAY_S = 3_600.0, 86_400.0
"""No ban of an address is for ever: it may be that of a whole festival, or somebody else's tomorrow."""
NAME_MOST = 64
SECRETS = ("password",)
"""Arguments that are in no record."""
ALERT_WORDS = {Status.ACTUAL: "SEND ALERT", Status.EXERCISE: "DRILL", Status.TEST: "TEST"}


def _alert_word(draft: Draft, _event: str) -> str:
    return ALERT_WORDS[draft.status]


def _alert_role(draft: Draft) -> Role:
    return SAFETY if draft.status is Status.ACTUAL else OPERATOR


def _room_word(args: a.Evacuate, _event: str) -> str:
    return args.room


def _lockdown_word(args: a.Lockdown, _event: str) -> str:
    return "STAFF ONLY" if args.level == 1 else ""


def _wipe_word(_args: Any, event: str) -> str:
    return f"WIPE {event}"


def _always(_args: Any) -> bool:
    return True


def _actual(draft: Draft) -> bool:
    return draft.status is Status.ACTUAL


def _read(name: str, args: type, summary: str, role: Role = VIEWER) -> Spec:
    return Spec(name, role, args, summary, reads=True, recorded=name.endswith(".export"))


READS = (
    _read("room.list", a.RoomList, "rooms with who is there and how they are set"),
    _read("room.show", a.Room, "one room"),
    _read("member.list", a.MemberList, "who is here, in a room or in the house"),
    _read("member.find", a.MemberFind, "members by part of the nickname, those who have left included"),
    _read("member.show", a.Member, "one member: rooms, role, sanctions, first and last seen"),
    _read("alert.list", a.AlertList, "alerts with how far they have come, newest first"),
    _read("alert.show", a.AlertOnly, "one alert"),
    _read("alert.ledger", a.AlertLedger, "names by how far the alert has come with them"),
    _read("alert.preview", a.AlertDraft, "what would be sent, and to how many"),
    _read("act.list", a.ActList, "acts, newest first, and which can be undone"),
    _read("activity.page", a.ActivityPage, "the activity feed further back"),
    _read("timeline.show", a.Timeline, "what happened, in order, between two moments"),
    _read("report.list", a.ReportList, "what members have reported"),
    _read("house.show", a.Nothing, "the house: lockdown, calm, sanctions, version"),
    _read("room.export", a.Export, "the room's history in pages", OPERATOR),
    _read("timeline.export", a.Timeline, "the timeline as JSON Lines in pages", OPERATOR),
    _read("alert.export", a.AlertOnly, "the alert as CAP 1.2 XML", SAFETY),
    _read("operator.list", a.Nothing, "operators and their roles", OWNER),
    _read("session.list", a.Nothing, "who is signed in", OWNER),
    _read("audit.page", a.AuditPage, "the record of every order", OWNER),
    _read("audit.verify", a.Nothing, "whether the record is whole", OWNER),
)

MODERATION = (
    Spec("message.hide", MODERATOR, a.Message, "take a message out of sight", EXACT, timed=True),
    Spec("message.restore", MODERATOR, a.Message, "show a hidden message again", EXACT),
    Spec("message.pin", MODERATOR, a.Message, "keep a message on top of its room", EXACT, timed=True),
    Spec("message.unpin", MODERATOR, a.Room, "pin nothing", EXACT),
    Spec("member.mute", MODERATOR, a.MemberIn, "this member may not write", EXACT, timed=True),
    Spec("member.unmute", MODERATOR, a.MemberIn, "this member may write again", EXACT),
    Spec("member.kick", MODERATOR, a.MemberIn, "put out of a room, or out of the house; may come back"),
    Spec("member.message", MODERATOR, a.MemberMessage, "a note to one member"),
    Spec("report.resolve", MODERATOR, a.ReportResolve, "a report has been dealt with", EXACT),
    Spec("help.resolve", MODERATOR, a.HelpResolve, "a call for help in an alert has been dealt with", EXACT),
    Spec("room.slow", MODERATOR, a.RoomSlow, "seconds between two messages of a member", EXACT, timed=True),
    Spec("act.undo", MODERATOR, a.Act, "put back what an act changed"),
    Spec(
        "act.refuse",
        OPERATOR,
        a.ActRefuse,
        "say no to an order that waits for a second person, or take back one's own",
    ),
)

ROOMS = (
    Spec("room.create", OPERATOR, a.RoomCreate, "make a room", COMPENSATING),
    Spec("room.update", OPERATOR, a.RoomUpdate, "title, code, zone, capacity, official", EXACT, timed=True),
    Spec("room.freeze", OPERATOR, a.Room, "only staff may write here", EXACT, timed=True),
    Spec("room.thaw", OPERATOR, a.Room, "everybody may write again", EXACT),
    Spec("room.clear", OPERATOR, a.Room, "hide all messages now, erase them in 10 minutes", EXACT, erases=True),
    Spec("room.close", OPERATOR, a.Room, "nobody comes in; who is here stays", EXACT, timed=True),
    Spec("room.reopen", OPERATOR, a.Room, "people may come in again", EXACT),
    Spec(
        "room.evacuate",
        OPERATOR,
        a.Evacuate,
        "send everybody to another room",
        COMPENSATING,
        confirm=_room_word,
        second=_always,
    ),
    Spec("room.return", OPERATOR, a.Room, "call back who was sent elsewhere, and reopen"),
    Spec("room.delete", SAFETY, a.Room, "hide the room now, erase it in 10 minutes", EXACT, erases=True),
)

PEOPLE = (
    Spec("member.create", OPERATOR, a.MemberCreate, "a member with a token to hand out"),
    Spec("member.update", OPERATOR, a.MemberUpdate, "nickname, role, badge", EXACT, timed=True),
    Spec("member.ban", OPERATOR, a.MemberIn, "may not come in", EXACT, timed=True),
    Spec("member.revoke", OPERATOR, a.Member, "tokens issued to this member so far are worth nothing any more"),
    Spec("member.unban", OPERATOR, a.MemberIn, "may come in again", EXACT),
    Spec(
        "address.ban",
        OPERATOR,
        a.AddressBan,
        "nobody from this address comes in, for an hour if no time is given",
        EXACT,
        timed=True,
        longest_s=30 * DAY_S,
        usual_s=HOUR_S,
    ),
    Spec("address.unban", OPERATOR, a.Address, "people from this address may come in again", EXACT),
    Spec(
        "member.erase",
        SAFETY,
        a.Member,
        "hide all that a member wrote now, erase it in 10 minutes",
        EXACT,
        erases=True,
    ),
)

HOUSE = (
    Spec("house.announce", OPERATOR, a.Announce, "a notice of the house in rooms"),
    Spec("house.calm", OPERATOR, a.Nothing, "slow everywhere, no links, no new rooms", EXACT, timed=True),
    Spec("house.uncalm", OPERATOR, a.Nothing, "back to what was before"),
    Spec(
        "house.lockdown",
        SAFETY,
        a.Lockdown,
        "5 normal, 4 no new rooms, 3 slow and no links, 2 only known members speak, 1 staff only",
        EXACT,
        confirm=_lockdown_word,
        second=lambda args: args.level == 1,
        timed=True,
    ),
    Spec("house.drain", OWNER, a.Nothing, "stop the server in order", second=_always),
    Spec("house.wipe", OWNER, a.Nothing, "erase all that was said, in every room", confirm=_wipe_word, second=_always),
)

ALERTS = (
    Spec(
        "alert.raise",
        OPERATOR,
        a.AlertDraft,
        "an alert to everybody it concerns",
        confirm=_alert_word,
        least=_alert_role,
        second=_actual,
    ),
    Spec("alert.update", OPERATOR, a.AlertUpdate, "new words for an alert", as_grave_as="alert.raise"),
    Spec("alert.cancel", OPERATOR, a.AlertEnd, "withdraw an alert"),
    Spec("alert.all_clear", OPERATOR, a.AlertEnd, "the danger is over"),
    Spec("alert.correct", OPERATOR, a.AlertOnly, "send the prepared correction", as_grave_as="alert.raise"),
    Spec(
        "alert.import",
        SAFETY,
        a.AlertImport,
        "raise the alert in a CAP 1.2 message",
        confirm=_alert_word,
        second=_actual,
        as_grave_as="alert.raise",
    ),
)

OPERATORS = (
    Spec("operator.add", OWNER, a.OperatorAdd, "another operator", COMPENSATING),
    Spec("operator.update", OWNER, a.OperatorUpdate, "role, password, disabled"),
    Spec("operator.remove", OWNER, a.Operator, "no longer an operator"),
    Spec("session.leave", VIEWER, a.Nothing, "sign out: this session is over everywhere"),
    Spec("session.end", OWNER, a.SessionEnd, "sign somebody out"),
    Spec("token.create", OWNER, a.TokenCreate, "a token for a program; shown once", COMPENSATING),
    Spec("token.revoke", OWNER, a.TokenRevoke, "the token is worth nothing any more"),
)

TABLE: Mapping[str, Spec] = {
    spec.name: spec for spec in (*READS, *MODERATION, *ROOMS, *PEOPLE, *HOUSE, *ALERTS, *OPERATORS)
}


RECORDED = frozenset(name for spec in TABLE.values() for name in describe(spec.args)) - {*SECRETS}


def read_args(spec: Spec, raw: Mapping[str, Any], wall: float) -> Any | Denied:
    """`raw`: the JSON object of the command's arguments. `wall`: now, in Unix seconds."""
    try:
        if spec.args is a.AlertDraft:
            found = draft_of(raw)
            return Denied(found.reason.value, found.message) if isinstance(found, Refused) else found
        if spec.args is a.AlertImport:
            return _imported(parse(a.AlertImport, raw), wall)
        return parse(spec.args, raw)
    except BadArgument as wrong:
        return Denied("bad_frame", f"{spec.name}: {wrong.path}: {wrong}" if wrong.path else f"{spec.name}: {wrong}")


def _imported(args: a.AlertImport, wall: float) -> Draft | Denied:
    found = from_xml(args.xml, wall)
    return Denied(found.reason.value, found.message) if isinstance(found, Refused) else found


def without_secrets(raw: Mapping[str, Any]) -> dict[str, Any]:
    """For the record. What no command has is no argument that was meant, and may be a secret with its name misspelt."""
    return {name[:NAME_MOST]: value if name in RECORDED else "***" for name, value in raw.items()}
