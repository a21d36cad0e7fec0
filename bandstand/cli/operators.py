"""`bandstand operators`: who may sign in at /ops. On the files of this machine, so it also helps when nobody can."""

import time

import click

from actors.admin.operators import BadOperator, Operator, hash_password, operator_name
from actors.admin.store import AdminStore
from bandstand.cli.context import Cli, pass_cli
from bandstand.cli.desk import read_password, recorded, role, role_choice, settings_on_disk, with_store
from bandstand.cli.exits import Failed

password_option = click.option(
    "--password-stdin", is_flag=True, help="Take the password from the first line of stdin, not from a prompt."
)


@click.group()
def command() -> None:
    """Who may sign in as an operator. A running server sees a change within a second."""


@command.command("add")
@click.argument("name")
@click.option("--role", "word", type=role_choice, default="viewer", show_default=True, help="What they may do.")
@password_option
@pass_cli
def add(cli: Cli, name: str, word: str, password_stdin: bool) -> None:
    """Make an operator. The password is asked for; it is never an argument."""

    async def work(store: AdminStore) -> Operator:
        record = recorded(store, "operator.add", name=operator_name(name), role=word)
        return await record.operators.add(name, role(word), hashed)

    hashed = _ask_and_hash(name, password_stdin)
    made = with_store(cli, work)
    if cli.json:
        cli.data(made.shown())
        return
    cli.say(f"{made.name} is {_a(word)} now")
    settings = settings_on_disk(cli)
    base = settings.public_url.rstrip("/") or f"http://127.0.0.1:{settings.port or 8080}"
    cli.note(f"next: sign in at {base}/ops as {made.name} with that password")


@command.command("list")
@pass_cli
def list_(cli: Cli) -> None:
    """All operators, with their roles and when they last signed in."""
    found = with_store(cli, lambda store: store.operators.list())
    for each in found:
        if cli.json:
            cli.data(each.shown())
        else:
            seen = "never signed in" if each.seen is None else f"signed in {_when(each.seen)}"
            cli.say(f"{each.name:<24} {each.role.word:<10} {'disabled' if each.disabled else seen}")
    if not found:
        cli.note("there are no operators yet: bandstand operators add NAME --role owner")


@command.command("remove")
@click.argument("name")
@pass_cli
def remove(cli: Cli, name: str) -> None:
    """No longer an operator; signed out at once. The last owner stays."""

    async def work(store: AdminStore) -> Operator:
        found = operator_name(name)
        return await recorded(store, "operator.remove", name=found).operators.remove(found)

    _tell(cli, with_store(cli, work), "is no longer an operator")


@command.command("passwd")
@click.argument("name")
@password_option
@pass_cli
def passwd(cli: Cli, name: str, password_stdin: bool) -> None:
    """Another password. Whoever is signed in with the old one is signed out."""

    async def work(store: AdminStore) -> Operator:
        found = operator_name(name)
        record = recorded(store, "operator.update", name=found, password="changed")  # noqa: S106
        return await record.operators.update(found, password_hash=hashed)

    hashed = _ask_and_hash(name, password_stdin)
    _tell(cli, with_store(cli, work), "has a new password and is signed out everywhere")


@command.command("role")
@click.argument("name")
@click.argument("word", metavar="ROLE", type=role_choice)
@pass_cli
def role_(cli: Cli, name: str, word: str) -> None:
    """Another role: viewer, moderator, operator, safety or owner. The last owner stays one."""

    async def work(store: AdminStore) -> Operator:
        found = operator_name(name)
        return await recorded(store, "operator.update", name=found, role=word).operators.update(found, role=role(word))

    _tell(cli, with_store(cli, work), f"is {_a(word)} now, and signs in again")


@command.command("disable")
@click.argument("name")
@click.option("--off", is_flag=True, help="They may sign in again.")
@pass_cli
def disable(cli: Cli, name: str, off: bool) -> None:
    """May not sign in until further notice; signed out at once. The last owner stays."""

    async def work(store: AdminStore) -> Operator:
        found = operator_name(name)
        record = recorded(store, "operator.update", name=found, disabled=not off)
        return await record.operators.update(found, disabled=not off)

    _tell(cli, with_store(cli, work), "may sign in again" if off else "is disabled and signed out")


def _ask_and_hash(name: str, from_stdin: bool) -> str:
    try:
        return hash_password(operator_name(name), read_password(from_stdin))
    except BadOperator as wrong:
        raise Failed(str(wrong)) from wrong


def _tell(cli: Cli, operator: Operator, what: str) -> None:
    if cli.json:
        cli.data(operator.shown())
    else:
        cli.say(f"{operator.name} {what}")


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}" if word != "safety" else "a safety officer"


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
