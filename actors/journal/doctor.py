"""Looking a database over when it is opened: is it ours, is it whole, which rooms need a new epoch."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from attrs import frozen

from actors.events import PolicyChanged
from actors.journal import pages, schema
from actors.journal.codec import Damaged, decode
from actors.journal.database import is_damage, make_private
from actors.journal.log import Draft, Durability, JournalUnusable, Outcome
from actors.journal.marks import Mark
from actors.journal.pages import Room
from actors.names import HOUSE, Cid, RoomName


def open_database(path: Path, durability: Durability) -> sqlite3.Connection:
    """A connection to our database at `path`, made if nothing is there. JournalUnusable; sqlite3.OperationalError for
    what may pass (busy, disk full)."""
    try:
        make_private(path)
    except IsADirectoryError as error:
        raise JournalUnusable(f"{path} cannot be read ({error.strerror}): give the path of a file") from error
    try:
        return schema.connect(path, durability)
    except sqlite3.DatabaseError as error:
        why = refusal(path, error)
        if why is None:
            raise
        raise JournalUnusable(why) from error


def refusal(path: Path, error: sqlite3.DatabaseError) -> str | None:
    """Why this file can never be served from as it is, or None if the error may pass."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return f"{path} is not a database: move it away, or give another path for the journal"
    if code == sqlite3.SQLITE_CORRUPT:
        return f"{path} is damaged ({error}): keep a copy of it, and restore a backup"
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return f"{path} cannot be written ({error}): check the rights of the file and of its folder"
    return None


def stopped_uncleanly(db: sqlite3.Connection, boot: str) -> bool:
    """The last life promised no more than PROCESS, and the machine went down under it."""
    was = {key: schema.get_meta(db, key) for key in ("clean", "boot", "durability")}
    return was["clean"] == "no" and was["durability"] == Durability.PROCESS and (not boot or was["boot"] != boot)


@frozen
class Finding:
    """`kind`: truncated (what is there verifies, but there was more) | corrupt."""

    room: RoomName
    kind: str
    text: str


def examine(db: sqlite3.Connection, rooms: Iterable[Room], marks: Mapping[int, Mark]) -> Iterator[Finding]:
    """The ends of the rooms' logs against each other and against the marks. A few look-ups a room."""
    for room in rooms:
        try:
            finding = _finding(db, room, marks.get(room.epoch_id))
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            finding = Finding(room.name, "corrupt", f"the last entry, {room.head}, cannot be read")
        if finding is not None:
            yield finding


def _finding(db: sqlite3.Connection, room: Room, mark: Mark | None) -> Finding | None:
    last = pages.rows_between(db, room.epoch_id, room.head, (1 << 62), limit=2)
    end = last[0].chain if last else pages.prior_chain(db, room.epoch_id, room.born, room.head + 1)
    if end != room.chain or len(last) > 1:
        return Finding(room.name, "corrupt", f"the last entry, {room.head}, is not the one that was committed last")
    if mark is not None and mark.head > room.head:
        text = f"entries {room.head + 1} to {mark.head} were committed and are missing: was an old copy put back?"
        return Finding(room.name, "truncated", text)
    if mark is not None and not _fits(db, room, mark):
        return Finding(room.name, "corrupt", f"entry {mark.head} is not the one that was committed")
    return None


def _fits(db: sqlite3.Connection, room: Room, mark: Mark) -> bool:
    if mark.head == room.head:
        return mark.chain == room.chain
    chain = pages.prior_chain(db, room.epoch_id, room.born, mark.head + 1)
    return chain is None or chain == mark.chain  # None: dropped by retention


def newest_policy(db: sqlite3.Connection, epoch_id: int) -> PolicyChanged | None:
    """The last rules that still read: damage must not lift a freeze."""
    for row in pages.rule_rows_backwards(db, epoch_id):
        try:
            body = decode(row.kind, row.body)
        except Damaged:
            continue
        if isinstance(body, PolicyChanged):
            return body
    return None


def carried(policy: PolicyChanged, old: Room, new: Room) -> Draft:
    def nobody(outcome: Outcome) -> None: ...

    return Draft(new.name, new.epoch, HOUSE, Cid(f"carried-{old.epoch}-{new.epoch}"), policy, nobody)
