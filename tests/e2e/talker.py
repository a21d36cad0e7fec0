"""A client that hides nothing: raw frames over a stream, each answer and each push kept, every frame held against the
published schemas. Independent of the server's code but for those schemas."""

import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import trio
from attrs import define
from jsonschema import Draft202012Validator

from bench.wire import (
    CLOSE,
    PING,
    PONG,
    SUBPROTOCOL,
    TEXT,
    Address,
    check_upgrade,
    masked,
    new_key,
    next_frame,
    upgrade_request,
)
from gateway.protocol.attendee import ATTENDEE
from gateway.protocol.frames import CLIENT_FRAMES, SERVER_FRAMES
from gateway.protocol.schema import json_schema

Json = dict[str, Any]
ENTRIES = ("message", "edited", "deleted", "policy")
STRICT = json_schema(ATTENDEE, closed=True)
VALIDATORS = {
    key: Draft202012Validator({"$ref": f"#/$defs/{key}", "$defs": STRICT["$defs"]})
    for key in map(ATTENDEE.name, (*CLIENT_FRAMES, *SERVER_FRAMES))
}
REMEMBERED = 8_000
_known: dict[bytes, Json] = {}
"""Payloads seen lately, since everybody in a room gets the same bytes: parsed and validated once."""


def parsed(payload: bytes) -> Json:
    """A frame of the server, as it is published; an ok is held against its schema where it is known what was asked."""
    frame = _known.get(payload)
    if frame is None:
        frame = json.loads(payload)
        assert isinstance(frame, dict), payload
        assert len(payload) <= 64 * 1024 + 200, f"a frame of {len(payload)} bytes"
        if frame["type"] != "ok":
            VALIDATORS[f"server.{frame['type']}"].validate(frame)
        if len(_known) >= REMEMBERED:
            _known.clear()
        _known[payload] = frame
    return frame


def validate_ok(frame: Json, asked: str) -> None:
    kind = {"edit": "send", "delete": "send", "leave": "", "react": "", "heartbeat": "", "alert_receipt": ""}.get(
        asked, asked
    )
    VALIDATORS[f"server.ok.{kind}".rstrip(".")].validate(frame)


class Gone(Exception):
    """The connection has ended: `code` from the close frame, 1006 without one; `bye` if there was one."""

    def __init__(self, code: int, bye: Json | None) -> None:
        super().__init__(f"{code} {bye}")
        self.code = code
        self.bye = bye


@define(eq=False)
class Question:
    kind: str
    id: int
    answer: Json | None = None


