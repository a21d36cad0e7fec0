"""The front door's reading of HTTP: one GET request head, judged strictly, and the short answers.

Pure. Only what has passed here goes further, and it is printable ASCII by then: no library ever sees a client's own
header bytes. Refusals are HttpError; their text says what to do, since somebody will read it in a terminal."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Network, ip_address
from types import MappingProxyType

from attrs import frozen

HEAD_END = b"\r\n\r\n"
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
VALUE = re.compile(r"[\t\x20-\x7e]*", re.ASCII)
TARGET = re.compile(r"/[\x21-\x7e]*", re.ASCII)
HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", re.ASCII)
WEBSOCKET_VERSION = "13"
ANY = "*"
NOT_REPEATED = frozenset({"host", "origin", "sec-websocket-key", "sec-websocket-version", "upgrade", "content-length"})
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Network = IPv4Network | IPv6Network


class HttpError(Exception):
    """An answer other than the one hoped for."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.headers = headers or {}


@frozen
class HeadLimits:
    head_bytes: int = 8 * 1024
    headers: int = 64
    path_bytes: int = 512
    """Path and query."""


@frozen
class Request:
    path: str
    query: str
    headers: Mapping[str, str]
    """By lower-case name; a name that came more than once has its values joined with a comma."""


@frozen
class Response:
    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = MappingProxyType({})
    """Besides the security headers, and instead of those of the same name."""


def render(response: Response) -> bytes:
    """The whole answer. The connection ends with it."""
    headers = {
        **SECURITY_HEADERS,
        "Content-Type": response.content_type,
        "Content-Length": str(len(response.body)),
        "Connection": "close",
        **response.headers,
    }
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode("latin-1") + response.body


def refusal(error: HttpError) -> Response:
    return Response(error.status, f"{error.text}\n".encode(), headers=error.headers)


# -- the head ----------------------------------------------------------------------------------------------------------


def parse_head(head: bytes, limits: HeadLimits) -> Request:
    """`head` ends with the empty line. Raises HttpError."""
    try:
        text = head.decode("ascii")
    except UnicodeDecodeError:
        raise HttpError(400, "Bad request: the request head must be ASCII.") from None
    request_line, *lines = text[: -len(HEAD_END)].split("\r\n")
    target = _parse_request_line(request_line, limits)
    if len(lines) > limits.headers:
        raise HttpError(431, f"Too many headers: at most {limits.headers}.")
    headers = _parse_headers(lines)
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        raise HttpError(413, "No request here takes a body: send a GET without one.")
    path, _, query = target.partition("?")
    return Request(path, query, headers)


def _parse_request_line(line: str, limits: HeadLimits) -> str:
    method, _, rest = line.partition(" ")
    target, _, version = rest.partition(" ")
    if version != "HTTP/1.1":
        raise HttpError(400, "Bad request: this server speaks HTTP/1.1 only.")
    if method != "GET":
        raise HttpError(405, "Only GET is answered here.", {"Allow": "GET"})
    if len(target) > limits.path_bytes:
        raise HttpError(431, f"The path is too long: at most {limits.path_bytes} bytes with its query.")
    if not TARGET.fullmatch(target):
        raise HttpError(400, "Bad request: the path must start with / and be printable ASCII.")
    return target


def _parse_headers(lines: Sequence[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not TOKEN.fullmatch(name) or not VALUE.fullmatch(value):
            raise HttpError(400, "Bad request: a header must be 'Name: value' in printable ASCII, on one line.")
        name, value = name.lower(), value.strip(" \t")
        if name in headers:
            if name in NOT_REPEATED:
                raise HttpError(400, f"Bad request: {name} came twice.")
            value = f"{headers[name]},{value}"
        headers[name] = value
    return headers


def listed(headers: Mapping[str, str], name: str) -> list[str]:
    """The comma-separated words of a header."""
    return [word for part in headers.get(name, "").split(",") if (word := part.strip())]


# -- who may come in ---------------------------------------------------------------------------------------------------


def check_host(request: Request, allowed: frozenset[str], local: str) -> None:
    """The Host must be one of ours: `allowed` names (without ports, "*" for any), or the very address that the
    connection came in by. A page that made a name of its own point to us (DNS rebinding) gets nothing."""
    host = request.headers.get("host")
    if host is None:
        raise HttpError(400, "Bad request: a Host header is needed.")
    match = HOST.fullmatch(host)
    if match is None or int(match[2] or 0) > 65_535:
        raise HttpError(400, "Bad request: the Host header is not host or host:port.")
    name = match[1].strip("[]").lower()
    if ANY in allowed or name in allowed or name == local or (name == "localhost" and is_loopback(local)):
        return
    raise HttpError(403, "This server does not answer to that Host. Its operator can add it to allowed_hosts.")


def check_origin(request: Request, allowed: frozenset[str]) -> None:
    """Of a WebSocket request, whose Host has been checked. No Origin: not a browser. The own origin always may."""
    origin = request.headers.get("origin")
    if origin is None or origin.lower() in allowed:
        return
    if origin.lower() in {f"{scheme}://{request.headers['host'].lower()}" for scheme in ("http", "https")}:
        return
    raise HttpError(403, "Pages of that Origin may not connect. The operator can add it to allowed_origins.")


def is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def is_within(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def forwarded_for(request: Request, peer: str, trusted: Sequence[Network]) -> str:
    """The address to hold responsible: the peer's, or behind trusted proxies the last one that none of them is."""
    hops = [*listed(request.headers, "x-forwarded-for"), peer]
    while len(hops) > 1 and is_within(hops[-1], trusted) and _is_address(hops[-2]):
        hops.pop()
    return hops[-1]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


# -- the upgrade -------------------------------------------------------------------------------------------------------


def websocket_key(request: Request) -> str:
    """The checked key of a WebSocket request (RFC 6455, section 4.2.1). Raises HttpError."""
    headers = request.headers
    if headers.get("upgrade", "").lower() != "websocket" or "upgrade" not in [
        token.lower() for token in listed(headers, "connection")
    ]:
        raise HttpError(
            426, "This address speaks WebSocket only.", {"Upgrade": "websocket", "Connection": "Upgrade, close"}
        )
    if headers.get("sec-websocket-version") != WEBSOCKET_VERSION:
        raise HttpError(426, "Only WebSocket version 13 is spoken.", {"Sec-WebSocket-Version": WEBSOCKET_VERSION})
    key = headers.get("sec-websocket-key", "")
    try:
        size = len(base64.b64decode(key, validate=True))
    except binascii.Error:
        size = 0
    if size != 16:
        raise HttpError(400, "Bad request: Sec-WebSocket-Key must be 16 bytes in base64.")
    return key
