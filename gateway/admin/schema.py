"""The operators' channel for machines: its frames, and one message for each command with its role and its arguments,
made from the command table. What a schema cannot say (arguments of which one is to be given) stands in
docs/protocol.md."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import partial
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from attrs import NOTHING, Attribute, fields

from actors.admin import arguments
from actors.admin.commands import TABLE
from actors.admin.orders import EXTRA_CODES, Spec, UndoKind
from actors.admin.parsing import LIST_LIMIT, MAX_INT, TEXT_LIMIT
from actors.admin.roles import Role
from actors.alerts import drafts
from actors.alerts.vocabulary import LANGUAGE, ZONE, Ack, Certainty, Response, Severity, Urgency
from actors.names import MEMBER_ID, MemberId, Nickname, RoomCode, RoomName
from actors.refusals import Reason
from gateway.admin.watches import ROOM, TOPICS
from gateway.protocol import admin
from gateway.protocol.admin_codec import ADMIN_KINDS
from gateway.protocol.kinds import KINDS, Schema
from gateway.protocol.schema import Channel, Schemas, Spoken

PREFIX = "admin."


def _words(*words: str) -> Schema:
    return {"enum": [*words]}


def _values(words: type[StrEnum]) -> Schema:
    return _words(*(word.value for word in words))


def _text(most: int) -> Schema:
    return {"type": "string", "maxLength": most}


def _given(*names: str) -> Schema:
    """A field of these that is null is as good as absent."""
    return {"required": [*names], "properties": {name: {"type": "string"} for name in names}}


def _number(low: float, high: float) -> Schema:
    return {"type": "number", "minimum": low, "maximum": high}


TOPIC: Schema = {"type": "string", "pattern": f"^({'|'.join(TOPICS)}|{ROOM}.+)$", "maxLength": 64}
ROLES = _words(*(role.word for role in Role))
ALERT_TEXT: Schema = {
    "type": "object",
    "properties": {"headline": {**_text(drafts.HEADLINE_LIMIT), "minLength": 1}, "text": _text(drafts.TEXT_LIMIT)},
    "required": ["headline"],
    "additionalProperties": False,
}
DRAFT: Mapping[str, Schema] = {
    "severity": _values(Severity),
    "urgency": _values(Urgency),
    "certainty": _values(Certainty),
    "response": _values(Response),
    "expires_s": _number(1, drafts.LONGEST_S),
    "headline": _text(drafts.HEADLINE_LIMIT),
    "text": _text(drafts.TEXT_LIMIT),
    "lang": {"type": "string", "pattern": f"^{LANGUAGE.pattern}$"},
    "info": {"type": "object", "maxProperties": drafts.LANGUAGES, "additionalProperties": ALERT_TEXT},
    "rooms": {"type": "array", "items": KINDS[RoomName].schema, "minItems": 1, "maxItems": drafts.ROOMS},
    "zones": {
        "type": "array",
        "items": {"type": "string", "pattern": f"^{ZONE.pattern}$"},
        "minItems": 1,
        "maxItems": drafts.ZONES,
    },
    "ack": _values(Ack),
    "remind_s": {"anyOf": [{"const": 0}, _number(5, 86_400)]},
    "receipt_spread_ms": _number(0, drafts.SPREAD_MS),
    "correction": ALERT_TEXT,
    "escalate_s": _number(1, drafts.LONGEST_S),
    "escalate_below": _number(0, 1),
}
"""An alert's arguments are read by actors/alerts/drafts.py, which takes less than their types say."""


# -- arguments ---------------------------------------------------------------------------------------------------------


def args_schema(cls: type) -> Schema:
    """As actors/admin/parsing.py reads them: nothing is taken that is not listed."""
    draft = DRAFT if cls is arguments.AlertDraft else {}
    properties: Schema = {}
    for each in fields(cls):
        schema = draft.get(each.name) or _argument(each)
        if draft and each.default is not NOTHING:
            schema = {"anyOf": [schema, {"type": "null"}]}
        properties[each.name] = schema
    needed = [each.name for each in fields(cls) if each.default is NOTHING]
    schema = {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}
    return schema | ({"description": said} if (said := _said(cls)) else {})


def _said(cls: type) -> str:
    """attrs writes a docstring of its own where there is none."""
    said = (cls.__doc__ or "").replace("\n", " ").strip()
    return "" if said.startswith(("Method generated", f"{cls.__name__}(")) else re.sub(r"\s+", " ", said)


