"""JSON <-> frames of the admin channel, as strict as the chat's (gateway/protocol/codec.py): bytes are bounded first,
then parsed once, and whatever is wrong is a BadFrame or an UnknownType."""

from collections.abc import Callable
from typing import Any, get_args

import msgspec
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn
from cattrs.preconf.msgspec import make_converter

from actors.names import SURROGATE
from gateway.protocol import admin
from gateway.protocol.admin import AdminClientFrame, AdminServerFrame
from gateway.protocol.codec import CLIENT_FRAME_BYTES, Decoder, Structure
from gateway.protocol.kinds import BadValue, Kind, kinds, text

NAME_LIMIT = 64
SECRET_LIMIT = 256
WORDS_LIMIT = 500


def _bounded(least: int, most: int) -> Kind:
    def parse(value: object, _: object = None) -> str:
        found = text(value)
        if not least <= len(found) <= most:
            raise BadValue(f"must be {least} to {most} characters")
        if not found.isascii() and SURROGATE.search(found):
            raise BadValue("has half a character in it (a lone surrogate)")
        return found

    return Kind(parse, {"type": "string", "minLength": least, "maxLength": most})


def _args(value: object, _: object = None) -> admin.Args:
    if type(value) is not dict:
        raise BadValue("must be an object")
    return admin.Args(value)


ADMIN_KINDS = {
    **kinds(),
    admin.Name: _bounded(1, NAME_LIMIT),
    admin.Secret: _bounded(1, SECRET_LIMIT),
    admin.Words: _bounded(0, WORDS_LIMIT),
    admin.Args: Kind(_args, {"type": "object"}),
}


def admin_decoder(limit_bytes: int = CLIENT_FRAME_BYTES) -> Decoder[AdminClientFrame]:
    """What the server reads with. A command's arguments come out as they are; the command reads them."""
    converter = make_converter()
    for kind, how in ADMIN_KINDS.items():
        converter.register_structure_hook(kind, how.parse)
    hooks: dict[str, Structure] = {
        cls.TAG: make_dict_structure_fn(cls, converter) for cls in get_args(AdminClientFrame)
    }
    return Decoder(hooks, limit_bytes)


def _encoder() -> Callable[[AdminClientFrame | AdminServerFrame], bytes]:
    converter = make_converter()
    converter.register_unstructure_hook(admin.CommandCard, make_dict_unstructure_fn(admin.CommandCard, converter))
    hooks = {
        cls: make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=True)
        for cls in (*get_args(AdminClientFrame), *get_args(AdminServerFrame))
    }
    to_json = msgspec.json.Encoder().encode

    def encode(frame: AdminClientFrame | AdminServerFrame) -> bytes:
        parts: dict[str, Any] = hooks[type(frame)](frame)
        body = parts.pop("body", {}) if isinstance(frame, admin.Snapshot) else {}
        return to_json({"type": frame.TAG, **parts, **body})

    return encode


encode_admin = _encoder()
"""A frame as UTF-8 JSON, the tag first."""
