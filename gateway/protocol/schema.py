"""JSON Schemas (2020-12) of all frames and the AsyncAPI 3 document, made from the attrs classes and their kinds.

Knows no channel by name: gateway/protocol/attendee.py describes the members', gateway/admin/schema.py the operators'.
`docs/asyncapi.json` and `docs/schemas.json` are what this makes of both; a test says so. What a schema cannot say
stands in docs/protocol.md."""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from attrs import NOTHING, Attribute, field, fields, frozen, has

from gateway.protocol.codes import CloseCode, verdict
from gateway.protocol.frames import FrameClass
from gateway.protocol.kinds import Kind, Schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
VERSION = "1.0.0"
"""Of the protocol: its first number is the one in the subprotocols."""
FrameClasses = tuple[type[FrameClass], ...]


@frozen(eq=False)
class Spoken:
    """A frame that is narrower than its class: one command of those that a `command` may hold. `schema`: of the whole
    frame, made by a function that refers to the schemas of classes. `about`: further members of its message; those
    that AsyncAPI does not know begin with `x-`."""

    key: str
    summary: str
    schema: Callable[["Schemas"], Schema]
    about: Schema


@frozen(eq=False)
class Channel:
    """One WebSocket address. `prefix` keeps its names apart from those of other channels. `names`: what stands in the
    place of a frame's tag where several share it. `replies`: what answers each request, errors aside. `spoken`: the
    narrower forms that take the place of a client's frame."""

    key: str
    address: str
    title: str
    description: str
    client: FrameClasses
    server: FrameClasses
    error: type[FrameClass]
    kinds: Mapping[Any, Kind]
    replies: Mapping[type, tuple[type[FrameClass], ...]]
    prefix: str = ""
    names: Mapping[type, str] = field(factory=dict)
    overlays: Mapping[type, Schema] = field(factory=dict)
    """What a class checks beyond its fields' kinds."""
    narrowed: Mapping[tuple[type, str], Schema] = field(factory=dict)
    """What a field really holds, where its type says less."""
    spread: Mapping[type, str] = field(factory=dict)
    """The field whose members stand in the frame itself, beside the others."""
    spoken: Mapping[type, tuple[Spoken, ...]] = field(factory=dict)

    def name(self, cls: Any) -> str:
        """Of a frame's or a part's schema."""
        word = self.names.get(cls, getattr(cls, "TAG", cls.__name__.lower()))
        side = "client" if cls in self.client else "server" if cls in self.server else "part"
        return f"{self.prefix}{side}.{word}"

    def heard(self) -> Iterator[str]:
        """The names of all that a client may say."""
        for cls in self.client:
            yield from (each.key for each in self.spoken[cls]) if cls in self.spoken else (self.name(cls),)


