"""Copies of the journal, and of what goes along with it: taken while the server runs, put back while it does not."""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from attrs import frozen

from actors.journal import schema
from actors.journal.copies import Pair, copy_picture, is_in_use
from actors.journal.epochs import new_epoch
from actors.journal.log import Durability, JournalUnusable, LogFailed
from actors.journal.marks import Marks, marks_path
from actors.journal.verify import Report, verify

SIDE_FILES = ("-wal", "-shm")
NO_JOURNAL = b"""A backup of Bandstand without a journal: only what stands beside this file.
"""
"""What a backup is where there is no journal: so that here too the file that comes last says that all are whole."""


class BackupRefused(Exception):
    """It was not done, nothing was changed; the text says why and what to do."""


NOTHING = Report(0, 0, (), ())


@frozen
class Restored:
    """What `restore` did. `rooms`: how many begin a new epoch. `replaced`: where the former journal is kept; `aside`:
    where what went along with it is. `journal`: the backup has one."""

    source: Path
    target: Path
    rooms: int
    entries: int
    replaced: Path | None
    aside: tuple[Path, ...] = ()
    journal: bool = True

    def __str__(self) -> str:
        if not self.journal:
            return f"{self.source} was made without a journal: {self.target} is left as it is."
        kept = f" The former journal is kept as {self.replaced}." if self.replaced else ""
        return (
            f"{self.entries} entries of {self.rooms} rooms from {self.source} are now {self.target}. Every room begins "
            f"a new epoch: clients that were here read its history anew.{kept}"
        )


def backup(source: Path | None, target: Path, along: Sequence[Pair] = ()) -> Report:
    """A copy of the journal as of one instant, and whether it verifies; then of each file that goes along, in this
    order, each as of its own instant. BackupRefused, JournalUnusable; OSError or LogFailed when the disk fails. All
    of it appears, the journal last, once all of it is whole; or nothing does. `source` None: there is no journal, and
    `target` says so."""
    for each in (target, *(pair.target for pair in along)):
        if each.exists():
            raise BackupRefused(f"{each} is there already: give another name")
    part = _part(target)
    parts = [(_part(pair.target), pair.target) for pair in along] + [(part, target)]
    try:
        for half, _ in parts:
            _remove(half)
        if source is None:
            _write_note(part)
        else:
            with _in_words(source, part):
                _copy(source, part)
        for pair in along:
            with _in_words(pair.source, _part(pair.target)):
                pair.copy(_part(pair.target))
        if source is None:
            report = NOTHING
        else:
            with _in_words(source, part):
                report = verify(part)
        for half, _ in parts:
            _sync(half)
        _place(parts)
    finally:
        for half, _ in parts:
            _remove(half)
    return report


def restore(source: Path, target: Path, *, force: bool = False, along: Sequence[Pair] = ()) -> Restored:
    """Put a backup in the journal's place, and what went along with it in theirs. With `force` over what is there,
    which is kept beside it. BackupRefused when something is there, when a server runs on it, or when the backup does
    not verify; LogFailed when the disk fails. A text goes with its database: the former one makes way without force,
    also where the backup has none."""
    has_journal = not _is_note(source)
    own = [target] if has_journal else []
    report = verify(source) if has_journal else NOTHING
    _make_sure(source, report, own, along, force=force)
    present = [pair for pair in along if pair.source.exists()]
    part = _part(target)
    parts = [(_part(pair.target), pair.target) for pair in present] + [(part, each) for each in own]
    rooms = 0
    for place in (target, *(place for _, place in parts)):
        place.parent.mkdir(parents=True, exist_ok=True)
    unmarked = not marks_path(target).exists()
    marks = _hold(target, along)
    try:
        for half, _ in parts:
            _remove(half)
        if has_journal:
            with _in_words(source, part):
                _copy(source, part)
                rooms = _begin_epochs(part)
        for pair in present:
            with _in_words(pair.source, _part(pair.target)):
                pair.copy_afresh(_part(pair.target))
        for half, _ in parts:
            _sync(half)
        aside = _place(parts, make_way=[pair.target for pair in along] + own)
    finally:
        if unmarked and not has_journal:  # marks without their journal would speak of one that was lost
            marks_path(target).unlink(missing_ok=True)
        marks.close()
        for half, _ in parts:
            _remove(half)
    replaced = aside.pop(target, None)
    return Restored(source, target, rooms, report.entries, replaced, tuple(aside.values()), has_journal)


