"""One connection, without I/O: its handshake, its place in a room, its posts. Bytes come in, bytes to send come out."""

import json
from collections.abc import Callable
from enum import Enum, auto
from time import monotonic

from attrs import Factory, define

from bench.ledger import Ledger, RunVoid
from bench.stream import Follower, Json, ReferenceStream
from bench.wire import CLOSE, PING, PONG, TEXT, Address, check_upgrade, masked, new_key, upgrade_request


class Stage(Enum):
    UPGRADING = auto()
    GREETING = auto()
    AUTHENTICATING = auto()
    JOINING = auto()
    CATCHING_UP = auto()
    LEVEL = auto()
    CLOSED = auto()


Answer = Callable[["Peer", Json], None]


@define(eq=False)
class Peer:
    """`on_level` is called once, when the member is ready for a run. `answers` holds what waits for a reply, by id."""

    name: str
    room: str
    reference: ReferenceStream
    ledger: Ledger
    on_level: Callable[["Peer"], None]
    timed: bool = True
    stage: Stage = Stage.UPGRADING
    follower: Follower = Factory(
        lambda self: Follower(self.name, self.reference, self.personal, self.timed), takes_self=True
    )
    outgoing: bytearray = Factory(bytearray)
    answers: dict[int, Answer] = Factory(dict)
    cids: dict[int, str] = Factory(dict)
    """Posts without an answer yet: our id of the request -> cid."""
    last_id: int = 0
    limits: Json = Factory(dict)
    why_closed: str = ""
    behinds: int = 0
    alert_at: float = 0.0
    """When the first alert came since this was set to 0; not one that ends an earlier one."""
    fd: int = -1
    _key: str = Factory(new_key)
    _head: bytes = b""

    def open(self, address: Address) -> None:
        self.outgoing += upgrade_request(address, self._key)

    def take(self, data: bytes, now: float) -> None:
        """Bytes off the socket at `now`. Raises RunVoid or BadWire."""
        if self.stage is not Stage.UPGRADING:
            self.follower.take(data, now)
            return
        self._head += data
        head, found, rest = self._head.partition(b"\r\n\r\n")
        if found:
            check_upgrade(head, self._key)
            self.stage, self._head = Stage.GREETING, b""
            if rest:
                self.follower.take(rest, now)

    def ask(self, frame: Json, answer: Answer | None = None) -> int:
        """Queue a request; `answer` is called with its ok or error. Returns the request's id."""
        self.last_id += 1
        if answer is not None:
            self.answers[self.last_id] = answer
        self._say({**frame, "id": self.last_id})
        return self.last_id

    def post(self, cid: str, text: str, timed_from: float) -> None:
        self.ledger.post(self.room, cid, text, timed_from)
        self.cids[self.ask({"type": "send", "room": self.room, "cid": cid, "text": text})] = cid

    def personal(self, opcode: int, payload: bytes, frame: Json | None) -> None:
        """A frame meant for this connection, not for its room."""
        if frame is not None:
            self._answer(frame) if "re" in frame else self._push(frame)
        elif opcode == PING:
            self.outgoing += masked(PONG, payload)
        elif opcode == CLOSE:
            self.stage = Stage.CLOSED
            self.why_closed = self.why_closed or f"closed {int.from_bytes(payload[:2], 'big')} {payload[2:]!r}"

    def _say(self, frame: Json) -> None:
        self.outgoing += masked(TEXT, json.dumps(frame, separators=(",", ":")).encode())

    def _answer(self, frame: Json) -> None:
        request = frame["re"]
        cid = self.cids.pop(request, None)
        if cid is not None:
            if frame["type"] == "ok":
                self.ledger.ok(cid, frame["seq"])
            else:
                self.ledger.refuse(cid, frame.get("code", "?"))
            return
        answer = self.answers.pop(request, None)
        if answer is not None:
            answer(self, frame)
        elif frame["type"] == "error":
            raise RunVoid(f"{self.name}: refused {frame.get('code')}: {frame.get('message')}")
        elif self.stage is Stage.AUTHENTICATING:
            self.stage = Stage.JOINING
            self.ask({"type": "join", "room": self.room, "since": None, "tail": 0})
        elif self.stage is Stage.JOINING:
            self.stage = Stage.CATCHING_UP
            self.reference.joined(frame["epoch"], frame["head"])
        else:
            raise RunVoid(f"{self.name}: an answer to nothing ({frame})")

    def _push(self, frame: Json) -> None:
        match frame.get("type"):
            case "hello":
                self.stage, self.limits = Stage.AUTHENTICATING, frame.get("limits", {})
                self.ask({"type": "auth", "nickname": self.name})
            case "caught_up" if self.stage is Stage.CATCHING_UP:
                self.stage = Stage.LEVEL
                self.on_level(self)
            case "heartbeat":
                self._say({"type": "heartbeat", "t": frame.get("t")})
            case "bye":
                self.why_closed = f"bye {frame.get('code')}"
            case "alert" if frame.get("kind") == "alert":
                self.alert_at = self.alert_at or monotonic()
            case "behind":
                self.behinds += 1
            case "gap":
                raise RunVoid(f"{self.name}: the server skipped {frame.get('from')}..{frame.get('to')} and said so")
            case "error":
                raise RunVoid(f"{self.name}: {frame.get('code')}: {frame.get('message')}")
            case "edited" | "deleted" | "policy":
                raise RunVoid(f"{self.name}: somebody else changed {self.room} ({frame['type']})")
            case _:
                pass  # presence, typing, reactions: not what is measured here