class Talker:
    """One connection. `heard`: all pushes in order. `on_push` is called with each as it comes."""

    def __init__(self, stream: trio.abc.Stream, sock: trio.socket.SocketType) -> None:
        self.stream = stream
        self.sock = sock
        self.heard: list[Json] = []
        self.on_push: Callable[[Json], None] | None = None
        self.hello: Json = {}
        self.ready: Json = {}
        self.bye: Json | None = None
        self.code: int | None = None
        """Of the close frame, or 1006: then it is over."""
        self.echo = True
        """Answers heartbeats and pings."""
        self.pace: float | None = None
        """Bytes a second that it reads; None = all it can."""
        self.may_read = trio.Event()
        self.may_read.set()
        self._reading = trio.CancelScope()
        self._read_to_end = trio.Event()
        self._ids = count(1)
        self._questions: dict[int, Question] = {}
        self._changed = trio.Event()
        self._buf = b""
        self._writing = trio.Lock()

    # -- out -----------------------------------------------------------------------------------------------------------

    async def tell(self, type: str, **fields: object) -> None:
        await self.raw(masked(TEXT, json.dumps({"type": type, **fields}).encode()))

    async def raw(self, data: bytes) -> None:
        try:
            await self._write(data)
        except Gone:
            with trio.move_on_after(1):  # what has come already may say why
                await self.until(lambda: self.code is not None)
            raise Gone(self.code or 1006, self.bye) from None

    async def _write(self, data: bytes) -> None:
        async with self._writing:
            try:
                await self.stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise Gone(1006, self.bye) from error

    async def ask(self, type: str, **fields: object) -> Json:
        """The answer, ok or error. Raises Gone."""
        return await self.put(self.soon(type), **fields)

    def soon(self, type: str) -> Question:
        """A question to be put."""
        question = Question(type, next(self._ids))
        self._questions[question.id] = question
        return question

    async def put(self, question: Question, **fields: object) -> Json:
        await self.tell(question.kind, id=question.id, **fields)
        return await self.answer(question)

    async def begin(self, type: str, **fields: object) -> Question:
        """Sent, not waited for."""
        question = self.soon(type)
        await self.tell(type, id=question.id, **fields)
        return question

    async def answer(self, question: Question) -> Json:
        await self.until(lambda: question.answer is not None)
        assert question.answer is not None
        return question.answer

    async def good(self, type: str, **fields: object) -> Json:
        answer = await self.ask(type, **fields)
        assert answer["type"] == "ok", answer
        return answer

    async def refused(self, type: str, **fields: object) -> Json:
        answer = await self.ask(type, **fields)
        assert answer["type"] == "error", answer
        return answer

    async def enter(self, nickname: str | None = None, token: str | None = None) -> Json:
        """hello, auth, ready."""
        given = {"nickname": nickname, "token": token}
        answer = await self.ask("auth", **{key: value for key, value in given.items() if value is not None})
        if answer["type"] == "ready":
            self.ready = answer
        return answer

    async def say(self, room: str, text: str, cid: str) -> Json:
        return await self.ask("send", room=room, text=text, cid=cid)

    # -- in ------------------------------------------------------------------------------------------------------------

    async def until(self, true: Callable[[], object]) -> None:
        """Looks again after each piece that comes. Raises Gone when nothing more will."""
        while not true():
            if self.code is not None:
                raise Gone(self.code, self.bye)
            await self._changed.wait()

    async def hears(self, type: str, **fields: object) -> Json:
        """The first push like this, of those that came and those to come."""
        found: list[Json] = []

        def look() -> bool:
            found.extend(frame for frame in self.heard if frame["type"] == type and fields.items() <= frame.items())
            return bool(found)

        await self.until(look)
        return found[0]

    async def gone(self) -> Gone:
        """How it ended."""
        try:
            await self.until(lambda: False)
        except Gone as gone:
            return gone
        raise AssertionError

    async def upgrade(self, address: Address, subprotocol: str = SUBPROTOCOL) -> bytes:
        """The head of the answer; what came behind it is kept."""
        key = new_key()
        await self.stream.send_all(upgrade_request(address, key, subprotocol))
        head = b""
        while b"\r\n\r\n" not in head:
            data = await self.stream.receive_some(4096)
            if not data:
                raise Gone(1006, None)
            head += data
        head, _, self._buf = head.partition(b"\r\n\r\n")
        if subprotocol == SUBPROTOCOL:
            check_upgrade(head, key)
        return head

    async def read(self) -> None:
        """Until the end, or until somebody else reads; run as a task."""
        with self._reading:
            await self._read()
        self._read_to_end.set()

    async def hand_over(self) -> None:
        """From here somebody else reads the stream. Between two frames only."""
        self._reading.cancel()
        await self._read_to_end.wait()
        assert not self._buf

    async def _read(self) -> None:
        try:
            while True:
                await self._take()
                await self.may_read.wait()
                data = await self.stream.receive_some(65_536 if self.pace is None else min(65_536, int(self.pace)))
                if not data:
                    break
                if self.pace is not None:
                    await trio.sleep(len(data) / self.pace)
                self._buf += data
        except (Gone, trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self.code = self.code or 1006
            self._stir()

    def _stir(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _take(self) -> None:
        buf, at, pongs = self._buf, 0, []
        while (frame := next_frame(buf, at)) is not None:
            payload, at = buf[frame.start : frame.end], frame.end
            if frame.opcode == TEXT:
                assert self.code is None, "nothing comes behind a close frame"
                self._text(parsed(payload), pongs)
            elif frame.opcode == CLOSE:
                self.code = int.from_bytes(payload[:2], "big") if payload else 1005
                pongs.append(masked(CLOSE, payload[:2]))
            elif frame.opcode == PING:
                pongs.append(masked(PONG, payload))
        self._buf = buf[at:]
        if at:
            self._stir()
        if pongs:
            await self._write(b"".join(pongs))

    def _text(self, frame: Json, replies: list[bytes]) -> None:
        if "re" in frame:
            question = self._questions.pop(frame["re"])
            if frame["type"] == "ok":
                validate_ok(frame, question.kind)
            question.answer = frame
            return
        match frame["type"]:
            case "hello":
                self.hello = frame
            case "bye":
                self.bye = frame
            case "heartbeat" if self.echo:
                replies.append(masked(TEXT, json.dumps({"type": "heartbeat", "t": frame["t"]}).encode()))
        self.heard.append(frame)
        if self.on_push is not None:
            self.on_push(frame)

    def reset(self) -> None:
        """RST, now."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def entries(self, room: str) -> list[Json]:
        return [frame for frame in self.heard if frame["type"] in ENTRIES and frame["room"] == room]


async def dial(port: int, tls: ssl.SSLContext | None = None, receive_buffer: int = 0) -> Talker:
    """Connected and no more. `receive_buffer`: SO_RCVBUF, set before connecting as a small phone would. OSError."""
    sock = trio.socket.socket()
    try:
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await sock.connect(("127.0.0.1", port))
        bottom = trio.SocketStream(sock)
        if tls is None:
            return Talker(bottom, sock)
        stream = trio.SSLStream(bottom, tls, server_hostname="127.0.0.1", https_compatible=True)
        await stream.do_handshake()
        return Talker(stream, sock)
    except BaseException:
        sock.close()
        raise


@asynccontextmanager
async def stranger(
    port: int, *, tls: ssl.SSLContext | None = None, receive_buffer: int = 0, subprotocol: str = SUBPROTOCOL
) -> AsyncIterator[Talker]:
    """An open WebSocket of somebody who is nobody yet. OSError, Gone."""
    talker = await dial(port, tls, receive_buffer)
    try:
        await talker.upgrade(Address("127.0.0.1", port), subprotocol)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(talker.read)
            try:
                yield talker
            finally:
                nursery.cancel_scope.cancel()
    except trio.BrokenResourceError as error:
        raise Gone(1006, None) from error
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from group.exceptions[0].__cause__
        raise
    finally:
        talker.sock.close()


@asynccontextmanager
async def talking(
    port: int, nickname: str | None = None, token: str | None = None, **how: Any
) -> AsyncIterator[Talker]:
    """Somebody. OSError, Gone."""
    async with stranger(port, **how) as talker:
        answer = await talker.enter(nickname, token)
        assert answer["type"] == "ready", answer
        yield talker
