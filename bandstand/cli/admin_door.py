"""The way to a server's admin channel: where it is, who signs in, and what each way of failing means to a shell.

A token is never an argument, which every other program on the machine can read: it comes from a file that nobody else
may read, from BANDSTAND_TOKEN, or from an earlier `admin sign-in`. Failing these, a person is asked."""

import os
import stat
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import update_wrapper
from pathlib import Path
from typing import Any, TypeVar

import click
import trio
from attrs import define, evolve

from bandstand.address import BadAddress
from bandstand.admin_client import Desk, sign_in
from bandstand.admin_line import AdminRefused, Credentials, DeskClosed, admin_address
from bandstand.cli import exits
from bandstand.cli.context import Cli
from bandstand.cli.identity import Identities, state_file
from bandstand.cli.lines import plain
from bandstand.cli.options import load_or_stop
from bandstand.client.errors import BandstandError, CannotConnect
from gateway.units import seconds_of

T = TypeVar("T")
TOKEN_LIMIT = 4_096
EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - listened on, not reached at


class Duration(click.ParamType):  # type: ignore[type-arg]
    """ "90s", "10m", "1h30m" or seconds; the value is in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return seconds_of(value)
        except ValueError as wrong:
            self.fail(str(wrong), param, ctx)


DURATION = Duration()


def remembered() -> Identities:
    """Operators' sessions, by server."""
    return Identities(state_file().with_name("operators.json"))


@define
class Door:
    cli: Cli
    url: str
    token_file: str | None = None
    operator: str | None = None
    given: Credentials | None = None
    """Typed already: they go before all that is remembered."""

    def asks(self) -> bool:
        """Whether a person sits here who can be asked."""
        return sys.stdin.isatty()

    @property
    def key(self) -> str:
        """Names the server, for what is remembered about it."""
        try:
            return admin_address(self.url).key
        except BadAddress as wrong:
            raise exits.Usage(str(wrong)) from wrong

    def run(self, work: Callable[[Desk], Awaitable[T]]) -> T:
        """Signed in, with every failure as an exit code."""
        try:
            with one_cause():
                return self._run(work)
        except BadAddress as wrong:
            raise exits.Usage(str(wrong)) from wrong
        except CannotConnect as wrong:
            raise exits.CannotConnect(plain(str(wrong))) from wrong
        except AdminRefused as wrong:
            raise exits.Refused(refusal(wrong)) from wrong
        except DeskClosed as wrong:
            raise exits.Refused(plain(str(wrong))) from wrong

    def _run(self, work: Callable[[Desk], Awaitable[T]]) -> T:
        credentials, kept = self.credentials()
        try:
            return self._signed_in(credentials, work)
        except AdminRefused as refused:
            if not kept or refused.code != "unauthorized":
                raise
        remembered().forget(self.key, "operator")
        self.cli.note("-- the remembered sign-in is over")
        return self._signed_in(self.asked(), work)

    def _signed_in(self, given: Credentials, work: Callable[[Desk], Awaitable[T]]) -> T:
        async def go() -> T:
            async with sign_in(self.url, token=given.token, operator=given.operator, password=given.password) as desk:
                return await work(desk)

        return trio.run(go)

    def leave(self, token: str) -> bool:
        """Ends the session of this token, at the server. False: that cannot be said to it now, or was over before."""

        async def last_word(desk: Desk) -> None:
            await desk.command("session.leave", reason="signed out")

        try:
            with one_cause():
                self._signed_in(Credentials(token=token), last_word)
        except BandstandError:
            return False
        return True

    def credentials(self) -> tuple[Credentials, bool]:
        """And whether they are remembered ones, which may be out of date."""
        if self.given is not None:
            return self.given, False
        if self.token_file is not None:
            return Credentials(token=token_in(self.token_file)), False
        if self.operator is None:
            if token := os.environ.get("BANDSTAND_TOKEN"):
                return Credentials(token=token.strip()), False
            if token := remembered().token(self.key, "operator"):
                return Credentials(token=token), True
        return self.asked(), False

    def asked(self) -> Credentials:
        if not self.asks():
            ways = "give --token FILE, set BANDSTAND_TOKEN, or run `bandstand admin sign-in` first"
            raise exits.Usage(f"nobody is signed in, and there is no terminal to ask at: {ways}")
        name = self.operator or click.prompt("operator", err=True)
        return Credentials(operator=name, password=click.prompt("password", hide_input=True, err=True))


@contextmanager
def one_cause() -> Iterator[None]:
    """What several tasks of a command hear at the same time (the desk is closed) is one thing to tell."""
    try:
        yield
    except BaseExceptionGroup as group:
        told, others = group.split(BandstandError)
        if told is None or others is not None:
            raise
        cause: BaseException = told
        while isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        raise cause from group


def refusal(refused: AdminRefused) -> str:
    after = "" if refused.retry_after_ms is None else f"; try again in {refused.retry_after_ms / 1000:g} s"
    return f"{plain(refused.code)}: {plain(refused.message)}{after}"


def token_in(name: str) -> str:
    """The token in this file (- = stdin). Refused where others may read it: then it is no secret any more."""
    try:
        if name == "-":
            return sys.stdin.readline(TOKEN_LIMIT).strip()
        path = Path(name)
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise exits.Usage(f"{plain(name)}: others may read it (mode {mode:04o}); chmod 600 it")
        text = path.read_text(encoding="utf-8")[:TOKEN_LIMIT].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise exits.Usage(f"{plain(name)}: cannot be read: {getattr(error, 'strerror', error)}") from error
    if not text:
        raise exits.Usage(f"{plain(name)}: holds no token")
    return text


def usual_url(cli: Cli) -> str:
    """Of the server that these settings describe, as it is reached from this machine."""
    if url := os.environ.get("BANDSTAND_URL"):
        return url
    settings = load_or_stop(cli, {}).settings
    if settings.wire.tls_cert is not None and settings.public_url:
        return str(settings.public_url)
    host = "127.0.0.1" if settings.host in EVERYWHERE else settings.host
    scheme = "http" if settings.wire.tls_cert is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port or 8080}"


def door_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command --url, --token, --as and --json; it is called with `door` in their place."""

    def run(*args: Any, **kwargs: Any) -> Any:
        found = click.get_current_context().find_object(Cli)
        cli = found if found is not None else Cli()
        if kwargs.pop("as_json"):
            cli = evolve(cli, json=True)
        url, token, name = kwargs.pop("url"), kwargs.pop("token_file"), kwargs.pop("sign_in_as")
        return command(*args, door=Door(cli, url or usual_url(cli), token, name), **kwargs)

    update_wrapper(run, command)
    for add in (
        click.option("--json", "as_json", is_flag=True, help="Data as JSON, a document a line."),
        click.option("--as", "sign_in_as", metavar="NAME", help="Sign in as this operator; asks for the password."),
        click.option("--token", "token_file", metavar="F", help="Sign in with the token in file F (- = stdin)."),
        click.option("--url", metavar="URL", help="The server (default: the one of the settings, on this machine)."),
    ):
        run = add(run)
    return run
