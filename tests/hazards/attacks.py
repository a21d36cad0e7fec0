"""What one client without any rights can do, each as a function of how to connect. See docs/decisions/0004-wire.md.

K: ends the process of a plain serve_websocket. R: makes it hold memory, tasks or files."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from tests.wire.frames import PING, PONG, close, frame, more, text
from tests.wire.peer import Peer, request

Connect = Callable[[], Awaitable[Peer]]
Attack = Callable[[Connect], Awaitable[None]]

NOT_ASCII = "\xff"


async def throw(connect: Connect, *data: bytes, reset: bool = True) -> None:
    """Sends, does not look at the answer, and goes."""
    peer = await connect()
    with suppress(trio.BrokenResourceError):
        for piece in data:
            await peer.send(piece)
    if reset:
        peer.reset()
    else:
        peer.sock.close()


async def k1_not_ascii(connect: Connect) -> None:
    for name in ("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Connection", "Host"):
        peer = await connect()
        await peer.send(request(headers={name: f"Upgrade, {NOT_ASCII}" if name == "Connection" else NOT_ASCII}))
        await peer.rest()
        peer.sock.close()


async def k2_punycode(connect: Connect) -> None:
    peer = await connect()
    await peer.send(request(host="xn--999999999999"))
    await peer.rest()
    peer.sock.close()


async def k3_plain_request_then_reset(connect: Connect) -> None:
    await throw(connect, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")


async def k4_upgrade_then_reset(connect: Connect) -> None:
    await throw(connect, request())


async def k5_ping_while_it_closes(connect: Connect) -> None:
    peer = await connect()
    await peer.upgrade()
    await peer.send(text("close"))
    await peer.ending()
    with suppress(trio.BrokenResourceError):
        await peer.send(frame(PING, b"in flight") * 5)
    await peer.rest()
    peer.sock.close()


async def k6_ordinary_goodbye(connect: Connect) -> None:
    peer = await connect()
    await peer.upgrade()
    await peer.send(close(1000))
    await peer.ending()
    peer.sock.close()


KILLERS: dict[str, Attack] = {
    "K1 header bytes that are not ASCII": k1_not_ascii,
    "K2 a Host that no codec reads": k2_punycode,
    "K3 plain HTTP, then RST": k3_plain_request_then_reset,
    "K4 a good request, then RST": k4_upgrade_then_reset,
    "K5 a ping while the server closes": k5_ping_while_it_closes,
    "K6 an ordinary goodbye": k6_ordinary_goodbye,
}


async def r2_refused_handshakes(connect: Connect) -> None:
    for bad in ({"Sec-WebSocket-Version": "12"}, {"Sec-WebSocket-Key": "short"}, {"Upgrade": "h2c"}):
        for _ in range(5):
            await throw(connect, request(headers=dict(bad)), reset=False)


async def r3_gone_in_mid_handshake(connect: Connect) -> None:
    for reset in (True, False):
        for size in (0, 1, 30, 100):
            await throw(connect, request()[:size], reset=reset)


async def r4_silent_after_a_refusal(connect: Connect) -> None:
    """The server must close TCP itself: these clients never do, and never read."""
    peers = [await connect() for _ in range(10)]
    for number, peer in enumerate(peers):
        if number % 2:
            await peer.send(request(path="/nowhere"))
        else:
            await peer.upgrade()
            await peer.send(text("x" * 20_000))
    for peer in peers:
        with suppress(trio.BrokenResourceError):
            await peer.rest()
        peer.sock.close()


async def r5_fragments(connect: Connect) -> None:
    for piece in ("", "x"):
        peer = await connect()
        await peer.upgrade()
        with suppress(trio.BrokenResourceError):
            await peer.send(text(piece, fin=False) + more(piece, fin=False) * 5_000)
        assert await peer.close_code() in (1009, None)
        peer.sock.close()


async def r6_emoji(connect: Connect) -> None:
    peer = await connect()
    await peer.upgrade()
    await peer.send(text("\N{GRINNING FACE}" * 4_097)[:100])
    assert await peer.close_code() == 1009
    peer.sock.close()


async def r9_goes_without_a_word(connect: Connect) -> None:
    for ending in (frame(PING, b"x"), close(1000), b""):
        await throw(connect, request(), ending)
        peer = await connect()
        await peer.upgrade()
        await peer.send(ending)
        peer.reset()


async def r10_never_answers_a_close(connect: Connect) -> None:
    peer = await connect()
    await peer.upgrade()
    await peer.send(text("close"))
    assert await peer.close_code() == 1000
    assert await peer.rest() == b""
    peer.sock.close()


async def r12_protocol_errors_get_a_close_frame(connect: Connect) -> None:
    for bad, code in ((frame(1, b"x", masked=False), 1002), (frame(1, b"\xff"), 1007), (frame(2, b"x"), 1003)):
        peer = await connect()
        await peer.upgrade()
        await peer.send(bad)
        assert await peer.close_code() == code
        peer.sock.close()


async def r13_pins(connect: Connect) -> None:
    peer = await connect()
    await peer.upgrade()
    await peer.send(frame(1, claim=2**62))
    assert await peer.close_code() == 1009
    peer.sock.close()
    peer = await connect()
    await peer.send(request(headers={"Origin": "https://evil.example"}))
    assert (await peer.response())[0] == 403
    peer.sock.close()


async def r13_control_flood(connect: Connect) -> None:
    peer = await connect()
    await peer.upgrade()
    with suppress(trio.BrokenResourceError):
        await peer.send(frame(PING, b"x" * 100) * 300)
    frames, code = await peer.ending()
    assert code in (4429, None)
    assert sum(opcode == PONG for opcode, _ in frames) <= 21
    peer.sock.close()


async def r14_half_http(connect: Connect) -> None:
    good = request()
    for bad, status in (
        (good.replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
        (request(headers={"Sec-WebSocket-Key": "AAAA"}), 400),
        (request(headers={"Content-Length": "5"}) + b"hello", 413),
        (request(headers={"Transfer-Encoding": "chunked"}), 413),
        (good.replace(b"GET", b"POST"), 405),
    ):
        peer = await connect()
        await peer.send(bad)
        assert (await peer.response())[0] == status, bad
        await peer.rest()
        peer.sock.close()


async def noise(connect: Connect) -> None:
    for junk in (b"\x16\x03\x01\x02\x00\x01\x00", b"\0" * 100, b"GET\r\n\r\n", b"\r\n\r\n", b"A" * 20_000):
        await throw(connect, junk, reset=False)


HOLDERS: dict[str, Attack] = {
    "R2 refused handshakes": r2_refused_handshakes,
    "R3 gone in mid-handshake": r3_gone_in_mid_handshake,
    "R4 silent after a refusal": r4_silent_after_a_refusal,
    "R5 fragments without end": r5_fragments,
    "R6 emoji count as bytes": r6_emoji,
    "R9 gone without a word": r9_goes_without_a_word,
    "R10 never answers a close": r10_never_answers_a_close,
    "R12 protocol errors": r12_protocol_errors_get_a_close_frame,
    "R13 pins": r13_pins,
    "R13 a flood of pings": r13_control_flood,
    "R14 half of HTTP": r14_half_http,
    "noise": noise,
}
