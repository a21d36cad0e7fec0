"""A small server that speaks the admin channel from memory (docs/protocol.md), and serves the operators' page."""

import json
from collections.abc import Callable
from typing import Any

import trio
from attrs import define, field
from wsproto import ConnectionType, WSConnection
from wsproto import events as ws

Frame = dict[str, Any]
PASSWORD = "long enough to be one"
READS = ("act.list", "activity.page", "alert.ledger", "member.find", "report.list", "room.export", "timeline.export")
ROLES = {
    "viewer": READS[:5],
    "moderator": ("message.hide", "message.restore", "message.pin", "message.unpin", "member.mute", "member.unmute",
                  "member.kick", "member.message", "report.resolve", "room.slow", "act.undo"),
    "operator": ("room.create", "room.freeze", "room.thaw", "room.clear", "room.close", "room.reopen", "room.evacuate",
                 "room.return", "room.export", "member.ban", "member.unban", "house.announce", "house.calm",
                 "house.uncalm", "alert.raise", "timeline.export"),
    "safety": ("alert.update", "alert.cancel", "alert.all_clear", "alert.correct", "house.lockdown", "room.delete"),
}  # fmt: skip
EXACT = ("room.freeze", "message.hide", "room.slow", "house.lockdown")
WORDS = {"actual": "SEND ALERT", "exercise": "DRILL", "test": "TEST"}
RATES = {"messages": 12.5, "deliveries": 15_320.0, "bytes": 2.2e6, "joins": 3.0, "p50_ms": 4.0, "p99_ms": 31.0}


def room(name: str, online: int, **more: Any) -> Frame:
    return {
        "room": name, "title": name.replace("-", " ").title(), "code": f"{name}-42", "zone": "", "online": online,
        "messages_per_s": 1.5, "deliveries_per_s": online * 1.5, "p99_ms": 12.0, "behind": 0, "state": "up",
        "frozen": False, "slow_s": 0, "closed": False, "budget": {}, **more,
    }  # fmt: skip


