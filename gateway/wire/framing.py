"""Server frames (RFC 6455, section 5.2): unmasked, never fragmented, so the same bytes go to every member.

What is framed here is read back here only to find where a frame ends; nothing below looks at a payload."""

from collections.abc import Iterator

FIN_TEXT = 0x81
FIN_CLOSE = 0x88
FIN_PONG = 0x8A
REASON_LIMIT_BYTES = 123
"""A control frame carries at most 125 bytes, two of which are the code (section 5.5)."""


def text_frame(payload: bytes) -> bytes:
    """One final text frame. `payload` is UTF-8; nobody checks that again."""
    size = len(payload)
    if size < 126:
        return bytes((FIN_TEXT, size)) + payload
    if size < 65_536:
        return bytes((FIN_TEXT, 126, size >> 8, size & 0xFF)) + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def close_frame(code: int, reason: bytes = b"") -> bytes:
    """A reason that does not fit is cut, at a character's boundary."""
    if len(reason) > REASON_LIMIT_BYTES:
        reason = reason[:REASON_LIMIT_BYTES].decode(errors="ignore").encode()
    return bytes((FIN_CLOSE, 2 + len(reason))) + code.to_bytes(2, "big") + reason


def frame_end(buf: bytes | memoryview, start: int) -> int:
    """Where the server frame that starts at `start` ends. Its header must be whole; its payload need not be."""
    size = buf[start + 1]
    if size < 126:
        return start + 2 + size
    if size == 126:
        return start + 4 + (buf[start + 2] << 8 | buf[start + 3])
    return start + 10 + int.from_bytes(buf[start + 2 : start + 10], "big")


def frame_ends(blob: bytes | memoryview) -> Iterator[int]:
    """The end of each frame of a blob of whole frames, in order."""
    at, size = 0, len(blob)
    while at < size:
        at = frame_end(blob, at)
        yield at
