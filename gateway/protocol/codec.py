"""JSON <-> frames. Bytes are bounded first, then parsed once, then structured by strict hooks that were looked up at
start. Whatever is wrong with a frame is a BadFrame or an UnknownType, never anything else.

Repeated keys: the last one wins. No other parser judges a frame before this one, so there is nobody to disagree with
(docs/decisions/0002-wire-decoding.md)."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from operator import eq
from typing import Any, Generic, TypeVar, get_args

import msgspec
from attrs import fields
from cattrs import AttributeValidationNote, ClassValidationError, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.preconf.msgspec import MsgspecJsonConverter, make_converter

from actors.names import TEXT_LIMIT
from actors.refusals import Reason
from gateway.protocol import client, server
from gateway.protocol.codes import Scope
from gateway.protocol.frames import CLIENT_FRAMES, SERVER_FRAMES, ClientFrame, FrameClass, ServerFrame
from gateway.protocol.kinds import MAX_INT, BadValue, Kind, kinds, text

CLIENT_FRAME_BYTES = 16 * 1024
SERVER_FRAME_BYTES = 64 * 1024

F = TypeVar("F")
Structure = Callable[[Any, Any], Any]


class BadFrame(Exception):
    """Not a frame. `path`: where, in the frame's own words ("since.seq"; empty = the whole of it). `re`: its id, if it
    has a readable one. `reason`: bad_frame or too_big."""

    def __init__(self, path: str, message: str, re: int | None = None, reason: Reason = Reason.BAD_FRAME) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message
        self.re = re
        self.reason = reason


class UnknownType(Exception):
    """A frame of a type that this version does not have. Clients ignore it, the server says so."""

    def __init__(self, tag: str, re: int | None = None) -> None:
        super().__init__(f"unknown type {tag[:32]!r}")
        self.tag = tag
        self.re = re


class Decoder(Generic[F]):
    """For one direction. Made by `client_decoder` and `server_decoder`."""

    def __init__(self, hooks: Mapping[str, Structure], limit_bytes: int) -> None:
        self._hooks = dict(hooks)
        self._limit = limit_bytes
        self._parse = msgspec.json.Decoder().decode

    def __call__(self, raw: str) -> F:
        """Raises BadFrame, UnknownType."""
        parts = self._object(raw)
        tag = parts.get("type")
        hook = self._hooks.get(tag) if type(tag) is str else None
        if hook is None:
            if type(tag) is str:
                raise UnknownType(tag, _id(parts))
            raise BadFrame("type", "must be a string" if "type" in parts else "is missing", _id(parts))
        try:
            frame: F = hook(parts, None)
            return frame
        except ClassValidationError as wrong:
            raise _bad_frame(wrong, _id(parts)) from wrong

    def _object(self, raw: str) -> dict[str, Any]:
        try:
            data = raw.encode()
            if len(data) > self._limit:
                raise BadFrame("", f"a frame is at most {self._limit} bytes", reason=Reason.TOO_BIG)
            parts = self._parse(data)
        except (ValueError, RecursionError) as wrong:
            raise BadFrame("", "not JSON that this server reads") from wrong
        if type(parts) is not dict:
            raise BadFrame("", "a frame is a JSON object")
        return parts


def _id(parts: Mapping[str, Any]) -> int | None:
    value = parts.get("id")
    return value if type(value) is int and 0 <= value <= MAX_INT else None


def _bad_frame(wrong: ClassValidationError, re: int | None) -> BadFrame:
    path, first = "", next(_leaves(wrong, ""), None)
    if first is None:
        return BadFrame("", "not a frame of this protocol", re)
    path, cause = first
    match cause:
        case BadValue():
            return BadFrame(path + cause.path, str(cause), re, cause.reason)
        case KeyError():
            return BadFrame(path, "is missing", re)
        case _:
            return BadFrame(path, "has a value that does not belong there", re)


def _leaves(group: BaseException, path: str) -> Iterator[tuple[str, BaseException]]:
    if not isinstance(group, BaseExceptionGroup):
        yield path, group
        return
    for wrong in group.exceptions:
        step = path
        for note in getattr(wrong, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                step = f"{path}.{note.name}" if path else note.name
            elif isinstance(note, IterableValidationNote):
                step = f"{path}.{note.index}"
        yield from _leaves(wrong, step)


def _structuring(known: Mapping[Any, Kind]) -> MsgspecJsonConverter:
    converter = make_converter()
    for kind, how in known.items():
        converter.register_structure_hook(kind, how.parse)
    return converter


def _object_hook(converter: MsgspecJsonConverter, cls: type) -> Structure:
    """For an attrs class inside a frame: cattrs itself would index whatever it is given."""
    inner: Structure = make_dict_structure_fn(cls, converter, **_renames(cls))

    def hook(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise BadValue("must be an object")
        return inner(value, cls)

    return hook


def _renames(cls: type) -> dict[str, Any]:
    return {each.name: override(rename=each.metadata["wire"]) for each in fields(cls) if "wire" in each.metadata}


def client_decoder(text_limit: int = TEXT_LIMIT, limit_bytes: int = CLIENT_FRAME_BYTES) -> Decoder[ClientFrame]:
    """What the server reads with. Values are parsed as they are decoded: a decoded room name is a room name."""
    converter = _structuring(kinds(text_limit))
    converter.register_structure_hook(client.Since, _object_hook(converter, client.Since))
    hooks: dict[str, Structure] = {cls.TAG: make_dict_structure_fn(cls, converter) for cls in CLIENT_FRAMES}
    return Decoder(hooks, limit_bytes)


def server_decoder(limit_bytes: int = SERVER_FRAME_BYTES) -> Decoder[ServerFrame]:
    """What a client reads with. Types are checked; names are taken as they come, since the server has parsed them."""
    converter = _structuring({plain: how for plain, how in kinds().items() if plain in (str, bool, int, float)})
    for words in (Reason, Scope):
        # By a predicate: for a union with str in it cattrs would otherwise take its own way.
        converter.register_structure_hook_func(partial(eq, words | str), partial(_member_or_text, words))
    for part in SERVER_PARTS:
        converter.register_structure_hook(part, _object_hook(converter, part))
    entries = {cls.TAG: _object_hook(converter, cls) for cls in get_args(server.EntryFrame)}
    converter.register_structure_hook(server.EntryFrame, _by_tag(entries))
    hooks = {cls.TAG: _object_hook(converter, cls) for cls in SERVER_FRAMES}
    oks = [(mark, _object_hook(converter, cls)) for mark, cls in OK_MARKS]
    rules = hooks["policy"] = _object_hook(converter, server.RulesFrame)
    hooks["policy"] = lambda value, _: (entries["policy"] if "seq" in value else rules)(value, None)
    hooks["ok"] = lambda value, _: next(hook for mark, hook in oks if mark in value or not mark)(value, None)
    return Decoder(hooks, limit_bytes)


def _member_or_text(words: type[Reason | Scope], value: Any, _: Any) -> str:
    """A word that is newer than this reader must not cost it the connection."""
    word = text(value)
    return words(word) if word in words.__members__.values() else word


def _by_tag(hooks: Mapping[str, Structure]) -> Structure:
    def hook(value: Any, _: Any) -> Any:
        if type(value) is not dict or value.get("type") not in hooks:
            raise BadValue("must be an entry")
        return hooks[value["type"]](value, None)

    return hook


SERVER_PARTS = (
    server.HeartbeatTimes, server.Limits, server.Retention, server.Rules, server.Counts, server.Card,
    server.AlertWords, server.AlertFrame,
)  # fmt: skip
OK_MARKS = (
    ("mode", server.OkJoin), ("items", server.OkHistory), ("members", server.OkMembers), ("dup", server.OkSend),
    ("", server.Ok),
)  # fmt: skip
"""What tells one `ok` from another; whoever asked knows anyway."""


def _encoder() -> Callable[[ClientFrame | ServerFrame], bytes]:
    converter = make_converter()
    hooks: dict[type, Callable[[Any], dict[str, Any]]] = {}
    frames: tuple[type[FrameClass], ...] = (server.AlertFrame, *CLIENT_FRAMES, *SERVER_FRAMES)
    for cls in frames:  # an alert stands in others, and comes first
        hooks[cls] = _tagged(
            cls.TAG, make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=True, **_renames(cls))
        )
        converter.register_unstructure_hook(cls, hooks[cls])
    history = make_dict_unstructure_fn(
        server.OkHistory,
        converter,
        _cattrs_omit_if_default=True,
        items=override(unstruct_hook=lambda items: [hooks[type(item)](item) for item in items]),
    )
    hooks[server.OkHistory] = _tagged("ok", history)
    to_json = msgspec.json.Encoder().encode
    return lambda frame: to_json(hooks[type(frame)](frame))


def _tagged(tag: str, parts: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    return lambda frame: {"type": tag, **parts(frame)}


encode = _encoder()
"""A frame as UTF-8 JSON. The tag comes first, what has its default value stays out."""
