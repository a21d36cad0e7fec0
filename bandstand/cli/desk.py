"""What the commands about operators share: the store on disk, opened for one command, and passwords from the hands of
whoever types, never from the arguments (which every other program on the machine can read)."""

import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
import trio

from actors.admin.operators import LOCAL, BadOperator
from actors.admin.roles import Role, role_of
from actors.admin.store import AdminKeyError, AdminStore, AdminUnusable, StoreFailed
from bandstand.cli.context import Cli
from bandstand.cli.exits import Failed, Usage
from bandstand.cli.options import load_or_stop
from gateway.settings import Settings

T = TypeVar("T")
ROLES = tuple(role.word for role in Role)
role_choice = click.Choice(ROLES)
STDIN_LIMIT = 4_096


def settings_on_disk(cli: Cli) -> Settings:
    settings: Settings = load_or_stop(cli, {}).settings
    if settings.journal.durability == "memory":
        raise Usage("journal.durability is memory: there is no file of operators")
    return settings


def with_store(cli: Cli, work: Callable[[AdminStore], Awaitable[T]]) -> T:
    """Do this with the operators' store. Beside a running server as well: it sees the change within a second."""
    settings = settings_on_disk(cli)

    async def run() -> T:
        async with await AdminStore.open(
            settings.admin_path, settings.admin_key_path, settings.admin_heads_path
        ) as store:
            return await work(store)

    try:
        return trio.run(run)
    except (BadOperator, AdminUnusable, AdminKeyError, StoreFailed) as wrong:
        raise Failed(str(wrong)) from wrong


async def record(store: AdminStore, command: str, **args: object) -> None:
    """In the audit, as the command line."""
    await store.audit.append(LOCAL, LOCAL, command, args)


def role(word: str) -> Role:
    found = role_of(word)
    assert found is not None, "click has looked"
    return found


def read_password(from_stdin: bool) -> str:
    """Typed twice without echo, or the first line of stdin."""
    if from_stdin:
        password = sys.stdin.readline(STDIN_LIMIT).rstrip("\r\n")
    elif sys.stdin.isatty():
        password = click.prompt("password", hide_input=True, confirmation_prompt="again", err=True)
    else:
        raise Usage("there is no terminal to ask for the password: give --password-stdin and the password on stdin")
    if not password:
        raise Usage("the password is empty")
    return str(password)
