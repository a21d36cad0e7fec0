"""Prints how many bytes of the server's anonymous memory an idle connection costs: 2,000 of them, over loopback."""

import gc
import multiprocessing
import re
import socket
from multiprocessing.connection import Connection
from pathlib import Path

import trio
import trio_websocket  # noqa: F401  # a server loads it late (bandstand/later.py): it is no connection's memory

from gateway.admission import ListenerLimits, raise_file_limit
from tests.hazards.echo_server import echo_server
from tests.wire.peer import request

CONNECTIONS = 2_000


def anonymous_bytes() -> int:
    found = re.search(r"^Anonymous: +(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def crowd(pipe: Connection) -> None:
    """The clients, in a process of their own."""
    raise_file_limit()
    port = pipe.recv()
    socks = []
    for _ in range(CONNECTIONS):
        sock = socket.create_connection(("127.0.0.1", port), timeout=30)
        socks.append(sock)
        sock.sendall(request(headers={f"X-Header-{n}": "like a browser" for n in range(10)}))
        answer = sock.recv(1_000)
        assert b"101" in answer, answer
    pipe.send("in")
    pipe.recv()


async def main(pipe: Connection) -> None:
    async with echo_server(limits=ListenerLimits(strangers=2 * CONNECTIONS)) as server:
        gc.collect()
        base = anonymous_bytes()
        pipe.send(server.address.port)
        await trio.to_thread.run_sync(pipe.recv)
        await trio.sleep(0.5)
        gc.collect()
        print((anonymous_bytes() - base) // CONNECTIONS)
        pipe.send("done")


if __name__ == "__main__":
    near, far = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=crowd, args=(far,))
    process.start()
    far.close()
    trio.run(main, near)
    process.join()
