"""The operators' side of a server, for trio: orders, questions, and what is watched (docs/protocol.md, section 12).

    async with sign_in("http://127.0.0.1:8080", token=token) as desk:
        await desk.command("room.freeze", {"room": "main-stage"}, reason="fight near the bar", ttl_s=600)
        async for snapshot in desk.watch("stats"):
            ...

Comes back by itself after every loss. An order that was under way goes out again under the same cid, so that it is
carried out once; what is watched goes on, the activity feed from where it stood."""

import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any
from weakref import WeakValueDictionary

import trio
from attrs import evolve

from actors.names import Cid
from bandstand.address import Address
from bandstand.admin_line import (
    AdminRefused,
    Credentials,
    DeskClosed,
    Done,
    Json,
    Waiting,
    admin_address,
    expect,
    leaves,
    outcome,
    receive,
    refusal,
)
from bandstand.admin_watching import Line, Watching
from bandstand.client.comeback import Backoff
from bandstand.client.errors import BandstandError, CannotConnect
from bandstand.client.names import uuid7
from bandstand.socket import Dial, Socket, SocketClosed, dialler, open_socket
from gateway.protocol import admin
from gateway.protocol.admin_codec import encode_admin
from gateway.protocol.codes import Verdict, verdict
from gateway.protocol.kinds import Count, RequestId

SUBPROTOCOL = "bandstand.admin.v1"
HANDSHAKE_SECONDS = 20.0
"""From the first packet to `ready`: a password is checked slowly, on purpose."""
SEND_SECONDS = 15.0
STUMBLES = 5
"""Tries of one order that is answered `rate`, `busy` or `internal`: the cid makes it one order all the same."""
PATIENT = frozenset({"rate", "busy", "internal"})


