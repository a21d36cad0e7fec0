"""One connection from its first byte to its end: hello, auth, ready; questions and their answers; everything else is
pushed. What outlives a connection lives in session.py."""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import trio
from attrs import frozen

from actors.names import Nickname
from bandstand.address import Address
from bandstand.client.errors import Refused
from bandstand.socket import CLOSE_SECONDS, Dial, Socket, SocketClosed, open_socket
from gateway.protocol import client, server
from gateway.protocol.codec import BadFrame, UnknownType, encode, server_decoder
from gateway.protocol.frames import ClientFrame, OkFrame, ServerFrame
from gateway.protocol.kinds import RequestId, Token

SUBPROTOCOL = "bandstand.v1"
HANDSHAKE_SECONDS = 15.0
"""From the first packet to `ready`."""
DEAD_SECONDS = 60.0
"""Without a frame from the server; its hello may say otherwise."""
WRITE_SECONDS = 30.0
"""For one frame to leave; a server that does not read for longer is dead for us."""
WRITER_FRAMES = 64
"""Frames waiting for the line; whoever wants to add one waits."""
FRAME_BYTES = 1024 * 1024
"""More than the protocol allows a server; the socket has the same bound."""

F = TypeVar("F")

Ask = Callable[[RequestId], ClientFrame]
"""A question without its number, which belongs to one connection."""
Answer = Callable[[OkFrame | Refused], None]
"""Called at most once, from the reader, before it looks at the next frame; never when the connection is lost first."""

decode = server_decoder(limit_bytes=FRAME_BYTES)


@frozen
class Unknown:
    """A frame of a type that is newer than this client."""

    type: str
    fields: dict[str, object]


Pushed = ServerFrame | Unknown


@frozen
class Bearings:
    """What a connection asks of whoever runs it. `park` is back-pressure: where the reader waits while the program has
    enough to do; it is told how to see whether an answer is due."""

    push: Callable[[Pushed], None]
    park: Callable[[Callable[[], bool]], Awaitable[None]]
    work: Callable[[], Awaitable[None]]
    asked: Callable[[], None]
    """An answer is due from now on."""


@frozen
class Credentials:
    nickname: str | None
    token: str | None

    def frame(self, number: RequestId) -> client.Auth:
        if self.token is not None:
            return client.Auth(number, token=Token(self.token))
        return client.Auth(number, nickname=Nickname(self.nickname or "guest"))


