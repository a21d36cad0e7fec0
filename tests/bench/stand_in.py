"""A stand-in for the server: speaks just enough of the protocol, as fast as Python can, and lies on request.

It shows what the generator can take, and that the generator's checkers see each lie. One thread, one epoll; all posts
that came in one wait are one batch, one blob, one send to each member."""

import base64
import hashlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from bench.wire import PING, TEXT

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
FAULT_SEQ = 12
"""The first seq that a fault may touch: behind the generator's own warm-up."""
LIAR = 2
"""Which member of a room (in the order of joining) is lied to."""


def framed(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65536:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload


def said(frame: dict[str, Any]) -> bytes:
    return framed(TEXT, json.dumps(frame, separators=(",", ":")).encode())


class Room:
    def __init__(self, name: str) -> None:
        self.name = name
        self.seq = 0
        self.members: list[Client] = []
        self.batch: list[bytes] = []
        self.replies: list[tuple[Client, bytes]] = []


class Client:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.inbound = bytearray()
        self.outbound = bytearray()
        self.upgraded = False
        self.name = ""
        self.room: Room | None = None

    def write(self, data: bytes) -> None:
        if not self.outbound:
            try:
                sent = self.sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                return
            if sent == len(data):
                return
            data = data[sent:]
        self.outbound += data


Fault = Callable[[list[bytes], int], list[bytes]]
"""(frames of a batch, index of the one to touch) -> what the liar's victim gets instead."""


def corrupted(frame: bytes) -> bytes:
    at = frame.rindex(b'"text":"') + 8
    return frame[:at] + (b"X" if frame[at : at + 1] != b"X" else b"Y") + frame[at + 1 :]


FAULTS: dict[str, Fault] = {
    "drop": lambda frames, i: frames[:i] + frames[i + 1 :],
    "repeat": lambda frames, i: frames[: i + 1] + frames[i:],
    "corrupt": lambda frames, i: [*frames[:i], corrupted(frames[i]), *frames[i + 1 :]],
    "reorder": lambda frames, i: [*frames[:i], *reversed(frames[i : i + 2]), *frames[i + 2 :]],
    "foreign": lambda frames, i: [*frames[:i], frames[i].replace(b'"cid":"0', b'"cid":"x', 1), *frames[i + 1 :]],
    "deaf": lambda frames, i: frames[:i],
    "garbage": lambda frames, i: [*frames[:i], framed(TEXT, b"not json"), *frames[i:]],
}


class StandIn:
    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.rooms: dict[str, Room] = {}
        self.clients: dict[int, Client] = {}
        self.epoll = select.epoll()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setblocking(False)
        self.epoll.register(self.listener.fileno(), select.EPOLLIN)
        self.port: int = self.listener.getsockname()[1]
        self.lied = False

    def serve(self) -> None:
        while True:
            for fd, event in self.epoll.poll(1.0, 1024):
                if fd == self.listener.fileno():
                    self.accept()
                else:
                    self.ready(self.clients[fd], event)
            for room in self.rooms.values():
                if room.batch:
                    self.fan_out(room)

    def accept(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.clients[sock.fileno()] = Client(sock)
            self.epoll.register(sock.fileno(), select.EPOLLIN)

    def ready(self, client: Client, event: int) -> None:
        if event & select.EPOLLOUT and client.outbound:
            data = bytes(client.outbound)
            client.outbound.clear()
            client.write(data)
        if event & ~select.EPOLLOUT:
            try:
                data = client.sock.recv(65536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.gone(client)
                return
            client.inbound += data
            self.read(client)
        self.watch(client)

    def watch(self, client: Client) -> None:
        self.epoll.modify(client.sock.fileno(), select.EPOLLIN | (select.EPOLLOUT if client.outbound else 0))

    def gone(self, client: Client) -> None:
        self.epoll.unregister(client.sock.fileno())
        del self.clients[client.sock.fileno()]
        client.sock.close()
        if client.room is not None:
            client.room.members.remove(client)

    def read(self, client: Client) -> None:
        if not client.upgraded:
            head, found, _ = bytes(client.inbound).partition(b"\r\n\r\n")
            if found:
                client.inbound.clear()
                self.request(client, head.decode())
            return
        data, at = client.inbound, 0
        while len(data) - at >= 6:
            size, start = data[at + 1] & 0x7F, at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            end = start + 4 + size
            if len(data) < end:
                break
            mask = bytes(data[start : start + 4]) * (size // 4 + 1)
            body = int.from_bytes(data[start + 4 : end], "big") ^ int.from_bytes(mask[:size], "big")
            if data[at] & 0x0F == TEXT:
                self.frame(client, json.loads(body.to_bytes(size, "big")))
            at = end
        del data[:at]

    def request(self, client: Client, head: str) -> None:
        lines = head.split("\r\n")
        path = lines[0].split()[1]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        if "sec-websocket-key" not in headers:
            body = METRICS if path == "/metrics" else b"ok"
            client.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            return
        digest = hashlib.sha1((headers["sec-websocket-key"] + GUID).encode()).digest()
        client.upgraded = True
        client.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: bandstand.v1\r\nSec-WebSocket-Accept: %s\r\n\r\n" % base64.b64encode(digest)
        )
        limit = float(os.environ.get("BANDSTAND_LIMITS_MESSAGES_PER_S", "5"))
        client.write(said({"type": "hello", "v": 1, "limits": {"messages_per_s": limit}}))

    def frame(self, client: Client, frame: dict[str, Any]) -> None:
        kind, re = frame["type"], frame.get("id")
        if kind == "send":
            self.post(client, frame)
        elif kind == "auth":
            client.name = frame["nickname"]
            client.write(said({"type": "ready", "re": re, "member": f"m_{client.name}", "nickname": client.name}))
        elif kind == "join":
            room = client.room = self.rooms.setdefault(frame["room"], Room(frame["room"]))
            room.members.append(client)
            client.write(said({"type": "ok", "re": re, "room": room.name, "epoch": "e1", "head": room.seq}))
            # a beat that rides in the stream, as the real server's do
            client.write(said({"type": "heartbeat", "t": 1.5}) + framed(PING, b"?"))
            client.write(said({"type": "caught_up", "room": room.name, "seq": room.seq}))
        elif kind == "history":
            client.write(said({"type": "ok", "re": re, "items": [{"type": "message"}], "more": False}))

    def post(self, client: Client, frame: dict[str, Any]) -> None:
        room = client.room
        assert room is not None
        if self.fault == "astray" and room.seq >= FAULT_SEQ:
            room = next(other for other in self.rooms.values() if other is not room)
        room.seq += 1
        ts = int(time.time()) + 0.5  # always as long, or the frames are not
        answer = {"type": "ok", "re": frame["id"], "epoch": "e1", "seq": room.seq, "ts": ts, "dup": False}
        room.replies.append((client, said(answer)))
        entry = {"type": "message", "room": room.name, "epoch": "e1", "seq": room.seq, "ts": ts, "member": "m_1"}
        room.batch.append(said({**entry, "nickname": client.name, "cid": frame["cid"], "text": frame["text"]}))

    def fan_out(self, room: Room) -> None:
        if self.fault == "die" and room.seq >= FAULT_SEQ:
            os._exit(1)
        if self.fault == "reorder" and room.seq == FAULT_SEQ:
            return  # until there is another to change places with
        frames, room.batch = room.batch, []
        replies, room.replies = room.replies, []
        first_seq = room.seq - len(frames) + 1
        if self.fault == "swallow" and room.seq >= FAULT_SEQ:
            frames = frames[:-1]
        blob = b"".join(frames)
        lie = self.lie(frames, first_seq)
        for number, member in enumerate(room.members):
            member.write(blob if lie is None or number != LIAR else lie)
            if member.outbound:
                self.watch(member)
        for client, reply in replies:
            client.write(reply)

    def lie(self, frames: list[bytes], first_seq: int) -> bytes | None:
        at = max(0, FAULT_SEQ - first_seq)
        if self.fault not in FAULTS or self.lied or at >= len(frames):
            return None
        self.lied = self.fault != "deaf"
        return b"".join(FAULTS[self.fault](frames, at))


METRICS = b"""# TYPE bandstand_history_access_seconds histogram
bandstand_history_access_seconds_bucket{le="0.0005"} 98
bandstand_history_access_seconds_bucket{le="0.001"} 99
bandstand_history_access_seconds_bucket{le="+Inf"} 100
"""


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = StandIn(os.environ.get("STAND_IN_FAULT", ""))
    print(f"listening on http://127.0.0.1:{server.port}", file=sys.stderr, flush=True)
    server.serve()


if __name__ == "__main__":
    main()
