"""The portable wire: one WebSocket connection over trio-websocket, on any system and over TLS.

The library gets a stream of ours. What it reads, FrameGuard has passed; what it writes goes through the outlet; when
it closes the stream, nothing happens: only the outlet closes. So it is a parser with good manners, and none of its
limits, locks and timeouts matter. It keeps the rare frames (fragments, pings, closes); a whole text frame, which is
nearly every frame, is read here, so that it costs no task switch.

Two tasks a connection: the library's reader, which waits for bytes inside `receive_some`, and the caller of `serve`,
which waits for messages."""

from collections.abc import Iterable
from math import inf
from typing import TYPE_CHECKING, cast

import trio

from actors.names import RoomName
from gateway.outlet import Bye, SocketOutlet
from gateway.wire.contract import Arrival, Attach, Lost, Sink, Upgrade
from gateway.wire.framing import FIN_CLOSE, FIN_PONG
from gateway.wire.guard import TOO_MANY_CONTROLS, FrameGuard
from gateway.wire.limits import WireLimits
from gateway.wire.transport import Transport

if TYPE_CHECKING:  # the library loads with the first handshake, or a moment after the start
    from trio_websocket import WebSocketConnection, WebSocketRequest
    from wsproto.events import Event
    from wsproto.handshake import H11Handshake

HANDSHAKE_SECONDS = 5.0
"""For steps that wait for nobody: a bound on a library's mistake."""
VERSION_UNKNOWN = 4406
INTERNAL = 4101
DRAINING = 4200
BAD_TEXT = 1007


class Shaken:
    """Stands where the handshake's parser stood, which would stay for the connection's life, at 2 KB each. The library
    still asks it for events."""

    def events(self) -> "Iterable[Event]":
        return ()


SHAKEN = Shaken()


class Portable:
    """`serve` is the Serve of gateway/wire/contract.py."""

    def __init__(self, *, bye: Bye, limits: WireLimits) -> None:
        self._bye = bye
        self._limits = limits
        self._inside: set[PortableWire] = set()
        self._gone_received = self._gone_sent = 0

    @property
    def received_bytes(self) -> int:
        """Of all connections, those that have ended included. A look at each that has not."""
        return self._gone_received + sum(wire.received for wire in self._inside)

    @property
    def sent_bytes(self) -> int:
        """As `received_bytes`: what the sockets have taken."""
        return self._gone_sent + sum(wire.outlet.bytes for wire in self._inside)

    async def serve(self, transport: Transport, upgrade: Upgrade, attach: Attach) -> None:
        wire: PortableWire | None = None
        try:
            async with trio.open_nursery() as nursery:
                wire = PortableWire(transport, nursery, upgrade, self._bye, self._limits)
                self._inside.add(wire)
                try:
                    await wire.run(nursery, upgrade.subprotocol, attach)
                finally:
                    wire.over(is_ordered=_is_ordered(nursery))
        finally:
            transport.abort()
            if wire is not None:
                self._inside.discard(wire)
                self._gone_received += wire.received
                self._gone_sent += wire.outlet.bytes
                wire.tell_lost()


