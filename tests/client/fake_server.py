"""A small server that speaks docs/protocol.md from memory, and goes wrong where a test wants it to.

Every frame that comes in, every one that has been handled but not answered, and every one that goes out is a *step*,
counted over the server's whole life: `faults[step]` says what happens there. The frames are the real ones, through the
real codec, so that a client cannot pass here with frames that the server would refuse."""

import json
from collections.abc import Callable
from enum import Enum
from typing import Any

import trio
import trio.testing
from attrs import define, evolve, field, frozen
from wsproto import ConnectionType, WSConnection
from wsproto import events as ws
from wsproto.utilities import LocalProtocolError

from bandstand.address import Address
from gateway.protocol import client, server
from gateway.protocol.codec import BadFrame, UnknownType, client_decoder, encode
from tests.client.fake_room import FakeRoom

LIMITS = server.Limits(5.0, 10, 65_536, 16_384, 2_000, 32, 32, 2.0, 10, 15_000)


class Fault(Enum):
    CUT = "cut"
    """The connection is gone, in both directions, without a word."""
    STALL = "stall"
    """It stays open and nothing is ever said or done on it again."""
    TWICE = "twice"
    """What goes out here goes out twice."""


@frozen
class Close:
    """The connection is closed with this code; `said`: after a bye; `held`: the TCP connection stays open."""

    code: int
    retry_after_ms: int | None = None
    said: bool = True
    held: bool = False


Step = Fault | Close


class Gone(Exception):
    """This connection is over."""


@define(eq=False)
class FakeHouse:
    faults: dict[int, Step] = field(factory=dict)
    rooms: dict[str, FakeRoom] = field(factory=dict)
    assets: Callable[[str, dict[str, str]], tuple[int, list[tuple[str, str]], bytes]] | None = None
    refuse: Callable[[Any], server.ErrorFrame | None] = lambda frame: None
    """Asked for every frame after auth; an error answered instead of what would have happened."""
    overhear: Callable[[str], list[Any] | None] = lambda text: None
    """Asked for every text before it is read; what it gives back is answered instead."""
    alerts: tuple[dict[str, Any], ...] = ()
    """Those in force."""
    down: bool = False
    silent: bool = False
    """Takes connections and never says hello."""
    gone_behind_a_proxy: bytes | None = None
    """What the proxy says to every handshake, before it hangs up."""
    heartbeat: server.HeartbeatTimes = field(factory=lambda: server.HeartbeatTimes(25_000, 60_000))
    step: int = 0
    members: dict[str, str] = field(factory=dict)
    visits: "list[Visit]" = field(factory=list)
    arrivals: int = 0
    log: list[str] = field(factory=list)

    def room(self, name: str, code: str = "") -> FakeRoom:
        return self.rooms.setdefault(name, FakeRoom(name, code or f"{name}-42"))

    def find(self, name: str) -> FakeRoom:
        return next((room for room in self.rooms.values() if name == room.code), None) or self.room(name)

    def dialler(self, nursery: trio.Nursery, pair: Any = trio.testing.memory_stream_pair) -> Any:
        async def dial(address: Address) -> trio.abc.Stream:
            await trio.lowlevel.checkpoint()
            if self.down:
                raise OSError("nobody is there")
            near, far = pair()
            nursery.start_soon(self.serve, far)
            return near

        return dial

    def cut_all(self) -> None:
        for visit in list(self.visits):
            visit.cut()

    def say_all(self, frame: Any) -> None:
        for visit in self.visits:
            visit.push(frame)

    async def serve(self, stream: trio.abc.Stream) -> None:
        """One connection, HTTP or WebSocket, to its end."""
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                data = await stream.receive_some(65_536)
                if not data:
                    return
                head += data
            lines = head.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            if headers.get("upgrade", "").lower() == "websocket":
                if self.gone_behind_a_proxy is not None:
                    await stream.send_all(self.gone_behind_a_proxy)
                elif not self.down:
                    await Visit(self, stream).run(head)
            elif self.assets is not None:
                status, reply, body = self.assets(lines[0].split(" ")[1], headers)
                reply = [*reply, ("Content-Length", str(len(body))), ("Connection", "close")]
                text = f"HTTP/1.1 {status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in reply) + "\r\n"
                await stream.send_all(text.encode() + body)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)


