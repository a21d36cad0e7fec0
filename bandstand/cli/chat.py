"""`bandstand chat`: a room in a terminal, or in a pipe."""

import click
import trio
from attrs import define

from actors.names import BadName, nickname, room_name
from bandstand.address import Address, BadAddress, parse_address
from bandstand.cli import exits
from bandstand.cli.context import Cli, pass_cli
from bandstand.cli.identity import Identities, state_file
from bandstand.cli.lines import plain, refusal, rules
from bandstand.cli.talk import Talk
from bandstand.client import CannotConnect, Client, Refused, SessionOver, connect


@click.command()
@click.argument("url")
@click.option("-r", "--room", metavar="R", help="Room or code; not needed where the URL names one (#room=...).")
@click.option("-n", "--name", metavar="N", help="What people call you.", default="guest", show_default=True)
@click.option("--tail", type=click.IntRange(0, 200), default=20, show_default=True, help="Old messages shown at first.")
@click.option("--new", "as_new", is_flag=True, help="Come as somebody new, even if this name was here before.")
@pass_cli
def command(cli: Cli, url: str, room: str | None, name: str, tail: int, as_new: bool) -> None:
    """Talk in a room: a plain terminal client.

    URL is the address of the server, http://host:port/ or ws://. With stdin from a pipe every line is sent, and the
    command ends when all of them are stored. /help lists what can be typed.
    """
    try:
        address = parse_address(url)
        wanted = room or address.room
        if wanted is None:
            raise exits.Usage("which room? give --room, or a URL that ends in #room=...")
        chat = Chat(cli, url, address, room_name(wanted), nickname(name), tail, Identities(state_file()))
        trio.run(chat.run, as_new)
    except (BadAddress, BadName) as wrong:
        raise exits.Usage(str(wrong)) from wrong
    except CannotConnect as wrong:
        raise exits.CannotConnect(plain(str(wrong))) from wrong
    except Refused as wrong:
        raise exits.Refused(refusal(wrong)) from wrong
    except SessionOver as wrong:
        raise exits.Refused(plain(str(wrong))) from wrong


@define
class Chat:
    cli: Cli
    url: str
    address: Address
    room_name: str
    nickname: str
    tail: int
    identities: Identities
    refusals: int = 0

    async def run(self, as_new: bool) -> None:
        token = None if as_new else self.identities.token(self.address.key, self.nickname)
        try:
            await self._connected(token)
        except Refused as refused:
            if token is None or refused.code != "unauthorized":
                raise
            self.identities.forget(self.address.key, self.nickname)
            self.cli.note("-- not remembered here any more; coming in as somebody new")
            await self._connected(None)
        if self.refusals:
            raise exits.Refused(f"{self.refusals} of the lines given could not be done")

    async def _connected(self, token: str | None) -> None:
        async with connect(self.url, nickname=self.nickname, token=token) as client:
            self._remember(client)
            room = await client.join(self.room_name, tail=self.tail)
            here = f"{plain(room.title)} as {plain(room.nickname)}, {room.online} here"
            self.cli.note(f"-- in {here}; {rules(room.policy)}; /help")
            talk = Talk(self.cli, client, room, self._remember)
            await talk.run()
            self.refusals = talk.refusals

    def _remember(self, client: Client) -> None:
        self.identities.keep(self.address.key, self.nickname, client.token)
