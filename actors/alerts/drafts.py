"""Reading what an operator has written: strict, nothing is coerced, a refusal says what to write instead. Pure."""

import re
from collections.abc import Mapping
from enum import StrEnum
from math import isfinite
from typing import Any, TypeVar

from attrs import evolve, fields

from actors.alerts.vocabulary import (
    LANGUAGE,
    ZONE,
    Ack,
    Certainty,
    Draft,
    Response,
    Severity,
    Status,
    Urgency,
    Words,
)
from actors.names import BadName, RoomName, room_name
from actors.refusals import Reason, Refused

E = TypeVar("E", bound=StrEnum)

HEADLINE_LIMIT = 160
"""What CAP 1.2 asks of a headline that must fit a short message."""
TEXT_LIMIT = 2_000
LANGUAGES = 12
WORDS_BYTES = 16 * 1024
"""All languages together: an alert with its longest list of rooms still fits one frame of 64 KiB."""
ROOMS = 256
ZONES = 64
LONGEST_S = 7 * 86_400.0
SPREAD_MS = 600_000
_UNWANTED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069\ufffe\uffff]")
"""Control characters but the line feed, halves of characters, and what turns the direction of a line."""


class _Wrong(ValueError):
    """Ends as a Refused; never leaves this module."""


def draft_of(args: Mapping[str, object]) -> Draft | Refused:
    """The arguments of `alert.raise`. `headline` and `text`, in `lang` (en if not given), or `info` by language, or
    both. Refused(bad_frame) with the first thing that is wrong."""
    try:
        return _draft(dict(args))
    except _Wrong as wrong:
        return Refused(Reason.BAD_FRAME, str(wrong))


def changed(draft: Draft, changes: Mapping[str, object]) -> Draft | Refused:
    """The draft of an update. New words replace all the old ones: half an update in another language is none."""
    fixed = {"rooms", "zones", "all", "status"} & changes.keys()
    if fixed:
        return Refused(
            Reason.BAD_FRAME, f"{', '.join(sorted(fixed))} cannot change: cancel this alert and raise another"
        )
    if not changes:
        return Refused(Reason.BAD_FRAME, "an update has to change something")
    words = {"headline", "text", "lang", "info"} & changes.keys()
    old = _arguments(draft)
    if words:
        del old["info"]
        if "info" not in changes:
            old |= {"lang": draft.language, "headline": draft.headline, "text": draft.info[draft.language].text}
    return draft_of({**old, **changes})


def check(draft: Draft) -> Refused | None:
    """For a draft that was not made by `draft_of`."""
    found = draft_of(_arguments(draft))
    return found if isinstance(found, Refused) else None


def corrected(draft: Draft) -> Draft | Refused:
    """With the prepared correction for its words, which is then spent."""
    if draft.correction is None:
        return Refused(Reason.BAD_FRAME, "no correction was prepared with this alert; send an update")
    return evolve(draft, info={draft.language: draft.correction}, correction=None)


def closing(draft: Draft, headline: str, text: str) -> Draft | Refused:
    """The words of a cancel or an all-clear."""
    said = {"info": {draft.language: {"headline": headline, "text": text}}, "response": "none", "ack": "none"}
    return draft_of({**_arguments(draft), **said, "remind_s": 0, "correction": None, "escalate_s": None})


def as_json(draft: Draft) -> dict[str, object]:
    """What `draft_of` reads back as an equal draft; for the store."""
    return _arguments(draft)


def _arguments(draft: Draft) -> dict[str, Any]:
    args: dict[str, Any] = {each.name: getattr(draft, each.name) for each in fields(Draft)}
    args = {name: str(value) if isinstance(value, StrEnum) else value for name, value in args.items()}
    args["info"] = {lang: {"headline": words.headline, "text": words.text} for lang, words in draft.info.items()}
    if draft.correction is not None:
        args["correction"] = {"headline": draft.correction.headline, "text": draft.correction.text}
    for name in ("rooms", "zones"):
        args[name] = list(args[name])
    return {name: value for name, value in args.items() if value is not None and value is not False and value != []}


_FIELDS = {*(each.name for each in fields(Draft)), "headline", "text", "lang"}


def _draft(args: dict[str, object]) -> Draft:
    unknown = sorted(args.keys() - _FIELDS)
    if unknown:
        raise _Wrong(f"an alert has no {unknown[0][:32]!r}")
    args = {name: value for name, value in args.items() if value is not None}
    rooms, zones, everybody = _rooms(args), _zones(args), _flag(args, "all")
    if bool(rooms) + bool(zones) + everybody != 1:
        raise _Wrong("say whom it is for: exactly one of rooms, zones and all")
    expires_s = _number(args, "expires_s", None, 1.0, LONGEST_S)
    draft = Draft(
        status=_one_of(Status, args, "status"),
        severity=_one_of(Severity, args, "severity"),
        urgency=_one_of(Urgency, args, "urgency"),
        certainty=_one_of(Certainty, args, "certainty"),
        response=_one_of(Response, args, "response"),
        info=_info(args),
        expires_s=expires_s,
        rooms=rooms,
        zones=zones,
        all=everybody,
        ack=_one_of(Ack, args, "ack") if "ack" in args else Ack.NONE,
        remind_s=_reminder(args),
        receipt_spread_ms=round(_number(args, "receipt_spread_ms", 5_000, 0, SPREAD_MS)),
        correction=_words(args["correction"], "correction") if "correction" in args else None,
        escalate_s=_number(args, "escalate_s", 0, 1.0, LONGEST_S) if "escalate_s" in args else None,
        escalate_below=_number(args, "escalate_below", 1.0, 0.0, 1.0),
    )
    _weigh(draft)
    return draft


