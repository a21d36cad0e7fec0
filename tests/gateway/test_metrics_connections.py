"""What /metrics says of connections, over real sockets: who is there, what became of handshakes, every byte."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from argon2 import PasswordHasher
from prometheus_client.parser import text_string_to_metric_families

from actors.admin import operators
from gateway.app import App
from gateway.listener import Address
from gateway.settings import load_settings
from tests.wire.frames import close, text
from tests.wire.peer import Peer, connect, request, settled

ADMIN: dict[str, str | None] = {"Sec-WebSocket-Protocol": "bandstand.admin.v1"}


class Counted(Peer):
    """Also counts what came."""

    came = 0

    async def _more(self) -> bool:
        before = len(self._buf)
        more = await super()._more()
        self.came += len(self._buf) - before
        return more

    async def say(self, **frame: Any) -> bytes:
        data = text(json.dumps(frame))
        await self.send(data)
        return data


async def arrive(address: Address, head: bytes, behind: bytes = b"") -> tuple[Counted, int]:
    """Who asked, and the status of the answer."""
    plain = await connect(address)
    peer = Counted(plain.stream, plain.sock)
    await peer.send(head + behind)
    return peer, (await peer.response())[0]


def page(app: App) -> Mapping[str, float]:
    """By name, with the value of the label behind it."""
    return {
        " ".join((sample.name.removeprefix("bandstand_"), *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(app._metrics.page().decode())
        for sample in family.samples
    }


async def test_figures_of_connections_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    app = App(load_settings(None, {}, {"port": 0, "journal.path": tmp_path / "journal.db"}).settings)
    with trio.fail_after(30):
        async with app.serve() as serving:
            (address,) = serving.addresses
            hello = text(json.dumps({"type": "auth", "id": 1, "nickname": "Ana"}))

            ana, _ = await arrive(address, request(), behind=hello)
            assert [json.loads(await ana.text())["type"] for _ in range(2)] == ["hello", "ready"]
            now = page(app)
            assert now["handshakes_total accepted"] == 1
            assert now["received_bytes_total"] == len(hello), "what came together with the request head is counted"
            assert now["sent_bytes_total"] == ana.came, "the answer to the handshake is counted"

            said = await ana.say(type="heartbeat", id=2)
            stranger, _ = await arrive(address, request())
            ops, _ = await arrive(address, request("/admin/ws", headers=ADMIN))
            for peer in (ana, stranger, ops):
                await peer.text()
            now = page(app)
            assert {role: now[f"connections {role}"] for role in ("member", "operator", "stranger")} == {
                "member": 1, "operator": 0, "stranger": 2,
            }  # fmt: skip
            assert now["received_bytes_total"] == len(hello + said)
            assert now["sent_bytes_total"] == ana.came + stranger.came + ops.came

            password = {"operator": "ana", "password": "four unrelated words", "setup": serving.setup}
            signed = await ops.say(type="auth", id=1, **password)
            assert json.loads(await ops.text())["type"] == "ready"
            assert (page(app)["connections operator"], page(app)["connections stranger"]) == (1, 1)

            bye = close(1000)
            await ana.send(bye)
            assert await ana.close_code() == 1000
            ana.sock.close()
            await settled(lambda: page(app)["connections member"] == 0)
            now = page(app)
            assert now["connections_closed_total closed"] == 1
            assert now["received_bytes_total"] == len(hello + said + signed + bye), "those who have gone stay counted"
            assert now["sent_bytes_total"] == ana.came + stranger.came + ops.came

            ops.reset()
            await settled(lambda: page(app)["connections operator"] == 0)
            assert page(app)["connections_closed_total gone"] == 1
            stranger.reset()


async def test_handshakes_are_counted_by_what_became_of_them(tmp_path: Path) -> None:
    app = App(load_settings(None, {}, {"port": 0, "journal.path": tmp_path / "journal.db"}).settings)
    heads = {
        "unknown_subprotocol": request(headers={"Sec-WebSocket-Protocol": "bandstand.v9"}),
        "forbidden": request(headers={"Origin": "https://elsewhere.invalid"}),
        "upgrade_required": request(headers={"Sec-WebSocket-Version": "8"}),
        "bad_request": b"HELO here\r\n\r\n",
        "": b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    }
    with trio.fail_after(30):
        async with app.serve() as serving:
            for head in heads.values():
                peer, _ = await arrive(serving.addresses[0], head)
                peer.sock.close()
            counted = {key.partition(" ")[2]: n for key, n in page(app).items() if key.startswith("handshakes_total")}
    assert counted == {result: 1 for result in heads if result}, "a page that is not there is no handshake"
