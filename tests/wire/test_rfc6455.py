"""The same cases over a real socket: the close code on the wire is the right one, and nobody else notices."""

import pytest
import trio

from gateway.listener import Address
from tests.hazards.echo_server import echo_server
from tests.wire.frames import CASES, CLOSE, PONG, TEXT, Case, close, text
from tests.wire.peer import connected, server_tls


async def check(address: Address, case: Case) -> None:
    async with connected(address) as peer:
        # In its own time, so that what is refused on the way does not make a reset of the rest.
        await peer.send(case.sent)
        if case.closed is None:
            await peer.send(text("after") + close(1000))
        frames, code = await peer.ending()
        texts = [payload.decode() for opcode, payload in frames if opcode == TEXT]
        if case.closed is None:
            assert (texts, code) == ([*case.texts, "after"], 1000)
        else:
            assert code == case.closed
            if case.guard or case.name.startswith("text"):
                assert texts[-1].startswith('{"type":"bye"'), "proxies eat close reasons"
        assert all(opcode in (TEXT, PONG, CLOSE) for opcode, _ in frames)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_every_case_ends_with_its_close_code(secure: bool) -> None:
    wrong: list[str] = []
    with trio.fail_after(180):
        async with echo_server(server_tls() if secure else None) as server, connected(server.address) as bystander:
            for case in CASES if not secure else CASES[::4]:
                try:
                    with trio.fail_after(20):
                        await check(server.address, case)
                except (AssertionError, trio.TooSlowError, trio.BrokenResourceError) as fault:
                    wrong.append(f"{case.name}: {fault!r}")
            await bystander.send(text("still here"))
            assert await bystander.text() == "still here"
            assert server.listener.faults == 0
    assert not wrong, "\n".join(wrong)