class Connection:
    """Made by `open_connection`, then `run` to its end. `ask` and `tell` work while it runs."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._asked = 0
        self._answers: dict[int, Answer] = {}
        self._out, self._queue = trio.open_memory_channel[str](WRITER_FRAMES)
        self._dead_after = DEAD_SECONDS
        self._frame_scope = trio.CancelScope()
        self._bearings: Bearings
        self.hello: server.Hello
        self.ready: server.Ready
        self.bye: server.Bye | None = None

    async def shake_hands(self, credentials: Credentials) -> None:
        """Raises Refused when the server does not want us, SocketClosed when it goes away."""
        try:
            self.hello = await self._expect(server.Hello)
            self._dead_after = max(1.0, self.hello.heartbeat.dead_ms / 1000)
            await self._socket.send(encode(credentials.frame(self._number())).decode())
            self.ready = await self._expect(server.Ready)
        except SocketClosed as closed:
            raise self._as_told(closed) from closed

    async def _expect(self, wanted: type[F]) -> F:
        while True:
            frame = await self._receive()
            if isinstance(frame, wanted):
                return frame
            if isinstance(frame, server.ErrorFrame):
                raise refusal(frame)
            if isinstance(frame, server.Bye):
                self.bye = frame

    async def run(self, bearings: Bearings) -> SocketClosed:
        """Read, write and work until the connection ends; says what it ended with."""
        self._bearings = bearings
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write)
            nursery.start_soon(bearings.work)
            try:
                while True:
                    await bearings.park(lambda: bool(self._answers))
                    self._handle(await self._receive(), bearings.push)
            except SocketClosed as closed:
                ended = self._as_told(closed)
            finally:
                # A frame that is leaving is not cut off by us: give it a moment.
                self._frame_scope.deadline = trio.current_time() + CLOSE_SECONDS
            nursery.cancel_scope.cancel()
        return ended

    def _as_told(self, closed: SocketClosed) -> SocketClosed:
        """Proxies eat close codes; what `bye` said counts."""
        if self.bye is None:
            return closed
        return SocketClosed(self.bye.code, self.bye.message or closed.reason, self.bye.retry_after_ms)

    async def _receive(self) -> Pushed:
        with trio.move_on_after(self._dead_after):
            text = await self._socket.receive()
            try:
                return decode(text)
            except UnknownType as unknown:
                return Unknown(unknown.tag, json.loads(text))
            except BadFrame as error:
                raise SocketClosed(1006, f"the server sent something unreadable ({error})") from error
        raise SocketClosed(1006, f"nothing heard from the server for {self._dead_after:.0f} s")

    def _handle(self, frame: Pushed, push: Callable[[Pushed], None]) -> None:
        match frame:
            case server.ErrorFrame(re=int(number)):
                self._answered(number, refusal(frame))
            case server.Ok() | server.OkJoin() | server.OkSend() | server.OkHistory() | server.OkMembers():
                self._answered(frame.re, frame)
            case server.Bye():
                self.bye = frame
            case _:
                push(frame)

    def _answered(self, number: int, value: OkFrame | Refused) -> None:
        answer = self._answers.pop(number, None)
        if answer is not None:
            answer(value)

    async def _write(self) -> None:
        async for text in self._queue:
            with trio.move_on_after(WRITE_SECONDS, shield=True) as self._frame_scope:
                try:
                    await self._socket.send(text)
                except SocketClosed:
                    return  # The reader hears of it too, with the code.
            if self._frame_scope.cancelled_caught:
                await self._socket.aclose()
                return

    async def ask(self, question: Ask, answer: Answer) -> None:
        """Put a question on the line. Returns when it is queued, not when it is answered. Raises SocketClosed."""
        number = self._number()
        text = encode(question(number)).decode()
        self._answers[number] = answer
        self._bearings.asked()
        queued = False
        try:
            await self._out.send(text)
            queued = True
        except trio.BrokenResourceError as error:
            raise SocketClosed(1006, "the connection has ended") from error
        finally:
            if not queued:
                self._answers.pop(number, None)

    def tell(self, frame: ClientFrame) -> None:
        """For what may be lost: dropped when the line is full."""
        try:
            self._out.send_nowait(encode(frame).decode())
        except (trio.WouldBlock, trio.BrokenResourceError):
            return

    def _number(self) -> RequestId:
        self._asked += 1
        return RequestId(self._asked)

    async def aclose(self, *, leave: bool) -> None:
        """With what is queued and a close frame, or (leave=False) without: then the server keeps our place a while."""
        with trio.move_on_after(CLOSE_SECONDS, shield=True), suppress(trio.WouldBlock, SocketClosed):
            while leave:
                await self._socket.send(self._queue.receive_nowait())
        self._queue.close()
        if not leave:
            self._socket.torn = True
        await self._socket.aclose()


def refusal(frame: server.ErrorFrame) -> Refused:
    return Refused(str(frame.code), frame.message, frame.retry_after_ms, retry=frame.retry)


async def open_connection(address: Address, dial: Dial, credentials: Credentials) -> Connection:
    """A connection that is `ready`. Raises Refused, or SocketClosed, with the code of the `bye` if one was said."""
    connection: Connection | None = None
    opened = False
    try:
        with trio.fail_after(HANDSHAKE_SECONDS):
            connection = Connection(await open_socket(address, SUBPROTOCOL, dial))
            await connection.shake_hands(credentials)
        opened = True
    except trio.TooSlowError as error:
        raise SocketClosed(1006, f"the server did not let us in within {HANDSHAKE_SECONDS:.0f} s") from error
    except OSError as error:
        raise SocketClosed(1006, f"{address.authority} does not answer ({error.strerror or error})") from error
    finally:
        if connection is not None and not opened:
            await connection.aclose(leave=False)
    return connection
