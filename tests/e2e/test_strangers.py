"""Other people's WebSocket clients, on a bad network: they miss nothing and repeat nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.e2e.crowd import ROOM, settled, stored
from tests.e2e.proxy import Proxy, between
from tests.e2e.server import Server, serving
from tests.e2e.strangers import Json, Stranger, chromium_page, install_ws, node_ws, python_websockets
from tests.e2e.talker import Talker, talking

LAST = "good night"
QUICK_BEATS = {"heartbeat__every_s": 1, "heartbeat__dead_s": 2}
"""So that a black hole is noticed within the test's time."""


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Proxy], Stranger]:
    match request.param:
        case "websockets":
            return lambda proxy: python_websockets
        case "ws":
            node, folder = request.getfixturevalue("node"), tmp_path / "node"
            folder.mkdir()
            install_ws(folder)
            return lambda proxy: node_ws(node, folder)
        case _:
            chromium = request.getfixturevalue("chromium")
            return lambda proxy: chromium_page(chromium, f"http://127.0.0.1:{proxy.port}/healthz")


class Watch:
    """What the stranger reports, to be waited for."""

    def __init__(self) -> None:
        self.joins: list[str] = []
        self.heard = 0
        self.stored = 0
        self.losses = 0

    def see(self, seen: Json) -> None:
        self.losses += "lost" in seen
        self.joins += [seen["joined"]] if "joined" in seen else []
        self.heard = seen.get("heard", self.heard)
        self.stored = seen.get("stored", self.stored)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param("websockets"),
        pytest.param("ws", marks=pytest.mark.node),
        pytest.param("chromium", marks=pytest.mark.browser),
    ],
    indirect=True,
)
async def test_stranger_on_a_bad_network_misses_nothing(make: Callable[[Proxy], Stranger], tmp_path: Path) -> None:
    with trio.fail_after(90):
        async with (
            serving(tmp_path, **QUICK_BEATS) as server,
            between(server.port) as proxy,
            talking(server.port, "Host") as host,
        ):
            await host.good("join", room=ROOM, since=None, tail=0)
            result = await _evening(make(proxy), proxy, host)
            await host.until(lambda: len(host.entries(ROOM)) == 27)
            await server.stop()
    _check(result, host, server)


async def _evening(stranger: Stranger, proxy: Proxy, host: Talker) -> Json:
    watch, result = Watch(), {}
    texts = [f"word {n} of a stranger, ünïcödé \N{SAXOPHONE}" for n in range(12)]
    wish = {
        "url": f"ws://127.0.0.1:{proxy.port}/ws",
        "room": ROOM,
        "nickname": "Stranger",
        "texts": texts,
        "until": LAST,
    }

    async def live() -> None:
        result.update(await stranger(wish, watch.see))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(live)
        await settled(lambda: watch.stored >= 2)
        for number, trouble in enumerate((_reset, _end, _hole, _slices)):
            joins, losses = len(watch.joins), watch.losses
            trouble(proxy)
            for n in range(3):
                await host.good("send", room=ROOM, text=f"{number} {n}", cid=f"host-{number}-{n}")
            if trouble is _hole:
                await settled(lambda: watch.losses > losses)  # noqa: B023
                proxy.heal()
            if trouble is not _slices:
                await settled(lambda: len(watch.joins) > joins)  # noqa: B023
        await settled(lambda: watch.stored == len(texts))
        await host.good("send", room=ROOM, text="one more", cid="host-more")
        await host.good("send", room=ROOM, text="and one", cid="host-and")
        await host.good("send", room=ROOM, text=LAST, cid="host-last")
    assert set(watch.joins[1:]) == {"resumed"}
    return result


def _reset(proxy: Proxy) -> None:
    proxy.reset()


def _end(proxy: Proxy) -> None:
    proxy.drop()


def _hole(proxy: Proxy) -> None:
    """The client hears nothing, and gives up by itself."""
    proxy.blackhole()


def _slices(proxy: Proxy) -> None:
    proxy.slice, proxy.latency = 24, 0.0005


def _check(result: dict[str, Any], host: Talker, server: Server) -> None:
    rows = stored(server.journal)
    assert [row.seq for row in rows] == list(range(1, 28))
    cids = [row.cid for row in rows]
    assert len(set(cids)) == len(cids)
    assert [entry["cid"] for entry in host.entries(ROOM)] == cids
    assert not result["gaps"]
    assert [(entry["seq"], entry["cid"]) for entry in result["heard"]] == [(row.seq, row.cid) for row in rows]
    assert [(each["seq"], each["cid"]) for each in result["stored"]] == [
        (row.seq, row.cid) for row in rows if row.cid.startswith("Stranger")
    ]
    assert len(result["losses"]) >= 3, "it was cut"
