"""Thousands of connections on one epoll: the ramp that opens them at a decent rate, and the loop that reads them."""

import errno
import resource
import select
import socket
from collections import deque
from collections.abc import Callable
from time import monotonic

from attrs import Factory, define, field

from bench.ledger import Ledger, RunVoid
from bench.peer import Peer, Stage
from bench.stream import ReferenceStream
from bench.wire import Address

READ_SIZE = 65536
PER_SOURCE = 4_000
"""Connections from one loopback address before the next is used: far from the end of its ephemeral ports."""
HANDSHAKES_AT_ONCE = 256
_IN, _OUT = select.EPOLLIN, select.EPOLLIN | select.EPOLLOUT
_IP_BIND_ADDRESS_NO_PORT = 24


def raise_file_limit() -> int:
    """The soft limit up to the hard one. Returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@define(eq=False)
class Line:
    """A socket and its peer, side by side for the loop."""

    sock: socket.socket
    fd: int
    peer: Peer
    recv: Callable[[int], bytes]
    take: Callable[[bytes, float], None]
    events: int = _OUT


@define(eq=False)
class Swarm:
    """All connections of one generator process to one server."""

    address: Address
    ledger: Ledger = Factory(Ledger)
    rooms: dict[str, ReferenceStream] = Factory(dict)
    lines: dict[int, Line] = Factory(dict)
    level: int = 0
    received_bytes: int = 0
    received_pieces: int = 0
    closed_early: list[str] = Factory(list)
    epoll: select.epoll = Factory(select.epoll)
    _to_open: "deque[Peer]" = Factory(deque)
    _opened: int = 0
    _ramp_began: float = 0.0
    _ramp_rate: float = field(default=1_000.0)

    def reference(self, room: str) -> ReferenceStream:
        if room not in self.rooms:
            self.rooms[room] = ReferenceStream(room, self.ledger)
        return self.rooms[room]

    def add(self, name: str, room: str, timed: bool = True) -> Peer:
        """Plan one more member; `ramp` opens it."""
        peer = Peer(name, room, self.reference(room), self.ledger, self._on_level, timed)
        self._to_open.append(peer)
        return peer

    def ramp(self, rate: float, tick: Callable[[int], None] = lambda level: None, patience: float = 30.0) -> float:
        """Open all that was planned at `rate` a second and wait until each is level. Returns the seconds it took."""
        planned = self.level + len(self._to_open)
        began = moved = monotonic()
        opened_before, level = self._opened, self.level
        while self.level < planned:
            now = monotonic()
            due = min(int((now - began) * rate) + 1, planned) - (self._opened - opened_before)
            under_way = self._opened - self.level - len(self.closed_early)
            while self._to_open and due > 0 and under_way < HANDSHAKES_AT_ONCE:
                self._open(self._to_open.popleft())
                due, under_way = due - 1, under_way + 1
            self.pump(0.002 if self._to_open else 0.05)
            if self.level != level:
                level, moved = self.level, now
                tick(level)
            self._check_ramp(now - moved > patience, planned)
        return monotonic() - began

    def _check_ramp(self, stuck: bool, planned: int) -> None:
        if self.closed_early:
            raise RunVoid(f"{len(self.closed_early)} connections were closed while joining: {self.closed_early[0]}")
        if stuck:
            stages = sorted({line.peer.stage.name for line in self.lines.values()})
            raise RunVoid(f"only {self.level} of {planned} members came in (stages {', '.join(stages)})")

    def _open(self, peer: Peer) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.address.loopback:
            sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((f"127.0.0.{1 + self._opened // PER_SOURCE}", 0))
        problem = sock.connect_ex((self.address.host, self.address.port))
        if problem not in (0, errno.EINPROGRESS):
            sock.close()
            raise RunVoid(f"connect: {errno.errorcode.get(problem, problem)}")
        line = Line(sock, sock.fileno(), peer, sock.recv, peer.take)
        self.lines[line.fd] = line
        self._opened += 1
        self.epoll.register(line.fd, _OUT)
        peer.fd = line.fd
        peer.open(self.address)

    def _on_level(self, peer: Peer) -> None:
        self.level += 1

    def pump(self, timeout: float) -> None:
        """One wait of at most `timeout` seconds and one read of everything that is ready. The hot loop."""
        lines = self.lines
        for fd, event in self.epoll.poll(timeout, 1024):
            line = lines[fd]
            if event & select.EPOLLIN:
                try:
                    data = line.recv(READ_SIZE)
                except BlockingIOError:
                    data = None
                except OSError as error:
                    self._lost(line, errno.errorcode.get(error.errno or 0, "?"))
                    continue
                if data:
                    self.received_bytes += len(data)
                    self.received_pieces += 1
                    line.take(data, monotonic())
                elif data is not None:
                    self._lost(line, "end of stream")
                    continue
            elif event & (select.EPOLLHUP | select.EPOLLERR):
                self._lost(line, errno.errorcode.get(line.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "?"))
                continue
            if line.peer.outgoing or line.events == _OUT:
                self.flush(line)

    def wait(self, until: float) -> None:
        """Like pump, to the microsecond: epoll's own timeout is in whole milliseconds, too coarse for a schedule."""
        timeout = max(0.0, until - monotonic())
        if timeout and not select.select([self.epoll.fileno()], [], [], timeout)[0]:
            return
        self.pump(0)

    def flush(self, line: Line) -> None:
        """Send what the peer wants to say, as far as the socket takes it."""
        outgoing = line.peer.outgoing
        if outgoing:
            try:
                del outgoing[: line.sock.send(outgoing)]
            except BlockingIOError:
                pass
            except OSError as error:
                self._lost(line, errno.errorcode.get(error.errno or 0, "?"))
                return
        wanted = _OUT if outgoing else _IN
        if wanted != line.events:
            line.events = wanted
            self.epoll.modify(line.fd, wanted)

    def _lost(self, line: Line, why: str) -> None:
        peer = line.peer
        self.epoll.unregister(line.fd)
        line.sock.close()
        del self.lines[line.fd]
        self.closed_early.append(f"{peer.name} at {peer.stage.name}: {peer.why_closed or why}")
        peer.stage = Stage.CLOSED

    def close(self) -> None:
        for line in self.lines.values():
            line.sock.close()
        self.lines.clear()
        self.epoll.close()
