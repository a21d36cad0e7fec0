"""What a check has found, and what to do about it."""

from enum import StrEnum

from attrs import frozen


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@frozen
class Finding:
    """`text` may hold words of a peer or a file: show it by `line`, or as JSON."""

    check: str
    level: Level
    text: str
    remedy: str = ""

    def line(self) -> str:
        """On one line, unprintable characters as question marks."""
        remedy = f" -> {self.remedy}" if self.remedy else ""
        return f"{self.level:4}  {self.check:9}  {_printable(self.text + remedy)}"


def ok(check: str, text: str) -> Finding:
    return Finding(check, Level.OK, text)


def warn(check: str, text: str, remedy: str = "") -> Finding:
    return Finding(check, Level.WARN, text, remedy)


def fail(check: str, text: str, remedy: str = "") -> Finding:
    return Finding(check, Level.FAIL, text, remedy)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)
