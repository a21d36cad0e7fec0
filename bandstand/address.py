"""Where a server is, as a person types it: http(s)://host[:port][/prefix] or ws(s)://..., off a poster or a QR code."""

from urllib.parse import parse_qs, urlsplit

from attrs import frozen


class BadAddress(ValueError):
    """Not an address of a Bandstand server; str() says why, in words for the person who typed it."""


@frozen
class Address:
    host: str
    port: int
    path: str
    """Of the WebSocket."""
    secure: bool
    room: str | None = None
    """Named in the fragment (`#room=blue-stage` or `#code=blue-stage-42`), as the codes on the posters do."""

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @property
    def key(self) -> str:
        """Names the server, for what is remembered about it."""
        return f"{self.authority}{self.path}"


def parse_address(url: str) -> Address:
    """`url` without a scheme is taken as http://. The path `/ws` is added unless it is there. Raises BadAddress."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError as error:
        raise BadAddress(f"{url!r} is not an address: {error}") from error
    if parts.scheme not in ("http", "https", "ws", "wss"):
        raise BadAddress(f"{url!r} should start with http://, https://, ws:// or wss://")
    if not parts.hostname or not _is_host(parts.hostname):
        raise BadAddress(f"{url!r} names no host")
    if parts.username is not None:
        raise BadAddress("a name or password does not belong in the address")
    secure = parts.scheme in ("https", "wss")
    path = parts.path.rstrip("/")
    asked = parse_qs(parts.fragment)
    room = next(iter(asked.get("room", []) + asked.get("code", [])), None)
    return Address(
        host=parts.hostname,
        port=port or (443 if secure else 80),
        path=path if path.endswith("/ws") else f"{path}/ws",
        secure=secure,
        room=room,
    )


def _is_host(name: str) -> bool:
    """An IP address, or what may be asked of DNS (RFC 1035, 2.3.4: labels of 1 to 63, 253 in all)."""
    if not name.isascii() or not name.isprintable() or " " in name:
        return False
    whole = name.removesuffix(".")
    return ":" in name or (len(whole) <= 253 and all(0 < len(label) <= 63 for label in whole.split(".")))
