"""An operator by another library's client: plain websockets, with nothing of ours between it and the wire. Every frame
that comes is held against the published schemas."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any
from uuid import uuid4

from jsonschema import Draft202012Validator
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from gateway.admin.schema import ADMIN as CHANNEL
from gateway.protocol.schema import json_schema

Json = dict[str, Any]
SAID = Draft202012Validator({"$ref": "#/$defs/admin.server", "$defs": json_schema(CHANNEL, closed=True)["$defs"]})
ADMIN = "bandstand.admin.v1"
PASSWORD = "four unrelated words"


class OperatorClient:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.pushed: list[Json] = []
        self._ids = count(1)
        self.hello = self.hear()

    def hear(self, seconds: float = 30.0) -> Json:
        frame: Json = json.loads(self.socket.recv(seconds))
        SAID.validate(frame)
        return frame

    def ask(self, type: str, **fields: Any) -> Json:
        """The answer; what is pushed meanwhile is kept."""
        id = next(self._ids)
        self.socket.send(json.dumps({"type": type, "id": id, **fields}))
        while True:
            frame = self.hear()
            if frame.get("re") == id:
                return frame
            self.pushed.append(frame)

    def sign_in(self, operator: str = "ana", password: str = PASSWORD, **more: Any) -> Json:
        return self.ask("auth", operator=operator, password=password, **more)

    def give(self, name: str, args: Mapping[str, Any] | None = None, **more: Any) -> Json:
        fields = {"cid": str(uuid4()), "reason": "because", **more}
        return self.ask("command", name=name, args=dict(args or {}), **fields)

    def good(self, name: str, args: Mapping[str, Any] | None = None, **more: Any) -> Json:
        found = self.give(name, args, **more)
        assert found["type"] == "ok", found
        return found

    def read(self, name: str, args: Mapping[str, Any] | None = None) -> Json:
        found = self.ask("command", name=name, args=dict(args or {}))
        assert found["type"] == "ok", found
        detail: Json = found["detail"]
        return detail

    def until(self, kind: str, topic: str) -> Json:
        for at, frame in enumerate(self.pushed):
            if frame["type"] == kind and frame.get("topic") == topic:
                return self.pushed.pop(at)
        while True:
            frame = self.hear()
            if frame["type"] == kind and frame.get("topic") == topic:
                return frame
            self.pushed.append(frame)


@contextmanager
def operating(port: int, origin: str | None = None, subprotocol: str = ADMIN) -> Iterator[OperatorClient]:
    url = f"ws://127.0.0.1:{port}/admin/ws"
    with connect(url, subprotocols=[Subprotocol(subprotocol)], origin=Origin(origin) if origin else None) as socket:
        yield OperatorClient(socket)
