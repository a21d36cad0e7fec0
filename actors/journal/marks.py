"""The high-water mark of every epoch, in a small file beside the database.

A database cannot know that its own end is missing: one flipped bit in the WAL drops every commit behind it, and a copy
put back by hand is whole in itself. So after each commit the heads it moved are noted here too, unsynced: the note may
be older than the database, never younger."""

import os
import struct
import zlib
from pathlib import Path

from attrs import frozen

from actors.journal.database import is_missing
from actors.journal.log import JournalUnusable

try:
    import fcntl
except ImportError:  # not on Windows; there the file is not locked
    fcntl = None  # type: ignore[assignment]

_slot = struct.Struct(">q16sI4x")
_magic = b"BNDSMARK"


@frozen
class Mark:
    head: int
    chain: bytes


class Marks:
    """Slot n holds the mark of epoch number n. The first slot names the database. The lock on this file is what keeps
    two servers off one database."""

    def __init__(self, path: Path) -> None:
        """BlockingIOError: another process holds it. OSError: it cannot be written."""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if fcntl is not None:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BaseException:  # mostly BlockingIOError: whatever it was, the file has no owner yet
                os.close(self._fd)
                raise

    def belongs_to(self, database: str) -> bool:
        return os.pread(self._fd, _slot.size, 0) == _title(database)

    def begin(self, database: str) -> None:
        """Forget everything: these are the marks of this database from now on."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, _title(database), 0)

    def read(self) -> dict[int, Mark]:
        """A slot that was cut short by a crash counts as not written."""
        data = os.pread(self._fd, os.fstat(self._fd).st_size, 0)
        found = {}
        for epoch in range(1, len(data) // _slot.size):
            head, chain, check = _slot.unpack_from(data, epoch * _slot.size)
            if check and check == _check(epoch, head, chain):
                found[epoch] = Mark(head, chain)
        return found

    def write(self, epoch: int, mark: Mark) -> None:
        """OSError when the disk is full and the file would have to grow."""
        slot = _slot.pack(mark.head, mark.chain, _check(epoch, mark.head, mark.chain))
        os.pwrite(self._fd, slot, epoch * _slot.size)

    def close(self) -> None:
        os.close(self._fd)


def marks_path(database: Path) -> Path:
    return database.with_name(database.name + ".marks")


def lock(database: Path) -> Marks:
    """The marks of this database, which is ours from now on. JournalUnusable."""
    marks = marks_path(database)
    if marks.exists() and marks.stat().st_size > 0 and is_missing(database):
        raise JournalUnusable(
            f"{database} is missing or empty, but {marks.name} beside it says that there was a journal: "
            f"restore a backup, or remove {marks.name} to begin with nothing"
        )
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        return Marks(marks)
    except BlockingIOError as error:
        raise JournalUnusable(f"{database} is in use by another server: stop that one first") from error
    except OSError as error:
        raise JournalUnusable(f"{marks} cannot be written ({error.strerror}): check the disk and its rights") from error


def _title(database: str) -> bytes:
    return (_magic + bytes.fromhex(database)[:16]).ljust(_slot.size, b"\0")


def _check(epoch: int, head: int, chain: bytes) -> int:
    return zlib.crc32(struct.pack(">qq", epoch, head) + chain) or 1