class PortableWire(trio.abc.Stream):
    """Two faces: Wire to the connection, a stream to the library."""

    __slots__ = (
        "_accepted",
        "_delivered",
        "_discarded",
        "_guard",
        "_head",
        "_library_left",
        "_limits",
        "_paused",
        "_rest",
        "_sink",
        "_transport",
        "arrival",
        "outlet",
        "received",
    )

    def __init__(
        self, transport: Transport, nursery: trio.Nursery, upgrade: Upgrade, bye: Bye, limits: WireLimits
    ) -> None:
        self._transport = transport
        self._limits = limits
        self._guard = FrameGuard(limits)
        self.outlet = SocketOutlet(
            transport, nursery, bye=bye, on_behind=self._behind, on_dead=self._dead, limits=limits
        )
        self.arrival: Arrival = upgrade.arrival
        self._head = request_head(upgrade)
        self._rest = upgrade.rest
        """Bytes that have come and have not been looked at."""
        self.received = len(upgrade.rest)
        """Bytes that have come behind the request head."""
        self._accepted: trio.Event | None = trio.Event()
        self._paused: trio.Event | None = None
        self._sink: Sink | None = None
        self._delivered = 0
        """Messages that came back from the library; the guard counts those that went in."""
        self._library_left = False
        self._discarded = 0

    # -- the connection's face -----------------------------------------------------------------------------------------

    @property
    def remote(self) -> str:
        return self.arrival.remote

    def pause(self) -> None:
        if self._paused is None and not self.outlet.dead:
            self._paused = trio.Event()

    def resume(self) -> None:
        if self._paused is not None:
            self._paused.set()
            self._paused = None

    @property
    def progressed_at(self) -> float:
        return self.outlet.progressed_at

    def check_stuck(self, now: float) -> None:
        self.outlet.check_stuck(now)

    # -- its life ------------------------------------------------------------------------------------------------------

    async def run(self, nursery: trio.Nursery, subprotocol: str | None, attach: Attach) -> None:
        websocket = await self._shake_hands(nursery, subprotocol)
        if subprotocol is None:
            self.outlet.finish(VERSION_UNKNOWN)
        else:
            self._sink = attach(self)
        assert self._accepted is not None
        self._accepted.set()
        self._accepted = None
        await self._push_messages(websocket)
        await self._discard_rest()

    async def _shake_hands(self, nursery: trio.Nursery, subprotocol: str | None) -> "WebSocketConnection":
        from trio_websocket import wrap_server_stream

        with trio.fail_after(HANDSHAKE_SECONDS):
            # The library counts characters; the guard, in bytes, is stricter.
            request: WebSocketRequest = await wrap_server_stream(
                nursery, self, max_message_size=2 * self._limits.message_bytes
            )
            websocket: WebSocketConnection = await request.accept(subprotocol=subprotocol)
        websocket._wsproto.handshake = cast("H11Handshake", SHAKEN)
        return websocket

    async def _push_messages(self, websocket: "WebSocketConnection") -> None:
        from trio_websocket import ConnectionClosed

        while True:
            try:
                message = await websocket.get_message()
            except ConnectionClosed as closed:
                if not self.outlet.closing and closed.reason is not None:
                    self.outlet.fail(closed.reason.code)  # broken in a way that only the library sees
                return
            while self._paused is not None:
                await self._paused.wait()
            self._push(str(message))
            self._delivered += 1

    async def _discard_rest(self) -> None:
        """Reads on while the goodbye is under way: a reset, or the peer's close, must not go unnoticed."""
        while data := await self._transport.receive():
            self.received += len(data)
            self._discard(data)
        self.outlet.peer_gone()

    def over(self, *, is_ordered: bool) -> None:
        """However it ended. If something cut it short, a shutdown (`is_ordered`) or a fault, the peer hears so if it
        can."""
        self.outlet.last_words(DRAINING if is_ordered else INTERNAL)

    def tell_lost(self) -> None:
        self.outlet.abort(Lost.GONE)
        if self._sink is not None:
            self._sink.lost(self.outlet.cause or Lost.GONE)

    def _behind(self, room: RoomName, first_dropped: int) -> None:
        if self._sink is not None:
            self._sink.behind(room, first_dropped)

    def _dead(self, _cause: Lost) -> None:
        self.resume()

    def _push(self, message: str) -> None:
        if self._sink is not None and not self.outlet.closing:
            self._sink.text(message)

    # -- the library's stream ------------------------------------------------------------------------------------------

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The request head first, nothing more until the handshake is accepted, then what the guard lets pass."""
        if self._head:
            head, self._head = self._head, b""
            return head
        if self._accepted is not None:
            await self._accepted.wait()
        while not self._library_left:
            while self._paused is not None:
                await self._paused.wait()
            if self._rest:
                data, self._rest = self._rest, b""
            else:
                data = await self._transport.receive()
                if not data:
                    self.outlet.peer_gone()
                    break
                self.received += len(data)
                if self._sink is not None:
                    self._sink.heard()
            data = self._pass(data)
            if data:
                return data
        return b""

    def _pass(self, data: bytes) -> bytes:
        """What of it the library is to see."""
        if self.outlet.closing:
            self._discard(data)
            return b""
        at = self._take_whole_texts(data)
        if at:
            data = data[at:]
        if not data or self._paused is not None or self.outlet.closing:
            self._rest = data
            return b""
        verdict = self._guard.feed(data, trio.current_time())
        if verdict is not None:
            self.outlet.fail(verdict.code, self._limits.abusive_retry_ms if verdict is TOO_MANY_CONTROLS else None)
            return b""
        return data

    def _take_whole_texts(self, data: bytes) -> int:
        """Pushes the whole text frames that `data` starts with. Returns where they end. While a message before them
        is still on its way through the library, they follow it there: whatever the order of the two tasks."""
        at = 0
        guard = self._guard
        while self._delivered == guard.messages and self._paused is None:
            end = guard.whole_text(data, at)
            if not end:
                break
            payload = unmask(data, at, end)
            at = end
            try:
                message = payload.decode()
            except UnicodeDecodeError:
                self.outlet.fail(BAD_TEXT)
                break
            self._push(message)
        return at

    def _discard(self, data: bytes) -> None:
        self._discarded += len(data)
        if self._discarded > self._limits.linger_bytes:
            self.outlet.abort(Lost.FINISHED)
        elif self._guard.feed(data, trio.current_time()) is None and self._guard.closed:
            self.outlet.peer_closed()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Never waits: the outlet takes it."""
        if data[0] == FIN_CLOSE:
            self.outlet.echo_close(bytes(data))
        elif data[0] == FIN_PONG:
            self.outlet.pong(bytes(data))
        else:
            self.outlet.control(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """The library is done with it. It does not say when the connection is."""
        self._library_left = True


def _is_ordered(nursery: trio.Nursery) -> bool:
    """The connection is cancelled from outside. A fault in one of its tasks cancels the others by the nursery's own
    scope; one in the task that asks cancels nothing yet."""
    return trio.current_effective_deadline() == -inf and not nursery.cancel_scope.cancel_called


def request_head(upgrade: Upgrade) -> bytes:
    """The request as the library is to see it: what the front door has checked, in its plainest form, and nothing that
    a client could choose but the key."""
    offered = "" if upgrade.subprotocol is None else f"Sec-WebSocket-Protocol: {upgrade.subprotocol}\r\n"
    return (
        "GET / HTTP/1.1\r\nHost: bandstand\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {upgrade.key}\r\n{offered}\r\n"
    ).encode("ascii")


def unmask(data: bytes, start: int, end: int) -> bytes:
    """The payload of the whole masked frame (of less than 64 KiB) in data[start:end]."""
    key_at = start + (2 if data[start + 1] & 0x7F < 126 else 4)
    size = end - key_at - 4
    key = data[key_at : key_at + 4] * (size // 4 + 1)
    masked = int.from_bytes(data[key_at + 4 : end], "little")
    return (masked ^ int.from_bytes(key[:size], "little")).to_bytes(size, "little")
