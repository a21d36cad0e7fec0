"""What the commands about operators share: the store on disk, opened for one command, and passwords from the hands of
whoever types, never from the arguments (which every other program on the machine can read)."""

import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import click
import trio

from actors.admin.operators import LOCAL, BadOperator
from actors.admin.roles import Role, role_of
from actors.admin.sessions import Issued
from actors.admin.store import AdminKeyError, AdminStore, AdminUnusable, StoreFailed
from actors.admin.store_audit import Entry
from actors.admin.store_recorded import Recorded
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


def recorded(store: AdminStore, command: str, **args: object) -> Recorded:
    """The store's tables; what is changed through them is in the audit, as the command line's, in the same moment.
    What came to nothing (False) is not; the id of what was issued is added."""

    def describe(came_to: object) -> Iterator[Entry]:
        more = {"token": came_to.id} if isinstance(came_to, Issued) else {}
        if came_to is not False:
            yield Entry(LOCAL, LOCAL, command, {**args, **more})

    return store.recorded(describe)


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
