"""What every wire owes a connection (gateway/wire/contract.py). A new wire is one more entry of WIRES."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import trio
from attrs import define
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.names import RoomName
from actors.people.outlet import Batch
from gateway.wire.contract import Lost, Wire
from gateway.wire.framing import text_frame
from gateway.wire.limits import WireLimits
from gateway.wire.portable import Portable
from tests.hazards.echo_server import EchoServer, EchoSink, echo_server
from tests.wire.frames import BINARY, CLOSE, PING, PONG, close, frame, more, text
from tests.wire.peer import Peer, connect, connected, request, server_tls, settled

WIRES = {"portable": Portable}
QUICK = WireLimits(close_s=0.1, linger_s=0.1)


@define
class World:
    """Opens servers of the wire under test."""

    wire: Any
    secure: bool

    def server(self, **how: Any) -> AbstractAsyncContextManager[EchoServer]:
        return echo_server(server_tls() if self.secure else None, wire=self.wire, **how)

    @asynccontextmanager
    async def pair(self, **how: Any) -> AsyncIterator[tuple[EchoSink, Peer]]:
        with trio.fail_after(30):
            async with self.server(**how) as server, connected(server.address) as peer:
                await settled(lambda: server.sinks)
                yield server.sinks[0], peer


@pytest.fixture(params=[(name, secure) for name in WIRES for secure in (False, True)], ids=str)
def world(request: pytest.FixtureRequest) -> World:
    name, secure = request.param
    return World(WIRES[name], secure)


async def test_messages_are_pushed_in_order_whole_fragmented_and_cut_anyhow(world: World) -> None:
    sent = b"".join(
        text(f"{n}") if n % 3 else text(f"{n}-", fin=False) + frame(PING, b"?") + more("end") for n in range(12)
    )
    wanted = [f"{n}" if n % 3 else f"{n}-end" for n in range(12)]
    async with world.pair() as (sink, peer):
        await peer.send(sent)
        await settled(lambda: len(sink.texts) == len(wanted))
        for start in range(0, len(sent), 5):
            await peer.send(sent[start : start + 5])
        await settled(lambda: len(sink.texts) == 2 * len(wanted))
        assert sink.texts == wanted * 2
        assert sink.heard_count > 2


def reached(sink: EchoSink, count: int) -> bool:
    return len(sink.texts) >= count


async def test_what_came_behind_the_request_is_not_lost(world: World) -> None:
    with trio.fail_after(30):
        async with world.server() as server:
            peer = await connect(server.address)
            await peer.send(request() + text("early") + text("bird")[:3])
            assert (await peer.response())[0] == 101
            assert await peer.text() == "early"
            await peer.send(text("bird")[3:])
            assert await peer.text() == "bird"
            peer.sock.close()


async def test_a_ping_is_answered_with_its_payload_and_heard(world: World) -> None:
    async with world.pair() as (sink, peer):
        await peer.send(frame(PING, b"are you there"))
        assert await peer.frame() == (PONG, b"are you there")
        assert sink.heard_count == 1
        assert sink.texts == []


async def test_a_paused_wire_pushes_nothing_until_it_is_resumed(world: World) -> None:
    class PausingSink(EchoSink):
        def text(self, message: str) -> None:
            super().text(message)
            self.wire.pause()

    wanted = ["0", "1", "2-2", "3", "4"]
    async with world.pair(sink=PausingSink) as (sink, peer):
        await peer.send(text("0") + text("1") + text("2-", fin=False) + more("2") + text("3") + text("4"))
        for count in range(1, len(wanted) + 1):
            await settled(partial(reached, sink, count))
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert sink.texts == wanted[:count]
            sink.wire.resume()
        await peer.send(close(1000))
        assert (await peer.ending())[1] == 1000


async def test_a_paused_wire_lets_tcp_hold_the_peer_back(world: World) -> None:
    async with world.pair() as (sink, peer):
        sink.wire.pause()
        sent = 0
        with trio.move_on_after(0.3):
            while sent < 64 << 20:
                await peer.stream.send_all(text("x" * 16_000))
                sent += 16_000
        assert sent < 64 << 20, "somebody took it all"
        assert sink.texts == []


async def test_a_paused_connection_can_still_be_finished(world: World) -> None:
    async with world.pair(wire_limits=QUICK) as (sink, peer):
        sink.wire.pause()
        sink.wire.outlet.finish(4200)
        assert await peer.close_code() == 4200
        await settled(lambda: sink.causes == [Lost.FINISHED])


async def test_a_close_is_echoed_and_the_connection_lost_once(world: World) -> None:
    async with world.pair() as (sink, peer):
        await peer.send(text("bye") + close(3001, b"later") + text("after"))
        assert await peer.text() == "bye"
        assert await peer.frame() == (CLOSE, (3001).to_bytes(2, "big") + b"later")
        await peer.ended()
        peer.sock.close()
        await settled(lambda: sink.causes)
        assert sink.causes == [Lost.CLOSED]
        assert sink.texts == ["bye"]
        assert sink.wire.remote == "127.0.0.1", "known to the end"


@pytest.mark.parametrize("how", ["end of stream", "reset", "half a frame"])
async def test_a_peer_that_just_goes_is_gone(world: World, how: str) -> None:
    async with world.pair() as (sink, peer):
        if how == "half a frame":
            await peer.send(text("x" * 5_000)[:3_000])
            await settled(lambda: sink.heard_count)
        if how == "reset":
            peer.reset()
        else:
            peer.sock.close()
        await settled(lambda: sink.causes)
        assert sink.causes == [Lost.GONE]
        assert sink.wire.outlet.chat(Batch(RoomName("pit"), 1, 1, text_frame(b"x"), 1)), "taken and dropped"


async def test_bad_frames_end_it_with_their_code(world: World) -> None:
    async with world.pair(wire_limits=QUICK) as (sink, peer):
        await peer.send(text("good") + frame(BINARY, b"x"))
        frames, code = await peer.ending()
        assert code == 1003
        assert b"bye" in frames[-1][1]
        await settled(lambda: sink.causes)
        assert sink.causes == [Lost.BAD_FRAMES]


async def test_finish_says_bye_and_close_and_waits_for_the_peer(world: World) -> None:
    async with world.pair() as (sink, peer):
        sink.wire.outlet.control(text_frame(b"error"))
        sink.wire.outlet.finish(4200, 500)
        sink.wire.outlet.finish(4403)
        sink.wire.outlet.control(text_frame(b"late"))
        assert await peer.text() == "error"
        assert await peer.text() == '{"type":"bye","code":4200}'
        assert await peer.frame() == (CLOSE, b"\x10\x68")
        await peer.send(text("ignored") + close(4200))
        await peer.ended()
        peer.sock.close()
        await settled(lambda: sink.causes)
        assert sink.causes == [Lost.FINISHED]
        assert sink.texts == []


async def test_finish_does_not_wait_for_ever_for_a_silent_peer(world: World) -> None:
    async with world.pair(wire_limits=QUICK) as (sink, peer):
        sink.wire.outlet.finish(4200)
        await settled(lambda: sink.causes)
        assert await peer.close_code() == 4200
        assert await peer.rest() == b""


async def test_a_peer_that_keeps_talking_after_finish_is_cut(world: World) -> None:
    async with world.pair(wire_limits=WireLimits(close_s=60, linger_s=60)) as (sink, peer):
        sink.wire.outlet.finish(4200)
        with suppress(trio.BrokenResourceError):
            while True:
                await peer.send(text("and another thing" * 500))
        await settled(lambda: sink.causes == [Lost.FINISHED])


async def test_a_sink_that_raises_ends_its_own_connection_only(world: World) -> None:
    class FaultySink(EchoSink):
        def text(self, message: str) -> None:
            if message == "fault":
                raise RuntimeError("a bug in a session")
            super().text(message)

    with trio.fail_after(30):
        async with world.server(sink=FaultySink) as server, connected(server.address) as bystander:
            for sent in (text("fault"), text("fau", fin=False) + more("lt")):
                async with connected(server.address) as peer:
                    await peer.send(sent)
                    code = await peer.close_code()
                    assert code == (None if world.secure else 4101)
            await bystander.send(text("still here"))
            assert await bystander.text() == "still here"
            await settled(lambda: server.listener.faults == 2)
            assert [sink.causes for sink in server.sinks] == [[], [Lost.FINISHED], [Lost.FINISHED]]


async def test_what_a_sink_raises_when_bytes_come_ends_its_own_connection_with_4101(world: World) -> None:
    """4200 is for who is to come back at once; after a fault that was again and again."""

    class FaultySink(EchoSink):
        def heard(self) -> None:
            raise RuntimeError("a bug in a session")

    with trio.fail_after(30):
        async with world.server(sink=FaultySink) as server, connected(server.address) as peer:
            await peer.send(text("x"))
            assert await peer.close_code() == (None if world.secure else 4101)
            await settled(lambda: server.listener.faults == 1)


async def test_an_attach_that_raises_ends_its_own_connection_only(world: World) -> None:
    def refuse(wire: Wire) -> EchoSink:
        raise RuntimeError("a bug in the app")

    with trio.fail_after(30):
        async with world.server(sink=refuse) as server:
            peer = await connect(server.address)
            await peer.send(request())
            if not world.secure:  # TLS takes nothing without waiting
                assert (await peer.response())[0] == 101
                assert await peer.close_code() == 4101
            await peer.rest()
            peer.sock.close()
            await settled(lambda: server.listener.faults == 1)
            await settled(lambda: server.listener.live == 0)


async def test_an_unknown_subprotocol_is_accepted_told_bye_and_closed(world: World) -> None:
    for offered in ("bandstand.v9", "bandstand.v", "other, bandstand", None):
        with trio.fail_after(30):
            async with world.server() as server:
                peer = await connect(server.address)
                await peer.send(request(headers={"Sec-WebSocket-Protocol": offered}))
                status, head = await peer.response()
                assert status == 101
                assert b"sec-websocket-protocol" not in head.lower()
                frames, code = await peer.ending()
                assert code == 4406
                assert frames == [(1, b'{"type":"bye","code":4406}')]
                assert server.sinks == []
                peer.sock.close()


async def test_the_agreed_subprotocol_is_named(world: World) -> None:
    with trio.fail_after(30):
        async with world.server() as server:
            peer = await connect(server.address)
            await peer.send(request(headers={"Sec-WebSocket-Protocol": "other, bandstand.v1 , x"}))
            status, head = await peer.response()
            assert (status, b"Sec-WebSocket-Protocol: bandstand.v1" in head) == (101, True)
            peer.sock.close()


async def test_a_stalled_reader_never_blocks_is_reported_behind_and_still_gets_its_alert(world: World) -> None:
    class Member(EchoSink):
        dropped: int | None = None

        def behind(self, room: RoomName, first_dropped: int) -> None:
            self.dropped = first_dropped

    room = RoomName("pit")
    async with world.pair(sink=Member) as (sink, peer):
        assert isinstance(sink, Member)
        seq = 0
        while sink.dropped is None:
            seq += 1
            sink.wire.outlet.chat(Batch(room, seq, seq, text_frame(b"%08d" % seq + b"x" * 4_000), 1))
            if seq % 50 == 0:
                await trio.lowlevel.checkpoint()
        assert not sink.wire.outlet.idle
        sink.wire.outlet.alert(text_frame(b"ALERT"))
        sink.wire.outlet.finish(4200)
        frames, code = await peer.ending()
        payloads = [payload for _, payload in frames]
        assert [int(payload[:8]) for payload in payloads[:-2]] == list(range(1, sink.dropped))
        assert payloads[-2] == b"ALERT"
        assert code == 4200


async def test_a_stuck_peer_is_cut(world: World) -> None:
    async with world.pair() as (sink, _peer):
        seq = 0
        while sink.wire.outlet.idle:
            for _ in range(20):
                seq += 1
                sink.wire.outlet.page(Batch(RoomName("pit"), seq, seq, text_frame(b"x" * 60_000), 1))
            await trio.testing.wait_all_tasks_blocked(0.02)
        now = trio.current_time()
        for second in range(0, 70, 5):
            sink.wire.check_stuck(now + second)
        await settled(lambda: sink.causes)
        assert sink.causes == [Lost.STUCK]


async def test_a_cancelled_server_still_says_goodbye_where_it_can(world: World) -> None:
    """R11: an operator who kills the server is no reason for 1006 and a storm of reconnects."""
    with trio.fail_after(30):
        async with world.server() as server:
            peer = await connect(server.address)
            await peer.upgrade()
            await settled(lambda: server.sinks)
            server.listener.cut_all()
            assert await peer.close_code() == (None if world.secure else 4200)
            await settled(lambda: server.sinks[0].causes)
            assert server.sinks[0].causes == [Lost.FINISHED]
            peer.sock.close()


async def test_an_open_connection_has_two_tasks_and_a_closed_one_none(world: World) -> None:
    with trio.fail_after(30):
        async with world.server() as server:
            base = trio.lowlevel.current_statistics().tasks_living
            peers = [await connect(server.address) for _ in range(10)]
            for peer in peers:
                await peer.upgrade()
                await peer.send(text("hello"))
                assert await peer.text() == "hello"
            await settled(lambda: trio.lowlevel.current_statistics().tasks_living - base <= 2 * len(peers))
            for peer in peers:
                peer.sock.close()
            await settled(lambda: trio.lowlevel.current_statistics().tasks_living == base)
            assert server.listener.live == 0


MESSAGES = st.lists(
    st.tuples(st.text(st.characters(codec="utf-8"), max_size=300), st.integers(1, 4), st.booleans()), max_size=12
)


@pytest.mark.parametrize("wire", WIRES)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=MESSAGES, cuts=st.lists(st.integers(0, 4_000), max_size=8))
def test_any_messages_in_any_fragments_and_any_segments_arrive_as_they_were(
    wire: str, messages: list[tuple[str, int, bool]], cuts: list[int]
) -> None:
    sent = b""
    for words, pieces, ping in messages:
        raw = words.encode()
        size = len(raw) // pieces + 1
        parts = [raw[i * size : (i + 1) * size] for i in range(pieces)]
        for index, part in enumerate(parts):
            sent += frame(0 if index else 1, part, fin=index == pieces - 1)
            sent += frame(PING) if ping and index == 0 else b""

    async def run() -> None:
        async with World(WIRES[wire], secure=False).pair() as (sink, peer):
            edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
            for start, end in pairwise(edges):
                await peer.send(sent[start:end])
                await trio.lowlevel.checkpoint()
            await settled(lambda: len(sink.texts) >= len(messages) or sink.causes)
            assert sink.texts == [words for words, _, _ in messages]

    trio.run(run)
