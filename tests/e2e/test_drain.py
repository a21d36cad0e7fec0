"""SIGTERM and Ctrl-C under load: everybody is told, nothing that was promised is lost, the process ends by itself."""

import signal
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest
import trio

from tests.e2e.crowd import Ledger, Person, settle, settled, stored
from tests.e2e.server import serving
from tests.e2e.talker import stranger, talking

POSTERS = 20
LISTENERS = 20


def crowd(port: int, ledger: Ledger, posting: Callable[[], bool], posters: int = POSTERS) -> list[Person]:
    """Who come back sooner than they are told to, for the test's sake: but only to the new process."""
    names = [f"poster {n}" for n in range(posters)] + [f"listener {n}" for n in range(LISTENERS)]
    return [
        Person(name, lambda: port, ledger, posting=posting if "poster" in name else lambda: False, patience=0.1)
        for name in names
    ]


async def test_sigterm_under_load_tells_everybody_and_loses_nothing(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
    ledger, still = Ledger(), True
    with trio.fail_after(90):
        async with serving(tmp_path) as server, trio.open_nursery() as nursery:
            people = crowd(server.port, ledger, lambda: still)
            for person in people:
                nursery.start_soon(person.live)
            await settled(lambda: len(ledger.acknowledged) > 200 and all(person.online for person in people))
            began, before = monotonic(), len(ledger.acknowledged)
            assert await server.stop() == 0
            took = monotonic() - began
            assert took < 20
            rows = {row.cid: (row.epoch, row.seq) for row in stored(server.journal)}
            assert {cid: rows.get(cid) for cid in ledger.acknowledged} == ledger.acknowledged
            await settled(lambda: all(person.losses for person in people))
            for person in people:
                last = person.losses[0]
                assert last.code == 4200, f"{person.name}: {last}"
                assert last.bye is not None
                assert last.bye["code"] == 4200
            waits = sorted(gone.bye["retry_after_ms"] for person in people if (gone := person.losses[0]).bye)
            assert len(set(waits)) == len(waits), "nobody comes back in step with anybody"
            assert 0 < waits[0] < waits[-1] <= 10_000
            assert waits[-1] - waits[0] > 2_000
            await server.start()
            back = len(ledger.acknowledged)
            await settled(lambda: len(ledger.acknowledged) > back + 100)
            still = False
            await settled(lambda: all(person.waiting is None for person in people))
            await settled(lambda: all(person.place.seq >= len(ledger.posted) for person in people))
            nursery.cancel_scope.cancel()
    settle(ledger, stored(server.journal), people)
    figures(
        f"{len(people)} people, {before} posts before; gone after {took:.2f} s; told to wait {waits[0]}..{waits[-1]} ms"
    )


@pytest.mark.parametrize(
    "twice",
    [
        pytest.param(signal.SIGINT, id="SIGINT"),
        pytest.param(signal.SIGTERM, id="SIGTERM", marks=pytest.mark.slow),
    ],
)
async def test_being_told_twice_to_stop_harms_nothing(twice: signal.Signals, tmp_path: Path) -> None:
    """An impatient operator presses Ctrl-C again while the first one drains."""
    ledger, still = Ledger(), True
    with trio.fail_after(60):
        async with serving(tmp_path) as server, trio.open_nursery() as nursery:
            people = crowd(server.port, ledger, lambda: still, posters=5)
            for person in people:
                nursery.start_soon(person.live)
            await settled(lambda: len(ledger.acknowledged) > 50)
            assert server.process is not None
            for _ in range(3):
                server.process.send_signal(twice)
                await trio.sleep(0.02)
            assert await server.ended() in (0, 130)
            rows = {row.cid: (row.epoch, row.seq) for row in stored(server.journal)}
            assert {cid: rows.get(cid) for cid in ledger.acknowledged} == ledger.acknowledged
            await server.start()
            still = False
            await settled(lambda: all(person.waiting is None for person in people))
            await settled(lambda: all(person.place.seq >= len(ledger.posted) for person in people))
            nursery.cancel_scope.cancel()
    settle(ledger, stored(server.journal), people)


async def test_while_it_drains_it_is_not_ready_and_takes_nobody(tmp_path: Path) -> None:
    """Who was at the door already hears 503; new connections are refused by the kernel, for the next process. A browser
    opens a spare connection and says nothing on it: once the end waited for such a one to be timed out, here 30 s."""
    with trio.fail_after(60):
        async with serving(tmp_path, limits__close_s=3, limits__request_head_s=40, limits__authenticate_s=40) as server:
            assert await server.get("/readyz") == (200, '{"ready":true,"failing":{}}')
            assert (await server.get("/healthz"))[0] == 200
            waiting = [await trio.open_tcp_stream("127.0.0.1", server.port) for _ in range(3)]
            async with stranger(server.port) as nobody, talking(server.port, "Ana") as ana:
                await nobody.until(lambda: nobody.hello)
                assert server.process is not None
                server.process.send_signal(signal.SIGTERM)
                ana_gone = await ana.gone()
                assert (ana_gone.code, (ana_gone.bye or {}).get("code")) == (4200, 4200)
                status, body = await server.get("/readyz", waiting[0])
                assert status == 503, body
                assert (await server.get("/ws", waiting[1]))[0] == 503
                with pytest.raises(OSError, match=str(server.port)):
                    await trio.open_tcp_stream("127.0.0.1", server.port)
                left = await nobody.gone()
                assert (left.code, (left.bye or {}).get("code")) == (4200, 4200), "strangers are told as well"
            began = monotonic()
            async with waiting[2]:
                assert await server.ended() == 0
                assert monotonic() - began < 25
