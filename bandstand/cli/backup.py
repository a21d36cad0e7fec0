"""`bandstand backup`: a copy of the journal, and of the key, while the server runs."""

import os
import time
from contextlib import suppress
from pathlib import Path

import click

from actors.journal.backup import BackupRefused
from actors.journal.backup import backup as copy_journal
from actors.journal.disk import free_bytes
from actors.journal.log import JournalUnusable, LogFailed
from actors.journal.verify import Report
from bandstand.cli.context import Cli, pass_cli
from bandstand.cli.exits import Failed, Usage
from bandstand.cli.options import load_or_stop
from gateway.auth import KeyFileError, load_keys
from gateway.settings import Settings

journal_option = click.option("--journal", metavar="F", help="The journal, instead of the one in the settings.")


@click.command()
@click.argument("dest", type=click.Path(path_type=Path))
@journal_option
@click.option("--no-key", is_flag=True, help="Leave out the key of the member tokens.")
@pass_cli
def command(cli: Cli, dest: Path, journal: str | None, no_key: bool) -> None:
    """Copy the journal to the file DEST, and its key to DEST.key. The server may run.

    The copy is of one instant, verified, and there only when it is whole. Whoever holds DEST.key can come in as any
    member: keep it as you keep passwords. Without it members come back as somebody new.
    """
    settings = settings_for(cli, journal)
    key, key_copy = settings.key_path, key_beside(dest)
    with_key = not no_key and key.exists()
    if with_key and key_copy.exists():
        raise Failed(f"{key_copy} is there already: give another name")
    began = time.perf_counter()
    report = _copy(settings.journal.path, dest)
    took_s = time.perf_counter() - began
    if with_key:
        try:
            copy_key(key, key_copy)
        except (KeyFileError, OSError) as wrong:
            raise Failed(f"{dest} is whole, but the key was not copied: {wrong}") from wrong
    _tell(cli, dest, key_copy if with_key else None, report, took_s)
    if not with_key:
        why = "as asked" if no_key else f"{key} is not there"
        cli.note(f"the key is not in this backup ({why}): with another key members come back as somebody new")
    if not report.good:
        first = report.problems[0]
        where = f"{first.room} {first.seq}: {first.text}"
        raise Failed(f"the copy is as damaged as {settings.journal.path} ({where}); `restore` will not take it")


def settings_for(cli: Cli, journal: str | None) -> Settings:
    """Those in force, for a command about the journal on disk."""
    settings: Settings = load_or_stop(cli, {"journal.path": journal}).settings
    if settings.journal.durability == "memory":
        raise Usage("journal.durability is memory: there is no file to copy")
    return settings


def key_beside(backup: Path) -> Path:
    return backup.with_name(f"{backup.name}.key")


def copy_key(source: Path, target: Path) -> None:
    """Readable by the owner only, on disk when it returns; never over one that is there. KeyFileError, OSError."""
    load_keys(source)
    content = source.read_bytes()
    try:
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise
    except OSError:
        with suppress(OSError):
            target.unlink()
        raise


def _copy(journal: Path, dest: Path) -> Report:
    try:
        if not dest.parent.is_dir():
            raise Failed(f"there is no folder {dest.parent}: make it first")
        _make_sure_of_room(journal, dest.parent)
        return copy_journal(journal, dest)
    except (BackupRefused, JournalUnusable, LogFailed) as wrong:
        raise Failed(str(wrong)) from wrong
    except OSError as wrong:
        raise Failed(f"{dest} cannot be written: {wrong.strerror or wrong}") from wrong


def _make_sure_of_room(journal: Path, folder: Path) -> None:
    parts = (journal, journal.with_name(journal.name + "-wal"))
    needed = sum(part.stat().st_size for part in parts if part.exists())
    free = free_bytes(folder)
    if needed > free:
        raise Failed(f"{needed >> 20:,} MiB are to be copied and {folder} has {free >> 20:,} MiB free: make room")


def _tell(cli: Cli, dest: Path, key: Path | None, report: Report, took_s: float) -> None:
    size = dest.stat().st_size
    if cli.json:
        seconds = round(took_s, 3)
        what = {"entries": report.entries, "rooms": report.rooms, "bytes": size, "seconds": seconds}
        cli.data({"backup": dest, "key": key, **what, "verified": report.good})
        return
    cli.say(
        f"{dest}: {report.entries:,} entries of {report.rooms:,} rooms, {size / 2**20:,.1f} MiB in {took_s:.1f} s"
        f"{', verified' if report.good else ''}"
    )
    if key is not None:
        cli.say(f"{key}: the key of the member tokens, for its owner only")
