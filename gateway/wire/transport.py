"""The byte pipe under a connection: a plain socket, or any trio stream (TLS). Nothing above asks which.

Sending comes in two forms. `try_send` is the hot path: now or not at all, on a plain socket the system call itself.
`push` is for the one flush task: after `ready()` it takes some bytes, and what it takes is on its way for good."""

import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

RECEIVE_BYTES = 4096
PUSH_BYTES = 16 * 1024
"""What a stream takes at once: no alert overtakes bytes that have been given to TLS."""
UNSENT_BYTES = 8 * 1024
"""What the kernel takes beyond what it can send: at 1 kB/s, what is said now is heard that many seconds later."""
SIOCOUTQ = 0x5411


class Transport(Protocol):
    def try_send(self, data: bytes | memoryview, /) -> int:
        """Some of it, now; 0 or BlockingIOError: nothing now. Another OSError: the connection is dead."""
        ...

    async def ready(self) -> None:
        """What `push` took has left, and it will take more. Raises OSError or a trio resource error when dead."""
        ...

    def push(self, data: memoryview) -> int:
        """Called by the one task that called `ready`. As `try_send`."""
        ...

    @property
    def holds(self) -> bool:
        """`push` took bytes that have not left: call `ready`."""
        ...

    async def receive(self) -> bytes:
        """b"" at the end, whatever made it: end of stream, a reset, our own abort."""
        ...

    def unsent(self) -> int | None:
        """Bytes that the peer's kernel has not acknowledged; None where this cannot be known."""
        ...

    def send_eof(self) -> None:
        """Half-close, as far as the pipe knows one. Never raises."""
        ...

    def abort(self, reset: bool = False) -> None:
        """Close now. Never waits, never raises; again is nothing. `reset`: the kernel drops what it still holds."""
        ...


def tune(sock: socket.socket | trio.socket.SocketType, unsent: int = UNSENT_BYTES) -> None:
    """Small frames leave at once, and the kernel holds so little unsent that an alert overtakes almost everything."""
    with suppress(OSError):  # a peer that has gone already: the first send or receive will say so
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, unsent)


def linger_none(sock: socket.socket | trio.socket.SocketType) -> None:
    """Closing will reset the connection, so that a peer which does not read costs the kernel nothing more."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def unsent_bytes(sock: socket.socket | trio.socket.SocketType) -> int | None:
    if sys.platform != "linux":
        return None
    import fcntl  # not on Windows

    try:
        raw: bytes = fcntl.ioctl(sock.fileno(), SIOCOUTQ, b"\0\0\0\0")
    except (OSError, ValueError):
        return None
    return int(struct.unpack("i", raw)[0])


class SocketTransport:
    """A connected, non-blocking stdlib socket. `try_send` and `push` are the socket's own `send`: no Python between."""

    __slots__ = ("_sock", "push", "try_send")

    holds = False

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.try_send = sock.send
        self.push = sock.send

    async def ready(self) -> None:
        await wait_writable(self._sock)

    async def receive(self) -> bytes:
        while self._sock.fileno() != -1:
            try:
                await wait_readable(self._sock)
                return self._sock.recv(RECEIVE_BYTES)
            except BlockingIOError:
                continue
            except (OSError, trio.ClosedResourceError):
                break
        return b""

    def unsent(self) -> int | None:
        return unsent_bytes(self._sock)

    def send_eof(self) -> None:
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def abort(self, reset: bool = False) -> None:
        if self._sock.fileno() != -1:
            if reset:
                linger_none(self._sock)
            notify_closing(self._sock)
            self._sock.close()


class StreamTransport:
    """TLS over a socket, or a memory stream in a test: everything goes through `push` and the flush task."""

    __slots__ = ("_close", "_pushed", "_sock", "_stream")

    def __init__(
        self,
        stream: trio.abc.Stream,
        close: Callable[[], object],
        sock: trio.socket.SocketType | None = None,
    ) -> None:
        """`close` closes what lies at the bottom of `stream`, now; `sock` is the socket there, if it is one."""
        self._stream = stream
        self._close = close
        self._sock = sock
        self._pushed: memoryview | None = None

    def try_send(self, data: bytes | memoryview, /) -> int:
        return 0

    async def ready(self) -> None:
        if self._pushed is None:
            await trio.lowlevel.checkpoint()
        else:
            await self._stream.send_all(self._pushed)
            self._pushed = None

    def push(self, data: memoryview) -> int:
        self._pushed = data[:PUSH_BYTES]
        return len(self._pushed)

    @property
    def holds(self) -> bool:
        return self._pushed is not None

    async def receive(self) -> bytes:
        try:
            return bytes(await self._stream.receive_some(RECEIVE_BYTES))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    def unsent(self) -> int | None:
        return None if self._sock is None else unsent_bytes(self._sock)

    def send_eof(self) -> None:
        """TCP's own; TLS has no half-close, and our close frame has said already that this is the end."""
        if self._sock is not None:
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)

    def abort(self, reset: bool = False) -> None:
        if reset and self._sock is not None:
            linger_none(self._sock)
        self._close()
