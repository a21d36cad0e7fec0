"""The client's half of RFC 6455, by hand and without I/O: only what a load generator needs."""

import base64
import hashlib
import os
import struct
from urllib.parse import urlsplit

from attrs import frozen

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
SUBPROTOCOL = "bandstand.v1"
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class BadWire(Exception):
    """The server said something that RFC 6455 or its own handshake does not allow."""


@frozen
class Address:
    """Where a server is. `path` is the WebSocket's."""

    host: str
    port: int
    path: str = "/ws"

    @property
    def loopback(self) -> bool:
        return self.host == "localhost" or self.host.startswith("127.")


def parse_url(url: str) -> Address:
    """ws://host:port/path or http://host:port; the path defaults to /ws. Raises ValueError for anything else."""
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "http") or not parts.hostname:
        raise ValueError(f"not a ws:// or http:// address: {url}")
    path = parts.path if parts.path not in ("", "/") else "/ws"
    return Address(parts.hostname, parts.port or 80, path)


def new_key() -> str:
    return base64.b64encode(os.urandom(16)).decode()


def upgrade_request(address: Address, key: str, subprotocol: str = SUBPROTOCOL) -> bytes:
    return (
        f"GET {address.path} HTTP/1.1\r\nHost: {address.host}:{address.port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
    ).encode()


def check_upgrade(head: bytes, key: str, subprotocol: str = SUBPROTOCOL) -> None:
    """`head` is the answer up to its empty line. Raises BadWire unless it accepts this key and subprotocol."""
    lines = head.decode("latin-1").split("\r\n")
    if " 101 " not in lines[0] + " ":
        raise BadWire(f"upgrade refused: {lines[0]}")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    wanted = base64.b64encode(hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()).decode()
    if headers.get("sec-websocket-accept") != wanted:
        raise BadWire("upgrade with a wrong Sec-WebSocket-Accept")
    if headers.get("sec-websocket-protocol") != subprotocol:
        raise BadWire(f"upgrade to subprotocol {headers.get('sec-websocket-protocol')!r}, not {subprotocol!r}")


def masked(opcode: int, payload: bytes) -> bytes:
    """One final client frame under a fresh mask."""
    size = len(payload)
    mask = os.urandom(4)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 0xFE, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0xFF, size)
    # One big-integer xor: a byte loop would cost more than everything else the generator does for a post.
    pattern = (mask * (size // 4 + 1))[:size]
    body = (int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")).to_bytes(size, "big")
    return head + mask + body


@frozen
class Frame:
    """A whole frame inside a buffer: buffer[start:end] is its payload, `end` where the next one begins."""

    opcode: int
    start: int
    end: int


def next_frame(data: bytes | bytearray, at: int) -> Frame | None:
    """The frame that begins at `at`, or None while bytes of it are missing. Raises BadWire for a masked, fragmented
    or extended frame: this server sends none."""
    have = len(data) - at
    if have < 2:
        return None
    first, size = data[at], data[at + 1]
    if first & 0xF0 != 0x80 or size & 0x80 or first & 0x0F not in (TEXT, BINARY, CLOSE, PING, PONG):
        raise BadWire(f"frame header {first:02x} {size:02x}")
    start = at + 2
    if size == 126:
        if have < 4:
            return None
        size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
    elif size == 127:
        if have < 10:
            return None
        size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
    end = start + size
    return Frame(first & 0x0F, start, end) if len(data) >= end else None
