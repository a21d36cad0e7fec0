"""One HTTP request and its answer, in the open: what a proxy has changed on the way is the question here."""

import base64
import os
from collections.abc import Mapping

from attrs import frozen

from bandstand.address import Address
from bandstand.socket import Dial

ANSWER_BYTES = 256 * 1024
"""Of an answer; what is beyond is not read."""
HEAD_END = b"\r\n\r\n"
TEXT_LIMIT = 120


class BadAnswer(Exception):
    """What came back is not HTTP."""


@frozen
class Answer:
    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def text(self) -> str:
        """The beginning of the body, on one line."""
        return " ".join(self.body.decode("utf-8", "replace").split())[:TEXT_LIMIT]


def upgrade_headers(subprotocol: str, origin: str) -> dict[str, str]:
    return {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Protocol": subprotocol,
        "Origin": origin,
    }


async def request(dial: Dial, address: Address, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Over a connection of its own, which ends with the answer. Raises OSError, BrokenResourceError, BadAnswer."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {address.authority}", "User-Agent: bandstand-doctor"]
    lines += [f"{name}: {value}" for name, value in (headers or {"Connection": "close"}).items()]
    stream = await dial(address)
    async with stream:
        await stream.send_all("\r\n".join((*lines, "", "")).encode("ascii"))
        data = b""
        while len(data) < ANSWER_BYTES and not _is_upgrade(data):
            more = await stream.receive_some(64 * 1024)
            if not more:
                break
            data += more
    return parse_answer(data)


def parse_answer(data: bytes) -> Answer:
    """Raises BadAnswer."""
    head, end, body = data.partition(HEAD_END)
    status_line, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = status_line.partition(" ")
    code = rest[:3]
    if not end or not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit() and len(code) == 3):
        raise BadAnswer("the answer is not HTTP" if data else "the connection was closed without an answer")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(code), headers, body)


def _is_upgrade(data: bytes) -> bool:
    """Nothing follows that belongs to the answer."""
    return data[:13] in (b"HTTP/1.1 101 ", b"HTTP/1.0 101 ") and HEAD_END in data
