"""`bandstand config`: write, check, show and explain the settings."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import attrs
import click
from typed_settings.types import OptionInfo

from bandstand.cli.context import Cli, pass_cli
from bandstand.cli.exits import Failed
from bandstand.cli.options import settings_options
from gateway.settings import Loaded, RoomPolicySettings, Settings
from gateway.sources import DEFAULT, SECTION, about, default_of, env_name, options_of, shown

HEAD = """\
# Settings of Bandstand. Every line shows a default; take away the "#" to change one.
# Stronger than this file: the environment (BANDSTAND_LIMITS_BURST=11), then flags (--port 9000, --set limits.burst=11).
# Durations: 250ms, 90s, 15m, 72h, 7d. Sizes: 512, 16KiB, 256MiB. `bandstand config check` reads it all again.
"""


@click.group()
def command() -> None:
    """Write, check, show and explain the settings."""


@command.command()
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
@pass_cli
def init(cli: Cli, force: bool) -> None:
    """Write a commented settings file."""
    file = cli.config or Path("bandstand.toml")
    try:
        with file.open("w" if force else "x", encoding="utf-8") as out:
            out.write(template())
    except FileExistsError:
        raise Failed(f"{file} exists; --force overwrites it, --config F writes another one") from None
    except OSError as error:
        raise Failed(f"{file}: cannot be written: {error.strerror}") from error
    cli.note(f"wrote {file}")


@command.command()
@settings_options()
@pass_cli
def check(cli: Cli, loaded: Loaded) -> None:
    """Read the settings as `serve` would; exit 2 and tell every problem."""
    changed = sorted(path for path, origin in loaded.origins.items() if origin != DEFAULT)
    if cli.json:
        cli.data({"ok": True, "file": cli.config, "changed": changed})
    else:
        cli.say(f"ok: {cli.config or 'no settings file'}, {len(changed)} changed from the defaults")


@command.command()
@click.option("--origin", is_flag=True, help="Where each value came from.")
@settings_options()
@pass_cli
def show(cli: Cli, loaded: Loaded, origin: bool) -> None:
    """The settings in force; secrets are masked."""
    rows = list(_rows(loaded))
    if cli.json:
        values = {path: _plain(text) for path, text, _ in rows}
        wheres = {path: where for path, _, where in rows}
        cli.data({path: {"value": values[path], "origin": wheres[path]} for path in values} if origin else values)
        return
    widths = max(len(path) for path, _, _ in rows), max(len(text) for _, text, _ in rows if len(text) <= 40)
    for path, text, where in rows:
        cli.say(
            f"{path:{widths[0]}}  {text:{widths[1]}}  {where}".rstrip() if origin else f"{path:{widths[0]}}  {text}"
        )


@command.command()
@pass_cli
def doc(cli: Cli) -> None:
    """Every setting: default, environment variable, flag, meaning."""
    entries = [_entry(path, option) for path, option in options_of(Settings).items()]
    if cli.json:
        cli.data(entries)
        return
    for entry in entries:
        cli.say(f"{entry['name']} = {entry['default']}\n    {entry['help']}")
        ways = [way for way in (entry["env"], entry["flag"]) if way]
        cli.say(f"    {', '.join(ways)}" if ways else "    only in the file")


def template() -> str:
    """A settings file in which every default stands as a comment: reading it changes nothing."""
    lines, table = [HEAD, f"[{SECTION}]"], ""
    for path, option in options_of(Settings).items():
        prefix, _, name = path.rpartition(".")
        if prefix != table:
            table = prefix
            lines += ["", f"[{SECTION}.{prefix}]"]
        if option.nested_options is None:
            lines.append(f"# {name} = {_toml(default_of(option), option)}  # {_help(option)}")
    lines += ["", "# What a listed room starts with:", f"# [{SECTION}.rooms.policy.main-stage]"]
    for name, option in options_of(RoomPolicySettings).items():
        lines.append(f"# {name} = {_toml(default_of(option), option)}  # {_help(option)}")
    return "\n".join(lines) + "\n"


def _rows(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    """(dotted path, value, origin) of every setting, the tables of the rooms included."""
    for path, option in options_of(Settings).items():
        value: Any = loaded.settings
        for name in path.split("."):
            value = getattr(value, name)
        if option.nested_options is None:
            yield path, _toml(value, option), loaded.origins[path]
            continue
        for room, row in value.items():
            for cell, inner in options_of(type(row)).items():
                full = f"{path}.{room}.{cell}"
                yield full, _toml(getattr(row, cell), inner), loaded.origins.get(full, DEFAULT)


def _entry(path: str, option: OptionInfo) -> dict[str, str]:
    row = option.nested_options is not None
    return {
        "name": path,
        "default": _toml(default_of(option), option),
        "help": _help(option),
        "env": "" if row else env_name(path),
        "flag": "" if row else about(option).flag or "",
    }


def _help(option: OptionInfo) -> str:
    choices = get_args(option.cls) if get_origin(option.cls) is Literal else ()
    return about(option).help + (f" ({' | '.join(choices)})" if choices else "")


def _plain(text: str) -> Any:
    """What a program reads: what `_toml` writes of a value is JSON too, but for a number that has no end."""
    return text if text in ("inf", "-inf", "nan") else json.loads(text)


def _toml(value: Any, option: OptionInfo) -> str:
    """The value as it is written in the file."""
    if option.nested_options is not None:
        return "{}" if not value else json.dumps({name: attrs.asdict(row) for name, row in value.items()})
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return json.dumps(list(value), ensure_ascii=False)
    text = shown(value, option)
    is_plain = isinstance(value, int | float) and about(option).unit is None and not option.is_secret
    return text if is_plain else json.dumps(text, ensure_ascii=False)
