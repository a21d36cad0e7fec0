"""The command line. A command is a module here, or a package, whose `command` is a click command. None is registered.

`bandstand audit-log` looks for bandstand/cli/audit_log.py and imports only that one. A module without `command` is a
helper.
"""

import pkgutil
from importlib import import_module
from pathlib import Path

import click

from bandstand.cli.context import Cli, config_file, wants_color
from bandstand.cli.exits import INTERRUPTED
from bandstand.start import nothing_collected
from bandstand.version import VERSION


class Commands(click.Group):
    """Finds its commands in the modules beside it, and ends every command with the right exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = [module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__)]
        return sorted(name for name in names if self.get_command(ctx, name) is not None)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module_name = cmd_name.replace("-", "_")
        if module_name not in {module.name for module in pkgutil.iter_modules(__path__)}:
            return None
        with nothing_collected():
            command = getattr(import_module(f"{__name__}.{module_name}"), "command", None)
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            return ctx.exit(INTERRUPTED)
        except BaseExceptionGroup as group:
            # A nursery wraps what its children raise; the exit that someone raised in there still counts.
            if group.subgroup(KeyboardInterrupt):
                return ctx.exit(INTERRUPTED)
            cause = _only_leaf(group)
            if isinstance(cause, click.ClickException | click.exceptions.Exit):
                raise cause from group
            raise


def _only_leaf(error: BaseException) -> BaseException | None:
    while isinstance(error, BaseExceptionGroup):
        if len(error.exceptions) != 1:
            return None
        error = error.exceptions[0]
    return error


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 ok, 1 failed, 2 usage, 3 cannot connect, 4 refused, 5 assertion missed, 130 interrupted.",
)
@click.option(
    "--config", type=click.Path(path_type=Path), metavar="F", help="Settings file (default: ./bandstand.toml)."
)
@click.option("--json", "as_json", is_flag=True, help="Data as JSON, a document a line.")
@click.option("--no-color", is_flag=True, help="Plain text, as with NO_COLOR.")
@click.option("-q", "--quiet", is_flag=True, help="Data and errors only.")
@click.option("-v", "--verbose", count=True, help="Tell more.")
@click.version_option(VERSION, prog_name="bandstand", message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context, config: Path | None, as_json: bool, no_color: bool, quiet: bool, verbose: int) -> None:
    """Room chat and emergency alerts for live events."""
    if quiet and verbose:
        raise click.UsageError("-q and -v contradict each other")
    ctx.obj = Cli(config_file(config), as_json, wants_color(no_color), -1 if quiet else verbose)
