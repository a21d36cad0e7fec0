"""Alerts as CAP 1.2 documents (docs.oasis-open.org/emergency/cap/v1.2), out and in. Pure.

What CAP has no word for travels in `parameter` and `geocode` elements whose names begin with `bandstand:`, as section
3.2.2 allows; an alert that was written here is read back as it was. One of another system, which knows nothing of our
rooms, is for everybody.

Reading is strict: 64 KiB, no document type and so no entities, no depth to speak of, one namespace."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeVar
from xml.parsers import expat
from xml.sax.saxutils import escape

from attrs import define, evolve, field

from actors.alerts.drafts import draft_of
from actors.alerts.vocabulary import (
    Alert,
    Certainty,
    Draft,
    Kind,
    Response,
    Severity,
    Status,
    Urgency,
)
from actors.refusals import Reason, Refused

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
LIMIT_BYTES = 64 * 1024
DEPTH = 8
ELEMENTS = 2_000
OURS = "bandstand:"
MESSAGE_TYPES = {Kind.ALERT: "Alert", Kind.UPDATE: "Update", Kind.CANCEL: "Cancel", Kind.ALL_CLEAR: "Update"}
W = TypeVar("W", Status, Severity, Urgency, Certainty, Response)


# -- out ---------------------------------------------------------------------------------------------------------------


def to_xml(alert: Alert, sender: str = "bandstand", replaced_sent: float | None = None) -> str:
    """`sender`: identifies this system, without spaces, commas, < and &. `replaced_sent`: when the revision that this
    one replaces was sent, Unix seconds, for the references (CAP 1.2, section 3.2.1)."""
    rows = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<alert xmlns="{NAMESPACE}">',
        _element("identifier", _identifier(alert)),
        _element("sender", sender),
        _element("sent", _moment(alert.sent)),
        _element("status", alert.draft.status.value.capitalize()),
        _element("msgType", MESSAGE_TYPES[alert.kind]),
        _element("scope", "Public"),
    ]
    if replaced_sent is not None:
        replaced = _identifier(evolve(alert, rev=alert.rev - 1))
        rows.append(_element("references", f"{sender},{replaced},{_moment(replaced_sent)}"))
    for language in alert.draft.info:
        rows += _info(alert, language)
    return "\n".join([*rows, "</alert>", ""])


def _info(alert: Alert, language: str) -> Iterator[str]:
    draft, words = alert.draft, alert.draft.info[language]
    response = Response.ALL_CLEAR if alert.kind is Kind.ALL_CLEAR else draft.response
    yield "  <info>"
    yield _element("language", language, 4)
    yield _element("category", "Safety", 4)
    yield _element("event", words.headline, 4)
    yield _element("responseType", _cap_word(response), 4)
    yield _element("urgency", draft.urgency.value.capitalize(), 4)
    yield _element("severity", draft.severity.value.capitalize(), 4)
    yield _element("certainty", draft.certainty.value.capitalize(), 4)
    yield _element("expires", _moment(alert.expires), 4)
    yield _element("headline", words.headline, 4)
    if words.text:
        yield _element("description", words.text, 4)
    for name, value in _parameters(draft):
        yield f"    <parameter><valueName>{OURS}{name}</valueName><value>{escape(value)}</value></parameter>"
    for kind, name in _areas(draft):
        geocode = f"<geocode><valueName>{OURS}{kind}</valueName><value>{name}</value></geocode>"
        yield f"    <area><areaDesc>{name or 'everywhere'}</areaDesc>{geocode}</area>"
    yield "  </info>"


def _parameters(draft: Draft) -> Iterator[tuple[str, str]]:
    yield "ack", draft.ack.value
    yield "remind_s", repr(draft.remind_s)
    yield "receipt_spread_ms", str(draft.receipt_spread_ms)
    if draft.correction is not None:
        yield "correction_headline", draft.correction.headline
        yield "correction_text", draft.correction.text
    if draft.escalate_s is not None:
        yield "escalate_s", repr(draft.escalate_s)
        yield "escalate_below", repr(draft.escalate_below)


def _areas(draft: Draft) -> Iterator[tuple[str, str]]:
    if draft.all:
        yield "all", "everywhere"
    yield from (("room", room) for room in draft.rooms)
    yield from (("zone", zone) for zone in draft.zones)


def _identifier(alert: Alert) -> str:
    return f"{alert.id}.{alert.rev}"


def _moment(wall: float) -> str:
    """CAP wants whole seconds and a numeric zone, never Z."""
    return datetime.fromtimestamp(int(wall), UTC).strftime("%Y-%m-%dT%H:%M:%S-00:00")


def _element(name: str, text: str, indent: int = 2) -> str:
    return f"{' ' * indent}<{name}>{escape(text)}</{name}>"


def _cap_word(response: Response) -> str:
    return "AllClear" if response is Response.ALL_CLEAR else response.value.capitalize()


# -- in ----------------------------------------------------------------------------------------------------------------


class _Wrong(ValueError):
    """Ends as a Refused."""


@define
class _Node:
    name: str
    text: str = ""
    children: "list[_Node]" = field(factory=list)

    def all(self, name: str) -> "list[_Node]":
        return [child for child in self.children if child.name == name]

    def one(self, name: str, default: str | None = None) -> str:
        found = self.all(name)
        if len(found) > 1:
            raise _Wrong(f"{self.name} has more than one {name}")
        if not found and default is None:
            raise _Wrong(f"{self.name} has no {name}")
        return found[0].text.strip() if found else default or ""

    def values(self, name: str) -> "Iterator[tuple[str, str]]":
        """Of parameter and geocode."""
        for each in self.all(name):
            yield each.one("valueName"), each.one("value")


class _Tree:
    """Builds it, and turns away what no alert needs before it is built."""

    def __init__(self) -> None:
        self.root: _Node | None = None
        self._open: list[_Node] = []
        self._count = 0

    def read(self, text: str) -> _Node:
        try:
            data = text.encode()
        except UnicodeEncodeError as wrong:
            raise _Wrong("the text has half a character in it") from wrong
        if len(data) > LIMIT_BYTES:
            raise _Wrong(f"a CAP document is at most {LIMIT_BYTES} bytes here")
        parser = expat.ParserCreate("utf-8", " ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(data, True)
        except expat.ExpatError as wrong:
            raise _Wrong(f"not well-formed XML: {wrong}") from wrong
        assert self.root is not None
        return self.root

    def _doctype(self, *_: object) -> None:
        raise _Wrong("a document type is not read here")

    def _start(self, name: str, _attributes: object) -> None:
        self._count += 1
        if len(self._open) >= DEPTH or self._count > ELEMENTS:
            raise _Wrong("too deep or too many elements for an alert")
        space, _, local = name.rpartition(" ")
        if space != NAMESPACE and (not self._open or space == ""):
            raise _Wrong(f"not CAP 1.2: the namespace is {space[:80]!r}")
        node = _Node(local if space == NAMESPACE else "")
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _text(self, data: str) -> None:
        self._open[-1].text += data


def from_xml(text: str, wall: float) -> Draft | Refused:
    """The draft of a new alert. `wall`: now, in Unix seconds, since CAP says when an alert expires and a draft says how
    long it lasts. Refused(bad_frame) with the first thing that is wrong."""
    try:
        return draft_of(_arguments(_Tree().read(text), wall))
    except _Wrong as wrong:
        return Refused(Reason.BAD_FRAME, str(wrong))


def _arguments(alert: _Node, wall: float) -> dict[str, object]:
    if alert.name != "alert":
        raise _Wrong("the document is no alert")
    if alert.one("msgType") not in ("Alert", "Update"):
        raise _Wrong("only an Alert or an Update can become an alert; cancel the one that is there by its id")
    infos = alert.all("info")
    if not infos:
        raise _Wrong("the alert has no info")
    first = infos[0]
    responses = [_word(Response, node.text) for node in first.all("responseType")]
    args: dict[str, object] = {
        "status": _word(Status, alert.one("status")),
        "severity": _word(Severity, first.one("severity")),
        "urgency": _word(Urgency, first.one("urgency")),
        "certainty": _word(Certainty, first.one("certainty")),
        "response": responses[0] if responses else Response.NONE.value,
        "expires_s": round(_seconds(first.one("expires")) - wall, 3),
        "info": {_language(info): _words(info) for info in infos},
    }
    if _seconds(first.one("expires")) <= wall:
        raise _Wrong("the alert has expired already")
    return args | _audience(infos) | _ours(first)


def _language(info: _Node) -> str:
    """en-US is what CAP says an info without a language is in."""
    return info.one("language", "en-US")


def _words(info: _Node) -> dict[str, str]:
    text = "\n\n".join(part for part in (info.one("description", ""), info.one("instruction", "")) if part)
    return {"headline": info.one("headline", "") or info.one("event"), "text": text}


def _word(words: type[W], text: str) -> str:
    for word in words:
        if word.value.replace("_", "") == text.strip().lower():
            return word.value
    raise _Wrong(f"{text.strip()[:40]!r} is no {words.__name__.lower()} of an alert")


def _audience(infos: list[_Node]) -> dict[str, object]:
    codes = [code for info in infos for area in info.all("area") for code in area.values("geocode")]
    found: dict[str, object] = {}
    for kind in ("room", "zone"):
        named = list(dict.fromkeys(value for name, value in codes if name == OURS + kind))
        if named:
            found[f"{kind}s"] = named
    return found or {"all": True}


def _ours(info: _Node) -> dict[str, object]:
    said = {name.removeprefix(OURS): value for name, value in info.values("parameter") if name.startswith(OURS)}
    found: dict[str, object] = {}
    if "ack" in said:
        found["ack"] = said["ack"]
    for name in ("remind_s", "receipt_spread_ms", "escalate_s", "escalate_below"):
        if name in said:
            try:
                found[name] = float(said[name])
            except ValueError as wrong:
                raise _Wrong(f"{OURS}{name} is a number") from wrong
    if "correction_headline" in said:
        found["correction"] = {"headline": said["correction_headline"], "text": said.get("correction_text", "")}
    return found


def _seconds(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as wrong:
        raise _Wrong(f"{text[:40]!r} is no date and time of CAP") from wrong
    if moment.tzinfo is None:
        raise _Wrong(f"{text[:40]!r} has no zone")
    return moment.timestamp()
