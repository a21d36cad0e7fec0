"""A WebSocket client that does only what it is told, byte for byte."""

import base64
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache

import trio
import trustme

from gateway.listener import Address
from gateway.wire.framing import frame_end
from tests.wire.frames import CLOSE, TEXT

PROTOCOL = "bandstand.v1"


@cache
def authority() -> trustme.CA:
    return trustme.CA()


@cache
def server_tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority().issue_cert("127.0.0.1").configure_cert(context)
    return context


@cache
def client_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


def request(path: str = "/ws", *, headers: dict[str, str | None] | None = None, host: str = "127.0.0.1") -> bytes:
    """A good request for a WebSocket; a header given as None is left out."""
    fields: dict[str, str | None] = {
        "Host": host,
        "Upgrade": "websocket",
        "Connection": "keep-alive, Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Protocol": PROTOCOL,
        **(headers or {}),
    }
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join((f"GET {path} HTTP/1.1", *lines, "", "")).encode("latin-1")


class Peer:
    def __init__(self, stream: trio.abc.Stream, sock: trio.socket.SocketType) -> None:
        self.stream = stream
        self.sock = sock
        self._buf = b""

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def _more(self) -> bool:
        try:
            data = await self.stream.receive_some(65_536)
        except trio.BrokenResourceError:
            data = b""
        self._buf += data
        return bool(data)

    async def response(self) -> tuple[int, bytes]:
        """Status and head of the answer to a request."""
        while b"\r\n\r\n" not in self._buf:
            assert await self._more(), f"no answer but {self._buf!r}"
        head, _, self._buf = self._buf.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), head

    async def upgrade(self) -> None:
        await self.send(request())
        status, head = await self.response()
        assert status == 101, head

    async def rest(self) -> bytes:
        """All that comes until the end."""
        while await self._more():
            pass
        return self._buf

    async def frame(self) -> tuple[int, bytes] | None:
        """The next frame as (opcode, payload); None at the end of the stream."""
        while (end := self._end_of_frame()) is None:
            if not await self._more():
                assert not self._buf, f"half a frame: {self._buf[:80]!r}"
                return None
        raw, self._buf = self._buf[:end], self._buf[end:]
        assert raw[0] & 0xF0 == 0x80, "final, and no reserved bits"
        assert raw[1] < 0x80, "a server does not mask"
        size = raw[1] & 0x7F
        return raw[0] & 0x0F, raw[2 if size < 126 else 4 if size == 126 else 10 :]

    def _end_of_frame(self) -> int | None:
        buf = self._buf
        if len(buf) < 2 or len(buf) < {126: 4, 127: 10}.get(buf[1], 2):
            return None
        end = frame_end(buf, 0)
        return end if end <= len(buf) else None

    async def text(self) -> str:
        got = await self.frame()
        assert got is not None
        assert got[0] == TEXT, got
        return got[1].decode()

    async def ending(self) -> tuple[list[tuple[int, bytes]], int | None]:
        """The frames before the close frame, and its code: 1005 when it has none, None when the stream just ends."""
        frames: list[tuple[int, bytes]] = []
        while (got := await self.frame()) is not None:
            if got[0] == CLOSE:
                return frames, int.from_bytes(got[1][:2], "big") if got[1] else 1005
            frames.append(got)
        return frames, None

    async def close_code(self) -> int | None:
        return (await self.ending())[1]

    async def ended(self) -> None:
        """Nothing more, and then the end."""
        assert await self.frame() is None

    def reset(self) -> None:
        """RST, now."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


async def connect(address: Address) -> Peer:
    bottom = await trio.open_tcp_stream("127.0.0.1", address.port)
    if not address.tls:
        return Peer(bottom, bottom.socket)
    stream = trio.SSLStream(bottom, client_tls(), server_hostname="127.0.0.1", https_compatible=True)
    try:
        await stream.do_handshake()
    except BaseException:
        bottom.socket.close()
        raise
    return Peer(stream, bottom.socket)


@asynccontextmanager
async def connected(address: Address) -> AsyncIterator[Peer]:
    """An open WebSocket."""
    peer = await connect(address)
    try:
        await peer.upgrade()
        yield peer
    finally:
        peer.sock.close()


async def settled(condition: Callable[[], object]) -> None:
    """Waits until `condition()` holds; the caller's scope says for how long."""
    while not condition():  # noqa: ASYNC110 - what it waits for is in a kernel or in another task's hands
        await trio.sleep(0.002)
