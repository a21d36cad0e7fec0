"""UUIDv7 (RFC 9562, section 5.7): a client's own name for what it writes, sortable by time."""

import os
import time
from collections.abc import Callable


def uuid7(wall: Callable[[], float] = time.time, random: Callable[[int], bytes] = os.urandom) -> str:
    """48 bits of Unix milliseconds, version 7, 74 random bits."""
    millis = int(wall() * 1000) & (1 << 48) - 1
    noise = int.from_bytes(random(10), "big")
    value = millis << 80 | 0x7 << 76 | (noise >> 62 & 0xFFF) << 64 | 0b10 << 62 | noise & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
