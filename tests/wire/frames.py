"""Frames as a client may send them, right and wrong, and what RFC 6455 makes of them."""

from attrs import frozen

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
KEY = b"\x11\xa2\x3b\xc4"
MESSAGE_BYTES = 16 * 1024


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    masked: bool = True,
    width: int | None = None,
    claim: int | None = None,
) -> bytes:
    """`width`: bytes of the extended length (0, 2, 8), when not the fewest; `claim`: the length it states."""
    length = len(payload) if claim is None else claim
    if width is None:
        width = 0 if length < 126 else 2 if length < 65_536 else 8
    short = {0: length, 2: 126, 8: 127}[width]
    head = bytes(((0x80 if fin else 0) | rsv << 4 | opcode, (0x80 if masked else 0) | short))
    head += length.to_bytes(width, "big") if width else b""
    if not masked:
        return head + payload
    return head + KEY + bytes(byte ^ KEY[i % 4] for i, byte in enumerate(payload))


def text(words: str, fin: bool = True) -> bytes:
    return frame(TEXT, words.encode(), fin=fin)


def more(words: str, fin: bool = True) -> bytes:
    return frame(CONTINUATION, words.encode(), fin=fin)


def close(code: int | None = None, reason: bytes = b"") -> bytes:
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


@frozen
class Case:
    name: str
    sent: bytes
    guard: int | None
    """The code of FrameGuard's verdict; None: it lets this pass."""
    closed: int | None
    """The close code on the wire; None: the connection goes on. 1005: a close frame without a code."""
    texts: tuple[str, ...] = ()
    """Messages that reach the connection."""


def refused(name: str, sent: bytes, code: int, texts: tuple[str, ...] = ()) -> Case:
    return Case(name, sent, code, code, texts)


def allowed(name: str, sent: bytes, *texts: str) -> Case:
    return Case(name, sent, None, None, texts)


def seen_later(name: str, sent: bytes, code: int) -> Case:
    """Wrong in a way that only the payload shows."""
    return Case(name, sent, None, code)


def _reserved() -> list[Case]:
    bits = [
        refused(f"rsv {rsv} on {op:#x}", frame(op, b"x", rsv=rsv), 1002) for rsv in range(1, 8) for op in (TEXT, PING)
    ]
    inside = [refused("rsv on a continuation", text("a", fin=False) + frame(CONTINUATION, b"b", rsv=4), 1002)]
    codes = [refused(f"opcode {op:#x}", frame(op, b"x"), 1002) for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)]
    return bits + inside + codes


def _masks() -> list[Case]:
    return [refused(f"unmasked {op:#x}", frame(op, b"x", masked=False), 1002) for op in (TEXT, PING, PONG)] + [
        refused("unmasked close", frame(CLOSE, b"\x03\xe8", masked=False), 1002),
        refused("unmasked and empty", frame(TEXT, masked=False), 1002),
        refused("unmasked after a good one", text("a") + frame(TEXT, b"x", masked=False), 1002, ("a",)),
    ]


def _controls() -> list[Case]:
    names = {CLOSE: "close", PING: "ping", PONG: "pong"}
    long = [
        refused(f"{name} of {n} bytes", frame(op, b"x" * n), 1002) for op, name in names.items() for n in (126, 70_000)
    ]
    cut = [refused(f"fragmented {name}", frame(op, b"\x03\xe8", fin=False), 1002) for op, name in names.items()]
    return [
        *long,
        *cut,
        allowed("ping of 125 bytes", frame(PING, b"x" * 125)),
        allowed("empty ping", frame(PING)),
        allowed("pong that nobody asked for", frame(PONG, b"hello")),
        allowed("ping between fragments", text("a", fin=False) + frame(PING) + more("b"), "ab"),
        allowed("20 controls at once", frame(PONG) * 20),
        refused("21 controls at once", frame(PONG) * 21, 4429),
        refused("21 pings at once", frame(PING, b"x") * 21, 4429),
    ]


