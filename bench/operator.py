"""An operator on the admin channel, in a thread beside the swarm: plain, blocking, one question at a time."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from attrs import define, evolve, field

from bench.ledger import RunVoid
from bench.server import Server, Unsuited
from bench.swarm import Swarm
from bench.wire import TEXT, Address, BadWire, check_upgrade, masked, new_key, next_frame, upgrade_request

SUBPROTOCOL = "bandstand.admin.v1"
TIMEOUT_S = 30.0
Json = dict[str, Any]


def token(server: Server, role: str = "safety") -> str:
    """As whoever looks after the machine makes one: by the command line, beside the server's database. Raises RunVoid;
    Unsuited for a server that is not ours."""
    if not server.settings:
        raise Unsuited("this scenario needs a server of its own: it makes an operator's token beside its database")
    command = [sys.executable, "-m", "bandstand", "token", "create", "bench", "--role", role]
    # S603: our own command
    made = subprocess.run(  # noqa: S603
        command, env={**os.environ, **server.settings}, capture_output=True, text=True, timeout=60, check=False
    )
    if made.returncode:
        raise RunVoid(f"no operator's token could be made: {made.stderr.strip()[-300:]}")
    return made.stdout.strip()


@define(eq=False)
class Desk:
    """Signed in by `open`. Raises RunVoid for every refusal, OSError when the line is gone."""

    address: Address
    _sock: socket.socket = field(init=False)
    _read: bytes = field(init=False, default=b"")
    _id: int = field(init=False, default=1)

    def open(self, secret: str) -> None:
        self._sock = socket.create_connection((self.address.host, self.address.port), TIMEOUT_S)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = new_key()
        self._sock.sendall(upgrade_request(evolve(self.address, path="/admin/ws"), key, SUBPROTOCOL))
        while b"\r\n\r\n" not in self._read:
            self._more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        check_upgrade(head, key, SUBPROTOCOL)
        self._say({"type": "auth", "id": 1, "token": secret})
        while self.hear()["type"] != "ready":
            pass

    def ask(self, name: str, args: Json, **more: str) -> Json:
        """The answer to one command."""
        command = {"type": "command", "cid": os.urandom(12).hex(), "name": name, "args": args}
        return self._answer(command | {"reason": "bench", **more})

    def watch(self, topic: str) -> None:
        """Its snapshots come from now on: `hear` them."""
        self._answer({"type": "watch", "topic": topic})

    def hear(self) -> Json:
        """The next frame that asks for nothing; heartbeats are answered."""
        while True:
            frame = self._hear()
            if frame["type"] != "heartbeat":
                return frame
            self._say({"type": "heartbeat", "t": frame.get("t")})

    def close(self) -> None:
        """Any time, from any thread: whoever waits here for a frame hears BadWire."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _answer(self, frame: Json) -> Json:
        self._id += 1
        self._say({**frame, "id": self._id})
        while True:
            answer = self.hear()
            if answer.get("re") == self._id:
                return answer

    def _say(self, frame: Json) -> None:
        self._sock.sendall(masked(TEXT, json.dumps(frame).encode()))

    def _hear(self) -> Json:
        while True:
            frame = next_frame(self._read, 0)
            if frame is None:
                self._more()
                continue
            payload, self._read = self._read[frame.start : frame.end], self._read[frame.end :]
            said: Json = json.loads(payload) if frame.opcode == TEXT else {"type": ""}
            if said["type"] in ("error", "bye"):
                raise RunVoid(f"the operator was refused: {said.get('code')}: {said.get('message')}")
            return said

    def _more(self) -> None:
        data = self._sock.recv(65_536)
        if not data:
            raise BadWire("the operator's line was closed")
        self._read += data


class Errand(threading.Thread):
    """Something that waits, beside the swarm's loop, which must go on meanwhile."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.wrong: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._work()
        except (RunVoid, BadWire, OSError) as wrong:
            self.wrong = wrong

    def check(self) -> None:
        """Raises RunVoid with what went wrong, if it has."""
        if self.wrong is not None:
            raise RunVoid(str(self.wrong)) from self.wrong


def errand(swarm: Swarm, work: Callable[[], None]) -> None:
    """Done when this returns; the swarm is served meanwhile. Raises RunVoid."""
    running = Errand(work)
    while running.is_alive():
        swarm.pump(0.02)
    running.check()
