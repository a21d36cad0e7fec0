"""The whole app in this process, over real sockets: people who come in, and an operator."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from attrs import define, field

from gateway.app import App, Serving
from gateway.settings import load_settings
from tests.wire.frames import text
from tests.wire.peer import Peer, connect, request

Json = dict[str, Any]
ADMIN = {"Sec-WebSocket-Protocol": "bandstand.admin.v1"}


@define(eq=False)
class Live:
    """A server that runs, and whoever is connected to it."""

    served: Serving
    peers: list[Peer] = field(factory=list)

    async def peer(self) -> Peer:
        """A connection, and nothing said."""
        self.peers.append(await connect(self.served.addresses[0]))
        return self.peers[-1]

    async def get(self, path: str) -> int:
        peer = await self.peer()
        await peer.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return (await peer.response())[0]

    async def stranger(self, path: str = "/ws", headers: dict[str, str | None] | None = None) -> Peer:
        """Said hello to, and nobody yet."""
        peer = await self.peer()
        await peer.send(request(path, headers=headers))
        assert (await peer.response())[0] == 101
        await hear(peer, "hello")
        return peer

    async def member(self, **who: object) -> tuple[Peer, Json]:
        """By nickname or token, and the `ready`."""
        peer = await self.stranger()
        ready = await ask(peer, "auth", **who)
        assert ready["type"] == "ready", ready
        return peer, ready

    async def joined(self, nickname: str, room: str = "main-stage") -> Peer:
        peer, _ = await self.member(nickname=nickname)
        assert (await ask(peer, "join", room=room))["type"] == "ok"
        return peer

    async def operator(self) -> Peer:
        """The first one."""
        peer = await self.stranger("/admin/ws", {**ADMIN})
        ready = await ask(peer, "auth", operator="ana", password="four unrelated words", setup=self.served.setup)
        assert ready["type"] == "ready", ready
        return peer


@asynccontextmanager
async def serving(folder: Path, *, alerts_only: bool = False, **changed: object) -> AsyncIterator[Live]:
    """`changed`: settings, `__` for the dot."""
    given = {name.replace("__", "."): value for name, value in changed.items()}
    settings = load_settings(None, {}, {"port": 0, "journal.path": folder / "journal.db", **given}).settings
    async with App(settings, alerts_only=alerts_only).serve() as served:
        live = Live(served)
        try:
            yield live
        finally:
            for peer in live.peers:
                peer.sock.close()


async def say(peer: Peer, type: str, **fields: object) -> None:
    await peer.send(text(json.dumps({"type": type, **fields})))


async def hear(peer: Peer, *types: str) -> Json:
    """The next frame of these types; others are passed over."""
    while True:
        frame: Json = json.loads(await peer.text())
        if frame["type"] in types:
            return frame


async def ask(peer: Peer, type: str, **fields: object) -> Json:
    """A request, and what it is answered."""
    await say(peer, type, id=7, **fields)
    while (frame := await hear(peer, "ok", "error", "ready")).get("re") != 7:
        pass
    return frame


async def command(peer: Peer, name: str, cid: str = "c", **args: object) -> Json:
    return await ask(peer, "command", name=name, cid=cid, reason="why", args=args)
