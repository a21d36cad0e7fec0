"""A listener whose connections answer each message with itself: what the hazards are thrown at."""

import logging
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import trio
from attrs import define, field

from actors.names import RoomName
from gateway.admission import ListenerLimits
from gateway.http import Request, Response
from gateway.listener import Address, Door, Listener
from gateway.wire.contract import Lost, Wire
from gateway.wire.framing import text_frame
from gateway.wire.limits import WireLimits
from gateway.wire.portable import Portable

PROTOCOL = "bandstand.v1"


@define(eq=False)
class EchoSink:
    wire: Wire
    texts: list[str] = field(factory=list)
    causes: list[Lost] = field(factory=list)
    heard_count: int = 0

    def text(self, message: str) -> None:
        self.texts.append(message)
        self.wire.outlet.control(text_frame(message.encode()))

    def heard(self) -> None:
        self.heard_count += 1

    def behind(self, room: RoomName, first_dropped: int) -> None:
        pass

    def lost(self, cause: Lost) -> None:
        self.causes.append(cause)


def bye(code: int, retry_after_ms: int | None) -> bytes:
    return b'{"type":"bye","code":%d}' % code


async def hello_page(_request: Request) -> Response:
    return Response(body=b"hello\n")


@define(eq=False)
class EchoServer:
    listener: Listener
    address: Address
    sinks: list[EchoSink]
    logs: list[str]
    """Events that the gateway has logged meanwhile."""


@contextmanager
def captured() -> Iterator[list[str]]:
    events: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: events.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("gateway")
    logger.addHandler(handler)
    try:
        yield events
    finally:
        logger.removeHandler(handler)


@asynccontextmanager
async def echo_server(
    tls: ssl.SSLContext | None = None,
    limits: ListenerLimits | None = None,
    wire_limits: WireLimits | None = None,
    sink: Callable[[Wire], EchoSink] = EchoSink,
    wire: type[Portable] = Portable,
    allowed_hosts: frozenset[str] = frozenset(),
) -> AsyncIterator[EchoServer]:
    sinks: list[EchoSink] = []

    def attach(wire: Wire) -> EchoSink:
        sinks.append(sink(wire))
        return sinks[-1]

    listener = Listener(
        serve=wire(bye=bye, limits=wire_limits or WireLimits()).serve,
        doors={"/ws": Door(PROTOCOL, attach)},
        routes={"/hello": hello_page},
        allowed_hosts=allowed_hosts,
        limits=limits or ListenerLimits(),
    )
    with captured() as logs:
        async with trio.open_nursery() as nursery:
            await nursery.start(listener.run)
            (address,) = await listener.listen("127.0.0.1", 0, tls)
            yield EchoServer(listener, address, sinks, logs)
            listener.stop_accepting()
            listener.cut_all()
