"""A small server of the admin channel on a real loopback socket, which answers from a script and remembers every frame.

What comes in is read by the real decoder, so that no test passes with frames that the server would refuse. The
arguments of commands are read too, by the real table."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import trio
from attrs import define, field
from wsproto import ConnectionType, WSConnection
from wsproto import events as ws
from wsproto.utilities import LocalProtocolError

from actors.admin.commands import TABLE, read_args
from actors.admin.orders import Denied
from gateway.protocol import admin
from gateway.protocol.admin_codec import admin_decoder

Json = Mapping[str, Any]
TOKEN = "tok_right"
PASSWORD = "correct horse"
HELLO = {"type": "hello", "v": 1, "node": "fake", "event": "North Fields", "now": 0.0, "setup": False, "features": []}
CUT = "cut"
"""The connection is gone without a word, after the command was taken and before it was answered."""


def no(code: str, message: str = "", **more: Any) -> Json:
    return {"type": "error", "code": code, "message": message or code, "retry": False, **more}


@define(eq=False)
class FakeAdmin:
    answers: dict[str, Any] = field(factory=dict)
    """By command: fields over the usual ok, an error from `no`, CUT, a list of these (one a time, the last for ever),
    or a function from the frame to one of them."""
    snapshots: dict[str, list[Json]] = field(factory=dict)
    """By topic: pushed one after another to whoever watches; CUT cuts."""
    seen: list[Any] = field(factory=list)
    visits: int = 0
    welcome: Json | None = None
    """Said instead of hello and whatever follows, then closed."""
    stop: trio.Event = field(factory=trio.Event)
    refuse_sessions: bool = False

    def commands(self, name: str) -> list[admin.Command]:
        return [each for each in self.seen if isinstance(each, admin.Command) and each.name == name]

    def orders(self) -> list[admin.Command]:
        """What would have changed something."""
        commands = [each for each in self.seen if isinstance(each, admin.Command)]
        return [each for each in commands if not each.dry_run and not TABLE[each.name].reads]

    async def serve(self, stream: trio.abc.Stream) -> None:
        self.visits += 1
        try:
            async with stream, trio.open_nursery() as nursery:
                await _Visit(self, stream, nursery).run()
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError, LocalProtocolError):
            pass
        except* Exception as fault:
            # Told to whoever comes back, for ever, as a word that ends it: a test fails instead of waiting.
            said = "; ".join(map(repr, fault.exceptions))[:100]
            self.welcome = {"type": "bye", "code": 4400, "message": f"the fake server failed: {said}"}

    def answer(self, frame: admin.Command) -> Any:
        spec = TABLE.get(frame.name)
        if spec is None:
            return no("unknown_command")
        wrong = read_args(spec, frame.args, time.time())
        if isinstance(wrong, Denied):
            return no(wrong.code, wrong.message)
        found = self.answers.get(frame.name, {})
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if callable(found):
            found = found(frame)
        if found is CUT or "type" in found:
            return found
        if "pending" in found:
            return {"type": "ok", **found}
        usual = {"act": "" if spec.reads or frame.dry_run else "act_1", "rev": 7, "affected": 0}
        undo = {"undo": spec.undo.value, "undo_until": None, "dry_run": frame.dry_run, "detail": {}}
        return {"type": "ok", **usual, **undo, **found}


@define(eq=False)
class _Visit:
    fake: FakeAdmin
    stream: trio.abc.Stream
    nursery: trio.Nursery
    _line: trio.Lock = field(factory=trio.Lock)
    _echoed: dict[float, trio.Event] = field(factory=dict)
    """By the heartbeat's t."""
    _ws: WSConnection = field(factory=lambda: WSConnection(ConnectionType.SERVER))

    async def run(self) -> None:
        decode = admin_decoder()
        text = ""
        while True:
            data = await self.stream.receive_some(65_536)
            self._ws.receive_data(bytes(data) or None)
            for event in self._ws.events():
                match event:
                    case ws.Request(target=target, subprotocols=offered):
                        assert target == "/admin/ws"
                        await self.stream.send_all(self._ws.send(ws.AcceptConnection(subprotocol=offered[0])))
                        await self.say(self.fake.welcome or HELLO)
                        if self.fake.welcome is not None:
                            await self.stream.send_all(self._ws.send(ws.CloseConnection(code=1000)))
                            return
                    case ws.TextMessage(data=part, message_finished=whole):
                        text += part
                        if whole:
                            frame, text = decode(text), ""
                            self.fake.seen.append(frame)
                            if await self.take(frame) is CUT:
                                return
                    case ws.CloseConnection():
                        await self.stream.send_all(self._ws.send(event.response()))
                        return

    async def say(self, frame: Json) -> None:
        async with self._line:
            await self.stream.send_all(self._ws.send(ws.TextMessage(data=msgspec.json.encode(frame).decode())))

    async def take(self, frame: Any) -> Any:
        match frame:
            case admin.Auth():
                await self.say(self.ready(frame) | {"re": frame.id})
            case admin.Command():
                answer = self.fake.answer(frame)
                if answer is CUT:
                    return CUT
                await self.say(answer | {"re": frame.id})
            case admin.Watch():
                await self.say({"type": "ok", "re": frame.id})
                self.nursery.start_soon(self.show, str(frame.topic))
            case admin.Unwatch():
                await self.say({"type": "ok", "re": frame.id})
            case admin.Heartbeat(t=float(t)):
                self._echoed[t].set()
        return None

    async def show(self, topic: str) -> None:
        bodies = self.fake.snapshots.get(topic, [])
        while bodies:
            body = bodies.pop(0)
            if body is CUT:
                await trio.aclose_forcefully(self.stream)
                return
            await self.say({"type": "snapshot", "topic": topic, "age_ms": 20, **body})
            await self.taken()

    async def taken(self) -> None:
        """Whoever is there has had a turn since the last frame: of a topic only the newest snapshot is kept for a
        reader that has not come yet."""
        t = float(len(self._echoed))
        self._echoed[t] = trio.Event()
        await self.say({"type": "heartbeat", "t": t})
        await self._echoed[t].wait()

    def ready(self, frame: admin.Auth) -> dict[str, Any]:
        by_token = frame.token == TOKEN or (frame.token == "tok_session" and not self.fake.refuse_sessions)
        if not by_token and frame.password != PASSWORD:
            return {**no("unauthorized", "that is not right")}
        cards = [{"name": each.name, "undo": each.undo.value, "timed": each.timed} for each in TABLE.values()]
        session = {"session": "s_1", "token": "tok_session", "commands": cards}
        return {"type": "ready", "operator": frame.operator or "ana", "role": "owner", **session}


async def listening(fake: FakeAdmin, nursery: trio.Nursery) -> str:
    """Its address."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    await nursery.start(trio.serve_listeners, fake.serve, listeners)
    return f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"


@contextmanager
def fake_admin(fake: FakeAdmin) -> Iterator[str]:
    """In a thread of its own, for commands, which bring a loop of their own. Its address."""
    fake.stop = trio.Event()
    told: list[Any] = []
    ready = threading.Event()

    async def live() -> None:
        async with trio.open_nursery() as nursery:
            told.append(await listening(fake, nursery))
            told.append(trio.lowlevel.current_trio_token())
            ready.set()
            await fake.stop.wait()
            nursery.cancel_scope.cancel()

    thread = threading.Thread(target=trio.run, args=(live,), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield told[0]
    finally:
        told[1].run_sync_soon(fake.stop.set)
        thread.join(10)