class Schemas:
    """Those of one channel, by name. `base`: where they stand in the document. `closed`: no field but the known ones,
    which is stricter than the protocol is and good for tests."""

    def __init__(self, channel: Channel, base: str, closed: bool = False) -> None:
        self.named: dict[str, Schema] = {}
        self._channel = channel
        self._base = base
        self._closed = closed
        for cls in (*channel.client, *channel.server):
            self.ref(cls)
            for each in channel.spoken.get(cls, ()):
                self.named[each.key] = each.schema(self)

    def ref(self, cls: Any) -> Schema:
        key = self._channel.name(cls)
        if key not in self.named:
            self.named[key] = {}
            self.named[key] = self._object(cls)
        return self.at(key)

    def at(self, key: str) -> Schema:
        return {"$ref": f"{self._base}/{key}"}

    def _object(self, cls: Any) -> Schema:
        tag, spread = getattr(cls, "TAG", None), self._channel.spread.get(cls)
        properties: Schema = {} if tag is None else {"type": {"const": tag}}
        required = [*properties]
        for each in fields(cls):
            if each.name == spread:
                continue
            wire = each.metadata.get("wire", each.name)
            properties[wire] = self._field(cls, each)
            if each.default is NOTHING:
                required.append(wire)
        schema: Schema = {"type": "object", "properties": properties, "required": required}
        if self._closed and spread is None:
            schema["additionalProperties"] = False
        return schema | self._channel.overlays.get(cls, {})

    def _field(self, cls: Any, each: "Attribute[Any]") -> Schema:
        if (cls, each.name) in self._channel.narrowed:
            return dict(self._channel.narrowed[cls, each.name])
        if each.default is None and cls in self._channel.server:
            # Left out, never null.
            return self.of(Union[tuple(part for part in get_args(each.type) if part is not NoneType)])  # noqa: UP007
        schema = self.of(each.type)
        if isinstance(each.default, int | str):
            schema = schema | {"default": each.default}
        return schema

    def of(self, kind: Any) -> Schema:
        kinds = self._channel.kinds
        if kind in kinds:
            return dict(kinds[kind].schema)
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
            # Words of a list, or a str: readers bear with others, but only those of the list are sent.
            listed = [part for part in args if isinstance(part, type) and issubclass(part, Enum)]
            return self.of(listed[0]) if listed else {"anyOf": [self.of(part) for part in args]}
        if origin is tuple:
            return {"type": "array", "items": self.of(args[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(args[1])}
        raise TypeError(f"no schema for {origin}")


def json_schema(*channels: Channel, closed: bool = False) -> Schema:
    """One document; `#/$defs/client` and `#/$defs/server` (with a channel's prefix) are any frame of that direction."""
    sides: dict[str, Schema] = {}
    named: dict[str, Schema] = {}
    for channel in channels:
        schemas = Schemas(channel, "#/$defs", closed)
        sides[f"{channel.prefix}client"] = {"oneOf": [schemas.at(key) for key in channel.heard()]}
        sides[f"{channel.prefix}server"] = {"anyOf": [schemas.ref(cls) for cls in channel.server]}
        named |= schemas.named
    return {
        "$schema": DIALECT,
        "title": "Bandstand protocol v1",
        "anyOf": [{"$ref": f"#/$defs/{side}"} for side in sides],
        "$defs": sides | named,
    }


def asyncapi(*channels: Channel) -> Schema:
    messages = {key: message for channel in channels for key, message in _messages(channel)}
    schemas = [Schemas(channel, "#/components/schemas").named for channel in channels]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Bandstand",
            "version": VERSION,
            "description": "Rooms and their logs over one WebSocket, and the operators' orders over another. "
            "The rules behind the frames: docs/protocol.md.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {channel.key: _channel(channel) for channel in channels},
        "operations": {key: operation for channel in channels for key, operation in _operations(channel)},
        "components": {
            "messages": messages,
            "schemas": {key: schema for named in schemas for key, schema in named.items()},
        },
    }


def _channel(channel: Channel) -> Schema:
    return {
        "address": channel.address,
        "title": channel.title,
        "description": channel.description,
        "messages": {key: {"$ref": f"#/components/messages/{key}"} for key, _ in _messages(channel)},
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
        "x-close-codes": {str(int(code)): f"{code.text}: {verdict(code).value}" for code in CloseCode},
    }


def _messages(channel: Channel) -> Iterator[tuple[str, Schema]]:
    for cls in (*channel.client, *channel.server):
        spoken = channel.spoken.get(cls)
        if spoken is None:
            yield channel.name(cls), _message(cls, channel.name(cls), _summary(cls))
        else:
            yield from ((each.key, _message(cls, each.key, each.summary) | each.about) for each in spoken)


def _message(cls: type[FrameClass], key: str, summary: str) -> Schema:
    message: Schema = {"name": cls.TAG, "title": key, "payload": {"$ref": f"#/components/schemas/{key}"}}
    return message | ({"summary": summary} if summary else {})


def _summary(cls: type[FrameClass]) -> str:
    return (cls.__doc__ or "").split("\n\n")[0].replace("\n", " ").strip()


def _operations(channel: Channel) -> Iterator[tuple[str, Schema]]:
    """As the server sees it: it receives each request and replies, and it sends the rest by itself."""
    where = {"$ref": f"#/channels/{channel.key}"}

    def refs(*keys: str) -> list[Schema]:
        return [{"$ref": f"#/channels/{channel.key}/messages/{key}"} for key in keys]

    for cls in channel.client:
        keys = [each.key for each in channel.spoken[cls]] if cls in channel.spoken else [channel.name(cls)]
        operation: Schema = {"action": "receive", "channel": where, "messages": refs(*keys)}
        if replies := channel.replies.get(cls):
            answers = (channel.name(reply) for reply in (*replies, channel.error))
            operation["reply"] = {"channel": where, "messages": refs(*answers)}
        yield f"{channel.prefix}{cls.TAG}", operation
    answers_only = {reply for replies in channel.replies.values() for reply in replies}
    pushes = (channel.name(cls) for cls in channel.server if cls not in answers_only)
    yield f"{channel.prefix}push", {"action": "send", "channel": where, "messages": refs(*pushes)}
