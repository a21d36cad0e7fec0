"""What a phone will show of an alert, line by line, with the words of the attendees' page."""

import textwrap
from collections.abc import Mapping
from typing import Any

from bandstand.cli.lines import clock, plain

WIDTH = 44
SEVERITY = {"extreme": "Extreme danger", "severe": "Danger", "moderate": "Warning", "minor": "Take note"}
RESPONSE = {
    "shelter": "Take shelter", "evacuate": "Leave the area", "prepare": "Get ready",
    "execute": "Do as was planned", "avoid": "Stay away", "monitor": "Keep an eye on this page",
    "assess": "Look around you", "all_clear": "All clear",
}  # fmt: skip
STATUS = {
    "exercise": ("DRILL", "This is a drill. Nothing has happened."),
    "test": ("TEST", "This is a test. Nothing has happened."),
}
KIND = {"update": "Update", "cancel": "Cancelled", "all_clear": "All clear"}


def status_word(status: object) -> str:
    """ "" for an actual alert."""
    return STATUS.get(str(status), ("",))[0]


def phone(frame: Mapping[str, Any]) -> str:
    """All languages, one below the other: each phone shows the one of its reader."""
    parts: list[list[str]] = []
    if frame.get("status") in STATUS:
        parts.append([" ".join(STATUS[str(frame["status"])])])
    parts.append([_heading(frame)])
    for lang, words in frame.get("info", {}).items():
        mark = f"[{plain(str(lang))}] " if len(frame["info"]) > 1 else ""
        parts.append([mark + plain(str(words.get("headline", ""))).upper(), *_text(str(words.get("text", "")))])
    closing = frame.get("kind") in ("cancel", "all_clear")
    if frame.get("expires") and not closing:
        parts.append([f"In force until {clock(float(frame['expires']))}"])
    parts.append(["[ I have read this ]  [ I need help ]"])
    lines = [line for part in parts for text in part for line in (textwrap.wrap(text, WIDTH) or [""])]
    rule = "+" + "-" * (WIDTH + 2) + "+"
    return "\n".join([rule, *(f"| {line:{WIDTH}} |" for line in lines), rule])


def _heading(frame: Mapping[str, Any]) -> str:
    kind = str(frame.get("kind", "alert"))
    if kind in ("cancel", "all_clear"):
        return KIND[kind]
    severity = SEVERITY.get(str(frame.get("severity")), "Alert")
    words = [KIND.get(kind, ""), severity, RESPONSE.get(str(frame.get("response")), "")]
    return " · ".join(word for word in words if word)


def _text(text: str) -> list[str]:
    return [plain(line) for line in text.split("\n")] if text else []