class Desk:
    """Made by `sign_in`. Everything here may be used by several tasks at once, but for one watch a topic."""

    def __init__(self, address: Address, dial: Dial, credentials: Credentials, backoff: Backoff) -> None:
        self._address = address
        self._dial = dial
        self._credentials = credentials
        self._backoff = backoff
        self._socket: Socket | None = None
        self._asked = 0
        self._answers: dict[int, Callable[[Json], None]] = {}
        self._watches: WeakValueDictionary[str, Watching] = WeakValueDictionary()
        self._begun: set[str] = set()
        """Topics that the server pushes on this connection."""
        self._moved = trio.Event()
        self.over: BandstandError | None = None
        self.why_offline = ""
        self.hello: Json = {}
        self.operator = ""
        self.role = ""
        self.token = ""
        """Of this session: signs in again without the password. A secret."""
        self.commands: Mapping[str, Json] = {}
        """What this operator may give, by name: role, undo, second, reads, confirm, timed, summary, args."""

    @property
    def online(self) -> bool:
        return self._socket is not None

    async def until(self, *, offline: bool) -> None:
        """Returns when there is no connection, and `why_offline` says why; or (False) when there is one again; or when
        the desk is over."""
        while bool(self.why_offline) is not offline and self.over is None:
            await self._moved.wait()
        await trio.lowlevel.checkpoint()

    # Orders and questions

    async def command(
        self,
        name: str,
        args: Json | None = None,
        *,
        reason: str = "",
        ttl_s: float | None = None,
        dry_run: bool = False,
        expect_rev: int | None = None,
        confirm: str = "",
        confirm_of: str | None = None,
        break_glass: bool = False,
        cid: str | None = None,
    ) -> Done | Waiting:
        """Carried out once, however often the connection is lost meanwhile. Raises AdminRefused, DeskClosed. The time
        limit is the caller's; an order that was cut off may have been carried out, and `cid` asks again."""
        frame = admin.Command(
            RequestId(1),
            admin.Name(name),
            Cid(cid or uuid7()),
            admin.Args(dict(args or {})),
            admin.Words(reason),
            dry_run,
            ttl_s,
            None if expect_rev is None else Count(expect_rev),
            None if confirm_of is None else admin.Name(confirm_of),
            admin.Words(confirm),
            break_glass,
        )
        stumbles = 0
        while True:
            answer = await self._ask(frame)
            if answer["type"] == "ok":
                return outcome(answer)
            refused = refusal(answer)
            stumbles += 1
            if refused.code not in PATIENT or stumbles >= STUMBLES:
                raise refused
            await trio.sleep((refused.retry_after_ms or 500) / 1000)

    async def read(self, name: str, args: Json | None = None) -> Json:
        """The detail of a question's answer. Raises AdminRefused, DeskClosed."""
        done = await self.command(name, args)
        return done.detail

    async def pages(self, name: str, args: Json | None = None, turn: str = "after") -> AsyncIterator[Json]:
        """A list that comes in pages, to its end: `turn` is the argument that is given `next`."""
        asked: dict[str, Any] = dict(args or {})
        while True:
            page = await self.read(name, asked)
            yield page
            if not page.get("more") or page.get("next") in (None, asked.get(turn)):
                return
            asked[turn] = page["next"]

    async def items(self, name: str, args: Json | None = None, turn: str = "after") -> list[Json]:
        """All of such a list at once."""
        return [item async for page in self.pages(name, args, turn) for item in page.get("items", ())]

    async def _ask(self, frame: admin.Command | admin.Watch | admin.Unwatch) -> Json:
        """The answer, from whichever connection gives one."""
        while True:
            socket = await self._up()
            number = self._number()
            got: list[Json] = []
            self._answers[number] = got.append
            try:
                await self._send(socket, evolve(frame, id=number))
                while not got and self._socket is socket:
                    await self._moved.wait()
            finally:
                self._answers.pop(number, None)
            if got:
                return got[0]

    async def _up(self) -> Socket:
        while self._socket is None:
            if self.over is not None:
                raise self.over
            await self._moved.wait()
        return self._socket

    async def _send(self, socket: Socket, frame: admin.AdminClientFrame) -> None:
        """A line that takes nothing is torn: the reader hears of it, and everything under way goes out on the next."""
        with trio.move_on_after(SEND_SECONDS) as scope:
            try:
                await socket.send(encode_admin(frame).decode())
            except SocketClosed:
                await self._gone(socket)
        if scope.cancelled_caught:
            await socket.aclose()
            await self._gone(socket)

    async def _gone(self, socket: Socket) -> None:
        while self._socket is socket:
            await self._moved.wait()

    def _number(self) -> RequestId:
        self._asked += 1
        return RequestId(self._asked)

    # Watching

    def watch(self, topic: str, since: int | None = None) -> Watching:
        """Snapshots of `topic`, for ever: the newest one where this is read slowly; of the activity feed every one, and
        `since` is the last event that is known already. Raises AdminRefused, DeskClosed. While a watch of the feed is
        not read on, nothing else is answered: give it a task of its own. Another watch of the topic takes its place;
        one that is let go of ends, and the server is told so."""
        line = Line(self._begin, self._until_moved, self._stir, lambda: self.over)
        watching = self._watches[topic] = Watching(line, topic, since)
        return watching

    async def _begin(self, slot: Watching) -> None:
        socket = await self._up()
        slot.on = socket
        self._begun.add(slot.topic)
        with suppress(SocketClosed):  # then the watch begins on the next one
            await self._let_go(socket)
        since = None if slot.last is None else Count(slot.last)
        number = self._number()
        self._answers[number] = slot.answered
        await self._send(socket, admin.Watch(number, admin.Name(slot.topic), since))

    async def _begin_again(self, topic: str) -> None:
        watching = self._watches.get(topic)
        if watching is not None and watching.on is not None:
            await self._begin(watching)

    async def _let_go(self, socket: Socket) -> None:
        """What nobody here watches any more the server is told to push no more: at the next frame, or before the next
        watch, since who lets go of an iterator does not say so. SocketClosed."""
        while (topic := next((each for each in self._begun if each not in self._watches), None)) is not None:
            self._begun.discard(topic)
            with trio.move_on_after(SEND_SECONDS):
                await socket.send(encode_admin(admin.Unwatch(self._number(), admin.Name(topic))).decode())

    def _snapshot(self, frame: Json) -> None:
        watching = self._watches.get(str(frame.get("topic")))
        if watching is not None:
            watching.put({name: value for name, value in frame.items() if name != "type"})

    # The life of the desk

    async def run(self) -> None:
        """Until the desk is over: then `over` says why."""
        while self.over is None:
            began = trio.current_time()
            try:
                socket = await self._open()
                closed = await self._serve(socket)
                self._backoff.lasted(trio.current_time() - began)
            except SocketClosed as failed:
                closed = failed
            except AdminRefused as refused:
                if not refused.retry or not self.operator:
                    self.end(refused)
                    return
                closed = SocketClosed(4101, refused.message, refused.retry_after_ms)
            self.why_offline = closed.reason or f"close code {closed.code}"
            self._stir()
            if not self.operator:
                self.end(CannotConnect(self.why_offline))
            elif verdict(closed.code) in (Verdict.GIVES_UP, Verdict.STAYS_AWAY):
                self.end(DeskClosed(closed.code, closed.reason))
            else:
                await trio.sleep(self._backoff.seconds(closed.code, closed.retry_after_ms))

    def end(self, why: BandstandError) -> None:
        self.over = self.over or why
        self._stir()

    async def _open(self) -> Socket:
        """Signed in. Raises AdminRefused, and SocketClosed for all that a later try may do better."""
        socket: Socket | None = None
        signed = False
        try:
            with trio.fail_after(HANDSHAKE_SECONDS):
                socket = await open_socket(self._address, SUBPROTOCOL, self._dial)
                await self._sign_in(socket)
            signed = True
        except trio.TooSlowError as error:
            raise SocketClosed(1006, f"the server did not let us in within {HANDSHAKE_SECONDS:.0f} s") from error
        except OSError as error:
            said = error.strerror or str(error)
            raise SocketClosed(1006, f"{self._address.authority} does not answer ({said})") from error
        finally:
            if socket is not None and not signed:
                await socket.aclose()
        return socket

    async def _sign_in(self, socket: Socket) -> None:
        self.hello = await expect(socket, "hello")
        # The session's own token brings it back without the password, and without a second session.
        known = Credentials(token=self.token) if self.token else self._credentials
        try:
            ready = await self._introduced(socket, known)
        except AdminRefused as refused:
            if refused.code != "unauthorized" or known is self._credentials:
                raise
            ready = await self._introduced(socket, self._credentials)
        self.operator, self.role = str(ready["operator"]), str(ready["role"])
        self.token = str(ready.get("token") or "")
        self.commands = {card["name"]: card for card in ready.get("commands", ())}

    async def _introduced(self, socket: Socket, credentials: Credentials) -> Json:
        await socket.send(encode_admin(credentials.frame(self._number())).decode())
        return await expect(socket, "ready")

    async def _serve(self, socket: Socket) -> SocketClosed:
        self._socket, self.why_offline = socket, ""
        self._begun.clear()
        bye: Json = {}
        self._stir()
        try:
            async with trio.open_nursery() as nursery:
                for topic in list(self._watches):
                    nursery.start_soon(self._begin_again, topic)
                while True:
                    while any(each.full for each in self._watches.values()):
                        await self._moved.wait()
                    frame = await receive(socket)
                    if frame["type"] == "bye":
                        bye = frame
                    else:
                        await self._take(socket, frame)
        except* SocketClosed as group:
            closed = next(leaves(group))
        finally:
            self._socket = None
            self._answers.clear()
            self._stir()
            await socket.aclose()
        if not bye:
            return closed
        return SocketClosed(int(bye["code"]), str(bye.get("message") or closed.reason), bye.get("retry_after_ms"))

    async def _take(self, socket: Socket, frame: Json) -> None:
        match frame["type"]:
            case "ok" | "error" if (answer := self._answers.pop(frame.get("re", 0), None)) is not None:
                answer(frame)
            case "snapshot":
                self._snapshot(frame)
            case "heartbeat":
                with trio.move_on_after(SEND_SECONDS):
                    await socket.send(encode_admin(admin.Heartbeat(t=frame.get("t"))).decode())
        await self._let_go(socket)
        self._stir()

    async def _until_moved(self) -> None:
        await self._moved.wait()

    def _stir(self) -> None:
        moved, self._moved = self._moved, trio.Event()
        moved.set()


@contextmanager
def _one_cause() -> Iterator[None]:
    """Nobody who uses a desk should have to know that there is a nursery in it."""
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from group.exceptions[0].__cause__
        raise


@asynccontextmanager
async def sign_in(
    url: str,
    *,
    token: str | None = None,
    operator: str | None = None,
    password: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
    dial: Dial | None = None,
    backoff: Backoff | None = None,
) -> AsyncIterator[Desk]:
    """Signed in when the body starts, and kept so until it ends. Raises BadAddress, CannotConnect, AdminRefused."""
    credentials = Credentials(token, operator, password)
    desk = Desk(admin_address(url), dial or dialler(ssl_context), credentials, backoff or Backoff())
    with _one_cause():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.run)
            try:
                await desk._up()
                yield desk
            finally:
                desk.end(DeskClosed(1000, "left"))
                nursery.cancel_scope.cancel()
