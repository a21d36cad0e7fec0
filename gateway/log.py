"""The server's log: an event and its fields a line, on stderr. Never a line per message.

The standard library's logging carries it, so a host that embeds the server can take it elsewhere; what is here is the
form of a line: JSON for programs, words for people.
"""

import json
import logging
import time
from typing import Any, TextIO

FIELDS = "fields"
"""Where a record keeps its event's fields."""


class EventLog:
    """`name`: the part of the server that speaks."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, cause: BaseException | None = None, **fields: object) -> None:
        self._tell(logging.DEBUG, event, cause, fields)

    def info(self, event: str, cause: BaseException | None = None, **fields: object) -> None:
        self._tell(logging.INFO, event, cause, fields)

    def warning(self, event: str, cause: BaseException | None = None, **fields: object) -> None:
        self._tell(logging.WARNING, event, cause, fields)

    def error(self, event: str, cause: BaseException | None = None, **fields: object) -> None:
        self._tell(logging.ERROR, event, cause, fields)

    def _tell(self, level: int, event: str, cause: BaseException | None, fields: dict[str, object]) -> None:
        self._logger.log(level, event, exc_info=cause, extra={FIELDS: fields})


class JsonLines(logging.Formatter):
    """A document a line, in ASCII, since with --json it may be a terminal that reads it: event, level, timestamp
    (RFC 3339, UTC), the fields, and the traceback as `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "timestamp": _utc(record.created),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=repr)


class PlainLines(logging.Formatter):
    """For a terminal: nothing that a peer has sent can move the cursor there."""

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, FIELDS, {})
        said = " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
        lines = [f"{_utc(record.created)} {record.levelname.lower():7} {record.getMessage()} {said}".rstrip()]
        if record.exc_info:
            lines += self.formatException(record.exc_info).splitlines()
        return "\n".join(_printable(line) for line in lines)


def log_to(stream: TextIO, level: int, form: logging.Formatter) -> None:
    """All of this process' logging goes to `stream` from now on."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(form)
    logging.basicConfig(handlers=[handler], level=level, force=True)


def _utc(when: float) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(when))}.{int(when % 1 * 1000):03d}Z"


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)
