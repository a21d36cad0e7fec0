"""The log's lines: one document or one line an event, whatever the fields hold."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from gateway.log import EventLog, JsonLines, PlainLines, log_to

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
HOSTILE = "two\nlines \x1b[2J and \u202eback"
ANOTHER_ESCAPE = "\x9b2J"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:], level = before
    root.setLevel(level)


def test_a_program_reads_a_document_a_line(stream: io.StringIO) -> None:
    log_to(stream, logging.INFO, JsonLines())
    log = EventLog("gateway.test")
    log.info("journal", kind="failed", text=HOSTILE, room=None)
    log.debug("not told")
    try:
        raise ValueError(HOSTILE)
    except ValueError as wrong:
        log.error("connection_failed", cause=wrong, at={1})
    log.info("journal", text=ANOTHER_ESCAPE)
    assert all(line.isprintable() for line in stream.getvalue().splitlines())
    first, second, third = map(json.loads, stream.getvalue().splitlines())
    assert third["text"] == ANOTHER_ESCAPE
    assert TIME.fullmatch(first.pop("timestamp"))
    assert first == {"event": "journal", "level": "info", "kind": "failed", "text": HOSTILE, "room": None}
    assert second["level"] == "error"
    assert second["at"] == "{1}"
    assert second["exception"].startswith("Traceback")


def test_nothing_moves_a_terminals_cursor(stream: io.StringIO) -> None:
    log_to(stream, logging.INFO, PlainLines())
    EventLog("gateway.test").warning("journal", kind="disk_low", text=HOSTILE, room=None)
    EventLog("gateway.test").error("failed", cause=ValueError(HOSTILE))
    text = stream.getvalue()
    assert all(line.isprintable() for line in text.splitlines())
    first, *rest = text.splitlines()
    assert TIME.match(first)
    assert first.endswith(r" warning journal kind=disk_low text=two\u000alines \u001b[2J and \u202eback")
    assert "\\u001b[2J" in rest[-1]


def test_what_is_below_the_level_is_not_told(stream: io.StringIO) -> None:
    log_to(stream, logging.WARNING, PlainLines())
    EventLog("gateway.test").info("alerts", text="recorded again")
    assert stream.getvalue() == ""
