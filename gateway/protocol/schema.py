"""JSON Schemas (2020-12) of all frames and the AsyncAPI 3 document, made from the attrs classes and the table of kinds.

`docs/asyncapi.json` and `docs/schemas.json` are what this makes; a test says so. What a schema cannot say stands in
docs/protocol.md."""

from collections.abc import Iterator
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from attrs import NOTHING, Attribute, fields, has

from gateway.protocol import client, server
from gateway.protocol.codes import CloseCode, verdict
from gateway.protocol.frames import CLIENT_FRAMES, SERVER_FRAMES, FrameClass
from gateway.protocol.kinds import KINDS, Schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
VERSION = "1.0.0"
"""Of the protocol: its first number is the one in the subprotocol."""
OK_NAMES: dict[type, str] = {
    server.Ok: "ok",
    server.OkJoin: "ok.join",
    server.OkSend: "ok.send",
    server.OkHistory: "ok.history",
    server.OkMembers: "ok.members",
    server.RulesFrame: "policy.now",
}
REPLIES: dict[type, tuple[type, ...]] = {
    client.Auth: (server.Ready,),
    client.Join: (server.OkJoin,),
    client.Leave: (server.Ok,),
    client.Send: (server.OkSend,),
    client.Edit: (server.OkSend,),
    client.Delete: (server.OkSend,),
    client.React: (server.Ok,),
    client.History: (server.OkHistory,),
    client.Members: (server.OkMembers,),
    client.Report: (server.Ok,),
    client.AlertReceipt: (server.Ok,),
    client.Heartbeat: (server.Ok,),
}


class Schemas:
    """`base`: where the named schemas stand in the document. `closed`: no field but the known ones, which is stricter
    than the protocol is and good for tests."""

    def __init__(self, base: str, closed: bool = False) -> None:
        self.named: dict[str, Schema] = {}
        self._base = base
        self._closed = closed
        for cls in (*CLIENT_FRAMES, *SERVER_FRAMES):
            self.ref(cls)

    def ref(self, cls: Any) -> Schema:
        key = name(cls)
        if key not in self.named:
            self.named[key] = {}
            self.named[key] = self._object(cls)
        return {"$ref": f"{self._base}/{key}"}

    def _object(self, cls: Any) -> Schema:
        tag = getattr(cls, "TAG", None)
        properties: Schema = {} if tag is None else {"type": {"const": tag}}
        required = [*properties]
        for each in fields(cls):
            wire = each.metadata.get("wire", each.name)
            properties[wire] = self._field(cls, each)
            if each.default is NOTHING:
                required.append(wire)
        schema: Schema = {"type": "object", "properties": properties, "required": required}
        if cls is client.Auth:
            schema["anyOf"] = [{"required": ["token"]}, {"required": ["nickname"]}]
        if self._closed:
            schema["additionalProperties"] = False
        return schema

    def _field(self, cls: Any, each: "Attribute[Any]") -> Schema:
        if each.default is None and cls in SERVER_FRAMES:
            # Left out, never null.
            return self.of(Union[tuple(part for part in get_args(each.type) if part is not NoneType)])  # noqa: UP007
        schema = self.of(each.type)
        if isinstance(each.default, int | str):
            schema = schema | {"default": each.default}
        return schema

    def of(self, kind: Any) -> Schema:
        if kind in KINDS:
            return dict(KINDS[kind].schema)
        if kind in (Any, NoneType):
            return {"type": "null"} if kind is NoneType else {}
        if isinstance(kind, type) and has(kind):
            return self.ref(kind)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return {"enum": [member.value for member in kind]}
        return self._generic(get_origin(kind), get_args(kind))

    def _generic(self, origin: Any, args: tuple[Any, ...]) -> Schema:
        if origin is Literal:
            return {"enum": [*args]}
        if origin in (Union, UnionType):
            return {"anyOf": [self.of(part) for part in args]}
        if origin is tuple:
            return {"type": "array", "items": self.of(args[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(args[1])}
        raise TypeError(f"no schema for {origin}")


def name(cls: Any) -> str:
    if cls in OK_NAMES:
        return f"server.{OK_NAMES[cls]}"
    if cls in CLIENT_FRAMES:
        return f"client.{cls.TAG}"
    return f"server.{cls.TAG}" if cls in SERVER_FRAMES else f"part.{cls.__name__.lower()}"


def json_schema(closed: bool = False) -> Schema:
    """One document; `#/$defs/client` and `#/$defs/server` are any frame of that direction."""
    schemas = Schemas("#/$defs", closed)
    either: dict[str, Schema] = {
        "client": {"oneOf": [schemas.ref(cls) for cls in CLIENT_FRAMES]},
        "server": {"anyOf": [schemas.ref(cls) for cls in SERVER_FRAMES]},
    }
    return {
        "$schema": DIALECT,
        "title": "Bandstand protocol v1, attendee channel",
        "anyOf": [{"$ref": "#/$defs/client"}, {"$ref": "#/$defs/server"}],
        "$defs": either | schemas.named,
    }


def asyncapi() -> Schema:
    messages = {name(cls): _message(cls) for cls in (*CLIENT_FRAMES, *SERVER_FRAMES)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Bandstand, attendee channel",
            "version": VERSION,
            "description": "Rooms and their logs over one WebSocket. The rules behind the frames: docs/protocol.md.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "attendee": {
                "address": "/ws",
                "title": "One client",
                "description": "WebSocket, subprotocol bandstand.v1; one JSON object a text message.",
                "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in messages},
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
                "x-close-codes": {str(int(code)): f"{code.text}: {verdict(code).value}" for code in CloseCode},
            }
        },
        "operations": dict(_operations()),
        "components": {"messages": messages, "schemas": Schemas("#/components/schemas").named},
    }


def _message(cls: type[FrameClass]) -> Schema:
    key = name(cls)
    summary = (cls.__doc__ or "").split("\n\n")[0].replace("\n", " ").strip()
    message: Schema = {"name": cls.TAG, "title": key, "payload": {"$ref": f"#/components/schemas/{key}"}}
    return message | ({"summary": summary} if summary else {})


def _operations() -> Iterator[tuple[str, Schema]]:
    """As the server sees it: it receives each request and replies, and it sends the rest by itself."""
    channel = {"$ref": "#/channels/attendee"}
    for cls in CLIENT_FRAMES:
        operation: Schema = {"action": "receive", "channel": channel, "messages": [_of_channel(cls)]}
        if replies := REPLIES.get(cls):
            answers = [_of_channel(reply) for reply in (*replies, server.ErrorFrame)]
            operation["reply"] = {"channel": channel, "messages": answers}
        yield cls.TAG, operation
    answers_only = {reply for replies in REPLIES.values() for reply in replies}
    pushes = [_of_channel(cls) for cls in SERVER_FRAMES if cls not in answers_only]
    yield "push", {"action": "send", "channel": channel, "messages": pushes}


def _of_channel(cls: Any) -> Schema:
    return {"$ref": f"#/channels/attendee/messages/{name(cls)}"}
