"""`bandstand qr`: a QR code in the terminal, for a phone to read."""

import io

import click

from bandstand.cli.context import Cli, pass_cli
from bandstand.cli.exits import Usage


def terminal_qr(text: str) -> str:
    """Lines of half blocks, two modules a character, dark on light whatever the terminal's colours are.

    Raises ValueError for text that no QR code holds (about 2,900 bytes).
    """
    import segno  # what it writes besides terminals takes a part of every start

    out = io.StringIO()
    segno.make_qr(text, error="m").terminal(out, compact=True)
    return out.getvalue().rstrip("\n")


@click.command()
@click.argument("text")
@pass_cli
def command(cli: Cli, text: str) -> None:
    """Show TEXT, usually an address, as a QR code."""
    try:
        cli.say(terminal_qr(text))
    except ValueError as error:
        raise Usage(f"the text is too long for a QR code: {len(text.encode())} bytes") from error
