"""`bandstand audit`: is the record of orders the one that was written?"""

import click

from actors.admin.audit import Finding
from actors.admin.store import AdminKeyError, AdminUnusable
from actors.admin.store_audit import verify_files
from bandstand.cli.context import Cli, pass_cli
from bandstand.cli.desk import settings_on_disk
from bandstand.cli.exits import FAILED, OK, Failed

SHOWN = 1_000
"""Findings that are printed; a log under another key has one for each row."""


@click.group()
def command() -> None:
    """The record of every order."""


@command.command("verify")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
@pass_cli
def verify(cli: Cli, ctx: click.Context, as_json: bool) -> None:
    """Check every row against the key and the copied heads. Exit 0: whole; 1: not, and each finding is printed.

    The server may run. Nothing is changed.
    """
    settings = settings_on_disk(cli)
    files = (settings.admin_path, settings.admin_key_path, settings.admin_heads_path)
    try:
        rows, findings = verify_files(*files)
    except (AdminUnusable, AdminKeyError) as wrong:
        raise Failed(str(wrong)) from wrong
    if cli.json or as_json:
        listed = [{"row": each.row, "what": each.what} for each in findings[:SHOWN]]
        cli.data({"audit": settings.admin_path, "rows": rows, "findings": listed, "found": len(findings)})
    else:
        for each in findings[:SHOWN]:
            cli.say(_line(each))
        if len(findings) > SHOWN:
            cli.say(f"... and {len(findings) - SHOWN:,} more")
        cli.note(f"{settings.admin_path}: {rows:,} rows, {_count(len(findings))}")
    ctx.exit(FAILED if findings else OK)


def _line(finding: Finding) -> str:
    return f"the log: {finding.what}" if finding.row is None else f"row {finding.row}: {finding.what}"


def _count(found: int) -> str:
    return "whole" if not found else f"{found:,} finding{'s' if found > 1 else ''}"
