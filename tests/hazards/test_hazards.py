"""Each hazard thrown at our own door: the process lives, a bystander notices nothing, and nothing stays behind."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.names import RoomName
from actors.people.outlet import Batch
from gateway.admission import ListenerLimits
from gateway.http import HeadLimits
from gateway.wire.framing import text_frame
from gateway.wire.limits import WireLimits
from tests.hazards.attacks import HOLDERS, KILLERS, Attack, throw
from tests.hazards.echo_server import EchoServer, EchoSink, echo_server
from tests.wire.frames import PING, PONG, close, frame, text
from tests.wire.peer import Peer, connect, connected, request, server_tls, settled

ATTACKS = KILLERS | HOLDERS
DOOR = ListenerLimits(head_s=0.5, linger_s=0.1)
WIRE = WireLimits(close_s=0.1, linger_s=0.1)
FILES = Path("/proc/self/fd")


class ClosingSink(EchoSink):
    def text(self, message: str) -> None:
        if message == "close":
            self.wire.outlet.finish(1000)
        else:
            super().text(message)


def footprint() -> tuple[int, int]:
    """Tasks and open files."""
    files = len(os.listdir(FILES)) if FILES.exists() else 0
    return trio.lowlevel.current_statistics().tasks_living, files


def is_within(now: tuple[int, int], base: tuple[int, int]) -> bool:
    return now[0] <= base[0] and now[1] <= base[1]


@asynccontextmanager
async def attacked(secure: bool) -> AsyncIterator[EchoServer]:
    """A server with one innocent client; afterwards everything is as it was."""
    tls = server_tls() if secure else None
    with trio.fail_after(120):
        async with echo_server(tls, DOOR, WIRE, ClosingSink) as server, connected(server.address) as bystander:
            await echoes(bystander)
            await wait_all_tasks_blocked(0.01)  # a task that ends presently would hide one that stays behind
            base = footprint()
            yield server
            await echoes(bystander)
            with trio.move_on_after(20):
                await settled(lambda: server.listener.live == 1 and is_within(footprint(), base))
            assert is_within(footprint(), base), "tasks or files stayed behind"
            assert server.listener.live == 1
            assert server.listener.faults == 0, "it reached the barrier"


async def echoes(bystander: Peer) -> None:
    with trio.fail_after(20):
        await bystander.send(text("still here"))
        assert await bystander.text() == "still here"


async def attack_times(attack: Attack, secure: bool, times: int) -> None:
    async with attacked(secure) as server:
        for _ in range(times):
            await attack(lambda: connect(server.address))


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_ends_nothing_and_leaves_nothing(name: str, secure: bool) -> None:
    await attack_times(ATTACKS[name], secure, 1 if secure else 2)


@pytest.mark.slow
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_repeated_leaves_nothing(name: str, secure: bool) -> None:
    await attack_times(ATTACKS[name], secure, 8)


async def test_all_attacks_at_once() -> None:
    async with attacked(secure=False) as server, trio.open_nursery() as nursery:
        for attack in ATTACKS.values():
            nursery.start_soon(attack, lambda: connect(server.address))


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_r1_bytes_behind_a_request_stay_in_the_kernel(secure: bool) -> None:
    """A client once put 400 MB into the server's memory before its handshake was accepted."""

    class PausedSink(EchoSink):
        def __init__(self, wire: object) -> None:
            super().__init__(wire)  # type: ignore[arg-type]
            self.wire.pause()

    sent = 0
    with trio.fail_after(30):
        async with echo_server(server_tls() if secure else None, sink=PausedSink) as server:
            peer = await connect(server.address)
            await peer.send(request())
            with trio.move_on_after(0.3):
                while sent < 64 << 20:
                    await peer.send(text("x" * 16_000))
                    sent += 16_000
            assert sent < 16 << 20
            assert server.sinks[0].texts == []
            peer.sock.close()


@pytest.mark.parametrize("drip", [b"", b"GET /ws HT", request()[:-2]], ids=["nothing", "a part", "all but the end"])
async def test_r3_a_head_that_does_not_come_is_given_up(drip: bytes) -> None:
    async with attacked(secure=False) as server:
        peer = await connect(server.address)
        await peer.send(drip)
        assert (await peer.response())[0] == 408
        peer.sock.close()


async def test_r3_a_tls_handshake_that_does_not_come_is_given_up() -> None:
    async with attacked(secure=True) as server:
        for drip in (b"", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/1.1\r\n\r\n"):
            stream = await trio.open_tcp_stream("127.0.0.1", server.address.port)
            await stream.send_all(drip)
            with suppress(trio.BrokenResourceError):
                while await stream.receive_some():
                    pass
            stream.socket.close()


async def test_r7_a_reader_that_stalls_costs_its_bound_and_no_task() -> None:
    """2,000 sends to one of them once made 2,000 waiting tasks and 45 MB."""
    async with attacked(secure=False) as server:
        peer = await connect(server.address)
        await peer.upgrade()
        await settled(lambda: len(server.sinks) == 2)
        outlet = server.sinks[1].wire.outlet
        tasks = trio.lowlevel.current_statistics().tasks_living
        refused = 0
        for seq in range(1, 20_001):
            refused += not outlet.chat(Batch(RoomName("pit"), seq, seq, text_frame(b"x" * 2_000), 1))
        assert refused
        assert trio.lowlevel.current_statistics().tasks_living <= tasks + 1
        peer.reset()


async def test_r8_nothing_follows_half_a_frame() -> None:
    """A connection cut in mid-frame is over; nothing that comes later may be read as its payload."""
    async with attacked(secure=False) as server:
        peer = await connect(server.address)
        await peer.upgrade()
        await settled(lambda: len(server.sinks) == 2)
        outlet, big = server.sinks[1].wire.outlet, text_frame(b"x" * 60_000)
        seq = 0
        while outlet.idle:
            seq += 1
            outlet.chat(Batch(RoomName("pit"), seq, seq, big, 1))
        outlet.finish(4200)
        await settled(lambda: server.sinks[1].causes)  # the peer reads nothing, so its time runs out
        outlet.control(text_frame(b"late"))
        received = await peer.rest()
        whole, cut = divmod(len(received), len(big))
        assert whole + cut > 0
        assert received == big * whole + big[:cut], "something follows half a frame"
        peer.sock.close()


async def test_r9_a_connection_that_takes_no_notice_still_answers_and_still_ends() -> None:
    class DeafSink(EchoSink):
        def text(self, message: str) -> None:
            pass

    with trio.fail_after(30):
        async with echo_server(sink=DeafSink) as server:
            async with connected(server.address) as peer:
                await peer.send(text("x") * 100 + frame(PING, b"?"))
                assert await peer.frame() == (PONG, b"?")
                await peer.send(text("x") * 100 + close(1000))
                assert await peer.close_code() == 1000
            await throw(lambda: connect(server.address), request())
            await settled(lambda: server.listener.live == 0)


async def test_r13_a_stream_of_headers_has_its_bounds() -> None:
    limits = ListenerLimits(head=HeadLimits(head_bytes=2_000, headers=10, path_bytes=50), linger_s=0.1)
    many = {f"X-{n}": "y" for n in range(20)}
    with trio.fail_after(30):
        async with echo_server(limits=limits) as server:
            for bad in (request(headers={"X": "y" * 3_000}), request(headers=dict(many)), request(path="/" + "x" * 60)):
                peer = await connect(server.address)
                await peer.send(bad)
                assert (await peer.response())[0] == 431
                await peer.rest()
                peer.sock.close()
