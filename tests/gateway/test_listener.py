"""The front door over real sockets: who is let in, who is turned away, and how it closes."""

import errno
import socket
from typing import Any

import httpx
import pytest
import trio

from gateway.admission import BEYOND_TLS_MOST, ListenerLimits
from gateway.http import HttpError, Request, Response
from gateway.listener import Door, Listener
from gateway.wire.limits import WireLimits
from gateway.wire.portable import Portable
from tests.hazards.echo_server import PROTOCOL, EchoServer, EchoSink, bye, echo_server
from tests.wire.frames import text
from tests.wire.peer import client_tls, connect, connected, request, server_tls, settled


def url(server: EchoServer, path: str) -> str:
    return f"{'https' if server.address.tls else 'http'}://127.0.0.1:{server.address.port}{path}"


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_pages_are_served_beside_the_sockets(secure: bool) -> None:
    with trio.fail_after(30):
        async with echo_server(server_tls() if secure else None) as server:
            async with httpx.AsyncClient(verify=client_tls(), timeout=30) as client:
                got = await client.get(url(server, "/hello?x=1"))
                assert (got.status_code, got.text) == (200, "hello\n")
                assert got.headers["x-content-type-options"] == "nosniff"
                for path, status in (("/nowhere", 404), ("/ws", 426)):
                    got = await client.get(url(server, path))
                    assert got.status_code == status
                    assert got.text.endswith(".\n")
                assert (await client.post(url(server, "/hello"), content=b"x")).status_code in (405, 413)
                got = await client.get(url(server, "/hello"), headers={"Host": "evil.example"})
                assert got.status_code == 403
            await settled(lambda: server.listener.live == 0)


async def test_a_large_page_arrives_whole_and_a_route_may_refuse() -> None:
    asset = bytes(range(256)) * 20_000

    async def big(_request: Request) -> Response:
        return Response(body=asset, content_type="application/octet-stream")

    async def closed(_request: Request) -> Response:
        raise HttpError(404, "Not today.")

    for tls in (None, server_tls()):
        listener = Listener(
            serve=Portable(bye=bye, limits=WireLimits()).serve,
            doors={},
            routes={"/big": big, "/closed": closed},
            limits=ListenerLimits(),
        )
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery, httpx.AsyncClient(verify=client_tls(), timeout=30) as client:
                await nursery.start(listener.run)
                (address,) = await listener.listen("127.0.0.1", 0, tls)
                base = f"{'https' if tls else 'http'}://127.0.0.1:{address.port}"
                assert (await client.get(f"{base}/big")).content == asset
                assert (await client.get(f"{base}/closed")).text == "Not today.\n"
                listener.cut_all()


async def test_an_answer_survives_bytes_that_nobody_reads() -> None:
    """Closing with unread bytes makes the kernel send RST, and the client loses what it was told."""
    with trio.fail_after(30):
        async with echo_server() as server:
            for _ in range(3):
                peer = await connect(server.address)
                await peer.send(request(headers={"Content-Length": "50000"}) + b"x" * 50_000)
                await trio.testing.wait_all_tasks_blocked(0.02)
                assert (await peer.response())[0] == 413
                assert (await peer.rest()).endswith(b".\n")
                peer.sock.close()


async def test_a_full_house_says_503_and_when_to_come_back() -> None:
    with trio.fail_after(30):
        async with echo_server(limits=ListenerLimits(connections=2)) as server:
            async with connected(server.address), connected(server.address):
                waits = set()
                for _ in range(12):
                    peer = await connect(server.address)
                    await peer.send(request())
                    status, head = await peer.response()
                    assert status == 503
                    waits.add(int(head.lower().partition(b"retry-after: ")[2].split(b"\r\n")[0]))
                    assert b"full" in await peer.rest()
                    peer.sock.close()
                assert all(5 <= wait <= 10 for wait in waits)
                assert len(waits) > 1, "with jitter"
            await settled(lambda: server.listener.live == 0)
            async with connected(server.address) as peer:
                await peer.send(text("room again"))
                assert await peer.text() == "room again"


