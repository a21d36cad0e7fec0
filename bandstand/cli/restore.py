"""`bandstand restore`: put a backup in the journal's place, and what it has beside it, while no server runs."""

import time
from pathlib import Path

import attrs
import click

from actors.admin.keyfile import AdminKeyError
from actors.journal.backup import BackupRefused
from actors.journal.backup import restore as put_back
from actors.journal.log import JournalUnusable, LogFailed
from bandstand.cli.backup import copy_key, journal_option, settings_for
from bandstand.cli.belongings import ADMIN, WORDS, KeyFile, audit_key, belongings, member_key, to_restore
from bandstand.cli.context import Cli, pass_cli
from bandstand.cli.exits import Failed
from gateway.auth import KeyFileError


@click.command()
@click.argument("src", type=click.Path(path_type=Path))
@journal_option
@click.option("--force", is_flag=True, help="Over files that are there, which are kept under other names.")
@pass_cli
def command(cli: Cli, src: Path, journal: str | None, force: bool) -> None:
    """Put the backup SRC in the journal's place; SRC.admin.db, SRC.alerts.db and the keys in theirs.

    Stop the server first. Every room begins a new epoch, so clients that were here read its history anew; nobody's
    position is taken for one in the other log. Operators sign in anew. What the backup does not have stays as it is,
    the journal too. Run it as the user that the server runs as.
    """
    settings = settings_for(cli, journal)
    all = belongings(settings, src)
    along = to_restore(all)
    with_admin = any(pair.kind is ADMIN for pair in along)
    plans = [_plan_key(member_key(settings, src), force)]
    if with_admin:
        plans.append(_plan_key(audit_key(settings, src), force))
    try:
        restored = put_back(src, settings.journal.path, force=force, along=along)
        for plan in plans:
            plan.carry_out()
    except (AdminKeyError, BackupRefused, JournalUnusable, KeyFileError, LogFailed) as wrong:
        raise Failed(str(wrong)) from wrong
    except OSError as wrong:
        raise Failed(f"{wrong.filename or settings.journal.path}: {wrong.strerror or wrong}") from wrong
    if cli.json:
        keys: dict[str, Path | None] = {}
        for name, plan in zip(("key", "audit_key"), plans, strict=False):
            keys |= {name: plan.key.live if plan.source else None, f"{name}_replaced": plan.aside}
        told = {**attrs.asdict(restored), "aside": list(restored.aside)}
        cli.data({**told, **keys, "along": [pair.target for pair in along if pair.kind is not None]})
        return
    cli.say(str(restored))
    back = {pair.target for pair in along}
    for each in all:
        if each.kind is not None and (each.live in back or each.live.exists()):
            state = "is the backup's" if each.live in back else "stays in place: the backup has none"
            cli.say(f"{each.live} ({WORDS[each.kind]}) {state}.")
    for path in restored.aside:
        cli.say(f"Kept: {path}")
    for plan in plans:
        cli.say(plan.told)


@attrs.frozen
class KeyPlan:
    """`source` None: the key in place stays, or there is none. `aside`: where the former one goes."""

    key: KeyFile
    source: Path | None
    aside: Path | None
    told: str

    def carry_out(self) -> None:
        if self.source is None:
            return
        target = self.key.live
        if self.aside is not None:
            target.rename(self.aside)
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_key(self.key, self.source, target)


def _plan_key(key: KeyFile, force: bool) -> KeyPlan:
    """Decided before anything is changed. Raises Failed."""
    source, target = key.copy, key.live
    if not source.exists():
        if target.exists():
            return KeyPlan(key, None, None, f"No {source.name} beside the backup: {target} stays in place.")
        return KeyPlan(key, None, None, f"No {source.name} beside the backup, and no {target}: {key.lost}.")
    try:
        key.load(source)
    except (AdminKeyError, KeyFileError) as wrong:
        raise Failed(str(wrong)) from wrong
    if not target.exists():
        return KeyPlan(key, source, None, f"{key.kept}: {target} is the backup's key.")
    if target.read_bytes() == source.read_bytes():
        return KeyPlan(key, None, None, f"{key.kept}: {target} was the backup's key already.")
    if not force:
        raise Failed(
            f"{target} is another key than {source}: --force puts the backup's in its place and keeps the other"
        )
    aside = target.with_name(f"{target.name}.replaced-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    return KeyPlan(key, source, aside, f"{key.kept}: {target} is the backup's key. The former one is kept as {aside}.")
