"""`bandstand chat`: a room in a terminal, or in a pipe."""

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import click
import trio
from attrs import define

from actors.names import BadName, nickname, room_name
from bandstand.address import Address, BadAddress, parse_address
from bandstand.cli import exits
from bandstand.cli.context import Cli, pass_cli
from bandstand.cli.identity import Identities, state_file
from bandstand.cli.lines import line, plain, record, remark, rules
from bandstand.client import (
    BandstandError,
    CannotConnect,
    Client,
    ConnectionState,
    Message,
    Refused,
    Room,
    SessionOver,
    State,
    Typing,
    connect,
)

PATIENCE_SECONDS = 2.0
"""After which a line that is not stored yet gets a mark."""
TYPED_LINES = 200
"""Read ahead from stdin; a longer pipe waits for the server."""

HELP = """\
/who                       who is here
/history [N] [BEFORE]      the last N messages (20), or those before #BEFORE
/reply SEQ TEXT            answer a message
/react SEQ EMOJI [off]     add a reaction, or take it back
/edit SEQ TEXT             change one of yours
/delete SEQ                remove one of yours, for good
/quit                      leave (so does Ctrl-D)
//TEXT                     say something that begins with /"""


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
        raise exits.CannotConnect(str(wrong)) from wrong
    except (Refused, SessionOver) as wrong:
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
        over: list[BandstandError] = []
        async with connect(self.url, nickname=self.nickname, token=token) as client:
            self._remember(client)
            room = await client.join(self.room_name, tail=self.tail)
            here = f"{plain(room.title)} as {plain(room.nickname)}, {room.online} here"
            self.cli.note(f"-- in {here}; {rules(room.policy)}; /help")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._listen, client, over, nursery.cancel_scope)
                await self._speak(client, room)
                nursery.cancel_scope.cancel()
        if over:
            raise over[0]

    def _remember(self, client: Client) -> None:
        self.identities.keep(self.address.key, self.nickname, client.token)

    # Listening

    async def _listen(self, client: Client, over: list[BandstandError], scope: trio.CancelScope) -> None:
        try:
            async for event in client.events():
                if isinstance(event, ConnectionState) and event.state is State.ONLINE:
                    self._remember(client)
                if self.cli.json:
                    self.cli.data(record(event))
                    continue
                said = line(event)
                if said is not None:
                    self.cli.say(said)
                elif isinstance(event, Typing):
                    self.cli.detail(f"-- {plain(event.nickname)} is writing")
                elif (aside := remark(event, client.waiting)) is not None:
                    self.cli.note(aside)
        except BandstandError as ended:
            over.append(ended)
            scope.cancel()

    # Speaking

    async def _speak(self, client: Client, room: Room) -> None:
        """What is typed, until it ends or somebody quits. Words go one after another, each stored before the next;
        commands do not wait for them. At the end of a pipe everything is stored before this returns."""
        typed, lines = trio.open_memory_channel[str](TYPED_LINES)
        said, words = trio.open_memory_channel[str](TYPED_LINES)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read, typed)
            nursery.start_soon(self._say, client, room, words, nursery)
            async with said:
                async for text in lines:
                    if text in ("/quit", "/q"):
                        self._quit(client)
                        nursery.cancel_scope.cancel()
                    elif text.startswith("/") and not text.startswith("//"):
                        with self._excused():
                            await self._obey(room, text)
                    elif text:
                        await said.send(text.removeprefix("/"))

    def _quit(self, client: Client) -> None:
        if client.waiting:
            self.cli.note(f"-- left behind, not sent: {client.waiting}")

    async def _read(self, typed: trio.MemorySendChannel[str]) -> None:
        async with typed:
            # A thread, because reading a terminal cannot be waited for in another way; it is left behind at the end.
            while text := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
                await typed.send(text.rstrip("\r\n"))

    async def _say(
        self, client: Client, room: Room, words: trio.MemoryReceiveChannel[str], nursery: trio.Nursery
    ) -> None:
        async for text in words:
            waiting = trio.CancelScope()
            nursery.start_soon(self._mark, client, waiting)
            with self._excused():
                await room.send(text)
            waiting.cancel()

    async def _mark(self, client: Client, waiting: trio.CancelScope) -> None:
        with waiting:
            await trio.sleep(PATIENCE_SECONDS)
            self.cli.note("-- not sent yet; it goes as soon as it can" if client.online else "-- kept until online")

    async def _obey(self, room: Room, text: str) -> None:
        word, _, rest = text.partition(" ")
        act = COMMANDS.get(word)
        if act is None:
            raise ValueError(f"{word} is not known here; /help lists what is")
        await act(self, room, rest.strip())

    @contextmanager
    def _excused(self) -> Iterator[None]:
        try:
            yield
        except Refused as refused:
            self.refusals += 1
            self.cli.note(f"-- refused: {plain(str(refused))}")
        except ValueError as wrong:
            self.refusals += 1
            self.cli.note(f"-- {wrong}")
        except SessionOver:
            return  # The listener hears of it too, and ends everything.

    async def who(self, room: Room, rest: str) -> None:
        page = await room.members()
        names = ", ".join(plain(card.nickname) for card in page.members)
        more = f" and {page.online - len(page.members)} more" if page.online > len(page.members) else ""
        self.cli.say(f"-- {page.online} here: {names}{more}")

    async def history(self, room: Room, rest: str) -> None:
        words = rest.split()
        limit = _number(words[0], "how many") if words else 20
        before = _number(words[1], "before which") if len(words) > 1 else None
        page = await room.history(before=before, limit=limit)
        for item in page.items:
            if (said := line(item)) is not None:
                counts = item.reactions if isinstance(item, Message) else {}
                self.cli.say(said + "".join(f"  {plain(emoji)} {count}" for emoji, count in counts.items()))
        if page.more and page.items:
            self.cli.note(f"-- more: /history {limit} {page.items[0].seq}")

    async def reply(self, room: Room, rest: str) -> None:
        seq, _, text = rest.partition(" ")
        await room.send(text, reply_to=_number(seq, "answer which message"))

    async def react(self, room: Room, rest: str) -> None:
        seq, _, emoji = rest.partition(" ")
        emoji, _, off = emoji.partition(" ")
        await room.react(_number(seq, "react to which message"), emoji, on=off != "off")

    async def edit(self, room: Room, rest: str) -> None:
        seq, _, text = rest.partition(" ")
        await room.edit(_number(seq, "change which message"), text)

    async def delete(self, room: Room, rest: str) -> None:
        await room.delete(_number(rest, "remove which message"))

    async def help(self, room: Room, rest: str) -> None:
        self.cli.say(HELP)


COMMANDS: dict[str, Callable[[Chat, Room, str], Awaitable[None]]] = {
    "/who": Chat.who,
    "/history": Chat.history,
    "/reply": Chat.reply,
    "/react": Chat.react,
    "/edit": Chat.edit,
    "/delete": Chat.delete,
    "/help": Chat.help,
}


def _number(word: str, question: str) -> int:
    digits = word.removeprefix("#")
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{question}? give the number behind its #")
    return int(digits)
