"""`bandstand qr`: a QR code in the terminal, for a phone to read."""

import io

import click
import segno

from bandstand.cli.context import Cli, pass_cli
from bandstand.cli.exits import Usage


def terminal_qr(text: str) -> str:
    """Lines of half blocks, two modules a character, dark on light whatever the terminal's colours are.

    Raises segno.DataOverflowError for text that no QR code holds (about 2,900 bytes).
    """
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
    except segno.DataOverflowError as error:
        raise Usage(f"the text is too long for a QR code: {len(text.encode())} bytes") from error
