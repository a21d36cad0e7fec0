"""The proof that the K cases bite: each of them ends the process of a plain serve_websocket."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from gateway.listener import Address
from tests.hazards.attacks import KILLERS
from tests.wire.peer import Peer, connect, settled

TRIES = 50
"""K3 and K4 are races that the attacker wins now and then."""


@pytest.fixture
def naive() -> Iterator[tuple[subprocess.Popen[str], Address]]:
    server = Path(__file__).with_name("naive_server.py")
    with subprocess.Popen(
        [sys.executable, str(server)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, Address("127.0.0.1", int(process.stdout.readline()), tls=False)
        finally:
            process.kill()


@pytest.mark.parametrize("name", KILLERS)
async def test_one_client_ends_a_naive_server(name: str, naive: tuple[subprocess.Popen[str], Address]) -> None:
    process, address = naive
    peers: list[Peer] = []
    listens = True

    async def remember() -> Peer:
        nonlocal listens
        try:
            peers.append(await connect(address))
        except OSError:
            listens = False
            raise
        return peers[-1]

    with trio.fail_after(60):
        for _ in range(TRIES):
            # Dying, it answers as it likes; then nobody listens any more.
            with suppress(OSError, trio.BrokenResourceError, AssertionError):
                await KILLERS[name](remember)
            if not listens or process.poll() is not None:
                break
            await trio.sleep(0.02)
        if not listens:
            await settled(lambda: process.poll() is not None)  # a slow machine takes its time over the traceback
    for peer in peers:
        peer.sock.close()
    assert process.poll() not in (None, 0), "it lived"
