"""How a command ends other than well: raise one of these anywhere below a command. The exit codes are a contract.

0 ok, 1 failed, 2 usage, 3 cannot connect, 4 refused, 5 assertion missed, 130 interrupted.
"""

import click

OK, FAILED, USAGE, CANNOT_CONNECT, REFUSED, ASSERTION_MISSED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130


class Exit(click.ClickException):
    """The message goes to stderr as `error: ...`: what, where, and what to do about it."""

    exit_code = FAILED

    def show(self, file: object = None) -> None:
        click.echo(f"error: {self.format_message()}", err=True)


class Failed(Exit):
    """The command was understood and did not succeed."""


class Usage(Exit):
    """What was given cannot be used: an option, a file, a setting."""

    exit_code = USAGE


class CannotConnect(Exit):
    exit_code = CANNOT_CONNECT


class Refused(Exit):
    """The server answered, and the answer was no."""

    exit_code = REFUSED


class AssertionMissed(Exit):
    """A measured figure did not meet what `--assert` asked for."""

    exit_code = ASSERTION_MISSED
