"""The attendees' page and the operators': what is served at which path, with what headers. No build step, and nothing
from elsewhere."""

import hashlib
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files

from attrs import frozen

from gateway.http import Request, Response
from gateway.listener import Route

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}
MODULES = (
    "alerts", "bubble", "composer", "face", "link", "log", "look", "notes", "outbox", "pins", "receipts", "report",
    "room", "rules", "status", "store", "words",
)  # fmt: skip
OPS_MODULES = (
    "audit", "composer", "desk", "drawer", "exports", "feed", "fields", "figures", "house", "ledger", "lists", "once",
    "orders", "owner", "person", "picks", "plot", "preview", "records", "rooms", "second", "sign", "templates",
)  # fmt: skip
OPS_BORROWS = ("face", "link", "look", "outbox", "store", "words")
"""What the operators' page takes from the attendees'."""
PATHS = {
    "/": "index.html",
    "/app.css": "app.css",
    "/alerts.css": "alerts.css",
    "/app.js": "app.js",
    **{f"/app/{name}.js": f"app/{name}.js" for name in MODULES},
    "/ops": "ops.html",
    "/ops/": "ops.html",
    "/ops/setup": "ops.html",
    "/ops.css": "ops.css",
    "/ops.js": "ops.js",
    **{f"/ops/{name}.js": f"ops/{name}.js" for name in OPS_MODULES},
    "/icon.svg": "icon.svg",
    "/favicon.ico": "icon.svg",
    "/manifest.webmanifest": "manifest.webmanifest",
}
PRELOADS = "\n".join(
    f'    <link rel="modulepreload" href="/{path}.js">'
    for path in (*(f"app/{name}" for name in OPS_BORROWS), *(f"ops/{name}" for name in OPS_MODULES))
)
# 'self' in connect-src covers ws:// and wss:// of the same host and port (CSP 3, section 6.7.2.8).
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Asked for again each time, and answered 304 where nothing has changed: all parts are of one version.
    "Cache-Control": "no-cache",
}


@frozen
class Asset:
    body: bytes
    content_type: str
    etag: str
    headers: Mapping[str, str]
    """Security headers, Cache-Control and ETag; not Content-Type and Content-Length."""

    def known(self, if_none_match: str) -> bool:
        """What the browser holds is this: answer 304 without a body."""
        held = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
        return self.etag in held or "*" in held

    def response(self, if_none_match: str = "") -> Response:
        if self.known(if_none_match):
            return Response(304, b"", self.content_type, self.headers)
        return Response(200, self.body, self.content_type, self.headers)


def routes(event: str) -> Mapping[str, Route]:
    """GET path -> what answers it. `event`: the name over the door."""
    return {path: _route(asset) for path, asset in assets(event).items()}


@cache
def assets(event: str) -> Mapping[str, Asset]:
    """By path. Read once from the package."""
    root = files(__package__)
    return {path: _asset(root.joinpath(name).read_bytes(), name, event) for path, name in PATHS.items()}


def _asset(body: bytes, name: str, event: str) -> Asset:
    if name.endswith(".html"):
        body = body.replace(b"{{preloads}}", PRELOADS.encode()).replace(b"{{event}}", escape(event).encode())
    etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    return Asset(body, TYPES[name.rpartition(".")[2]], etag, {**HEADERS, "ETag": etag})


def _route(asset: Asset) -> Route:
    async def answer(request: Request) -> Response:
        return asset.response(request.headers.get("if-none-match", ""))

    return answer
