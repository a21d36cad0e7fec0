"""`bandstand restore`: put a backup in the journal's place, while no server runs."""

import time
from pathlib import Path

import attrs
import click

from actors.journal.backup import BackupRefused
from actors.journal.backup import restore as put_back
from actors.journal.log import JournalUnusable, LogFailed
from bandstand.cli.backup import copy_key, journal_option, key_beside, settings_for
from bandstand.cli.context import Cli, pass_cli
from bandstand.cli.exits import Failed
from gateway.auth import KeyFileError, load_keys


@click.command()
@click.argument("src", type=click.Path(path_type=Path))
@journal_option
@click.option("--force", is_flag=True, help="Over a journal that is there, which is kept under another name.")
@pass_cli
def command(cli: Cli, src: Path, journal: str | None, force: bool) -> None:
    """Put the backup SRC in the journal's place, and SRC.key in the key's.

    Stop the server first. Every room begins a new epoch, so clients that were here read its history anew; nobody's
    position is taken for one in the other log. Run it as the user that the server runs as.
    """
    settings = settings_for(cli, journal)
    plan = _plan_key(key_beside(src), settings.key_path, force)
    try:
        restored = put_back(src, settings.journal.path, force=force)
        plan.carry_out()
    except (BackupRefused, JournalUnusable, KeyFileError, LogFailed) as wrong:
        raise Failed(str(wrong)) from wrong
    except OSError as wrong:
        raise Failed(f"{wrong.filename or settings.journal.path}: {wrong.strerror or wrong}") from wrong
    if cli.json:
        cli.data({**attrs.asdict(restored), "key": plan.target if plan.source else None, "key_replaced": plan.aside})
        return
    cli.say(str(restored))
    cli.say(plan.told)


@attrs.frozen
class KeyPlan:
    """`source` None: the key in place stays, or there is none. `aside`: where the former one goes."""

    source: Path | None
    target: Path
    aside: Path | None
    told: str

    def carry_out(self) -> None:
        if self.source is None:
            return
        if self.aside is not None:
            self.target.rename(self.aside)
        self.target.parent.mkdir(parents=True, exist_ok=True)
        copy_key(self.source, self.target)


def _plan_key(source: Path, target: Path, force: bool) -> KeyPlan:
    """Decided before anything is changed. Raises Failed."""
    if not source.exists():
        if target.exists():
            return KeyPlan(None, target, None, f"No key beside the backup: {target} stays in place.")
        told = "No key beside the backup: a new one is made at the start, and members come back as somebody new."
        return KeyPlan(None, target, None, told)
    try:
        load_keys(source)
    except KeyFileError as wrong:
        raise Failed(str(wrong)) from wrong
    back = f"Members keep who they are: {target} is the backup's key."
    if not target.exists():
        return KeyPlan(source, target, None, back)
    if target.read_bytes() == source.read_bytes():
        return KeyPlan(None, target, None, f"Members keep who they are: {target} was the backup's key already.")
    if not force:
        raise Failed(
            f"{target} is another key than {source}: --force puts the backup's in its place and keeps the other"
        )
    aside = target.with_name(f"{target.name}.replaced-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    return KeyPlan(source, target, aside, f"{back} The former one is kept as {aside}.")