@define(eq=False)
class FakeAdmin:
    assets: Callable[[str, dict[str, str]], tuple[int, list[tuple[str, str]], bytes]]
    down: bool = False
    sessions: dict[str, str] = field(factory=dict)
    role: str = "safety"
    rooms: dict[str, Frame] = field(factory=dict)
    messages: dict[str, list[Frame]] = field(factory=dict)
    members: list[Frame] = field(factory=list)
    alerts: list[Frame] = field(factory=list)
    events: list[Frame] = field(factory=list)
    acts: dict[str, Frame] = field(factory=dict)
    """By cid: a command that comes again is answered as it was."""
    reads: dict[str, list[Frame]] = field(factory=dict)
    given: list[Frame] = field(factory=list)
    """Commands as they came, reads and dry runs left out."""
    lose_answers: int = 0
    """So many commands are carried out and the connection is cut before the answer."""
    visits: "list[Visit]" = field(factory=list)

    async def serve(self, stream: trio.abc.Stream) -> None:
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                data = await stream.receive_some(65_536)
                if not data:
                    return
                head += data
            lines = head.decode("latin-1").split("\r\n")
            if any(line.lower().startswith("upgrade:") for line in lines):
                if not self.down:
                    await Visit(self, stream).run(head)
            else:
                status, reply, body = self.assets(lines[0].split(" ")[1], {})
                reply = [*reply, ("Content-Length", str(len(body))), ("Connection", "close")]
                text = f"HTTP/1.1 {status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in reply) + "\r\n"
                await stream.send_all(text.encode() + body)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)

    def cut_all(self) -> None:
        for visit in list(self.visits):
            visit.scope.cancel()

    def note(self, kind: str, text: str, **more: Any) -> None:
        self.events.append({"n": len(self.events) + 1, "at": 1_790_000_000.0, "kind": kind, "text": text, **more})

    def push(self) -> None:
        """A snapshot of everything, as each second brings one."""
        for visit in self.visits:
            for topic in visit.topics:
                visit.show(topic)

    def snapshot(self, topic: str) -> Frame:
        kind, _, name = topic.partition(":")
        match kind:
            case "stats":
                return {
                    "at": 1_790_000_000.0, "uptime_s": 5_000.0,
                    "people": {"online": 1_204, "peak": 1_300, "unique": 1_420},
                    "rooms": {"up": len(self.rooms), "known": len(self.rooms), "quarantined": 0},
                    "rates": dict.fromkeys(("1s", "1m", "15m", "24h"), RATES), "lag_p99_ms": 3.0,
                    "mailbox": {"deepest": 4, "oldest_ms": 2, "room": "main-stage"},
                    "journal": {"queue": 2, "commit_p99_ms": 8.0, "size_bytes": 5.2e7}, "slow_members": 1,
                    "restarts": [],
                    "memory_bytes": 2.1e8, "cpu": 0.4, "lockdown": 5, "alerts_active": len(self.alerts),
                    "series": {"deliveries": [float(n * n) for n in range(60)],
                               "messages": [10.0 + n % 7 for n in range(60)],
                               "online": [1_200.0 + n for n in range(60)]},
                }  # fmt: skip
            case "rooms":
                return {"rooms": list(self.rooms.values())}
            case "alerts":
                return {"alerts": self.alerts}
            case "activity":
                return {"events": self.events}
        row = self.rooms[name]
        policy = {"frozen": row["frozen"], "slow_s": row["slow_s"], "closed": row["closed"], "reason": ""}
        return {"row": row, "messages": self.messages.get(name, []), "members": self.members, "policy": policy}

    def carry_out(self, frame: Frame, operator: str) -> Frame:
        """The answer to a command, without `re`."""
        name, args = frame["name"], frame.get("args", {})
        if name in READS:
            return {"type": "ok", "detail": {"items": self.reads.get(name, []), "more": False, "next": None}}
        undo = "exact" if name in EXACT else "none"
        affected = self.rooms[args["room"]]["online"] if args.get("room") in self.rooms else 1_204
        ok = {
            "type": "ok", "act": f"act_{len(self.acts) + 1}", "rev": 1, "affected": affected, "undo": undo,
            "undo_until": 1_790_000_600.0, "dry_run": bool(frame.get("dry_run")), "detail": {},
        }  # fmt: skip
        if not frame.get("reason"):
            return {"type": "error", "code": "bad_frame", "message": "a reason is missing", "retry": False}
        if frame.get("dry_run"):
            return ok
        if frame["cid"] in self.acts:
            return self.acts[frame["cid"]]
        if name == "alert.raise" and frame.get("confirm") != WORDS[args["status"]]:
            return {"type": "error", "code": "confirm", "message": "the word is another one", "retry": False}
        self.given.append(frame)
        self.acts[frame["cid"]] = ok
        self._do(name, args)
        self.note("act", name, operator=operator, act=ok["act"], room=args.get("room"))
        return ok

    def _do(self, name: str, args: Frame) -> None:
        match name:
            case "room.freeze":
                self.rooms[args["room"]]["frozen"] = True
            case "act.undo":
                for row in self.rooms.values():
                    row["frozen"] = False
            case "message.hide" | "message.restore":
                for message in self.messages[args["room"]]:
                    if message["seq"] == args["seq"]:
                        message["hidden"] = name == "message.hide"
            case "alert.raise":
                counts = {
                    "targeted": 1_204,
                    "unreachable": 4,
                    "queued": 100,
                    "written": 1_100,
                    "received": 0,
                    "seen": 0,
                }
                self.alerts.append({
                    "id": f"A{len(self.alerts) + 1:03}", "rev": 1, "kind": "alert", "state": "active",
                    "ack": "required",
                    "status": args["status"], "severity": args["severity"], "headline": args["headline"],
                    "sent": 1_790_000_000.0, "expires": 1_790_003_600.0,
                    "ledger": counts,
                    "rooms": {"main-stage": {"targeted": 800, "acknowledged": 0}},
                })  # fmt: skip


