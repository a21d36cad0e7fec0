"""Arguments of commands: JSON -> the command's own class, strictly. Pure.

Nothing is coerced, and what is not an argument of the command is refused: a misspelt `secnods` in an emergency must not
be taken for an order without it."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from attrs import NOTHING, Attribute, fields

from actors import names
from actors.names import BadName, MemberId, Nickname, RoomCode, RoomName

MAX_INT = 2**53 - 1
TEXT_LIMIT = 2_000
LIST_LIMIT = 500
DEPTH_LIMIT = 6
Parse = Callable[[Any], Any]
T = TypeVar("T")


class BadArgument(ValueError):
    """`path`: which argument; empty = all of them together."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


def parse(cls: type[T], raw: Mapping[str, Any]) -> T:
    """Raises BadArgument."""
    known = {each.name: each for each in fields(cls)}  # type: ignore[arg-type]
    for name in raw:
        if name not in known:
            raise BadArgument(f"there is no such argument; it takes {', '.join(known) or 'none'}", name[:48])
    values: dict[str, Any] = {}
    for name, each in known.items():
        if name in raw:
            try:
                values[name] = _parser(each)(raw[name])
            except ValueError as wrong:
                inner = getattr(wrong, "path", "")
                raise BadArgument(str(wrong), f"{name}.{inner}" if inner else name) from wrong
        elif each.default is NOTHING:
            raise BadArgument("is missing", name)
    return cls(**values)


def describe(cls: type) -> dict[str, str]:
    """Argument -> its kind, in words that a form can be made of; `?` = may be left out."""
    return {each.name: _word(each.type) + ("" if each.default is NOTHING else "?") for each in fields(cls)}


@cache
def _parser(each: "Attribute[Any]") -> Parse:
    limit = each.metadata.get("limit", TEXT_LIMIT)
    low, high = each.metadata.get("between", (0, MAX_INT))
    return _of(each.type, limit, low, high)


def _of(kind: Any, limit: int, low: float, high: float) -> Parse:
    simple: dict[Any, Parse] = {
        str: partial(text, limit=limit),
        bool: flag,
        int: partial(whole, low=low, high=high),
        float: partial(number, low=low, high=high),
        RoomName: partial(named, parse_name=names.room_name),
        MemberId: partial(named, parse_name=names.member_id),
        Nickname: partial(named, parse_name=names.nickname),
        RoomCode: partial(named, parse_name=names.room_code),
    }
    if kind in simple:
        return simple[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return partial(one_of, choices=args)
    if origin is tuple:
        return partial(sequence, inner=_of(args[0], limit, low, high))
    if origin in (dict, Mapping):
        return json_object
    rest = [part for part in args if part is not NoneType]
    assert origin in (Union, UnionType), f"no parser for {kind}"
    return partial(_or_none, inner=_of(rest[0], limit, low, high))


def _or_none(value: Any, inner: Parse) -> Any:
    return None if value is None else inner(value)


def text(value: Any, limit: int) -> str:
    if type(value) is not str:
        raise BadArgument("must be a string")
    if len(value) > limit:
        raise BadArgument(f"is at most {limit} characters")
    if not value.isascii() and names.SURROGATE.search(value):
        raise BadArgument("has half a character in it (a lone surrogate)")
    return value


def flag(value: Any) -> bool:
    if type(value) is not bool:
        raise BadArgument("must be true or false")
    return value


def whole(value: Any, low: float, high: float) -> int:
    if type(value) is not int:
        raise BadArgument("must be a whole number")
    if not low <= value <= high:
        raise BadArgument(f"must be {low:g} to {high:g}")
    return value


def number(value: Any, low: float, high: float) -> float:
    if type(value) not in (int, float) or (type(value) is float and not isfinite(value)):
        raise BadArgument("must be a number")
    if not low <= value <= high:
        raise BadArgument(f"must be {low:g} to {high:g}")
    return float(value)


def named(value: Any, parse_name: Callable[[str], Any]) -> Any:
    try:
        return parse_name(text(value, 4 * TEXT_LIMIT))
    except BadName as wrong:
        raise BadArgument(str(wrong)) from wrong


def one_of(value: Any, choices: tuple[Any, ...]) -> Any:
    if type(value) is not str or value not in choices:
        raise BadArgument(f"must be one of {', '.join(choices)}")
    return value


def sequence(value: Any, inner: Parse) -> tuple[Any, ...]:
    if type(value) is not list:
        raise BadArgument("must be a list")
    if len(value) > LIST_LIMIT:
        raise BadArgument(f"is at most {LIST_LIMIT} long")
    found = []
    for place, each in enumerate(value):
        try:
            found.append(inner(each))
        except BadArgument as wrong:
            raise BadArgument(str(wrong), str(place)) from wrong
    return tuple(found)


def json_object(value: Any) -> Mapping[str, Any]:
    """Texts by name, nested at most DEPTH_LIMIT deep."""
    if type(value) is not dict:
        raise BadArgument("must be an object")
    _walk(value, DEPTH_LIMIT)
    return value


def _walk(value: Any, depth: int) -> None:
    if depth == 0:
        raise BadArgument("is nested too deeply")
    if type(value) is str:
        text(value, 4 * TEXT_LIMIT)
    elif type(value) is dict:
        for name, each in value.items():
            text(name, 64)
            _walk(each, depth - 1)
    elif type(value) is list:
        sequence(value, lambda each: _walk(each, depth - 1))
    elif type(value) is float and not isfinite(value):
        raise BadArgument("must be a number")


WORDS: dict[Any, str] = {
    str: "text", bool: "boolean", int: "integer", float: "number", RoomName: "room", MemberId: "member",
    Nickname: "nickname", RoomCode: "code",
}  # fmt: skip


def _word(kind: Any) -> str:
    if kind in WORDS:
        return WORDS[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return "|".join(args)
    if origin is tuple:
        return f"list of {_word(args[0])}"
    if origin in (Union, UnionType):
        return _word(next(part for part in args if part is not NoneType))
    return "object"