class Visit:
    """One WebSocket."""

    def __init__(self, house: FakeHouse, stream: trio.abc.Stream) -> None:
        self._house = house
        self._stream = stream
        self._ws = WSConnection(ConnectionType.SERVER)
        self._decode = client_decoder()
        self._out, self._queue = trio.open_memory_channel[Any](100_000)
        self._lock = trio.Lock()
        self._stalled = False
        self._held = False
        self._scope = trio.CancelScope()
        self.member = ""
        self.nickname = ""
        self.cursor: dict[str, int] = {}
        self.echoes: list[client.Heartbeat] = []

    def push(self, frame: Any) -> None:
        self._out.send_nowait(frame)

    async def _send(self, event: ws.Event) -> None:
        async with self._lock:
            try:
                data = self._ws.send(event)
            except LocalProtocolError as error:
                raise Gone from error  # Closing already.
            await self._stream.send_all(data)

    def cut(self) -> None:
        self._scope.cancel()

    async def run(self, head: bytes) -> None:
        house = self._house
        house.arrivals += 1
        house.visits.append(self)
        try:
            with self._scope:
                self._ws.receive_data(head)
                accept = ws.AcceptConnection(subprotocol="bandstand.v1")
                for event in self._ws.events():
                    if isinstance(event, ws.Request):
                        await self._send(accept)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._beat)
                    await self._read()
                    nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError, Gone):
            pass
        finally:
            house.visits.remove(self)
            for room in house.rooms.values():
                if self in room.visits:
                    room.visits.remove(self)

    async def _read(self) -> None:
        if self._house.silent:
            await trio.sleep_forever()
        hello = server.Hello(
            1,
            "fake",
            1_790_000_000.0,
            self._house.heartbeat,
            LIMITS,
            server.Retention(259_200.0, 1_000, 200),
            ("react",),
        )
        self.push(hello)
        text = ""
        while True:
            data = await self._stream.receive_some(65_536)
            self._ws.receive_data(bytes(data) or None)
            for event in self._ws.events():
                if isinstance(event, ws.TextMessage):
                    text += event.data
                    if event.message_finished:
                        await self._take(text)
                        text = ""
                elif isinstance(event, ws.CloseConnection):
                    self._house.log.append(f"closed {event.code}")
                    if self._held:
                        await trio.sleep_forever()
                    if event.code != 1006:
                        await self._send(event.response())
                    raise Gone

    async def _beat(self) -> None:
        while True:
            await trio.sleep(self._house.heartbeat.every_ms / 1000)
            self.push(server.HeartbeatFrame(trio.current_time()))

    async def _fault(self, what: str) -> Fault | None:
        house = self._house
        if "Heartbeat" in what and not self._stalled:
            return None
        house.step += 1
        fault = house.faults.get(house.step)
        house.log.append(f"{house.step} {what} {fault or ''}".rstrip())
        if self._stalled or fault is Fault.STALL:
            self._stalled = True
            await trio.sleep_forever()
        if fault is Fault.CUT:
            raise Gone
        if isinstance(fault, Close):
            await self.close(fault)
        return fault if isinstance(fault, Fault) else None

    async def close(self, how: Close) -> None:
        if how.said:
            bye = encode(server.Bye(how.code, how.retry_after_ms)).decode()
            await self._send(ws.TextMessage(data=bye))
        self._held = how.held
        await self._send(ws.CloseConnection(code=how.code))
        if how.held:
            await trio.sleep_forever()
        raise Gone

    async def _write(self) -> None:
        async for frame in self._queue:
            if isinstance(frame, Close):
                await self.close(frame)
            kind = frame.get("type") if isinstance(frame, dict) else type(frame).__name__
            again = await self._fault(f"out {kind} {getattr(frame, 'seq', '')}")
            text = raw(frame)
            for _ in range(2 if again is Fault.TWICE else 1):
                await self._send(ws.TextMessage(data=text))

    async def _take(self, text: str) -> None:
        overheard = self._house.overhear(text)
        if overheard is not None:
            for answer in overheard:
                self.push(answer)
            return
        try:
            frame = self._decode(text)
        except (BadFrame, UnknownType) as wrong:
            self.push(server.ErrorFrame(re=wrong.re, code="bad_frame", message=str(wrong), retry=False, scope="frame"))
            return
        await self._fault(f"in {type(frame).__name__}")
        answers = self._answers(frame)
        await self._fault(f"done {type(frame).__name__}")
        for answer in answers:
            self.push(answer)

    def _answers(self, frame: Any) -> list[Any]:
        house = self._house
        refused = house.refuse(frame)
        if refused is not None:
            return [evolve(refused, re=getattr(frame, "id", None))]
        match frame:
            case client.Auth():
                return [self._auth(frame)]
            case client.Heartbeat():
                self.echoes.append(frame)
                return [] if frame.id is None else [server.Ok(frame.id)]
            case client.Join():
                return self._join(frame, house.find(frame.room))
            case client.Typing(room=name):
                for visit in house.room(name).visits:
                    if visit is not self:
                        visit.push(server.TypingFrame(name, self.member, self.nickname))
                return []
        room = house.rooms.get(frame.room)
        if room is None or self not in room.visits:
            return [no(frame, "not_joined")]
        return [self._answer(frame, room)]

    def _answer(self, frame: Any, room: FakeRoom) -> Any:
        match frame:
            case client.Leave():
                room.visits.remove(self)
                return server.Ok(frame.id)
            case client.Send() | client.Edit() | client.Delete():
                return self._store(frame, room)
            case client.React():
                who = room.reactions.setdefault(frame.target, {}).setdefault(frame.emoji, set())
                (who.add if frame.on else who.discard)(self.member)
                counts = server.Reactions(room.name, self._counts(room, [frame.target]))
                for visit in room.visits:
                    visit.push(counts)
                return server.Ok(frame.id)
            case client.Members():
                cards = tuple(server.Card(visit.member, visit.nickname) for visit in room.visits)
                return server.OkMembers(frame.id, cards, 1, 1, len(cards))
            case client.History():
                return self._history(frame, room)
        raise AssertionError(frame)

    def _auth(self, frame: client.Auth) -> Any:
        house = self._house
        if frame.token is not None:
            if frame.token not in house.members:
                return no(frame, "unauthorized")
            self.member = frame.token.removeprefix("token-")
            self.nickname = frame.nickname or house.members[frame.token]
        else:
            self.member, self.nickname = f"m_01K5{len(house.members):022d}", str(frame.nickname)
        house.members[f"token-{self.member}"] = self.nickname
        ready = server.Ready(frame.id, self.member, self.nickname, f"token-{self.member}", ())
        return with_alerts(ready, house.alerts)

    def _join(self, frame: client.Join, room: FakeRoom) -> list[Any]:
        since, gap = frame.since, None
        newest = max(room.head - frame.tail, room.oldest - 1)
        if since is None:
            mode, start = "fresh", newest
        elif since.epoch != room.epoch:
            mode, start, gap = "gap", newest, server.Gap(room.name, 1, newest, "epoch")
        else:
            start = max(since.seq, room.head - frame.max, room.oldest - 1)
            mode = "resumed" if start == since.seq else "gap"
            if mode == "gap":
                why = "trimmed" if start < room.oldest else "too_many"
                gap = server.Gap(room.name, since.seq + 1, start, why)
        if self not in room.visits:
            room.visits.append(self)
        self.cursor[room.name] = room.head
        online = server.Counts(len(room.visits))
        ok = server.OkJoin(
            frame.id, room.name, room.epoch, room.head, room.oldest, mode, room.rules, online, self.nickname,
            room.code, room.name.replace("-", " ").title(), (),
        )  # fmt: skip
        for visit in room.visits:
            card = (server.Card(self.member, self.nickname),)
            if visit is not self:
                visit.push(server.Presence(room.name, "diff", "i", 1, len(room.visits), card))
        counts = self._counts(room, room.reactions)
        said = [server.Reactions(room.name, counts)] if counts else []
        return [
            with_alerts(ok, self._house.alerts),
            *([gap] if gap else []),
            *room.entries[start:],
            server.CaughtUp(room.name, room.head),
            *said,
        ]

    def _counts(self, room: FakeRoom, targets: Any) -> Any:
        return {
            str(target): {emoji: len(who) for emoji, who in room.reactions.get(target, {}).items() if who}
            for target in targets
        }

    def _store(self, frame: Any, room: FakeRoom) -> Any:
        known = room.cids.get((self.member, frame.cid))
        body = evolve(frame, id=0)
        if known is not None:
            return evolve(known[1], re=frame.id, dup=True) if known[0] == body else no(frame, "cid_reused")
        if room.rules.frozen:
            return no(frame, "frozen")
        target = getattr(frame, "target", None)
        if target is not None:
            entry = room.entries[target - 1] if 0 < target <= room.head else None
            if not isinstance(entry, server.MessageFrame) or entry.deleted:
                return no(frame, "bad_anchor")
            if entry.member != self.member:
                return no(frame, "forbidden")
        match frame:
            case client.Send():
                fields = {"text": frame.text, "reply_to": frame.reply_to}
                stored = room.add(server.MessageFrame, self.member, self.nickname, frame.cid, **fields)
            case client.Edit():
                stored = room.add(server.EditedFrame, self.member, target, frame.text)
                room.entries[target - 1] = evolve(room.entries[target - 1], text=frame.text, edited=stored.seq)
            case client.Delete():
                stored = room.add(server.DeletedFrame, self.member, target)
                room.erase(target)
        ok = server.OkSend(frame.id, room.epoch, stored.seq, stored.ts, False)
        room.cids[self.member, frame.cid] = (body, ok)
        return ok

    def _history(self, frame: client.History, room: FakeRoom) -> Any:
        kept = [entry for entry in room.entries if seq_of(entry) >= room.oldest]
        if frame.after is not None:
            found = [entry for entry in kept if seq_of(entry) > frame.after]
            items, more = found[: frame.limit], len(found) > frame.limit
        else:
            found = [entry for entry in kept if frame.before is None or seq_of(entry) < frame.before]
            items, more = found[-frame.limit :], len(found) > frame.limit
        counts = self._counts(room, [seq_of(entry) for entry in items if seq_of(entry) in room.reactions])
        return server.OkHistory(frame.id, room.name, room.epoch, tuple(items), more, room.oldest, room.head, counts)


def seq_of(entry: Any) -> int:
    return int(entry["seq"] if isinstance(entry, dict) else entry.seq)


def with_alerts(frame: Any, alerts: tuple[dict[str, Any], ...]) -> Any:
    return {**json.loads(encode(frame)), "alerts": alerts} if alerts else frame


def raw(frame: Any) -> str:
    return json.dumps(frame) if isinstance(frame, dict) else encode(frame).decode()


def no(frame: Any, code: str, retry_after_ms: int | None = None) -> server.ErrorFrame:
    return server.ErrorFrame(
        re=getattr(frame, "id", None), code=code, message=f"{code} it is", retry=retry_after_ms is not None,
        retry_after_ms=retry_after_ms, scope="frame",
    )  # fmt: skip
