"""The record of every order: a chain of seals that only who has the key can make. Pure.

Each row is sealed with HMAC-SHA-256 over its own content, its place, and the seal of the row before. So whoever
changes the database and has not the key leaves a row whose seal is wrong. Where the log ends is sealed as well, since
an end that is cut off leaves nothing wrong behind; and copies of the end, taken out of the database each minute, tell
when the whole file was replaced by an older one."""

import hmac
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256

from attrs import field, frozen

START = b"\0" * 32
"""The seal before the first row."""
ROW, HEAD, COPY = b"bandstand audit row v1\0", b"bandstand audit head v1\0", b"bandstand audit copy v1\0"
"""What a seal is for: one made for another purpose is worth nothing here."""


@frozen
class AuditKey:
    secret: bytes = field(repr=False)

    @classmethod
    def random(cls) -> "AuditKey":
        return cls(secrets.token_bytes(32))

    def seal(self, purpose: bytes, content: bytes) -> bytes:
        return hmac.new(self.secret, purpose + content, sha256).digest()


@frozen
class AuditRow:
    """`args`: JSON, without secrets. `result`: "ok", or the code of the refusal."""

    id: int
    at: float
    operator: str
    address: str
    command: str
    args: str
    reason: str
    result: str
    act: str
    mac: bytes = field(repr=False)

    def shown(self) -> dict[str, object]:
        """As it is told to an owner."""
        return {
            "row": self.id, "at": self.at, "operator": self.operator, "address": self.address, "command": self.command,
            "args": json.loads(self.args), "reason": self.reason, "result": self.result, "act": self.act,
        }  # fmt: skip


@frozen
class Head:
    """Where the log ended: the last row and its seal. Row 0 = nothing was in it. The rows are numbered from 1 without
    holes, so the number is the count as well."""

    id: int
    mac: bytes


@frozen
class Finding:
    """`row`: None = the log as a whole."""

    row: int | None
    what: str


def canonical(value: object) -> str:
    """One text for one JSON value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def mac_of(key: AuditKey, before: bytes, row: AuditRow) -> bytes:
    cells = [row.id, row.at, row.operator, row.address, row.command, row.args, row.reason, row.result, row.act]
    return key.seal(ROW, before + canonical(cells).encode())


def head_seal(key: AuditKey, head: Head) -> bytes:
    return key.seal(HEAD, _content(head))


def line_of(key: AuditKey, head: Head, at: float) -> str:
    """A copied head, a line of the file of heads: row, its seal, when it was copied, and the seal of this line."""
    content = f"{head.id} {head.mac.hex()} {at:.3f}"
    return f"{content} {key.seal(COPY, content.encode()).hex()}"


def copied(key: AuditKey, lines: Iterable[str]) -> Iterator[Head | Finding]:
    for number, line in enumerate(lines, 1):
        content, _, seal = line.strip().rpartition(" ")
        parts = content.split(" ")
        if not hmac.compare_digest(key.seal(COPY, content.encode()).hex().encode(), seal.encode()) or len(parts) != 3:
            yield Finding(None, f"line {number} of the copied heads was not written with this key")
        else:
            yield Head(int(parts[0]), bytes.fromhex(parts[1]))


def check(
    key: AuditKey,
    rows: Iterable[AuditRow | int],
    head: tuple[Head, bytes] | None,
    heads: Mapping[int, set[bytes]],
) -> Iterator[Finding]:
    """Each way in which the log is not the one that was written. `rows`: in the order of their numbers; a number alone
    is a row that cannot be read. `head` and its seal as the database has it; `heads`: the copied seals, by row."""
    before, last = START, 0
    seen: set[int] = set()
    for each in rows:
        number = each if isinstance(each, int) else each.id
        if number != last + 1:
            yield _missing(last + 1, number - 1) if number > last else Finding(number, "is not in its place")
        if isinstance(each, int):
            yield Finding(number, "cannot be read")
            before = START
        else:
            if not hmac.compare_digest(mac_of(key, before, each), each.mac):
                yield Finding(number, "was changed, or is not the one that stood after the row before it")
            if any(seal != each.mac for seal in heads.get(number, ())):
                yield Finding(number, "is not the row whose seal was copied out")
            before = each.mac
        if number in heads:
            seen.add(number)
        last = number
    yield from _end(key, Head(last, before), head, heads, seen)


def _end(
    key: AuditKey, end: Head, head: tuple[Head, bytes] | None, heads: Mapping[int, set[bytes]], seen: set[int]
) -> Iterator[Finding]:
    if head is None:
        if end.id:
            yield Finding(None, "the sealed end of the log is missing")
    elif not hmac.compare_digest(head_seal(key, head[0]), head[1]):
        yield Finding(None, "the sealed end of the log was not written with this key")
    elif head[0].id > end.id:
        yield _missing(end.id + 1, head[0].id)
    elif head[0] != end:
        yield Finding(end.id or None, f"is not where the log was left, which is row {head[0].id}")
    copied_last = max(heads, default=0)
    if copied_last > end.id:
        yield Finding(end.id + 1, f"and all up to row {copied_last} are missing: their end was copied out")
    if end.id and not heads:
        yield Finding(None, "no copied head: nothing outside the database says how far the log went")
    for number in sorted(set(heads) - seen):
        if 0 < number <= end.id:
            yield Finding(number, "is missing: its seal was copied out")


def _missing(first: int, last: int) -> Finding:
    return Finding(first, "is missing" if first == last else f"and all up to row {last} are missing")


def _content(head: Head) -> bytes:
    return head.id.to_bytes(8, "big", signed=True) + head.mac
