"""A small server that speaks the admin channel from memory (docs/protocol.md), and serves the operators' page."""

import json
from collections.abc import Callable
from typing import Any

import trio
from attrs import define, field
from wsproto import ConnectionType, WSConnection
from wsproto import events as ws
from wsproto.utilities import LocalProtocolError

from actors.admin.commands import TABLE, read_args
from actors.admin.orders import Denied, UndoKind
from actors.admin.parsing import describe
from actors.admin.roles import Role

Frame = dict[str, Any]
ANA = "m_01K4AAAAAAAAAAAAAAAAAAAAAA"
PASSWORD = "long enough to be one"
READS = tuple(name for name, spec in TABLE.items() if spec.reads)
ROLES = tuple(role.word for role in Role)
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
    """The items of what a read lists."""
    pages: dict[str, int] = field(factory=dict)
    """So many items a page of a read."""
    rooms_most: int = 5_000
    """Rooms of a snapshot, the busiest; the others are its `more`."""
    alerts_more: int = 0
    refuse: set[str] = field(factory=set)
    """Reads that are refused for the moment."""
    unknown: set[str] = field(factory=set)
    """Topics of which there is nothing yet."""
    details: dict[str, Frame] = field(factory=dict)
    """What a command's answer says besides, by its name."""
    asked: set[str] = field(factory=set)
    """Reads that came."""
    given: list[Frame] = field(factory=list)
    """Commands as they came, reads and dry runs left out."""
    tried: list[Frame] = field(factory=list)
    """Dry runs as they came."""
    hold_closed: bool = False
    """The TCP connection stays open after a bye and its close."""
    closed: int = 0
    """Closes that browsers have answered."""
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

    def say_bye(self, code: int, word: str) -> None:
        for visit in list(self.visits):
            visit.say({"type": "bye", "code": code, "message": word})

    def note(self, kind: str, text: str, **more: Any) -> None:
        self.events.append({"n": len(self.events) + 1, "at": 1_790_000_000.0, "kind": kind, "text": text, **more})

    def push(self) -> None:
        """A snapshot of everything, as each second brings one."""
        for visit in self.visits:
            for topic in visit.topics:
                visit.show(topic)

    def snapshot(self, topic: str) -> Frame:
        if topic in self.unknown:
            return {"unknown": True}
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
                rows = sorted(self.rooms.values(), key=lambda row: -row["online"])
                more = len(rows) - self.rooms_most
                return {"rooms": rows[: self.rooms_most], **({"more": more} if more > 0 else {})}
            case "alerts":
                return {"alerts": self.alerts, **({"more": self.alerts_more} if self.alerts_more else {})}
            case "activity":
                return {"events": self.events}
        row = self.rooms[name]
        policy = {"frozen": row["frozen"], "slow_s": row["slow_s"], "closed": row["closed"], "reason": ""}
        return {"row": row, "messages": self.messages.get(name, []), "members": self.members, "policy": policy}

    def furnish(self) -> None:
        """Something of everything that can be listed."""
        mute = {"kind": "mute", "member": ANA, "address": "", "room": None, "until": None, "reason": "loud", "act": "a"}
        act = {
            "act": "act_9",
            "name": "room.freeze",
            "args": {"room": "camp"},
            "operator": "maria",
            "reason": "fight",
            "at": 1.0,
            "undo": "exact",
            "undo_until": None,
            "undone": False,
            "affected": 404,
        }
        self.reads = {
            "act.list": [act],
            "report.list": [{"report": "r1", "room": "camp", "seq": 4, "why": "insults", "at": 1.0}],
            "alert.ledger": [{"member": ANA, "nickname": "Ana", "state": "seen", "at": 1.0, "note": "left mast",
                              "help": True, "helped": False}],
            "member.list": [{"member": ANA, "nickname": "Ana", "rooms": ["camp"]}],
            "operator.list": [{"name": "maria", "role": "owner", "disabled": False, "seen": 1.0},
                              {"name": "ben", "role": "viewer", "disabled": False, "seen": None}],
            "session.list": [{"session": "s_1", "operator": "maria", "role": "owner", "address": "::1", "created": 1.0},
                             {"session": "s_2", "operator": "ben", "role": "viewer", "address": "::1", "created": 1.0}],
            "audit.page": [{"row": n, "at": 1.0, "operator": "maria", "address": "::1", "command": "house.lockdown",
                            "args": {"level": 1}, "reason": "raid", "result": result}
                           for n, result in ((2, "break_glass"), (1, "ok"))],
        }  # fmt: skip
        token = {"name": "wall", "role": "viewer", "author": "maria", "created": 1.0, "expires": None, "seen": None}
        self.details = {
            "operator.list": {"tokens": [{**token, "token": "t_1", "revoked": None},
                                         {**token, "token": "t_0", "revoked": 2.0}]},
            "house.show": {"sanctions": [mute, {**mute, "kind": "ban", "member": None, "address": "10.0.0.9"}],
                           "sanctions_total": 2},
            "member.show": {"member": ANA, "nickname": "Ana", "badge": "first aid", "role": "steward", "online": True,
                            "connections": 2, "rooms": ["camp"], "first_seen": 1.0, "last_seen": 2.0,
                            "sanctions": [mute]},
            "audit.verify": {"whole": True},
        }  # fmt: skip
        self.note("act", "ben asks a second person for room.evacuate", operator="ben", data={
            "pending": "p_1", "expires": 1_790_000_055.0, "name": "room.evacuate", "reason": "crush",
            "args": {"room": "camp", "to": "main-stage"}})  # fmt: skip

    def carry_out(self, frame: Frame, operator: str) -> Frame:
        """The answer to a command, without `re`."""
        name, args = frame["name"], frame.get("args", {})
        read = read_args(TABLE[name], args, 1_790_000_000.0)
        if isinstance(read, Denied) or TABLE[name].role.word not in ROLES[: ROLES.index(self.role) + 1]:
            said = read.message if isinstance(read, Denied) else "not for you"
            return {"type": "error", "code": "bad_frame", "message": said, "retry": False}
        if name in self.refuse:
            return {"type": "error", "code": "busy", "message": "not just now", "retry": True}
        more = self.details.get(name, {})
        if name in READS:
            self.asked.add(name)
            return {"type": "ok", "detail": {**self.page(name, args), **more}}
        affected = self.rooms[args["room"]]["online"] if args.get("room") in self.rooms else 1_204
        ok = {
            "type": "ok", "act": f"act_{len(self.acts) + 1}", "rev": 1, "affected": affected,
            "undo": TABLE[name].undo.value,
            "undo_until": 1_790_000_600.0 if TABLE[name].undo is UndoKind.EXACT else None,
            "dry_run": bool(frame.get("dry_run")), "detail": more,
        }  # fmt: skip
        if not frame.get("reason"):
            return {"type": "error", "code": "bad_frame", "message": "a reason is missing", "retry": False}
        if frame.get("dry_run"):
            self.tried.append(frame)
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

    def page(self, name: str, args: Frame) -> Frame:
        """Of rooms by name, of others by their place in the list."""
        begun = args.get("after") or args.get("before") or 0
        most = self.pages.get(name, 5_000)
        if name == "room.list":
            items = [self.rooms[each] for each in sorted(self.rooms) if each > (begun or "")]
            last = items[:most][-1]["room"]
        elif name == "activity.page":
            items = [each for each in self.reads.get(name, []) if each["n"] < (begun or 5_000)]
            last = None
        else:
            items = self.reads.get(name, [])[int(begun) :]
            last = str(int(begun) + most) if name == "member.list" else int(begun) + most
        more = len(items) > most
        return {"items": items[:most], "more": more, "next": last if more else None}

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
            case "help.resolve":
                for row in self.reads["alert.ledger"]:
                    row["helped"] = row["member"] == args["member"] or row["helped"]
                (alert,) = [each for each in self.alerts if each["id"] == args["alert"]]
                alert["ledger"]["helped"] = sum(row["helped"] for row in self.reads["alert.ledger"])
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
        except* (trio.BrokenResourceError, trio.ClosedResourceError, LocalProtocolError):
            pass  # The last: something was to be said after the browser had said goodbye.
        finally:
            self.house.visits.remove(self)

    async def write(self) -> None:
        async for frame in self.queue:
            await self.stream.send_all(self.ws.send(ws.TextMessage(data=json.dumps(frame))))
            if frame["type"] == "bye":
                await self.stream.send_all(self.ws.send(ws.CloseConnection(frame["code"])))
                if not self.house.hold_closed:
                    self.scope.cancel()

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
                    self.house.closed += 1
                    if self.house.hold_closed:
                        await trio.sleep_forever()
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
        role = next(each for each in Role if each.word == house.role)
        commands = [
            {"name": name, "role": spec.role.word, "undo": spec.undo.value, "second": spec.second is not None,
             "reads": spec.reads, "confirm": spec.confirm is not None, "timed": spec.timed, "summary": spec.summary,
             "args": describe(spec.args)}
            for name, spec in TABLE.items() if spec.role <= role
        ]  # fmt: skip
        return {
            "type": "ready", "operator": self.operator, "role": house.role, "session": "s_1", "token": session,
            "commands": commands,
        }  # fmt: skip
