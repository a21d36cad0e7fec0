"""A server that runs somewhere, looked at as a phone would: name, TCP, TLS, HTTP, the upgrade, a conversation. What
stands in between (proxies, name servers) is looked at with it."""

import json
import ssl
import statistics
import time
from collections.abc import Awaitable, Callable
from socket import gaierror
from typing import TypeVar

import trio
from attrs import define, field

from actors.names import Nickname
from bandstand.address import Address
from bandstand.client.connection import SUBPROTOCOL
from bandstand.doctor.certificate import look_at_dates, reason, refused
from bandstand.doctor.findings import Finding, fail, ok, warn
from bandstand.doctor.request import Answer, BadAnswer, request, upgrade_headers
from bandstand.socket import Dial, Socket, SocketClosed, dialler, open_socket
from gateway.http import is_loopback
from gateway.protocol import client, server
from gateway.protocol.codec import BadFrame, UnknownType, encode, server_decoder
from gateway.protocol.frames import ServerFrame
from gateway.protocol.kinds import RequestId, Token

PATIENCE_SECONDS = 10.0
"""For one step."""
BEATS = 5
FOREIGN_ORIGIN = "https://elsewhere.invalid"
CLOCK_SECONDS = 2.0
NICKNAME = Nickname("doctor")
PROXY_UPGRADE = "let the proxy pass Upgrade and Connection on (docs/operations.md has nginx and Caddy)"

T = TypeVar("T")
decode = server_decoder()


class Unreachable(Exception):
    """No connection at all, so there is nothing more to look at. What stands in the way has been told."""


async def examine(
    address: Address, tell: Callable[[Finding], None], token: str | None = None, roots: ssl.SSLContext | None = None
) -> None:
    """Tells what it finds, in order. `token`: a member token to come in with. `roots`: whom to trust with TLS, instead
    of those that the system does. Raises Unreachable."""
    visit = _Visit(address, tell, token, roots or ssl.create_default_context())
    await visit.find()
    if address.secure:
        await visit.shake_hands()
    elif is_loopback(address.host) or address.host == "localhost":
        tell(ok("tls", "none, and none is needed on this machine"))
    else:
        tell(warn("tls", "none: whoever shares the network can read along and take a token", "open it by https://"))
    await visit.ask_health()
    if await visit.upgrade_from_own_origin():
        await visit.upgrade_from_elsewhere()
        await visit.converse()


