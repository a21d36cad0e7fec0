"""The front door: accepts, admits, reads one request head, and then answers it or hands the socket to the wire.

Every connection runs behind a barrier of its own in one nursery, so that nothing a client sends can reach another
client or the process. The loops that accept can be stopped by themselves; the connections then run on."""

import errno
import random
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus

import trio
from attrs import frozen
from trio.lowlevel import wait_readable

from gateway.admission import BEYOND_MOST, BEYOND_TLS_MOST, Admission, ListenerLimits, Ticket, raise_file_limit
from gateway.barrier import Barrier
from gateway.entrance import Address, Entrance, open_socket
from gateway.http import (
    HEAD_END,
    HttpError,
    Network,
    Request,
    Response,
    check_host,
    check_origin,
    forwarded_for,
    is_within,
    listed,
    parse_head,
    refusal,
    render,
    websocket_key,
)
from gateway.log import EventLog
from gateway.wire.contract import Attach, Serve, Upgrade
from gateway.wire.transport import SocketTransport, StreamTransport, Transport, tune

__all__ = ["Address", "Door", "Listener", "Route", "open_socket"]

ACCEPTS_AT_ONCE = 64
"""Then the other tasks have a turn."""
ANSWER_SECONDS = 30.0
"""To take a whole answer; a slow phone and the largest asset of a page."""
BEYOND_SECONDS = 1.0
"""To be asked what they want, for those who come when the house is full."""
ALWAYS = frozenset({"/healthz", "/readyz"})
"""Routes that are answered also then: whoever asks there restarts what does not answer."""
FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
FULL_PAUSE_SECONDS = 0.1
ODD_PAUSE_SECONDS = 0.01
ACCEPTED, UNKNOWN_SUBPROTOCOL, TLS_FAILED = "accepted", "unknown_subprotocol", "tls_failed"
"""What becomes of a handshake, where there is no HTTP status to say it."""

log = EventLog("gateway.listener")

Route = Callable[[Request], Awaitable[Response]]


@frozen
class Door:
    """An address that speaks WebSocket."""

    subprotocol: str
    attach: Attach
    origins: frozenset[str] = frozenset()
    """Web origins that may connect besides the own one; lower case."""
    kept: bool = False
    """A few may come in by it when the house is full."""


