"""The client's WebSocket over bytes: what a server may do to it."""

import base64
import hashlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trustme
from trio.testing import MockClock, memory_stream_pair

from bandstand.address import BadAddress, parse_address
from bandstand.socket import CLOSE_SECONDS, Socket, SocketClosed, dialler, open_socket

HELLO = b"\x81\x05hello"
Script = Callable[[trio.abc.Stream, bytes], Awaitable[None]]


async def dialled(script: Script, nursery: trio.Nursery) -> Socket:
    near, far = memory_stream_pair()

    async def serve() -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await far.receive_some(4096)
        key = next(line for line in head.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key")).split(b": ")[1]
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        answer = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: bandstand.v1\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        try:
            await script(far, answer)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    nursery.start_soon(serve)

    async def dial(address: object) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        return near

    return await open_socket(parse_address("http://fake:8080"), "bandstand.v1", dial)


async def test_a_frame_in_the_same_packet_as_the_handshake_is_not_lost(autojump_clock: MockClock) -> None:
    """The first real server answered the upgrade and said hello in one packet; hello was dropped, and every client gave
    up after 15 s."""

    async def script(far: trio.abc.Stream, answer: bytes) -> None:
        await far.send_all(answer + HELLO)
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        socket = await dialled(script, nursery)
        with trio.fail_after(1):
            assert await socket.receive() == "hello"
        nursery.cancel_scope.cancel()


async def test_bytes_one_by_one_and_fragments_make_whole_messages(autojump_clock: MockClock) -> None:
    async def script(far: trio.abc.Stream, answer: bytes) -> None:
        for byte in answer + b"\x01\x03\xe2\x82\xac" + b"\x89\x01x" + b"\x80\x02ok" + HELLO:
            await far.send_all(bytes([byte]))
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        socket = await dialled(script, nursery)
        assert [await socket.receive(), await socket.receive()] == ["€ok", "hello"]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"\x88\x04\x10\x68by", 4200),
        (b"\x88\x00", 1005),
        (b"", 1006),
        (b"\x82\x01x", 1003),
        (b"\x81\x05hel", 1006),
        (b"\xff\xff garbage", 1002),
        (b"\x81\x02\xff\xff", 1007),
        (b"HTTP/1.1 500 what\r\n\r\n", 1002),
    ],
    ids=["close", "close without a code", "end", "binary", "cut", "reserved bits", "not UTF-8", "not WebSocket"],
)
async def test_every_end_has_its_code_and_goes_on_saying_it(said: bytes, code: int, autojump_clock: MockClock) -> None:
    async def script(far: trio.abc.Stream, answer: bytes) -> None:
        await far.send_all(answer + said)
        await far.aclose()

    async with trio.open_nursery() as nursery:
        socket = await dialled(script, nursery)
        for _ in range(2):
            with pytest.raises(SocketClosed) as closed:
                await socket.receive()
            assert closed.value.code == code
        await socket.aclose()


async def test_a_huge_message_is_given_up(autojump_clock: MockClock) -> None:
    async def script(far: trio.abc.Stream, answer: bytes) -> None:
        await far.send_all(answer + b"\x01\x7f" + (2**40).to_bytes(8, "big"))
        for _ in range(200):
            await far.send_all(b"x" * 65_536)

    async with trio.open_nursery() as nursery:
        socket = await dialled(script, nursery)
        with pytest.raises(SocketClosed) as closed:
            await socket.receive()
        assert closed.value.code == 1009
        await socket.aclose()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n", "the server answered 503 instead of opening a socket"),
        (b"SSH-2.0-x\r\n\r\n", "the server does not speak WebSocket: Bad HTTP message"),
        (b"HTTP/1.1 101 Switch", "the connection ended before it was open"),
        (b"", "the connection ended before it was open"),
    ],
    ids=["refused", "not HTTP", "cut", "nothing"],
)
async def test_no_upgrade_is_said_plainly(answer: bytes, said: str, autojump_clock: MockClock) -> None:
    async def script(far: trio.abc.Stream, _: bytes) -> None:
        await far.send_all(answer)
        await far.aclose()

    async with trio.open_nursery() as nursery:
        with pytest.raises(SocketClosed) as closed:
            await dialled(script, nursery)
        assert (closed.value.code, closed.value.reason) == (1006, said)


async def test_a_silent_peer_holds_up_the_goodbye_only_for_a_moment(autojump_clock: MockClock) -> None:
    async def script(far: trio.abc.Stream, answer: bytes) -> None:
        await far.send_all(answer)
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        socket = await dialled(script, nursery)
        before = trio.current_time()
        await socket.aclose()
        assert trio.current_time() - before <= CLOSE_SECONDS
        with pytest.raises(SocketClosed):
            await socket.send("late")
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("url", "at"),
    [
        ("http://host:8080/", ("host", 8080, "/ws", False)),
        ("host:8080", ("host", 8080, "/ws", False)),
        ("wss://host/ws", ("host", 443, "/ws", True)),
        ("https://host/chat/", ("host", 443, "/chat/ws", True)),
        ("ws://[::1]:9/ws", ("::1", 9, "/ws", False)),
        (f"http://{'a' * 63}.local./", (f"{'a' * 63}.local.", 80, "/ws", False)),
        ("http://192.168.1.20:8080/#code=blue-stage-42", ("192.168.1.20", 8080, "/ws", False)),
    ],
)
def test_addresses_as_people_type_them(url: str, at: tuple[str, int, str, bool]) -> None:
    address = parse_address(url)
    assert (address.host, address.port, address.path, address.secure) == at
    assert address.room == ("blue-stage-42" if "#" in url else None)


@pytest.mark.parametrize(
    "url",
    [
        "", "ftp://host", "http://", "http://host:99999", "http://a:b@host/", "http://hö/",
        # These came out as a traceback of whoever looks names up.
        "http://a..b/", "http://.b/", f"http://{'a' * 64}.org/",
        "http://a\0b/", "http://a b/", f"http://{'a.' * 127}b/",
    ],
)  # fmt: skip
def test_what_is_no_address_says_why(url: str) -> None:
    with pytest.raises(BadAddress):
        parse_address(url)


async def listening_with(certificate: trustme.LeafCert | None, nursery: trio.Nursery) -> int:
    listeners: list[Any] = list(await trio.open_tcp_listeners(0, host="127.0.0.1"))
    port = int(listeners[0].socket.getsockname()[1])
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(context)
        listeners = [trio.SSLListener(each, context) for each in listeners]

    async def talk(stream: trio.abc.Stream) -> None:
        try:
            await stream.receive_some()
            await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    nursery.start_soon(trio.serve_listeners, talk, listeners)
    return port


@pytest.mark.parametrize(
    ("issued_to", "trusted", "said"),
    [
        ("127.0.0.1", False, "the server's certificate is not accepted: unable to get local issuer certificate"),
        ("elsewhere.example", True, "the server's certificate is not accepted: IP address mismatch"),
        (None, False, "in TLS: wrong version number"),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_said(issued_to: str | None, trusted: bool, said: str) -> None:
    """It was "the connection broke while sending": the reason that TLS gave was thrown away."""
    ours = trustme.CA()
    theirs = ssl.create_default_context()
    if trusted:
        ours.configure_trust(theirs)
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            port = await listening_with(None if issued_to is None else ours.issue_cert(issued_to), nursery)
            with pytest.raises(SocketClosed) as closed:
                await open_socket(parse_address(f"https://127.0.0.1:{port}"), "bandstand.v1", dialler(theirs))
            nursery.cancel_scope.cancel()
    assert said in closed.value.reason