def _one_of(words: type[E], args: Mapping[str, object], name: str) -> E:
    value = args.get(name)
    for word in words:
        if type(value) is not bool and value == word.value:
            return word
    wanted = ", ".join(word.value for word in words)
    raise _Wrong(f"{name} is missing: one of {wanted}" if value is None else f"{name} is one of {wanted}")


def _flag(args: Mapping[str, object], name: str) -> bool:
    value = args.get(name, False)
    if type(value) is not bool:
        raise _Wrong(f"{name} is true or false")
    return value


def _number(args: Mapping[str, object], name: str, default: float | None, low: float, high: float) -> float:
    value = args.get(name, default)
    if value is None:
        raise _Wrong(f"{name} is missing: an alert always has an end, in seconds")
    if type(value) not in (int, float) or not isinstance(value, int | float):
        raise _Wrong(f"{name} is a number")
    if isinstance(value, float) and not isfinite(value):  # an int may be too long to be looked at as one
        raise _Wrong(f"{name} is a number")
    if not low <= value <= high:
        raise _Wrong(f"{name} is {low:g} to {high:g}")
    return float(value)


def _reminder(args: Mapping[str, object]) -> float:
    every = _number(args, "remind_s", 60.0, 0.0, 86_400.0)
    if 0 < every < 5:
        raise _Wrong("remind_s is 0 (never) or at least 5")
    return every


def _list(args: Mapping[str, object], name: str, most: int) -> list[str]:
    value = args.get(name, ())
    if not isinstance(value, list | tuple) or not all(type(each) is str for each in value):
        raise _Wrong(f"{name} is a list of names")
    if name in args and not value:
        raise _Wrong(f"{name} is empty: leave it out, or name at least one")
    if len(value) > most:
        raise _Wrong(f"{name} has at most {most} names")
    return list(dict.fromkeys(value))


def _rooms(args: Mapping[str, object]) -> tuple[RoomName, ...]:
    try:
        return tuple(room_name(name) for name in _list(args, "rooms", ROOMS))
    except BadName as wrong:
        raise _Wrong(f"rooms: {wrong}") from wrong


def _zones(args: Mapping[str, object]) -> tuple[str, ...]:
    zones = _list(args, "zones", ZONES)
    if not all(ZONE.fullmatch(zone) for zone in zones):
        raise _Wrong("a zone is 1 to 48 characters of a-z, 0-9 and '-'")
    return tuple(zones)


def _text(value: object, name: str, limit: int, feeds: bool) -> str:
    if type(value) is not str:
        raise _Wrong(f"{name} is a text")
    if len(value) > limit:
        raise _Wrong(f"{name} is at most {limit} characters, this one is {len(value)}")
    if _UNWANTED.search(value) or (not feeds and "\n" in value):
        raise _Wrong(f"{name} has a control character in it")
    return value


def _words(value: object, name: str) -> Words:
    if not isinstance(value, Mapping) or not value.keys() <= {"headline", "text"}:
        raise _Wrong(f"{name} is a headline and a text")
    headline = _text(value.get("headline", ""), f"{name}: headline", HEADLINE_LIMIT, feeds=False)
    if not headline.strip():
        raise _Wrong(f"{name} needs a headline")
    return Words(headline, _text(value.get("text", ""), f"{name}: text", TEXT_LIMIT, feeds=True))


def _info(args: Mapping[str, object]) -> dict[str, Words]:
    found: dict[str, Words] = {}
    if "headline" in args:
        plain = {name: args[name] for name in ("headline", "text") if name in args}
        found[_language(args.get("lang", "en"))] = _words(plain, "the alert")
    elif "text" in args or "lang" in args:
        raise _Wrong("the alert needs a headline")
    info = args.get("info", {})
    if not isinstance(info, Mapping):
        raise _Wrong("info is a headline and a text by language")
    for lang, value in info.items():
        if _language(lang) in found:
            raise _Wrong(f"the words in {lang} are given twice")
        found[_language(lang)] = _words(value, f"info.{lang}")
    if not found:
        raise _Wrong("the alert needs a headline")
    if len(found) > LANGUAGES:
        raise _Wrong(f"at most {LANGUAGES} languages")
    return found


def _language(value: object) -> str:
    if type(value) is not str or not LANGUAGE.fullmatch(value):
        raise _Wrong("a language is a code such as en or pt-BR")
    return value


def _weigh(draft: Draft) -> None:
    words = [*draft.info.values(), *([draft.correction] if draft.correction else [])]
    size = sum(len((each.headline + each.text).encode()) for each in words)
    if size > WORDS_BYTES:
        raise _Wrong(f"the words in all languages are {size} bytes, at most {WORDS_BYTES}")