def _make_sure(source: Path, report: Report, own: Sequence[Path], along: Sequence[Pair], *, force: bool) -> None:
    """That the backup is good, and what is there may be replaced. Raises BackupRefused."""
    if report.problems:
        first = report.problems[0]
        raise BackupRefused(f"{source} does not verify ({first.room} {first.seq}: {first.text}): take another backup")
    for pair in along:
        if damage := pair.damage(pair.source):
            raise BackupRefused(f"{pair.source} does not verify ({damage}): take another backup")
    for each in (*own, *(pair.target for pair in along if pair.kind is not None)):
        if each.exists() and not force:
            raise BackupRefused(f"{each} is there already: force it to put the backup in its place")


@contextmanager
def _in_words(source: Path, target: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise LogFailed(f"{source} cannot be copied to {target}: {error}; nothing was changed") from error


def _copy(source: Path, target: Path) -> None:
    if schema.is_new(source):
        raise JournalUnusable(f"there is no journal at {source}")
    with closing(schema.connect_reader(source)) as old:
        schema.identify(old, source)
        copy_picture(old, target)


def _write_note(path: Path) -> None:
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(NO_JOURNAL)


def _is_note(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(NO_JOURNAL)) == NO_JOURNAL
    except OSError:
        return False  # whoever reads it next says what is wrong with it


def _begin_epochs(path: Path) -> int:
    """Every room under a new epoch, and a new identity for the database: its marks begin anew."""
    with closing(schema.connect(path, Durability.POWER)) as db:
        db.execute("BEGIN IMMEDIATE")
        (last,) = db.execute("SELECT max(name) FROM epochs").fetchone()
        rooms = db.execute("SELECT epoch FROM rooms ORDER BY name").fetchall()
        for (epoch_id,) in rooms:
            last = new_epoch(time.time(), last or "")
            db.execute("UPDATE epochs SET name = ? WHERE id = ?", (last, epoch_id))
        schema.set_meta(db, database=os.urandom(16).hex(), clean="yes")
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode=DELETE").fetchone()
    return len(rooms)


def _hold(target: Path, along: Sequence[Pair]) -> Marks:
    """For as long as the marks are held no server with a chat comes up; one without a chat has the other files open."""
    try:
        marks = Marks(marks_path(target))
    except BlockingIOError as error:
        raise BackupRefused(f"a server runs on {target}: stop it first") from error
    for pair in along:
        if pair.kind is not None and is_in_use(pair.target):
            marks.close()
            raise BackupRefused(f"a server, or another command, uses {pair.target}: stop it first")
    return marks


def _place(parts: Sequence[tuple[Path, Path]], make_way: Sequence[Path] = ()) -> dict[Path, Path]:
    """Each part under its name, the last one last; or, after an OSError, everything as it was. What has made way, and
    where it is now."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside: dict[Path, Path] = {}
    done: list[tuple[Path, Path]] = []

    def rename(old: Path, new: Path) -> None:
        old.rename(new)
        done.append((old, new))

    try:
        for path in make_way:
            former = path.with_name(f"{path.name}.replaced-{stamp}")
            if path.exists():
                aside[path] = former
            for ending in ("", *SIDE_FILES):  # a WAL that is left would be taken for the new database's
                side = path.with_name(path.name + ending)
                if side.exists():
                    rename(side, former.with_name(former.name + ending))
        for part, path in parts:
            rename(part, path)
    except OSError:
        for old, new in reversed(done):
            with suppress(OSError):
                new.rename(old)
        raise
    return aside


def _part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def _remove(path: Path) -> None:
    for ending in ("", *SIDE_FILES, "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    for each in (path, path.parent):
        fd = os.open(each, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
