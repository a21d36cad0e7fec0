"""One WebSocket, seen from the client: dial, send, receive, close. Thin, over wsproto's pure protocol.

Not over trio-websocket: there a cancelled send leaves half a frame on the wire unnoticed, and closing waits for ever
for a silent peer. Here a send that was cut off half-way tears the socket, and a close takes at most CLOSE_SECONDS."""

import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

from bandstand.address import Address

CLOSE_SECONDS = 2.0
RECEIVE_BYTES = 64 * 1024
MESSAGE_LIMIT = 1024 * 1024
"""Characters of one message: far above the protocol's 64 KiB, there so that a broken server cannot fill the memory."""

Dial = Callable[[Address], Awaitable[trio.abc.Stream]]
"""Opens the bytes below; tests give one of their own."""


class SocketClosed(Exception):
    """`code` is the peer's close code; 1006 when the connection just ended; 1002, 1003, 1009 when we had to end it."""

    def __init__(self, code: int, reason: str, retry_after_ms: int | None = None) -> None:
        super().__init__(f"{code} {reason}".rstrip())
        self.code = code
        self.reason = reason
        self.retry_after_ms = retry_after_ms


def dialler(ssl_context: ssl.SSLContext | None = None) -> Dial:
    """TCP, with TLS over it where the address asks for it. Raises OSError; the time limit is the caller's."""

    async def dial(address: Address) -> trio.abc.Stream:
        tcp = await trio.open_tcp_stream(address.host, address.port)
        if not address.secure:
            return tcp
        context = ssl_context or ssl.create_default_context()
        return trio.SSLStream(tcp, context, server_hostname=address.host, https_compatible=True)

    return dial


class Socket:
    """One task may receive while others send. `torn`: only `aclose` makes sense any more."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._ws = WSConnection(ConnectionType.CLIENT)
        self._parts: list[str] = []
        self._length = 0
        self._ready: deque[str] = deque()
        self._closed: SocketClosed | None = None
        self._writing = trio.Lock()
        self.torn = False
        self.subprotocol: str | None = None

    async def upgrade(self, address: Address, subprotocol: str) -> None:
        """The opening handshake. Raises SocketClosed (1006) when the answer is not an upgrade: a proxy whose server is
        gone hangs up or answers for itself, and who was in comes back."""
        try:
            await self._shake_hands(address, subprotocol)
        except SocketClosed as closed:
            self._closed = SocketClosed(1006, closed.reason)
            raise self._closed from closed

    async def _shake_hands(self, address: Address, subprotocol: str) -> None:
        request = Request(host=address.authority, target=address.path, subprotocols=[subprotocol])
        await self._write(self._ws.send(request))
        accepted = False
        while not accepted:
            for event in await self._events():
                if isinstance(event, AcceptConnection):
                    self.subprotocol, accepted = event.subprotocol, True
                elif accepted:
                    await self._take(event)  # Came in the same packet as the answer.
                elif isinstance(event, RejectConnection):
                    raise SocketClosed(1006, f"the server answered {event.status_code} instead of opening a socket")
                elif isinstance(event, CloseConnection):
                    raise SocketClosed(1006, "the connection ended before it was open")

    async def send(self, text: str) -> None:
        """Whole, or the socket is torn. Raises SocketClosed."""
        async with self._writing:
            if self._ws.state is not ConnectionState.OPEN or self.torn:
                raise self._closed or SocketClosed(1006, "the connection has ended")
            await self._write(self._ws.send(TextMessage(data=text)))

    async def receive(self) -> str:
        """The next whole text message. Raises SocketClosed, again and again once it is."""
        while not self._ready:
            if self._closed is not None:
                raise self._closed
            for event in await self._events():
                await self._take(event)
        return self._ready.popleft()

    async def aclose(self, code: int = 1000) -> None:
        """Says goodbye where that is still possible, waits shortly for the answer, and lets go of the stream."""
        with trio.move_on_after(CLOSE_SECONDS, shield=True):
            try:
                await self._say_close(code)
                while self._closed is None and not self.torn:
                    for event in await self._events():
                        await self._take(event)
            except SocketClosed:
                pass
        self.torn = True
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(self._stream)

    async def _take(self, event: Event) -> None:
        match event:
            case TextMessage():
                self._gather(event)
                if self._length > MESSAGE_LIMIT:
                    await self._give_up(1009, "the server sent a message beyond all bounds")
            case Ping():
                await self._reply(event.response())
            case CloseConnection(code=code, reason=reason):
                code = 1005 if code is None else int(code)
                self._closed = SocketClosed(code, reason or "")
                await self._say_close(code)
            case BytesMessage():
                await self._give_up(1003, "the server sent a binary message")

    def _gather(self, event: Message[str]) -> None:
        self._parts.append(event.data)
        self._length += len(event.data)
        if event.message_finished:
            self._ready.append("".join(self._parts))
            self._parts.clear()
            self._length = 0

    async def _give_up(self, code: int, reason: str) -> None:
        self._parts.clear()
        self._length = 0
        self._closed = SocketClosed(code, reason)
        await self._say_close(code)

    async def _say_close(self, code: int) -> None:
        sendable = (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING)
        if not self.torn and self._ws.state in sendable:
            # 1005 and 1006 are names for "no code": they must not travel.
            with suppress(SocketClosed):  # Gone before it could hear us: then why it closed is what counts.
                await self._reply(CloseConnection(code=1000 if code in (1005, 1006) else code))

    async def _reply(self, event: Event) -> None:
        async with self._writing:
            if not self.torn:
                await self._write(self._ws.send(event))

    async def _write(self, data: bytes) -> None:
        whole = False
        try:
            await self._stream.send_all(data)
            whole = True
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise self._closed or SocketClosed(1006, _why(error, "the connection broke while sending")) from error
        finally:
            if not whole:
                self.torn = True

    async def _events(self) -> list[Event]:
        try:
            data = await self._stream.receive_some(RECEIVE_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self._closed = self._closed or SocketClosed(1006, _why(error, "the connection broke"))
            raise self._closed from error
        if not data and self._ws.state is ConnectionState.CONNECTING:  # To wsproto that is a bad answer.
            raise SocketClosed(1006, "the connection ended before it was open")
        try:
            self._ws.receive_data(bytes(data) or None)
            return list(self._ws.events())
        except ProtocolError as error:
            self._closed = self._closed or SocketClosed(1002, f"the server does not speak WebSocket: {error}")
            raise self._closed from error


def _why(error: BaseException, otherwise: str) -> str:
    """What TLS has to say of it, if that is what failed: trio hands the handshake's failure to whoever sends first."""
    match error.__cause__:
        case ssl.SSLCertVerificationError(verify_message=str(said)):
            return f"the server's certificate is not accepted: {said}"
        case ssl.SSLError(reason=str(said)):
            return f"{otherwise}, in TLS: {said.lower().replace('_', ' ')}"
        case _:
            return otherwise


async def open_socket(address: Address, subprotocol: str, dial: Dial) -> Socket:
    """Raises OSError or SocketClosed; nothing stays open behind a failure."""
    socket = Socket(await dial(address))
    opened = False
    try:
        await socket.upgrade(address, subprotocol)
        opened = True
    finally:
        if not opened:
            socket.torn = True
            await socket.aclose()
    return socket