def _fragments() -> list[Case]:
    return [
        allowed("two fragments", text("a", fin=False) + more("b"), "ab"),
        allowed("an empty last fragment", text("a", fin=False) + more(""), "a"),
        allowed("16 fragments", text("a", fin=False) + more("a", fin=False) * 14 + more("a"), "a" * 16),
        allowed("16 empty fragments", text("", fin=False) + more("", fin=False) * 14 + more(""), ""),
        refused("17 fragments", text("a", fin=False) + more("a", fin=False) * 16, 1009),
        refused("17 empty fragments", text("", fin=False) + more("", fin=False) * 16, 1009),
        refused("a continuation of nothing", more("a"), 1002),
        refused("an unfinished continuation of nothing", more("a", fin=False), 1002),
        refused("a continuation of a finished message", text("a") + more("b"), 1002, ("a",)),
        refused("text inside a message", text("a", fin=False) + text("b"), 1002),
        refused("unfinished text inside a message", text("a", fin=False) + text("b", fin=False), 1002),
        refused("binary inside a message", text("a", fin=False) + frame(BINARY, b"b"), 1002),
        refused("binary", frame(BINARY, b"x"), 1003),
        refused("empty binary", frame(BINARY), 1003),
        refused("unfinished binary", frame(BINARY, b"x", fin=False), 1003),
    ]


def _lengths() -> list[Case]:
    at_limit = "x" * MESSAGE_BYTES
    half = "x" * (MESSAGE_BYTES // 2)
    wide = [refused(f"{n} in {w} bytes", frame(TEXT, b"x" * n, width=w), 1002) for w, n in ((2, 0), (2, 1), (2, 125))]
    wide += [refused(f"{n} in 8 bytes", frame(TEXT, b"x" * n, width=8), 1002) for n in (0, 125, 126, 65_535)]
    claims = (MESSAGE_BYTES + 1, 65_535, 65_536, 2**31, 2**32, 2**62, 2**63 - 1)
    return [
        *wide,
        *(refused(f"a claim of {claim}", frame(TEXT, claim=claim), 1009) for claim in claims),
        refused("a claim of 2**63", frame(TEXT, claim=2**63), 1002),
        refused("a claim of 2**64-1", frame(TEXT, claim=2**64 - 1), 1002),
        *(allowed(f"{n} bytes", text("x" * n), "x" * n) for n in (0, 1, 125, 126, 127, 4096)),
        allowed("as long as may be", text(at_limit), at_limit),
        allowed("as long as may be, in two", text(half, fin=False) + more(half), half * 2),
        refused("too long in two", text(half, fin=False) + more(half + "x"), 1009),
        refused("too long, but short in characters", text("\N{GRINNING FACE}" * 4_097), 1009),
        refused("a claim in a continuation", text("a", fin=False) + frame(CONTINUATION, claim=2**62), 1009),
    ]


def _utf8() -> list[Case]:
    wrong = (
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xff",
        b"\xe2\x82",
        b"\xf0\x9f\x98",
        b"a\x80b",
        b"\xfe\xff",
    )
    whole = [seen_later(f"text {raw.hex()}", frame(TEXT, raw), 1007) for raw in wrong]
    split = [
        seen_later(f"text {raw.hex()} in two", frame(TEXT, raw[:1], fin=False) + frame(CONTINUATION, raw[1:]), 1007)
        for raw in wrong
    ]
    face = "\N{GRINNING FACE}".encode()
    return [
        *whole,
        *split,
        allowed(
            "a character over two fragments",
            frame(TEXT, face[:2], fin=False) + frame(CONTINUATION, face[2:]),
            "\U0001f600",
        ),
        allowed("every plane", text("aé€\U0001f600"), "aé€\U0001f600"),
        allowed("NUL is a character", text("\0"), "\0"),
    ]


def _closes() -> list[Case]:
    good = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    bad = (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)
    return [
        *(Case(f"close {code}", close(code), None, code) for code in good),
        *(seen_later(f"close {code}", close(code), 1002) for code in bad),
        Case("close without a code", close(), None, 1005),
        Case("close with a reason", close(1000, "adiós".encode()), None, 1000),
        Case("a message, then close", text("a") + close(1000), None, 1000, ("a",)),
        Case("a message after close", close(1000) + text("a"), None, 1000),
        Case("close between fragments", text("a", fin=False) + close(1000), None, 1000),
        seen_later("close of one byte", frame(CLOSE, b"\x03"), 1002),
        seen_later("close with a reason that is not UTF-8", close(1000, b"\xff"), 1007),
    ]


CASES = (*_reserved(), *_masks(), *_controls(), *_fragments(), *_lengths(), *_utf8(), *_closes())
