"""A listening socket, and how it is opened."""

import socket
import ssl

from attrs import define, frozen
from trio.lowlevel import notify_closing

BACKLOG = 4_096


@frozen
class Address:
    """Where it listens."""

    host: str
    port: int
    tls: bool


@define(eq=False)
class Entrance:
    """One listening socket."""

    sock: socket.socket
    tls: ssl.SSLContext | None

    @property
    def address(self) -> Address:
        host, port = self.sock.getsockname()[:2]
        return Address(host, port, self.tls is not None)

    def close(self) -> None:
        if self.sock.fileno() != -1:
            notify_closing(self.sock)
            self.sock.close()


def open_socket(family: int, where: tuple[str | int, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
