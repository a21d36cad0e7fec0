"""What goes to and fro once `bandstand chat` is in a room: lines typed, lines shown, and the commands among them."""

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import trio
from attrs import define, field

from bandstand.cli.alert_lines import alert_lines
from bandstand.cli.context import Cli
from bandstand.cli.heeding import Heeding, Telling
from bandstand.cli.lane import Lane
from bandstand.cli.lines import line, plain, record, refusal, remark
from bandstand.client import (
    Alert,
    AlertOver,
    BandstandError,
    Client,
    ConnectionState,
    Event,
    Message,
    Refused,
    Room,
    SessionOver,
    State,
    Typing,
)

PATIENCE_SECONDS = 2.0
"""After which a line that is not stored yet gets a mark."""
TYPED_LINES = 200
"""Read ahead from stdin; a longer pipe waits for the server."""
KEPT = "-- kept until online"

HELP = """\
/who                       who is here
/history [N] [BEFORE]      the last N messages (20), or those before #BEFORE
/reply SEQ TEXT            answer a message
/react SEQ EMOJI [off]     add a reaction, or take it back
/edit SEQ TEXT             change one of yours
/delete SEQ                remove one of yours, for good
/read [ALERT]              tell the organisers that you have read the alert
/help-me [ALERT] [NOTE]    tell them that you need help
/quit                      leave (so does Ctrl-D)
//TEXT                     say something that begins with /"""


