"""`bandstand token`: ways in for programs, each with a role and an end."""

import time

import click

from actors.admin.operators import LOCAL
from actors.admin.sessions import Issued, Token
from actors.admin.store import AdminStore
from bandstand.cli.context import Cli, pass_cli
from bandstand.cli.desk import recorded, role, role_choice, with_store
from bandstand.cli.exits import Failed, Usage

NAME_MOST = 64


@click.group()
def command() -> None:
    """Tokens for programs that steer or watch the house. A running server sees a change within a second."""


@command.command("create")
@click.argument("name")
@click.option("--role", "word", type=role_choice, default="viewer", show_default=True, help="What it may do.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="How long it holds (default: until revoked).")
@pass_cli
def create(cli: Cli, name: str, word: str, days: float | None) -> None:
    """Make a token and print it: once, it is kept nowhere. Stdout holds the token and nothing else."""
    if not name.isprintable() or not 0 < len(name) <= NAME_MOST:
        raise Usage(f"a token's name is 1 to {NAME_MOST} printable characters")
    expires = None if days is None else time.time() + days * 86_400

    async def work(store: AdminStore) -> Issued:
        record = recorded(store, "token.create", name=name, role=word, expires=expires)
        return await record.tokens.create(name, role(word), LOCAL, expires)

    issued = with_store(cli, work)
    if cli.json:
        cli.data({"token": issued.id, "name": name, "role": word, "expires": expires, "secret": issued.secret})
        return
    cli.say(issued.secret)
    cli.note(f"this is shown once. {name} ({issued.id}) may do what a {word} may; `token revoke {name}` ends it")


@command.command("list")
@pass_cli
def list_(cli: Cli) -> None:
    """All tokens, those that are over included."""
    found = with_store(cli, lambda store: store.tokens.list())
    for each in found:
        if cli.json:
            cli.data(each.shown())
        else:
            cli.say(f"{each.id:<20} {each.name:<24} {each.role.word:<10} {_state(each)}")
    if not found:
        cli.note("there are no tokens")


@command.command("revoke")
@click.argument("token", metavar="ID_OR_NAME")
@pass_cli
def revoke(cli: Cli, token: str) -> None:
    """It is worth nothing any more; its connections are ended."""

    async def work(store: AdminStore) -> bool:
        return await recorded(store, "token.revoke", token=token).tokens.revoke(token)

    if not with_store(cli, work):
        raise Failed(f"no token {token} is in force: `token list` shows those there are")
    if cli.json:
        cli.data({"revoked": token})
    else:
        cli.say(f"{token} is revoked")


def _state(token: Token) -> str:
    if token.revoked is not None:
        return f"revoked {_day(token.revoked)}"
    if token.expires is None:
        return "in force"
    return f"{'until' if token.expires > time.time() else 'over since'} {_day(token.expires)}"


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
