"""A session to talk to, and what may be said to it."""

import json
from collections.abc import Mapping
from typing import Any

from actors.names import Nickname, ReservedNames, RoomName, make_member_id
from gateway.auth import Identity, TokenRefused, Why
from gateway.budgets import SessionLimits
from gateway.protocol.codec import client_decoder
from gateway.session import Action, Entering, Route, Session

WALL = 1_790_000_000.0
ANA = make_member_id(WALL, b"ana" + bytes(7))
NEW = make_member_id(WALL, b"new" + bytes(7))
decode = client_decoder()


def verify(token: str, _wall: float) -> Identity | TokenRefused:
    return Identity(ANA, 1) if token == "good" else TokenRefused(Why.FORGED)


def make(reserved: ReservedNames | tuple[()] = (), **changes: Any) -> Session:
    return Session(SessionLimits(**changes), decode, verify, lambda _wall: NEW, reserved)


def tell(session: Session, frame: Mapping[str, Any] | str, at: float = 0.0) -> Action:
    return session.text(frame if isinstance(frame, str) else json.dumps(frame), at, lambda: WALL + at)


def inside(**changes: Any) -> Session:
    session = make(**changes)
    assert isinstance(tell(session, {"type": "auth", "id": 1, "nickname": "Ana"}), Entering)
    session.entered(Nickname("Ana"))
    return session


def joined(room: str = "main-stage", **changes: Any) -> Session:
    session = inside(**changes)
    assert isinstance(tell(session, {"type": "join", "id": 2, "room": room}), Route)
    session.joined(RoomName(room), RoomName(room))
    return session


def send(n: int = 0) -> dict[str, Any]:
    return {"type": "send", "id": n, "room": "main-stage", "cid": f"c-{n}", "text": "hi"}


REQUESTS: list[dict[str, Any]] = [
    {"type": "leave", "id": 9, "room": "main-stage"},
    send(9),
    {"type": "edit", "id": 9, "room": "main-stage", "cid": "c", "target": 1, "text": "x"},
    {"type": "delete", "id": 9, "room": "main-stage", "cid": "c", "target": 1},
    {"type": "react", "id": 9, "room": "main-stage", "target": 1, "emoji": "👍"},
    {"type": "history", "id": 9, "room": "main-stage"},
    {"type": "members", "id": 9, "room": "main-stage"},
]
JOIN = {"type": "join", "id": 9, "room": "main-stage"}
TYPING = {"type": "typing", "room": "main-stage"}
