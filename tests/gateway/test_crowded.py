"""A house that is full, an address that fails, and who gets in all the same."""

from pathlib import Path

import trio
from trio.testing import MockClock

from gateway.admission import Admission
from gateway.protocol.codes import CloseCode
from tests.gateway.serving import ADMIN, Live, ask, hear, serving
from tests.wire.peer import request, settled


async def status_of(live: Live, path: str = "/ws", **headers: str | None) -> int:
    peer = await live.peer()
    await peer.send(request(path, headers={**headers}))
    return (await peer.response())[0]


def admission(live: Live) -> Admission:
    return live.served.listener.admission


async def test_slow_phones_bar_nobody_behind_the_same_router(tmp_path: Path, mock_clock: MockClock) -> None:
    """64 connections that had said nothing in time barred their address: members with a good token, and the probes by
    which a healthy server was then restarted."""
    mock_clock.rate = 1  # time goes on, and jumps when all of them are in
    with trio.fail_after(120):
        async with serving(tmp_path, limits__authenticate_s=30) as live:
            _, ready = await live.member(nickname="Bo")
            silent = [await live.stranger() for _ in range(70)]
            mock_clock.jump(40)
            for peer in silent:
                assert await peer.close_code() == CloseCode.AUTH_TIMEOUT
            _, again = await live.member(token=ready["token"])
            assert again["member"] == ready["member"]
            assert await live.get("/healthz") == 200


async def test_refused_tokens_bar_refused_tokens_and_nothing_else(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with serving(tmp_path, limits__failures_per_address=3) as live:
            _, ready = await live.member(nickname="Bo")
            guesser = await live.stranger()
            for _ in range(3):
                assert (await ask(guesser, "auth", token="b1.forged"))["code"] == "unauthorized"
            assert (await ask(guesser, "auth", token="b1.forged"))["code"] == "unauthorized"
            assert (await hear(guesser, "bye"))["code"] == CloseCode.TOKEN
            next_one = await live.stranger()
            assert (await ask(next_one, "auth", token="b1.forged"))["code"] == "unauthorized"
            assert await next_one.close_code() == CloseCode.TOKEN, "once, and no more often"
            _, again = await live.member(token=ready["token"])
            assert again["member"] == ready["member"]
            await live.member(nickname="Cy")
            assert [await live.get(path) for path in ("/healthz", "/readyz", "/metrics")] == [200] * 3


async def test_probes_and_operators_get_through_when_strangers_fill_the_house(
    tmp_path: Path, quick_hashes: None
) -> None:
    with trio.fail_after(30):
        async with serving(tmp_path, limits__unauthenticated=4, limits__request_head_s=15) as live:
            silent = [await live.peer() for _ in range(3)]  # as many as one address may have
            await settled(lambda: admission(live).strangers == len(silent))
            assert await status_of(live) == 503
            assert await live.get("/metrics") == 503
            assert await live.get("/healthz") == await live.get("/readyz") == 200
            await live.operator()
            await settled(lambda: (admission(live).beyond, admission(live).kept) == (0, 0))
            assert await status_of(live, "/admin/ws", **ADMIN) == 101
            assert admission(live).kept == 1


async def test_operators_and_probes_share_a_crowds_address_behind_a_proxy_too(tmp_path: Path) -> None:
    """As without a proxy: a festival's router is also that of its office."""
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    with trio.fail_after(30):
        async with serving(tmp_path, limits__unauthenticated=4, trusted_proxies=("127.0.0.1",)) as live:
            for _ in range(3):
                assert await status_of(live, **forwarded) == 101
            assert await status_of(live, **forwarded) == 503
            assert [await status_of(live, path, **forwarded) for path in ("/healthz", "/readyz")] == [200, 200]
            assert await status_of(live, "/admin/ws", **forwarded, **ADMIN) == 101
            assert (admission(live).strangers, admission(live).kept) == (3, 1)
            await settled(lambda: not admission(live).beyond)
            assert await status_of(live, **{"X-Forwarded-For": "203.0.113.10"}) == 101


async def test_whoever_reads_an_answer_slowly_keeps_no_newcomer_out(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with serving(tmp_path, limits__unauthenticated=4, limits__linger_s=30) as live:
            readers = [await live.peer() for _ in range(3)]
            for reader in readers:
                await reader.send(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            await settled(lambda: admission(live).live == 3)
            await settled(lambda: not admission(live).strangers)
            await live.member(nickname="Ana")
