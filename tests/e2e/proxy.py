"""A bad network before a server: latency, thin slices, a black hole, a reset. In this process, over real sockets."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trio

BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError, OSError)


class Proxy:
    """What is set counts from the next piece of bytes; it is set for all connections at once."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.latency = 0.0
        """Seconds for each piece, each way."""
        self.slice = 65_536
        """Bytes of one piece at most."""
        self.passed = 0
        """Connections so far."""
        self._open = trio.Event()
        self._open.set()
        self._lines: set[tuple[trio.SocketStream, trio.SocketStream]] = set()
        self._scopes: set[trio.CancelScope] = set()

    @property
    def live(self) -> int:
        return len(self._lines)

    def heal(self) -> None:
        self.latency, self.slice = 0.0, 65_536
        self._open.set()

    def blackhole(self) -> None:
        """Nothing passes and nobody is told, new connections included, until `heal`; what was held passes then."""
        self._open = trio.Event()

    def reset(self) -> None:
        """RST to both sides of every line."""
        for line in self._lines:
            for stream in line:
                with suppress(OSError):
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.drop()

    def drop(self) -> None:
        """End of stream to both sides."""
        for scope in self._scopes:
            scope.cancel()

    async def serve(self, client: trio.SocketStream) -> None:
        self.passed += 1
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                await self._open.wait()
                server = await trio.open_tcp_stream("127.0.0.1", self.target)
                line = client, server
                self._lines.add(line)
                try:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._pump, client, server)
                        nursery.start_soon(self._pump, server, client)
                finally:
                    self._lines.discard(line)
                    client.socket.close()
                    server.socket.close()
            except OSError:
                client.socket.close()
            finally:
                self._scopes.discard(scope)

    async def _pump(self, source: trio.SocketStream, sink: trio.SocketStream) -> None:
        try:
            while data := await source.receive_some(65_536):
                for at in range(0, len(data), self.slice):
                    await self._open.wait()
                    if self.latency:
                        await trio.sleep(self.latency)
                    await sink.send_all(data[at : at + self.slice])
            await sink.send_eof()
        except BROKEN:
            for stream in (source, sink):
                with suppress(OSError):
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                stream.socket.close()


@asynccontextmanager
async def between(target: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(target)
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        proxy.port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, proxy.serve, listeners)
        yield proxy
        nursery.cancel_scope.cancel()