@define
class _Visit:
    address: Address
    tell: Callable[[Finding], None]
    token: str | None
    roots: ssl.SSLContext
    dial: Dial = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.dial = dialler(self.roots)

    # -- the way there -------------------------------------------------------------------------------------------------

    async def find(self) -> None:
        host, port = self.address.host, self.address.port
        try:
            with trio.fail_after(PATIENCE_SECONDS):
                found = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_STREAM)
                self.tell(ok("name", f"{host} is {', '.join(dict.fromkeys(str(each[4][0]) for each in found))}"))
                began = trio.current_time()
                stream = await trio.open_tcp_stream(host, port)
                self.tell(ok("tcp", f"port {port} answers after {ms(trio.current_time() - began)}"))
                await stream.aclose()
        except gaierror as wrong:
            self._give_up("name", f"{host} is not found: {wrong.strerror}", "check the name and its DNS record")
        except trio.TooSlowError:
            self._give_up("tcp", f"port {port} is silent", "a firewall may drop it: check that and the port")
        except OSError as wrong:
            text = f"port {port} does not answer: {wrong.strerror or wrong}"
            self._give_up("tcp", text, "is the server started, on this port, and not on 127.0.0.1 only?")

    def _give_up(self, check: str, text: str, remedy: str) -> None:
        self.tell(fail(check, text, remedy))
        raise Unreachable(text)

    async def shake_hands(self) -> None:
        """If the certificate is not accepted, that is told and everything after it is done without looking."""
        try:
            with trio.fail_after(PATIENCE_SECONDS):
                stream = await self.dial(self.address)
                assert isinstance(stream, trio.SSLStream)
                async with stream:
                    await stream.do_handshake()
                    described = stream.getpeercert()
            self.tell(look_at_dates(described, time.time()))
        except trio.TooSlowError:
            self._give_up("tls", "no handshake", "is it TLS that this port speaks?")
        except (OSError, trio.BrokenResourceError) as wrong:
            cause = wrong.__cause__ or wrong
            if not isinstance(cause, ssl.SSLCertVerificationError):
                self._give_up("tls", f"no handshake: {reason(cause)}", "is it TLS that this port speaks?")
            else:
                self.tell(refused(cause))
                self.dial = dialler(_trusting_anybody())

    # -- HTTP ----------------------------------------------------------------------------------------------------------

    async def ask_health(self) -> None:
        alive = await self._get("healthz")
        if alive is not None:
            through = next((f", through {alive.headers[key]}" for key in ("via", "server") if key in alive.headers), "")
            said = f"{alive.status}{through}"
            remedy = HOST_REMEDY if alive.status == 403 else "is it a Bandstand that this address leads to?"
            self.tell(ok("healthz", said) if alive.status == 200 else fail("healthz", said, remedy))
        ready = await self._get("readyz")
        if ready is not None:
            self.tell(ok("readyz", "ready") if ready.status == 200 else fail("readyz", *_not_ready(ready)))

    async def _get(self, name: str) -> Answer | None:
        path = f"{self.address.path.removesuffix('/ws')}/{name}"
        return await self._attempt(name, lambda: request(self.dial, self.address, path))

    async def upgrade_from_own_origin(self) -> bool:
        """As the page does that this address serves. A proxy that changes the Host makes it a stranger."""
        own = f"{'https' if self.address.secure else 'http'}://{self.address.authority}"
        answer = await self._attempt("upgrade", lambda: self._upgrade(own))
        if answer is None:
            return False
        if answer.status != 101:
            remedy = HOST_REMEDY if answer.status == 403 else PROXY_UPGRADE
            self.tell(fail("upgrade", f"{answer.status} instead of a WebSocket: {answer.text}", remedy))
            return False
        spoken = answer.headers.get("sec-websocket-protocol")
        if spoken != SUBPROTOCOL:
            remedy = "let the proxy pass Sec-WebSocket-Protocol on; else the server is of another version"
            self.tell(fail("upgrade", f"the subprotocol is {spoken or 'lost on the way'}, not {SUBPROTOCOL}", remedy))
            return False
        self.tell(ok("upgrade", f"{SUBPROTOCOL}, from the own origin {own}"))
        return True

    async def upgrade_from_elsewhere(self) -> None:
        answer = await self._attempt("origin", lambda: self._upgrade(FOREIGN_ORIGIN))
        if answer is None:
            return
        if answer.status == 403:
            self.tell(ok("origin", "pages from elsewhere are refused"))
        elif answer.status == 101:
            remedy = "let the proxy pass Origin on as it is, and look at allowed_origins"
            self.tell(fail("origin", f"a page from {FOREIGN_ORIGIN} may connect in its visitors' names", remedy))
        else:
            self.tell(warn("origin", f"{answer.status} where a page from elsewhere should be refused with 403"))

    async def _upgrade(self, origin: str) -> Answer:
        return await request(self.dial, self.address, self.address.path, upgrade_headers(SUBPROTOCOL, origin))

    # -- a conversation ------------------------------------------------------------------------------------------------

    async def converse(self) -> None:
        socket = await self._attempt("hello", lambda: open_socket(self.address, SUBPROTOCOL, self.dial))
        if socket is None:
            return
        try:
            hello = await self._attempt("hello", lambda: _expect(socket, server.Hello))
            heard = time.time()
            if hello is not None:
                self.tell(ok("hello", f"version {hello.v} of node {hello.node}"))
                trip = await self._attempt("heartbeat", lambda: _round_trip(socket))
                if trip is not None:
                    self.tell(ok("heartbeat", f"{ms(trip)} there and back (p50 of {BEATS})"))
                    self.tell(compare_clocks(hello.now + trip / 2 - heard))
                    await self._come_in(socket)
        finally:
            await socket.aclose()

    async def _come_in(self, socket: Socket) -> None:
        auth = client.Auth(RequestId(BEATS + 1), nickname=NICKNAME)
        if self.token is not None:
            auth = client.Auth(RequestId(BEATS + 1), token=Token(self.token))
        answer = await self._attempt("entry", lambda: _asked(socket, auth))
        match answer:
            case server.Ready():
                self.tell(
                    ok("entry", "with the token" if self.token else "by a nickname alone: anonymous entry is open")
                )
            case server.ErrorFrame() if self.token:
                self.tell(fail("entry", f"the token is refused: {answer.message}", "get a new one"))
            case server.ErrorFrame():
                text = f"not without a token: {answer.message}"
                self.tell(warn("entry", text, "give one with --token, to look further"))

    # -- barriers ------------------------------------------------------------------------------------------------------

    async def _attempt(self, check: str, act: Callable[[], Awaitable[T]]) -> T | None:
        """None: it did not come about, which has been told."""
        try:
            with trio.fail_after(PATIENCE_SECONDS):
                return await act()
        except trio.TooSlowError:
            self.tell(fail(check, f"no answer within {PATIENCE_SECONDS:g} s"))
        except (OSError, trio.BrokenResourceError) as wrong:
            self.tell(fail(check, f"the connection broke: {reason(wrong.__cause__ or wrong)}"))
        except (SocketClosed, BadAnswer, BadFrame) as wrong:
            self.tell(fail(check, str(wrong), "is it a Bandstand that this address leads to?"))
        return None


HOST_REMEDY = "let the proxy pass Host on as it is, or name this host in public_url or allowed_hosts"


def compare_clocks(ahead: float) -> Finding:
    """`ahead`: seconds that the server's clock is before ours."""
    if abs(ahead) <= CLOCK_SECONDS:
        return ok("clock", f"the server's is {ahead:+.2f} s from ours")
    return warn(
        "clock", f"the server's is {ahead:+.1f} s from ours", "run NTP on both; times are shown by the server's"
    )


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _not_ready(answer: Answer) -> tuple[str, str]:
    try:
        failing = json.loads(answer.body)["failing"]
        text = "; ".join(f"{check}: {what}" for check, what in failing.items())
    except (ValueError, LookupError, TypeError, AttributeError):
        text = answer.text
    return f"{answer.status}: {text}", "the server's log says more"


def _trusting_anybody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _next(socket: Socket) -> ServerFrame:
    while True:
        text = await socket.receive()
        try:
            frame = decode(text)
        except UnknownType:
            continue
        if isinstance(frame, server.Bye):
            raise SocketClosed(frame.code, frame.message or "the server says goodbye")
        return frame


async def _expect(socket: Socket, wanted: type[T]) -> T:
    while not isinstance(frame := await _next(socket), wanted):
        pass
    return frame


async def _asked(socket: Socket, question: client.Auth | client.Heartbeat) -> ServerFrame:
    """The frame that answers it."""
    await socket.send(encode(question).decode())
    while getattr(frame := await _next(socket), "re", None) != question.id:
        pass
    return frame


async def _round_trip(socket: Socket) -> float:
    taken: list[float] = []
    for number in range(1, BEATS + 1):
        began = trio.current_time()
        await _asked(socket, client.Heartbeat(id=RequestId(number)))
        taken.append(trio.current_time() - began)
    return statistics.median(taken)