@define
class Talk:
    """`remember`: told whenever the token may be a new one."""

    cli: Cli
    client: Client
    room: Room
    remember: Callable[[Client], None]
    refusals: int = field(default=0, init=False)
    """Lines that could not be done."""
    heeding: Heeding = field(init=False)
    _errands: Lane[str] = field(init=False)
    """Commands, and the words behind them."""
    _words: Lane[str] = field(init=False)
    _tellings: Lane[Telling] = field(init=False)
    """Of alerts; in order, because the newest note with a call for help is the one that stands."""
    _marks: trio.Nursery = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.heeding = Heeding(self.cli, self.client)
        self._errands = Lane(self._take)
        self._words = Lane(self._say)
        self._tellings = Lane(self._tell)

    async def run(self) -> None:
        """Until the typing ends or somebody quits. Raises what the session ended with."""
        over: list[BandstandError] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, over, nursery)
            await self._speak()
            nursery.cancel_scope.cancel()
        if over:
            raise over[0]

    # Listening

    async def _listen(self, over: list[BandstandError], nursery: trio.Nursery) -> None:
        try:
            async for event in self.client.events():
                if isinstance(event, ConnectionState) and event.state is State.ONLINE:
                    self.remember(self.client)
                if isinstance(event, Alert):
                    nursery.start_soon(self.heeding.arrived, event)
                if self.cli.json:
                    self.cli.data(record(event))
                else:
                    self._show(event)
        except BandstandError as ended:
            over.append(ended)
            nursery.cancel_scope.cancel()

    def _show(self, event: Event) -> None:
        if isinstance(event, Alert | AlertOver):
            if not (isinstance(event, Alert) and event.reminder and self.heeding.was_read(event)):
                self.cli.say(alert_lines(event))
        elif (said := line(event)) is not None:
            self.cli.say(said)
        elif isinstance(event, Typing):
            self.cli.detail(f"-- {plain(event.nickname)} is writing")
        elif (aside := remark(event, self.client.waiting)) is not None:
            self.cli.note(aside)

    # Speaking

    async def _speak(self) -> None:
        """What is typed, until it ends or somebody quits. Words go one after another, each stored before the next;
        commands do not wait for them, but they for the commands ahead. What is told of alerts waits for neither, and
        `/quit` for nothing. At the end of a pipe everything is stored and told before this returns."""
        typed, lines = trio.open_memory_channel[str](TYPED_LINES)
        async with trio.open_nursery() as nursery:
            self._marks = nursery
            nursery.start_soon(self._read, typed)
            for lane in self._lanes:
                nursery.start_soon(lane.run)
            async for text in lines:
                if text in ("/quit", "/q"):
                    await self._quit()
                    nursery.cancel_scope.cancel()
                elif text:
                    with self._excused():
                        await self._sort(text)
            await self._errands.emptied()  # Words among them go on to a lane of their own.
            for lane in self._lanes:
                lane.close()

    async def _sort(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        telling = TELLINGS.get(word)
        if telling is None:
            await self._errands.put(text)
            return
        await self._tellings.put(telling(self.heeding, rest.strip()))
        if not self.client.online:
            self.cli.note(KEPT)

    async def _quit(self) -> None:
        if self.client.online:  # Whoever calls for help and goes has called.
            with trio.move_on_after(PATIENCE_SECONDS):
                for lane in self._lanes:
                    await lane.emptied()
        if left := sum(lane.waiting for lane in self._lanes):
            self.cli.note(f"-- left behind, not sent: {left}")

    @property
    def _lanes(self) -> tuple[Lane[str], Lane[str], Lane[Telling]]:
        return self._errands, self._words, self._tellings

    async def _read(self, typed: trio.MemorySendChannel[str]) -> None:
        async with typed:
            # A thread, because reading a terminal cannot be waited for in another way; it is left behind at the end.
            while text := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
                await typed.send(text.rstrip("\r\n"))

    async def _take(self, text: str) -> None:
        if text.startswith("/") and not text.startswith("//"):
            with self._excused(), self._marked():
                await self._obey(text)
        else:
            await self._words.put(text.removeprefix("/"))

    async def _say(self, text: str) -> None:
        with self._excused(), self._marked():
            await self.room.send(text)

    async def _tell(self, telling: Telling) -> None:
        with self._excused():
            await telling()

    @contextmanager
    def _marked(self) -> Iterator[None]:
        waiting = trio.CancelScope()
        self._marks.start_soon(self._mark, waiting)
        try:
            yield
        finally:
            waiting.cancel()

    async def _mark(self, waiting: trio.CancelScope) -> None:
        with waiting:
            await trio.sleep(PATIENCE_SECONDS)
            self.cli.note("-- not sent yet; it goes as soon as it can" if self.client.online else KEPT)

    async def _obey(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        act = COMMANDS.get(word)
        if act is None:
            raise ValueError(f"{word} is not known here; /help lists what is")
        await act(self, rest.strip())

    @contextmanager
    def _excused(self) -> Iterator[None]:
        try:
            yield
        except Refused as refused:
            self.refusals += 1
            self.cli.note(f"-- refused: {refusal(refused)}")
        except ValueError as wrong:
            self.refusals += 1
            self.cli.note(f"-- {wrong}")
        except SessionOver:
            return  # The listener hears of it too, and ends everything.

    async def who(self, rest: str) -> None:
        page = await self.room.members()
        if self.cli.json:
            self.cli.data(record(page))
            return
        names = ", ".join(plain(card.nickname) for card in page.members)
        more = f" and {page.online - len(page.members)} more" if page.online > len(page.members) else ""
        self.cli.say(f"-- {page.online} here: {names}{more}")

    async def history(self, rest: str) -> None:
        words = rest.split()
        limit = _number(words[0], "how many") if words else 20
        before = _number(words[1], "before which") if len(words) > 1 else None
        page = await self.room.history(before=before, limit=limit)
        if self.cli.json:
            self.cli.data({**record(page), "items": [record(item) for item in page.items]})
            return
        for item in page.items:
            if (said := line(item)) is not None:
                counts = item.reactions if isinstance(item, Message) else {}
                self.cli.say(said + "".join(f"  {plain(emoji)} {count}" for emoji, count in counts.items()))
        if page.more and page.items:
            self.cli.note(f"-- more: /history {limit} {page.items[0].seq}")

    async def reply(self, rest: str) -> None:
        seq, _, text = rest.partition(" ")
        await self.room.send(text, reply_to=_number(seq, "answer which message"))

    async def react(self, rest: str) -> None:
        seq, _, emoji = rest.partition(" ")
        emoji, _, off = emoji.partition(" ")
        await self.room.react(_number(seq, "react to which message"), emoji, on=off != "off")

    async def edit(self, rest: str) -> None:
        seq, _, text = rest.partition(" ")
        await self.room.edit(_number(seq, "change which message"), text)

    async def delete(self, rest: str) -> None:
        await self.room.delete(_number(rest, "remove which message"))

    async def help(self, rest: str) -> None:
        # In a stream of documents it would be none.
        self.cli.note(HELP) if self.cli.json else self.cli.say(HELP)


COMMANDS: dict[str, Callable[[Talk, str], Awaitable[None]]] = {
    "/who": Talk.who,
    "/history": Talk.history,
    "/reply": Talk.reply,
    "/react": Talk.react,
    "/edit": Talk.edit,
    "/delete": Talk.delete,
    "/help": Talk.help,
}
TELLINGS: dict[str, Callable[[Heeding, str], Telling]] = {
    "/read": Heeding.read,
    "/help-me": Heeding.call_for_help,
}


def _number(word: str, question: str) -> int:
    digits = word.removeprefix("#")
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{question}? give the number behind its #")
    return int(digits)
