"""The inbound frames of one connection, judged before any library sees them (RFC 6455, sections 5.2 to 5.6).

Pure: bytes and a time in, a verdict out. It keeps no payload: a message in progress costs a few integers, and a frame
that will be too long is refused when its header has come, not when its bytes have."""

from attrs import frozen

from gateway.wire.limits import WireLimits

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


@frozen
class Verdict:
    """Why the connection must end: the close code, and words for the person who debugs the client."""

    code: int
    reason: str


RESERVED_BITS = Verdict(1002, "a reserved bit is set and no extension was agreed")
NOT_MASKED = Verdict(1002, "a client's frame must be masked")
RESERVED_OPCODE = Verdict(1002, "this opcode is reserved")
CONTROL_TOO_LONG = Verdict(1002, "a control frame carries at most 125 bytes")
CONTROL_FRAGMENTED = Verdict(1002, "a control frame must not be fragmented")
NOTHING_TO_CONTINUE = Verdict(1002, "a continuation without a message to continue")
UNFINISHED = Verdict(1002, "a new message before the last one is finished")
NOT_MINIMAL = Verdict(1002, "a length must use the fewest bytes")
SIGN_BIT = Verdict(1002, "the highest bit of a 64-bit length must be 0")
NO_BINARY = Verdict(1003, "text messages only")
TOO_MANY_CONTROLS = Verdict(4429, "too many control frames")


def _judge_first_byte(first: int, in_message: bool) -> Verdict | None:
    opcode = first & 0x0F
    verdict = None
    if first & 0x70:
        verdict = RESERVED_BITS
    elif opcode > PONG or BINARY < opcode < CLOSE:
        verdict = RESERVED_OPCODE
    elif opcode >= CLOSE:
        verdict = None if first & 0x80 else CONTROL_FRAGMENTED
    elif opcode == CONTINUATION:
        verdict = None if in_message else NOTHING_TO_CONTINUE
    elif in_message:
        verdict = UNFINISHED
    elif opcode == BINARY:
        verdict = NO_BINARY
    return verdict


FRESH = tuple(_judge_first_byte(first, in_message=False) for first in range(256))
CONTINUING = tuple(_judge_first_byte(first, in_message=True) for first in range(256))
"""What a frame's first byte alone says, between messages and inside one."""


def _payload_length(data: bytes, at: int) -> int | Verdict | None:
    """Of the masked frame at `at`, of which at least two bytes are there; None while the length is not whole."""
    length = data[at + 1] & 0x7F
    if data[at + 1] < 0x80:
        return NOT_MASKED
    if length < 126:
        return length
    if data[at] & 0x08:
        return CONTROL_TOO_LONG
    width = 2 if length == 126 else 8
    if len(data) - at < 2 + width:
        return None
    length = int.from_bytes(data[at + 2 : at + 2 + width], "big")
    if length < (126 if width == 2 else 65_536):
        return NOT_MINIMAL
    return SIGN_BIT if length >> 63 else length


class FrameGuard:
    """Feed it every inbound byte once. After a whole close frame feed it nothing more; after a verdict only to see the
    peer's close come, which is a guess by then: it has lost its place in what it refused."""

    __slots__ = (
        "_at",
        "_fragments",
        "_header",
        "_left",
        "_limits",
        "_message_bytes",
        "_opcode",
        "_tokens",
        "_too_big",
        "_too_many",
        "closed",
        "messages",
    )

    def __init__(self, limits: WireLimits) -> None:
        self._limits = limits
        self._header = b""
        """The bytes of a header that is not whole yet."""
        self._left = 0
        """Payload bytes of the present frame that are still to come."""
        self._opcode = TEXT
        """Of the frame whose payload is coming; with the FIN bit."""
        self._fragments = 0
        """Of the message in progress; 0 = none."""
        self._message_bytes = 0
        self._tokens = float(limits.control_burst)
        self._at = 0.0
        self._too_big = Verdict(1009, f"a message is at most {limits.message_bytes} bytes")
        self._too_many = Verdict(1009, f"a message is at most {limits.message_fragments} fragments")
        self.messages = 0
        """Whole messages that went through `feed` (those taken by `whole_text` are not among them)."""
        self.closed = False
        """A whole close frame has come."""

    def whole_text(self, data: bytes, start: int) -> int:
        """The end of the frame at `start`, if it is one complete final text frame and nothing is in progress before
        it; else 0, which says nothing against it. The ordinary case, without keeping any state."""
        if self._fragments or self._left or self._header:
            return 0
        size = len(data) - start
        if size < 6 or data[start] != 0x81:
            return 0
        length = data[start + 1] - 0x80
        if 0 <= length < 126:
            end = length + 6
        elif length == 126 and size >= 8:
            length = data[start + 2] << 8 | data[start + 3]
            if not 126 <= length <= self._limits.message_bytes:
                return 0
            end = length + 8
        else:
            return 0
        return start + end if end <= size else 0

    def feed(self, data: bytes, now: float) -> Verdict | None:
        """None: these bytes break no rule so far. `now`: seconds on a clock that does not jump."""
        at, size = 0, len(data)
        if self._header:
            data = self._header + data
            size = len(data)
            self._header = b""
        while at < size:
            if self._left:
                taken = min(self._left, size - at)
                self._left -= taken
                at += taken
                if self._left:
                    return None
            else:
                verdict, header = self._open_frame(data, at, now)
                if verdict is not None:
                    return verdict
                if not header:
                    self._header = data[at:]
                    return None
                at += header
            if not self._left and self._end_frame():
                return None
        return None

    def _open_frame(self, data: bytes, at: int, now: float) -> tuple[Verdict | None, int]:
        """Judges the header at `at`. (None, its size), or (None, 0) while it is not whole; each byte as it comes."""
        first = data[at]
        verdict = (CONTINUING if self._fragments else FRESH)[first]
        if verdict is not None or len(data) - at < 2:
            return verdict, 0
        length = _payload_length(data, at)
        if length is None or isinstance(length, Verdict):
            return length, 0
        verdict = self._judge_size(first, length)
        header = 6 if length < 126 else 8 if length < 65_536 else 14
        if verdict is not None or len(data) - at < header:
            return verdict, 0
        return self._begin(first, length, now), header

    def _judge_size(self, first: int, length: int) -> Verdict | None:
        if first & 0x08:
            return None
        if self._message_bytes + length > self._limits.message_bytes:
            return self._too_big
        if self._fragments >= self._limits.message_fragments:
            return self._too_many
        return None

    def _begin(self, first: int, length: int, now: float) -> Verdict | None:
        self._opcode = first
        self._left = length
        if first & 0x08:
            return None if first == 0x80 | CLOSE else self._spend(now)
        self._fragments += 1
        self._message_bytes += length
        return None

    def _end_frame(self) -> bool:
        """The present frame is whole. True: it was the peer's last, whatever follows is not looked at."""
        opcode = self._opcode
        if opcode == 0x80 | CLOSE:
            self.closed = True
            return True
        if opcode in (0x80 | TEXT, 0x80 | CONTINUATION):
            self.messages += 1
            self._fragments = 0
            self._message_bytes = 0
        return False

    def _spend(self, now: float) -> Verdict | None:
        """A token bucket over pings and pongs; a close is the last of its kind anyway."""
        burst = self._limits.control_burst
        self._tokens = min(burst, self._tokens + (now - self._at) * self._limits.control_per_s)
        self._at = now
        if self._tokens < 1.0:
            return TOO_MANY_CONTROLS
        self._tokens -= 1.0
        return None
