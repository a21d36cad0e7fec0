"""The kinds of value that a frame's field may have: how each is parsed, strictly, and what its JSON Schema says.

Nothing is coerced: `type(value) is T`. Whoever sends "7" for 7 has a bug that should be seen on the first day."""

import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, NewType

from attrs import frozen

from actors import names
from actors.names import BadName, Cid, Emoji, Epoch, MemberId, MessageText, Nickname, RoomCode, RoomName, TooLong
from actors.refusals import Reason

RequestId = NewType("RequestId", int)
Seq = NewType("Seq", int)
Tail = NewType("Tail", int)
PageSize = NewType("PageSize", int)
PageNumber = NewType("PageNumber", int)
"""From 1."""
Count = NewType("Count", int)
"""0 or more."""
Token = NewType("Token", str)
Positions = NewType("Positions", dict[RoomName, Seq])
AlertName = NewType("AlertName", str)
Note = NewType("Note", str)
"""What somebody who needs help says of it."""

MAX_INT = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact (RFC 8259, section 6)."""
MAX_POSITIONS = 8
ALERT_NAME = re.compile(r"A[0-9]{3,9}-[0-9A-Z]{3}", re.ASCII)
NOTE_LIMIT = 280

Schema = dict[str, Any]
Parse = Callable[[Any, Any], Any]
"""Value and target type, as cattrs calls it; the second one is not looked at."""


class BadValue(ValueError):
    """What is wrong with one field."""

    def __init__(self, message: str, path: str = "", reason: Reason = Reason.BAD_FRAME) -> None:
        super().__init__(message)
        self.path = path
        self.reason = reason


@frozen
class Kind:
    parse: Parse
    schema: Schema


def text(value: object, _: object = None) -> str:
    if type(value) is not str:
        raise BadValue("must be a string")
    return value


def flag(value: object, _: object = None) -> bool:
    if type(value) is not bool:
        raise BadValue("must be true or false")
    return value


def number(value: object, _: object = None) -> float:
    """JSON has one sort of number and some writers leave out ".0": a whole number is one too."""
    if type(value) is float:
        if not isfinite(value):
            raise BadValue("must be a finite number")
        return value
    return float(_whole(value, -MAX_INT, MAX_INT, "must be a number"))


def _whole(value: object, low: int, high: int, message: str) -> int:
    if type(value) is not int:
        raise BadValue(message)
    if not low <= value <= high:
        raise BadValue(f"must be {low} to {high}")
    return value


def whole(low: int = -MAX_INT, high: int = MAX_INT) -> Kind:
    def parse(value: object, _: object = None) -> int:
        if type(value) is int and low <= value <= high:
            return value
        return _whole(value, low, high, "must be a whole number")

    return Kind(parse, {"type": "integer", "minimum": low, "maximum": high})


def name(parse_name: Callable[[str], Any], quick: Callable[[str], object], **schema: Any) -> Kind:
    """`quick`: true of most good values, and only of values that `parse_name` would return as they are."""

    def parse(value: object, _: object = None) -> Any:
        if type(value) is str and quick(value):
            return value
        return _named(parse_name, value)

    return Kind(parse, {"type": "string"} | schema)


def _named(parse_name: Callable[[str], Any], value: object) -> Any:
    try:
        return parse_name(text(value))
    except TooLong as wrong:
        raise BadValue(str(wrong), reason=Reason.TOO_BIG) from wrong
    except BadName as wrong:
        raise BadValue(str(wrong)) from wrong


def _never(_: str) -> bool:
    return False


def matching(parse_name: Callable[[str], Any], regex: re.Pattern[str]) -> Kind:
    return name(parse_name, regex.fullmatch, pattern=f"^{regex.pattern}$")


def positions(value: object, _: object = None) -> Positions:
    if type(value) is not dict:
        raise BadValue("must be an object")
    if len(value) > MAX_POSITIONS:
        raise BadValue(f"at most {MAX_POSITIONS} rooms")
    at: dict[RoomName, Seq] = {}
    for room, seq in value.items():
        try:
            at[names.room_name(room)] = KINDS[Seq].parse(seq, int)
        except ValueError as wrong:
            raise BadValue(str(wrong), path=f".{room[:48]}") from wrong
    return Positions(at)


def kinds(text_limit: int = names.TEXT_LIMIT) -> Mapping[Any, Kind]:
    return {
        str: Kind(text, {"type": "string"}),
        bool: Kind(flag, {"type": "boolean"}),
        int: whole(),
        float: Kind(number, {"type": "number"}),
        RequestId: whole(0),
        Seq: whole(0),
        Count: whole(0),
        Tail: whole(0, 200),
        PageSize: whole(1, 200),
        PageNumber: whole(1),
        Token: name(_token, _never, maxLength=512),
        RoomName: matching(names.room_name, names.ROOM_NAME),
        RoomCode: matching(names.room_code, names.ROOM_CODE),
        MemberId: name(names.member_id, names.MEMBER_ID.fullmatch, pattern=f"^(house|{names.MEMBER_ID.pattern})$"),
        Nickname: name(names.nickname, _never, minLength=1, maxLength=4 * names.NICKNAME_LIMIT),
        Cid: matching(names.cid, names.CID),
        Epoch: matching(names.epoch, names.EPOCH),
        Emoji: name(names.emoji, _never, minLength=1, maxLength=16),
        MessageText: _message_text(text_limit),
        AlertName: matching(_alert_name, ALERT_NAME),
        Note: name(_note, _never, maxLength=NOTE_LIMIT),
        Positions: Kind(
            positions,
            {
                "type": "object",
                "maxProperties": MAX_POSITIONS,
                "additionalProperties": {"type": "integer", "minimum": 0},
            },
        ),
    }


def _message_text(limit: int) -> Kind:
    def quick(value: str) -> bool:
        return 0 < len(value) <= limit and value.isascii()

    return name(lambda value: names.message_text(value, limit), quick, minLength=1, maxLength=limit)


def _token(value: str) -> Token:
    if len(value) > 512:
        raise BadName("not a token")
    return Token(value)


def _alert_name(value: str) -> AlertName:
    if not ALERT_NAME.fullmatch(value):
        raise BadName("an alert's id is such as A017-K3X")
    return AlertName(value)


def _note(value: str) -> Note:
    if len(value) > NOTE_LIMIT:
        raise TooLong(f"a note is at most {NOTE_LIMIT} characters")
    return Note(names.message_text(value) if value else value)


KINDS = kinds()
