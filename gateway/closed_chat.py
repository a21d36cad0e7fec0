"""A server that does nothing but alerts (`serve --alerts-only`): for when the chat's database is broken or its disk is
full, and people still have to be warned. Rooms cannot be joined; who was in which one is known from alerts.db.

A server that finds no room on the disk when it starts becomes one by itself: to be read, the journal needs a little
room beside it (the index of its WAL, and the note of who holds it)."""

import errno
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from attrs import evolve

from actors.clock import Clock
from actors.journal.desk import Desk
from actors.journal.disk import Disk
from actors.journal.log import JournalUnusable, RoomRecord
from actors.room.directory import RoomRules


class ClosedDesk(Desk):
    """A journal that is down from the beginning, and knows no rooms: everything else is refused, nothing waits."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.detach(stopped=False)

    async def rooms(self) -> list[RoomRecord]:
        return []


def closed(rules: RoomRules) -> RoomRules:
    """A join is then answered by what the journal says: unavailable, come back."""
    return evolve(rules, listed={}, create="anyone")


NEEDED_BYTES = 1 << 20
"""For all databases to be opened."""
FULL = (errno.ENOSPC, errno.EDQUOT)


def make_room(journal: Path, ballasted: Iterable[Path]) -> str:
    """Before anything is opened: on a full disk the ballasts go, in this order and no more of them than it takes. What
    is wrong, if the journal cannot be opened all the same; "" otherwise. JournalUnusable: there is none, and it cannot
    be made. Not for the loop: it writes to the disk."""
    for database in ballasted:
        if not _has_room(database):
            Disk(database, 0).drop_ballast()
    if _has_room(journal):
        return ""
    if not journal.exists() or not journal.stat().st_size:
        raise JournalUnusable(
            f"{journal} cannot be made: the disk of {journal.parent.absolute()} is full; make room and start again"
        )
    where = journal.parent.absolute()
    return f"the disk of {where} is full: the chat is closed and alerts go out; make room and start again"


def _has_room(database: Path) -> bool:
    """Tried, since quotas and reserves show in no figure. Whatever else is wrong is told by who opens the database."""
    probe = database.with_name(database.name + ".room")
    try:
        with probe.open("wb") as file:
            file.write(bytes(NEEDED_BYTES))
    except OSError as wrong:
        return wrong.errno not in FULL
    finally:
        with suppress(OSError):  # such as on a disk that cannot be written at all
            probe.unlink()
    return True
