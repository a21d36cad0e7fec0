"""Settings as flags. `@settings_options()` gives a command the flags and hands it `loaded`, ready to use.

@click.command()
@settings_options(demo=True)
@pass_cli
def command(cli: Cli, loaded: Loaded, demo: bool) -> None: ...
"""

import os
from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Any, Literal, get_args, get_origin

import click
from typed_settings.types import OptionInfo

from bandstand.cli.context import Cli
from bandstand.cli.exits import Usage
from gateway.settings import Loaded, Settings, SettingsError, load_settings
from gateway.sources import about, options_of

DEMO: Mapping[str, object] = {
    "host": "0.0.0.0",  # noqa: S104 - the phones are to reach it
    "event": "North Fields",
    "rooms.listed": ("blue-stage", "main-stage", "lost-and-found"),
    "admin.insecure_ops": True,
}
"""What --demo changes; the file, the environment and the flags still win."""


def load_or_stop(cli: Cli, flags: Mapping[str, object], *, demo: bool = False) -> Loaded:
    """The settings for this command, or exit 2 with every problem on its own line."""
    try:
        return load_settings(cli.config, os.environ, flags, DEMO if demo else None)
    except SettingsError as error:
        raise Usage("the settings cannot be used\n" + "\n".join(f"  {line}" for line in error.problems)) from error


def settings_options(*, demo: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds a flag for each setting that has one, `--set key=value` for the others and, if wanted, `--demo`.

    The command is called with `loaded`, and with `demo` where that was wanted, beside its own options.
    """
    flagged = {path: option for path, option in options_of(Settings).items() if about(option).flag}

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            flags = {path: kwargs.pop(_parameter(path)) for path in flagged}
            flags = {path: value for path, value in flags.items() if value not in (None, ())}
            flags |= _pairs(kwargs.pop("set_pairs"))
            kwargs["loaded"] = load_or_stop(_cli(), flags, demo=demo and kwargs["demo"])
            return command(*args, **kwargs)

        update_wrapper(run, command)
        wrapped = click.option(
            "--set", "set_pairs", multiple=True, metavar="KEY=VALUE", help="Any setting, as in --set limits.burst=20."
        )(run)
        if demo:
            help_text = "Listen on all addresses, with rooms and talking bots to look at."
            wrapped = click.option("--demo", is_flag=True, help=help_text)(wrapped)
        for path, option in reversed(flagged.items()):
            wrapped = _flag(path, option)(wrapped)
        return wrapped

    return decorate


def _cli() -> Cli:
    found = click.get_current_context().find_object(Cli)
    return found if found is not None else Cli()


def _parameter(path: str) -> str:
    return "setting_" + path.replace(".", "_")


def _flag(path: str, option: OptionInfo) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    it = about(option)
    flag = it.flag or ""
    text = it.help[0].upper() + it.help[1:] + "."
    if option.cls is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", _parameter(path), default=None, help=text)
    choices = get_args(option.cls) if get_origin(option.cls) is Literal else None
    return click.option(
        flag,
        _parameter(path),
        multiple=get_origin(option.cls) is tuple,
        # Every other value is read by the settings themselves, so that one error text serves all sources.
        type=click.Choice(choices) if choices else str,
        metavar=None if choices else (path.rpartition(".")[2].upper()),
        help=text,
    )


def _pairs(pairs: tuple[str, ...]) -> dict[str, object]:
    values: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise Usage(f"--set {pair}: write --set KEY=VALUE, for example --set limits.burst=20")
        values[key.strip()] = value
    return values