async def test_no_setting_lets_in_more_than_there_are_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond were neither let in nor told: accept() failed ten times a second."""
    monkeypatch.setattr("gateway.listener.raise_file_limit", lambda: 100)
    with trio.fail_after(30):
        limits = ListenerLimits(connections=5_000, spare_files=98)
        async with echo_server(limits=limits) as server, connected(server.address), connected(server.address):
            peer = await connect(server.address)
            await peer.send(request())
            assert (await peer.response())[0] == 503
            peer.sock.close()


async def test_over_tls_a_full_house_answers_few_and_closes_on_the_others() -> None:
    """To answer costs a handshake."""
    share = BEYOND_TLS_MOST // 4  # of one address
    with trio.fail_after(30):
        limits = ListenerLimits(connections=1, head_s=30)
        async with echo_server(server_tls(), limits) as server, connected(server.address):
            silent = [await trio.open_tcp_stream("127.0.0.1", server.address.port) for _ in range(share)]
            await settled(lambda: server.listener.admission.beyond == share)
            with pytest.raises(trio.BrokenResourceError):
                await connect(server.address)
            for stream in silent:
                await stream.aclose()
            await settled(lambda: not server.listener.admission.beyond)
            peer = await connect(server.address)
            await peer.send(request())
            assert (await peer.response())[0] == 503
            peer.sock.close()


async def test_strangers_keep_out_strangers_but_not_members() -> None:
    class Member(EchoSink):
        def text(self, message: str) -> None:
            self.wire.arrival.authenticated()
            super().text(message)

    with trio.fail_after(30):
        limits = ListenerLimits(strangers=3)  # of which one address may have two
        async with echo_server(limits=limits, sink=Member) as server, connected(server.address) as one:
            two = await connect(server.address)
            await two.upgrade()
            refused = await connect(server.address)
            await refused.send(request())
            assert (await refused.response())[0] == 503
            await one.send(text("hello"))
            await one.text()
            async with connected(server.address):
                assert server.listener.admission.strangers == 2
            two.sock.close()
            refused.sock.close()


async def test_the_arrival_knows_where_and_when() -> None:
    with trio.fail_after(30):
        async with echo_server() as server, connected(server.address):
            await settled(lambda: server.sinks)
            arrival = server.sinks[0].wire.arrival
            assert (arrival.remote, arrival.proxied) == ("127.0.0.1", False)
            assert 0 <= trio.current_time() - arrival.since < 30


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_the_kernel_holds_little_that_no_alert_overtakes(secure: bool) -> None:
    """Also over TLS, where trio sets its own when it takes the socket over."""
    with trio.fail_after(30):
        limits = ListenerLimits(unsent_bytes=4_096)
        async with echo_server(server_tls() if secure else None, limits) as server, connected(server.address):
            await settled(lambda: server.sinks)
            wire: Any = server.sinks[0].wire
            sock = wire._transport._sock
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            if hasattr(socket, "TCP_NOTSENT_LOWAT"):
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 4_096


async def test_out_of_files_it_waits_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """accept() says EMFILE for as long as no file is free; the loop must neither end nor spin."""
    failures = 0

    class Full:
        def __init__(self, sock: socket.socket) -> None:
            self._sock = sock

        def accept(self) -> Any:
            nonlocal failures
            if failures < 3:
                failures += 1
                raise OSError(errno.EMFILE if failures < 3 else errno.ECONNABORTED, "no")
            return self._sock.accept()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._sock, name)

    with trio.fail_after(30):
        async with echo_server() as server:
            entrance = server.listener._entrances[0]
            entrance.sock = Full(entrance.sock)  # type: ignore[assignment]
            start = trio.current_time()
            async with connected(server.address) as peer:
                await peer.send(text("hello"))
                assert await peer.text() == "hello"
            assert failures == 3
            assert trio.current_time() - start >= 0.2, "it paused"
            assert server.logs == ["accept_failed", "accept_failed"]


async def test_arrivals_beyond_the_rate_wait_and_all_come_in() -> None:
    with trio.fail_after(30):
        async with echo_server(limits=ListenerLimits(accepts_per_s=50)) as server:
            start, peers = trio.current_time(), []
            for _ in range(70):
                peers.append(await connect(server.address))
            async with trio.open_nursery() as nursery:
                for peer in peers:
                    nursery.start_soon(peer.upgrade)
            assert trio.current_time() - start >= 19 / 50
            for peer in peers:
                peer.sock.close()


async def test_a_door_that_stops_keeps_those_inside() -> None:
    with trio.fail_after(30):
        async with echo_server() as server, connected(server.address) as peer:
            late = await connect(server.address)
            await settled(lambda: server.listener.live == 2)
            server.listener.stop_accepting()
            with pytest.raises(OSError, match=r"refused|all attempts"):
                await connect(server.address)
            await late.send(request())
            assert (await late.response())[0] == 503
            late.sock.close()
            await peer.send(text("still here"))
            assert await peer.text() == "still here"
            server.sinks[0].wire.outlet.finish(4200)
            assert await peer.close_code() == 4200
            peer.sock.close()
            await server.listener.emptied()
            assert server.listener.live == 0


async def test_an_empty_house_is_empty_as_soon_as_it_stops() -> None:
    with trio.fail_after(30):
        async with echo_server() as server:
            server.listener.stop_accepting()
            await server.listener.emptied()


async def test_a_port_that_is_taken_is_an_error_for_the_caller() -> None:
    with trio.fail_after(30):
        async with echo_server() as server:
            with pytest.raises(OSError, match="in use"):
                await server.listener.listen("127.0.0.1", server.address.port)
            async with connected(server.address) as peer:
                await peer.send(text("hello"))
                assert await peer.text() == "hello"


async def test_one_listener_speaks_plain_and_tls_on_two_ports() -> None:
    with trio.fail_after(30):
        async with echo_server() as server:
            (secure,) = await server.listener.listen("127.0.0.1", 0, server_tls())
            for address in (server.address, secure):
                async with connected(address) as peer:
                    await peer.send(text("hello"))
                    assert await peer.text() == "hello"


@pytest.mark.parametrize("path", ["/ws", "/admin/ws"])
async def test_each_door_has_its_own_origins(path: str) -> None:
    sinks: list[EchoSink] = []

    def attach(wire: Any) -> EchoSink:
        sinks.append(EchoSink(wire))
        return sinks[-1]

    listener = Listener(
        serve=Portable(bye=bye, limits=WireLimits()).serve,
        doors={
            "/ws": Door(PROTOCOL, attach, frozenset({"https://pages.example"})),
            "/admin/ws": Door("bandstand.admin.v1", attach, frozenset({"https://ops.example"})),
        },
        routes={},
        limits=ListenerLimits(),
    )
    own = {"/ws": "https://pages.example", "/admin/ws": "https://ops.example"}
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            await nursery.start(listener.run)
            (address,) = await listener.listen("127.0.0.1", 0)
            for origin in own.values():
                peer = await connect(address)
                await peer.send(request(path, headers={"Origin": origin}))
                assert (await peer.response())[0] == (101 if origin == own[path] else 403)
                peer.sock.close()
            listener.cut_all()