class Listener:
    """Start `run` in a nursery, then `listen`; both may be given to `nursery.start` and awaited."""

    def __init__(
        self,
        *,
        serve: Serve,
        doors: Mapping[str, Door],
        routes: Mapping[str, Route],
        allowed_hosts: frozenset[str] = frozenset(),
        trusted_proxies: Sequence[Network] = (),
        limits: ListenerLimits,
        barrier: Barrier | None = None,
    ) -> None:
        """`doors` and `routes` by path. `allowed_hosts`: names besides the own addresses, lower case; "*" = any.
        `barrier`: each connection runs behind it."""
        self._barrier = barrier or Barrier()
        self._serve = serve
        self._doors = doors
        self._routes = routes
        self._allowed_hosts = allowed_hosts
        self._trusted_proxies = trusted_proxies
        self._limits = limits
        self.admission = Admission(limits, _most_connections(limits))
        self._nursery: trio.Nursery | None = None
        self._entrances: list[Entrance] = []
        self._stopped = False
        self._emptied = trio.Event()
        self.accepted = 0
        self.handshakes: Counter[str] = Counter()
        """Requests for a WebSocket, and those that could not be read so far, by what became of them."""

    # -- its life ------------------------------------------------------------------------------------------------------

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Holds the connections until cancelled, which cuts them."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                task_status.started()
                await trio.sleep_forever()
        finally:
            self.stop_accepting()

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> list[Address]:
        """Port 0 takes a free one, the same for all addresses of `host`. Raises OSError when it cannot be had."""
        assert self._nursery is not None, "run() first"
        found = await trio.socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
        )
        opened: list[Entrance] = []
        try:
            for family, _, _, _, where in found:
                port = opened[0].address.port if opened else port
                opened.append(Entrance(open_socket(family, (where[0], port, *where[2:])), tls))
        except OSError:
            for entrance in opened:
                entrance.close()
            raise
        self._entrances += opened
        for entrance in opened:
            self._nursery.start_soon(self._accept, entrance)
        return [entrance.address for entrance in opened]

    def stop_accepting(self) -> None:
        """The sockets close; who is inside stays, who is still at the door is told 503."""
        self._stopped = True
        for entrance in self._entrances:
            entrance.close()
        self._entrances.clear()
        self._look_if_empty()

    def cut_all(self) -> None:
        """Ends every connection now. Drain first: say `finish` to the outlets and wait for `emptied`."""
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    @property
    def faults(self) -> int:
        """What the barrier has stopped: each is in the log, and is a mistake of ours."""
        return self._barrier.faults

    @property
    def live(self) -> int:
        return self.admission.live

    async def emptied(self) -> None:
        """After stop_accepting: the last connection has ended."""
        await self._emptied.wait()

    def _look_if_empty(self) -> None:
        if self._stopped and not self.admission.live:
            self._emptied.set()

    # -- accepting -----------------------------------------------------------------------------------------------------

    async def _accept(self, entrance: Entrance) -> None:
        """Above `accepts_per_s` it waits, and the kernel's backlog is the queue: a storm is taken in at that pace."""
        bucket, sock = self.admission.arrivals, entrance.sock
        while sock.fileno() != -1:
            await trio.sleep(bucket.wait_s(trio.current_time()))
            try:
                await wait_readable(sock)
            except (trio.ClosedResourceError, ValueError):
                continue  # closed by stop_accepting, perhaps before we came to wait
            for _ in range(ACCEPTS_AT_ONCE):
                if bucket.wait_s(trio.current_time()) > 0 or not await self._accept_one(entrance):
                    break
                bucket.spend()

    async def _accept_one(self, entrance: Entrance) -> bool:
        """False: nobody is there now."""
        try:
            sock, where = entrance.sock.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            # Some of these concern one client that has gone already (ECONNABORTED, EPERM, EPROTO): never give up.
            if error.errno in FULL:
                log.error("accept_failed", reason=error.strerror)
            await trio.sleep(FULL_PAUSE_SECONDS if error.errno in FULL else ODD_PAUSE_SECONDS)
            return False
        self._let_in(sock, where[0], entrance.tls)
        return True

    def _let_in(self, sock: socket.socket, remote: str, tls: ssl.SSLContext | None) -> None:
        assert self._nursery is not None
        self.accepted += 1
        sock.setblocking(False)
        tune(sock, self._limits.unsent_bytes)
        ticket = self.admission.enter(
            remote,
            trio.current_time(),
            proxied=is_within(remote, self._trusted_proxies),
            beyond=BEYOND_MOST if tls is None else BEYOND_TLS_MOST,
        )
        if ticket is None:
            self._refused(HTTPStatus.SERVICE_UNAVAILABLE)
            sock.close()
        else:
            self._nursery.start_soon(self._behind_barrier, sock, ticket, tls)

    async def _behind_barrier(self, sock: socket.socket, ticket: Ticket, tls: ssl.SSLContext | None) -> None:
        try:
            with self._barrier.around("connection_failed"):
                await self._come_in(sock, ticket, tls)
        finally:
            sock.close()
            ticket.leave()
            self._look_if_empty()

    def _full(self) -> HttpError:
        # Not for secrets: it only spreads them out.
        seconds = self._limits.retry_after_s * (1 + random.random())  # noqa: S311
        return HttpError(503, "The house is full. Try again a little later.", {"Retry-After": f"{seconds:.0f}"})

    # -- one connection ------------------------------------------------------------------------------------------------

    async def _come_in(self, sock: socket.socket, ticket: Ticket, tls: ssl.SSLContext | None) -> None:
        transport = await self._open_transport(sock, ticket, tls)
        if transport is None:
            return
        try:
            welcome = await self._at_the_door(transport, sock, ticket)
            if welcome is not None:
                await self._serve(transport, *welcome)
        finally:
            transport.abort()

    async def _open_transport(
        self, sock: socket.socket, ticket: Ticket, tls: ssl.SSLContext | None
    ) -> Transport | None:
        if tls is None:
            return SocketTransport(sock)
        bottom = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        tune(bottom.socket, self._limits.unsent_bytes)  # trio has just set its own
        stream = trio.SSLStream(bottom, tls, server_side=True, https_compatible=True)
        with trio.move_on_after(self._head_s(ticket)):
            try:
                await stream.do_handshake()
            except trio.BrokenResourceError:
                self.handshakes[TLS_FAILED] += 1
                return None
            return StreamTransport(stream, bottom.socket.close, bottom.socket)
        self.handshakes[TLS_FAILED] += 1
        return None

    async def _at_the_door(
        self, transport: Transport, sock: socket.socket, ticket: Ticket
    ) -> tuple[Upgrade, Attach] | None:
        """Reads the request and answers it, unless it is for a WebSocket."""
        request: Request | None = None
        try:
            head, rest = await self._read_head(transport, self._head_s(ticket))
            if not head:
                return None
            request = parse_head(head, self._limits.head)
            check_host(request, self._allowed_hosts, local_address(sock))
            door = self._doors.get(request.path)
            if not self._has_room_for(request, ticket, door):
                raise self._full()
            if door is not None:
                upgrade = self._upgrade(door, request, rest, ticket)
                self.handshakes[ACCEPTED if upgrade.subprotocol else UNKNOWN_SUBPROTOCOL] += 1
                return upgrade, door.attach
            route = self._routes.get(request.path)
            if route is None:
                raise HttpError(404, "Nothing is at this address.")
            answer = await route(request)
        except HttpError as error:
            if request is None or request.path in self._doors:
                self._refused(error.status)
            answer = refusal(error)
        beyond = ticket.beyond
        ticket.authenticated()  # whoever takes long to read it keeps no newcomer out
        await self._answer(transport, answer, linger=not beyond)
        return None

    def _head_s(self, ticket: Ticket) -> float:
        return min(self._limits.head_s, BEYOND_SECONDS) if ticket.beyond else self._limits.head_s

    def _has_room_for(self, request: Request, ticket: Ticket, door: Door | None) -> bool:
        if not ticket.comes_from(forwarded_for(request, ticket.remote, self._trusted_proxies)) or self._stopped:
            return False
        if not ticket.beyond or request.path in ALWAYS:
            return True
        return door is not None and door.kept and ticket.is_kept_a_place()

    def _refused(self, status: int) -> None:
        self.handshakes[HTTPStatus(status).phrase.lower().replace(" ", "_")] += 1

    def _upgrade(self, door: Door, request: Request, rest: bytes, ticket: Ticket) -> Upgrade:
        key = websocket_key(request)
        check_origin(request, door.origins)
        offered = listed(request.headers, "sec-websocket-protocol")
        return Upgrade(key, door.subprotocol if door.subprotocol in offered else None, rest, ticket)

    async def _read_head(self, transport: Transport, seconds: float) -> tuple[bytes, bytes]:
        """The head and what came behind it; nothing when the peer has gone. Raises HttpError."""
        most = self._limits.head.head_bytes
        buf = b""
        with trio.move_on_after(seconds):
            while (end := buf.find(HEAD_END)) < 0 and len(buf) <= most:
                data = await transport.receive()
                if not data:
                    return b"", b""
                buf += data
                if not 0x41 <= buf[0] <= 0x5A:
                    raise HttpError(400, "Bad request: this is not HTTP.")
            end += len(HEAD_END)
            if not len(HEAD_END) <= end <= most:
                raise HttpError(431, f"The request head is too long: at most {most} bytes.")
            return buf[:end], buf[end:]
        raise HttpError(408, "The request head took too long.")

    async def _answer(self, transport: Transport, answer: Response, *, linger: bool) -> None:
        """Then half-close and (`linger`) read on for a moment: unread bytes would make the kernel reset the answer
        away. Where only a head came, there are none."""
        view = memoryview(render(answer))
        try:
            with trio.move_on_after(ANSWER_SECONDS):
                while view or transport.holds:
                    await transport.ready()
                    if view:
                        try:
                            view = view[transport.push(view) :]
                        except BlockingIOError:
                            continue
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            return
        transport.send_eof()
        if not linger:
            return
        left = self._limits.linger_bytes
        with trio.move_on_after(self._limits.linger_s):
            while left > 0 and (data := await transport.receive()):
                left -= len(data)


def _most_connections(limits: ListenerLimits) -> int:
    """Beyond the file limit nobody could be told that the house is full."""
    most = max(raise_file_limit() - limits.spare_files, 1)
    if limits.connections > most:
        log.warning("connections_limited", asked=limits.connections, possible=most)
    return min(limits.connections or most, most)


def local_address(sock: socket.socket) -> str:
    try:
        return str(sock.getsockname()[0])
    except OSError:
        return "unknown"
