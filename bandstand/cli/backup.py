"""`bandstand backup`: a copy of the journal, of the operators' record, of the alerts and of the keys, while the server
runs."""

import os
import time
from contextlib import suppress
from pathlib import Path

import click

from actors.admin.keyfile import AdminKeyError
from actors.journal.backup import BackupRefused
from actors.journal.backup import backup as copy_journal
from actors.journal.copies import Pair
from actors.journal.disk import free_bytes
from actors.journal.log import JournalUnusable, LogFailed
from actors.journal.verify import Report
from bandstand.cli.belongings import WORDS, KeyFile, audit_key, belongings, member_key, to_backup
from bandstand.cli.context import Cli, pass_cli
from bandstand.cli.exits import Failed, Usage
from bandstand.cli.options import load_or_stop
from gateway.auth import KeyFileError
from gateway.settings import Settings

journal_option = click.option("--journal", metavar="F", help="The journal, instead of the one in the settings.")


@click.command()
@click.argument("dest", type=click.Path(path_type=Path))
@journal_option
@click.option("--no-journal", is_flag=True, help="Leave out the journal: where it is damaged, the rest can be saved.")
@click.option("--no-key", is_flag=True, help="Leave out the keys of the member tokens and of the audit.")
@pass_cli
def command(cli: Cli, dest: Path, journal: str | None, no_journal: bool, no_key: bool) -> None:
    """Copy the journal to the file DEST; what operators and alerts keep, and the keys, beside it. The server may run.

    DEST.admin.db and DEST.admin.heads are the operators' record, DEST.alerts.db the alerts. Each copy is of one
    instant, verified, and there only when all are whole. A server of alerts alone may have no journal: then the rest is
    copied, and DEST is a line that says so. Whoever holds DEST.key can come in as any member, and whoever
    holds DEST.admin.key can rewrite the audit: keep them as you keep passwords.
    """
    settings = settings_for(cli, journal)
    along = to_backup(belongings(settings, dest))
    source = _source(settings.journal.path, along, no_journal)
    has_admin = settings.admin_path.exists()
    keys = (member_key(settings, dest), *((audit_key(settings, dest),) if has_admin else ()))
    wanted = [] if no_key else [key for key in keys if key.live.exists()]
    for key in wanted:
        if key.copy.exists():
            raise Failed(f"{key.copy} is there already: give another name")
    began = time.perf_counter()
    report = _copy(source, dest, along)
    took_s = time.perf_counter() - began
    for key in wanted:
        try:
            copy_key(key, key.live, key.copy)
        except (AdminKeyError, KeyFileError, OSError) as wrong:
            raise Failed(f"{dest} is whole, but the key was not copied: {wrong}") from wrong
    _tell(cli, dest, wanted, along, report, took_s, source is not None)
    if source is None:
        why = "as asked" if settings.journal.path.exists() else f"there is none at {settings.journal.path}"
        cli.note(f"the journal is not in this backup ({why}): no room and no message is")
    if keys[0] not in wanted:
        why = "as asked" if no_key else f"{keys[0].live} is not there"
        cli.note(f"the key is not in this backup ({why}): with another key members come back as somebody new")
    if has_admin and keys[-1] not in wanted:
        why = "as asked" if no_key else f"{keys[-1].live} is not there"
        cli.note(f"nor is that of the audit ({why}): without it the audit cannot be verified")
    _look_for_damage(settings.journal.path, report, along)


def _source(journal: Path, along: list[Pair], left_out: bool) -> Path | None:
    """None: no journal is copied. Raises Failed when nothing would be."""
    if not left_out and journal.exists():
        return journal
    if not any(pair.kind is not None for pair in along):
        raise Failed(f"there is no journal at {journal}, and no operators' record and no alerts: nothing to copy")
    return None


def _look_for_damage(journal: Path, report: Report, along: list[Pair]) -> None:
    """Raises Failed."""
    if not report.good:
        first = report.problems[0]
        where = f"{first.room} {first.seq}: {first.text}"
        raise Failed(f"the copy is as damaged as {journal} ({where}); `restore` will not take it")
    for pair in along:
        if damage := pair.damage(pair.target):
            raise Failed(f"the copy is as damaged as {pair.source} ({damage}); `restore` will not take it")


def settings_for(cli: Cli, journal: str | None) -> Settings:
    """Those in force, for a command about the journal on disk."""
    settings: Settings = load_or_stop(cli, {"journal.path": journal}).settings
    if settings.journal.durability == "memory":
        raise Usage("journal.durability is memory: there is no file to copy")
    return settings


def copy_key(key: KeyFile, source: Path, target: Path) -> None:
    """Readable by the owner only, on disk when it returns; never over one that is there. KeyFileError, AdminKeyError,
    OSError."""
    key.load(source)
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


def _copy(journal: Path | None, dest: Path, along: list[Pair]) -> Report:
    try:
        if not dest.parent.is_dir():
            raise Failed(f"there is no folder {dest.parent}: make it first")
        _make_sure_of_room([*([journal] if journal else []), *(pair.source for pair in along)], dest.parent)
        return copy_journal(journal, dest, along)
    except (BackupRefused, JournalUnusable, LogFailed) as wrong:
        raise Failed(str(wrong)) from wrong
    except OSError as wrong:
        raise Failed(f"{dest} cannot be written: {wrong.strerror or wrong}") from wrong


def _make_sure_of_room(files: list[Path], folder: Path) -> None:
    parts = [part for file in files for part in (file, file.with_name(file.name + "-wal"))]
    needed = sum(part.stat().st_size for part in parts if part.exists())
    free = free_bytes(folder)
    if needed > free:
        raise Failed(f"{needed >> 20:,} MiB are to be copied and {folder} has {free >> 20:,} MiB free: make room")


def _tell(
    cli: Cli, dest: Path, keys: list[KeyFile], along: list[Pair], report: Report, took_s: float, journal: bool
) -> None:
    size = dest.stat().st_size
    databases = [pair.target for pair in along if pair.kind is not None]
    if cli.json:
        seconds = round(took_s, 3)
        what = {"entries": report.entries, "rooms": report.rooms, "bytes": size, "seconds": seconds}
        found = {key.what: key.copy for key in keys}
        named = {"key": found.get("the key of the member tokens"), "audit_key": found.get("the key of the audit")}
        cli.data({"backup": dest, "journal": journal, **named, "along": databases, **what, "verified": report.good})
        return
    megabytes = f"{size / 2**20:,.1f} MiB in {took_s:.1f} s{', verified' if report.good else ''}"
    entries = f"{report.entries:,} entries of {report.rooms:,} rooms, {megabytes}"
    cli.say(f"{dest}: {entries if journal else 'without a journal'}")
    for pair in along:
        if pair.kind is not None:
            cli.say(f"{pair.target}: {WORDS[pair.kind]}")
    for key in keys:
        cli.say(f"{key.copy}: {key.what}, for its owner only")