class Visit:
    """One WebSocket."""

    def __init__(self, house: FakeAdmin, stream: trio.abc.Stream) -> None:
        self.house = house
        self.stream = stream
        self.ws = WSConnection(ConnectionType.SERVER)
        self.out, self.queue = trio.open_memory_channel[Frame](10_000)
        self.scope = trio.CancelScope()
        self.topics: list[str] = []
        self.operator = ""

    def say(self, frame: Frame) -> None:
        self.out.send_nowait(frame)

    def show(self, topic: str) -> None:
        self.say({"type": "snapshot", "topic": topic, "age_ms": 40, **self.house.snapshot(topic)})

    async def run(self, head: bytes) -> None:
        self.house.visits.append(self)
        try:
            with self.scope:
                self.ws.receive_data(head)
                list(self.ws.events())
                await self.stream.send_all(self.ws.send(ws.AcceptConnection(subprotocol="bandstand.admin.v1")))
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.write)
                    await self.read()
                    nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self.house.visits.remove(self)

    async def write(self) -> None:
        async for frame in self.queue:
            await self.stream.send_all(self.ws.send(ws.TextMessage(data=json.dumps(frame))))

    async def read(self) -> None:
        self.say({"type": "hello", "v": 1, "node": "fake", "event": "North Fields", "now": 1_790_000_000.0,
                  "setup": not self.house.sessions, "features": []})  # fmt: skip
        text = ""
        while data := await self.stream.receive_some(65_536):
            self.ws.receive_data(bytes(data))
            for event in self.ws.events():
                if isinstance(event, ws.TextMessage):
                    text += event.data
                    if event.message_finished:
                        self.take(json.loads(text))
                        text = ""
                elif isinstance(event, ws.CloseConnection):
                    return

    def take(self, frame: Frame) -> None:
        house = self.house
        match frame["type"]:
            case "auth":
                answer = self.sign_in(frame)
            case "watch":
                self.topics.append(frame["topic"])
                self.say({"type": "ok", "re": frame["id"]})
                self.show(frame["topic"])
                return
            case "unwatch":
                self.topics.remove(frame["topic"])
                answer = {"type": "ok"}
            case "command":
                answer = house.carry_out(frame, self.operator)
                if frame["name"] not in READS and not frame.get("dry_run") and house.lose_answers:
                    house.lose_answers -= 1
                    self.scope.cancel()
                    return
            case _:
                answer = {"type": "ok"}
        self.say({**answer, "re": frame["id"]})
        if frame["type"] == "command" and frame["name"] not in READS and not frame.get("dry_run"):
            house.push()

    def sign_in(self, frame: Frame) -> Frame:
        house = self.house
        known = house.sessions.get(frame.get("token", ""))
        setup = "setup" in frame and frame["setup"] == "one-time-code" and not house.sessions
        if not (known or setup or ("setup" not in frame and frame.get("password") == PASSWORD)):
            return {"type": "error", "code": "unauthorized", "message": "name or password is wrong", "retry": False}
        self.operator = known or frame["operator"]
        session = f"session-{len(house.sessions) + 1}"
        house.sessions[session] = self.operator
        names = list(ROLES)[: list(ROLES).index(house.role) + 1]
        commands = [
            {"name": name, "role": role, "undo": "exact" if name in EXACT else "none", "second": False,
             "reads": name in READS, "confirm": name == "alert.raise", "summary": "", "args": {}}
            for role in names for name in ROLES[role]
        ]  # fmt: skip
        return {
            "type": "ready", "operator": self.operator, "role": house.role, "session": "s_1", "token": session,
            "commands": commands,
        }  # fmt: skip
