"""kill -9 in the middle of everything: what was acknowledged is there, once, in one order."""

import os
import random
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest
import trio

from tests.e2e.crowd import Ledger, Person, percentile, settle, settled, stored
from tests.e2e.server import serving

POSTERS = 20
LISTENERS = 3


@pytest.mark.parametrize(
    "kills",
    [3, pytest.param(int(os.environ.get("BANDSTAND_TEST_KILLS", "50")), marks=pytest.mark.slow)],
)
async def test_nothing_acknowledged_is_lost_by_kill_9(
    kills: int, tmp_path: Path, figures: Callable[[str], None]
) -> None:
    ledger, still, oks = Ledger(), True, 0
    recoveries: list[float] = []
    first_oks: list[float] = []
    costs: list[float] = []

    def count_ok() -> None:
        nonlocal oks
        oks += 1

    with trio.fail_after(60 + 10 * kills):
        async with serving(tmp_path, limits__failures_per_address=1_000_000) as server, trio.open_nursery() as nursery:
            names = [f"poster {n}" for n in range(POSTERS)] + [f"listener {n}" for n in range(LISTENERS)]
            people = [
                Person(
                    name,
                    lambda: server.port,
                    ledger,
                    posting=(lambda: still) if name.startswith("poster") else (lambda: False),
                    on_ok=count_ok,
                )
                for name in names
            ]
            for person in people:
                nursery.start_soon(person.live)
            for _ in range(kills):
                enough = oks + random.randrange(POSTERS, 15 * POSTERS)
                await settled(lambda: oks >= enough)  # noqa: B023
                await server.kill()
                began, before = monotonic(), oks
                await server.start()
                await server.ready()
                recoveries.append(monotonic() - began)
                costs.append(server.cpu_seconds())
                await settled(lambda: oks > before)  # noqa: B023
                first_oks.append(monotonic() - began)
            still = False
            await settled(lambda: all(person.waiting is None for person in people))
            head = len(ledger.posted)
            await settled(lambda: all(person.place.seq >= head for person in people))
            nursery.cancel_scope.cancel()
    settle(ledger, stored(server.journal), people)
    assert sum(len(person.losses) for person in people) >= kills * POSTERS // 2, "the kills were felt"
    figures(
        f"{kills} kills, {len(ledger.posted)} posts, {ledger.dups} repeats found by their cid, 0 lost, 0 doubled, "
        f"0 gaps; restart to ready p50 {percentile(recoveries, 0.5):.2f} s p99 {percentile(recoveries, 0.99):.2f} s "
        f"(CPU p50 {percentile(costs, 0.5):.2f} s p99 {percentile(costs, 0.99):.2f} s); "
        f"to the first ok p50 {percentile(first_oks, 0.5):.2f} s p99 {percentile(first_oks, 0.99):.2f} s"
    )
