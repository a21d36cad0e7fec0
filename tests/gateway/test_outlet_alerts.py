"""Whether an alert has left is known, for the ledger of who was reached; and it costs chat nothing."""

import inspect

import pytest
import trio

from gateway.outlet import SocketOutlet
from gateway.wire.contract import Lost
from gateway.wire.framing import text_frame
from tests.gateway.outlet_bench import PIT, Bench, batch

ALERT = text_frame(b"ALERT")


@pytest.fixture
def bench(nursery: trio.Nursery) -> Bench:
    return Bench(nursery)


async def test_an_alert_that_leaves_at_once_says_so_before_the_offer_returns(bench: Bench) -> None:
    bench.pipe.allow(100)
    written: list[int] = []
    bench.outlet.alert(ALERT, lambda: written.append(len(bench.pipe.wire)))
    assert written == [len(ALERT)]


@pytest.mark.parametrize("at_once", [0, 3])
async def test_an_alert_that_has_to_wait_says_so_when_its_last_byte_has_left(bench: Bench, at_once: int) -> None:
    bench.pipe.allow(at_once)
    written: list[int] = []
    bench.outlet.alert(ALERT, lambda: written.append(1))
    assert not written
    await bench.take(len(ALERT) - at_once - 1)
    assert not written
    await bench.take(1)
    assert written == [1]


async def test_each_of_many_alerts_behind_chat_says_so_once_and_in_order(bench: Bench) -> None:
    bench.pipe.allow(30)
    bench.outlet.chat(batch(PIT, 1, 10))
    written: list[int] = []
    for number in range(3):
        bench.outlet.alert(ALERT, lambda number=number: written.append(number))  # type: ignore[misc]
    bench.outlet.alert(ALERT)
    await bench.take(14)
    assert written == []
    await bench.take(2 * len(ALERT))
    assert written == [0, 1]
    await bench.take(10_000)
    assert written == [0, 1, 2]


async def test_what_dies_with_its_connection_was_never_written(bench: Bench) -> None:
    written: list[int] = []
    bench.outlet.alert(ALERT, lambda: written.append(1))
    bench.outlet.abort(Lost.GONE)
    bench.outlet.alert(ALERT, lambda: written.append(2))
    assert not written


def test_the_way_of_chat_knows_nothing_of_it() -> None:
    assert "written" not in inspect.getsource(SocketOutlet.chat)