def _argument(each: "Attribute[Any]") -> Schema:
    limit = each.metadata.get("limit", TEXT_LIMIT)
    low, high = each.metadata.get("between", (0, MAX_INT))
    return _of(each.type, limit, low, high)


def _of(kind: Any, limit: int, low: float, high: float) -> Schema:
    simple: dict[Any, Schema] = {
        str: _text(limit),
        bool: {"type": "boolean"},
        int: {"type": "integer", "minimum": low, "maximum": high},
        float: _number(low, high),
        **{name: KINDS[name].schema for name in (RoomName, RoomCode, Nickname)},
        MemberId: {"type": "string", "pattern": f"^{MEMBER_ID.pattern}$"},
    }
    if kind in simple:
        return simple[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _words(*args)
    if origin is tuple:
        return {"type": "array", "items": _of(args[0], limit, low, high), "maxItems": LIST_LIMIT}
    if NoneType in args:
        return {"anyOf": [_of(part, limit, low, high) if part is not NoneType else {"type": "null"} for part in args]}
    return {"type": "object"}


# -- commands ----------------------------------------------------------------------------------------------------------


def _key(cls: type) -> str:
    return f"{PREFIX}args.{re.sub(r'(?<=[a-z])(?=[A-Z])', '_', cls.__name__).lower()}"


def _command(spec: Spec, schemas: Schemas) -> Schema:
    """The frame that gives this command."""
    key = _key(spec.args)
    args = schemas.named.setdefault(key, args_schema(spec.args))
    schema: Schema = {
        "allOf": [schemas.ref(admin.Command)],
        "properties": {"name": {"const": spec.name}, "args": schemas.at(key)},
        "required": ["args"] if args["required"] else [],
    }
    if not spec.reads:
        once: Schema = {"required": ["dry_run"], "properties": {"dry_run": {"const": True}}}
        schema["anyOf"] = [_given("cid"), once]
        until: list[Schema] = [_number(1, spec.longest_s)] if spec.timed else []
        schema["properties"]["ttl_s"] = {"anyOf": [*until, {"type": "null"}]}
    return schema


def _commands() -> Iterator[Spoken]:
    for spec in TABLE.values():
        about = {
            "role": spec.role.word,
            "undo": spec.undo.value,
            "reads": spec.reads,
            "timed": spec.timed,
            "confirm": spec.confirm is not None,
            "second": spec.second is not None or bool(spec.as_grave_as),
        }
        message = {"title": spec.name, "tags": [{"name": spec.role.word}], "x-command": {"name": spec.name, **about}}
        yield Spoken(f"{PREFIX}command.{spec.name}", spec.summary, partial(_command, spec), message)


ADMIN = Channel(
    key="admin",
    address="/admin/ws",
    title="One operator, or one program of an operator",
    description=(
        "WebSocket, subprotocol bandstand.admin.v1; one JSON object a text message. Each command is a message of its "
        "own: x-command says the least role that may give it (viewer, moderator, operator, safety, owner: each may do "
        "what the ones before it may), its undo (exact, compensating, none), whether it only reads, can be given for a "
        "time, may ask for typed words, and may demand a second person."
    ),
    client=(admin.Auth, admin.Command, admin.Watch, admin.Unwatch, admin.Heartbeat),
    server=get_args(admin.AdminServerFrame),
    error=admin.ErrorFrame,
    kinds=ADMIN_KINDS,
    prefix=PREFIX,
    names={admin.OkCommand: "ok.command", admin.OkPending: "ok.pending", admin.CommandCard: "card"},
    replies={
        admin.Auth: (admin.Ready,),
        admin.Command: (admin.OkCommand, admin.OkPending),
        admin.Watch: (admin.Ok,),
        admin.Unwatch: (admin.Ok,),
        admin.Heartbeat: (admin.Ok,),
    },
    overlays={
        admin.Auth: {"oneOf": [{**_given("token"), "not": _given("setup")}, _given("operator", "password")]},
    },
    narrowed={
        (admin.Watch, "topic"): TOPIC,
        (admin.Unwatch, "topic"): TOPIC,
        (admin.Ready, "role"): ROLES,
        (admin.CommandCard, "role"): ROLES,
        (admin.CommandCard, "undo"): _values(UndoKind),
        (admin.OkCommand, "undo"): _values(UndoKind),
        (admin.ErrorFrame, "code"): _words(*(reason.value for reason in Reason), *EXTRA_CODES),
    },
    spread={admin.Snapshot: "body"},
    spoken={admin.Command: tuple(_commands())},
)
