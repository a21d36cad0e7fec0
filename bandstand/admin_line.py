"""What an operator's client says and hears: who signs in, how an order ends, and frames off a socket."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import trio
from attrs import evolve, field, frozen

from bandstand.address import Address, parse_address
from bandstand.client.errors import BandstandError
from bandstand.socket import Socket, SocketClosed
from gateway.protocol import admin
from gateway.protocol.kinds import RequestId, Token

DEAD_SECONDS = 60.0
"""Without a frame from the server, which asks after 25 s."""

Json = Mapping[str, Any]


class AdminRefused(BandstandError):
    """The server answered, and the answer was no. `code`: docs/protocol.md, section 12. `retry`: the same may succeed
    later, after `retry_after_ms` where it is set."""

    def __init__(self, code: str, message: str = "", *, retry: bool = False, retry_after_ms: int | None = None) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message
        self.retry = retry
        self.retry_after_ms = retry_after_ms


class DeskClosed(BandstandError):
    """The connection has ended and does not come back by itself; `code` is a close code of docs/protocol.md."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"the connection is over ({code}{': ' if reason else ''}{reason})")
        self.code = code
        self.reason = reason


@frozen
class Done:
    """How an order ended, or (dry_run) would. `affected`: people who notice."""

    act: str = ""
    rev: int = 0
    affected: int = 0
    undo: str = "none"
    undo_until: float | None = None
    dry_run: bool = False
    detail: Json = field(factory=dict)


@frozen
class Waiting:
    """A second person has to give the same order with confirm_of=`pending` before `expires` (Unix seconds)."""

    pending: str
    expires: float
    detail: Json = field(factory=dict)


@frozen
class Credentials:
    """A token, or operator and password. Never part of an address, and not to be seen in a repr."""

    token: str | None = field(default=None, repr=False)
    operator: str | None = None
    password: str | None = field(default=None, repr=False)

    def frame(self, number: RequestId) -> admin.Auth:
        if self.token is not None:
            return admin.Auth(number, token=Token(self.token))
        return admin.Auth(number, operator=admin.Name(self.operator or ""), password=admin.Secret(self.password or ""))


def admin_address(url: str) -> Address:
    """Of the admin channel of the server at `url`, which may be that of its pages too. Raises BadAddress."""
    address = parse_address(url)
    base = address.path.removesuffix("/ws").removesuffix("/admin").removesuffix("/ops")
    return evolve(address, path=f"{base}/admin/ws")


async def receive(socket: Socket) -> Json:
    with trio.move_on_after(DEAD_SECONDS):
        try:
            frame = json.loads(await socket.receive())
        except ValueError as error:
            raise SocketClosed(1006, "the server sent something unreadable") from error
        if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
            raise SocketClosed(1006, "the server sent something unreadable")
        return frame
    raise SocketClosed(1006, f"nothing heard from the server for {DEAD_SECONDS:.0f} s")


async def expect(socket: Socket, wanted: str) -> Json:
    """Raises AdminRefused, SocketClosed with what `bye` said: proxies eat close codes."""
    bye: Json = {}
    try:
        while True:
            frame = await receive(socket)
            if frame["type"] == wanted:
                return frame
            if frame["type"] == "error":
                raise refusal(frame)
            if frame["type"] == "bye":
                bye = frame
    except SocketClosed as closed:
        if not bye:
            raise
        said = str(bye.get("message") or closed.reason)
        raise SocketClosed(int(bye["code"]), said, bye.get("retry_after_ms")) from closed


def refusal(frame: Json) -> AdminRefused:
    return AdminRefused(
        str(frame.get("code", "internal")),
        str(frame.get("message", "")),
        retry=bool(frame.get("retry")),
        retry_after_ms=frame.get("retry_after_ms"),
    )


def outcome(frame: Json) -> Done | Waiting:
    kind = Waiting if "pending" in frame else Done
    return kind(**{name: frame[name] for name in (each.name for each in attrs.fields(kind)) if name in frame})


def leaves(group: BaseExceptionGroup[SocketClosed]) -> Iterator[SocketClosed]:
    for each in group.exceptions:
        if isinstance(each, BaseExceptionGroup):
            yield from leaves(each)
        else:
            yield each
