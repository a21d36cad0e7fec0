"""The same over TLS; and what is no TLS on a port that speaks it."""

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio
import trustme

from bench.wire import Address, new_key, upgrade_request
from tests.e2e.crowd import ROOM, settled, stored
from tests.e2e.server import Server, hosted, serving
from tests.e2e.talker import Gone, talking


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def papers(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    tmp_path = tmp_path_factory.mktemp("papers")
    issued = authority.issue_cert("127.0.0.1")
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    issued.private_key_pem.write_to_path(key)
    for blob in issued.cert_chain_pems:
        blob.write_to_path(chain, append=True)
    return {"wire__tls_cert": chain, "wire__tls_key": key}


@pytest.fixture(scope="module")
def house(papers: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with hosted(tmp_path_factory.mktemp("house"), **papers) as server:
        yield server


@pytest.fixture
def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def garbage() -> Iterator[bytes]:
    yield b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    yield upgrade_request(Address("127.0.0.1", 1), new_key())
    yield b"\x16\x03\x01\xff\xff" + b"\0" * 600
    yield b"\x16\x03\x01\x00\x05hello"
    yield b"\x80\x2e\x01\x00\x02"
    yield b"\xff" * 70_000
    yield b"\0"
    yield b""
    for _ in range(10):
        yield os.urandom(500)


async def throw(server: Server, data: bytes, end: str) -> None:
    async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        with trio.move_on_after(0.5), suppress(trio.BrokenResourceError):
            await stream.send_all(data)
            if end == "eof":
                await stream.send_eof()
                while await stream.receive_some(4_096):
                    pass
        if end == "reset":
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


async def test_join_post_and_resume_over_tls(papers: dict[str, Path], trust: ssl.SSLContext, tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with serving(tmp_path, **papers) as server:
            assert any("listening on https://127.0.0.1:" in line for line in server.said)
            async with talking(server.port, "Ana", tls=trust) as ana:
                async with talking(server.port, "Bo", tls=trust) as bo:
                    for each in (ana, bo):
                        ok = await each.good("join", room=ROOM, since=None)
                    first = await ana.good("send", room=ROOM, text="hello", cid="1")
                    heard = await bo.hears("message", seq=first["seq"])
                    bo.reset()
                rest = [await ana.good("send", room=ROOM, text=f"more {n}" * 200, cid=f"m{n}") for n in range(50)]
                async with talking(server.port, token=bo.ready["token"], tls=trust) as back:
                    assert back.ready["member"] == bo.ready["member"]
                    since = {"epoch": ok["epoch"], "seq": heard["seq"]}
                    assert (await back.good("join", room=ROOM, since=since))["mode"] == "resumed"
                    await back.hears("caught_up")
                    assert [frame["seq"] for frame in back.entries(ROOM)] == [ok["seq"] for ok in rest]
                    assert await server.stop() == 0
                    gone = await back.gone()
                    assert (gone.code, (gone.bye or {}).get("code")) == (4200, 4200)
            assert [row.seq for row in stored(server.journal)] == list(range(1, 52))


async def test_certificate_is_looked_at(house: Server) -> None:
    with trio.fail_after(60), pytest.raises(trio.BrokenResourceError):
        async with talking(house.port, "Ana", tls=ssl.create_default_context()):
            raise AssertionError


async def test_garbage_on_the_tls_port_disturbs_nobody(house: Server, trust: ssl.SSLContext) -> None:
    with trio.fail_after(60):
        async with talking(house.port, "Ana", tls=trust) as ana:
            await ana.good("join", room=ROOM, since=None)
            before = house.open_sockets()
            async with trio.open_nursery() as nursery:
                for data in garbage():
                    for end in ("eof", "reset", "close"):
                        nursery.start_soon(throw, house, data, end)
                for n in range(20):
                    await ana.good("send", room=ROOM, text="still here", cid=f"{n}")
            await settled(lambda: house.open_sockets() <= before)
            async with talking(house.port, "Bo", tls=trust) as bo:
                await bo.good("join", room=ROOM, since=None)


async def test_plain_client_on_the_tls_port_is_let_go(house: Server) -> None:
    with trio.fail_after(60), pytest.raises((Gone, trio.BrokenResourceError, OSError)):
        async with talking(house.port, "Ana"):
            raise AssertionError
