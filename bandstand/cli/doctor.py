"""`bandstand doctor`: what stands in the way of serving, or of reaching a server."""

from collections.abc import Callable
from typing import TextIO

import attrs
import click
import trio

from bandstand.address import BadAddress, parse_address
from bandstand.cli import exits
from bandstand.cli.context import Cli, pass_cli
from bandstand.cli.options import settings_options
from bandstand.doctor.findings import Finding, Level, ok
from gateway.settings import Loaded
from gateway.sources import DEFAULT

Tell = Callable[[Finding], None]

COLORS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}


@click.command()
@click.argument("url", required=False)
@click.option(
    "--token", type=click.File(), metavar="F", help="With URL: come in with the member token in F (- = stdin)."
)
@settings_options()
@pass_cli
def command(cli: Cli, loaded: Loaded, url: str | None, token: TextIO | None) -> None:
    """Look for what stands in the way: ok, warn or FAIL, and what to do.

    Without URL: this machine, with the settings that `serve` would take. With URL: a running server, from here, through
    whatever stands in between. Exit code 1 after a FAIL, 3 when there is no connection at all.
    """
    findings: list[Finding] = []

    def tell(finding: Finding) -> None:
        findings.append(finding)
        if not cli.json:
            cli.say(_colored(finding))

    unreachable = None
    if url is None:
        _look_over(cli, loaded, tell)
    else:
        unreachable = _examine(url, tell, token.read().strip() if token else None)
    failed = [finding.check for finding in findings if finding.level is Level.FAIL]
    if cli.json:
        cli.data({"ok": not failed, "url": url, "checks": [attrs.asdict(finding) for finding in findings]})
    if unreachable is not None:
        raise exits.CannotConnect(unreachable)
    if failed:
        raise exits.Failed(f"{', '.join(failed)}: see above")


def _look_over(cli: Cli, loaded: Loaded, tell: Tell) -> None:
    from bandstand.doctor.machine import look_over

    changed = sum(origin != DEFAULT for origin in loaded.origins.values())
    tell(ok("settings", f"{cli.config or 'no settings file'}, {changed} changed from the defaults"))
    for finding in look_over(loaded.settings):
        tell(finding)


def _examine(url: str, tell: Tell, token: str | None) -> str | None:
    """Why there is no connection at all, if there is none."""
    from bandstand.doctor.server import Unreachable, examine

    try:
        trio.run(examine, parse_address(url), tell, token)
    except BadAddress as wrong:
        raise exits.Usage(str(wrong)) from wrong
    except Unreachable as wrong:
        return str(wrong)
    return None


def _colored(finding: Finding) -> str:
    line, width = finding.line(), len(finding.level)
    return click.style(line[:width], fg=COLORS[finding.level]) + line[width:]
