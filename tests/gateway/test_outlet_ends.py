"""How a way out ends: finished, broken, stuck."""

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway.outlet import SocketOutlet
from gateway.wire.contract import Lost
from gateway.wire.framing import text_frame
from tests.gateway.outlet_bench import GOODBYE, PIT, Bench, batch, words


@pytest.fixture(params=[True, False], ids=["socket", "stream"])
def direct(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def bench(nursery: trio.Nursery, direct: bool) -> Bench:
    return Bench(nursery, direct=direct)


async def test_finish_completes_the_frame_in_flight_and_says_goodbye(nursery: trio.Nursery) -> None:
    bench = Bench(nursery)
    bench.pipe.allow(30)
    bench.outlet.chat(batch(PIT, 1, 5))
    bench.outlet.control(text_frame(b"error"))
    bench.outlet.news("policy", text_frame(b"policy"))
    bench.outlet.finish(4200, 1000)
    await bench.take(10_000)
    assert bytes(bench.pipe.wire).endswith(GOODBYE)
    assert words(bytes(bench.pipe.wire)[: -len(GOODBYE)]) == [b"pit 1", b"pit 2", b"error"]


async def test_the_first_code_wins_and_later_offers_are_taken_and_dropped(bench: Bench) -> None:
    bench.pipe.allow(10_000)
    bench.outlet.finish(4200)
    bench.outlet.finish(4403)
    assert bench.outlet.chat(batch(PIT, 1, 1)), "no room is to think this one behind"
    bench.outlet.page(batch(PIT, 1, 1))
    bench.outlet.control(text_frame(b"answer"))
    bench.outlet.alert(text_frame(b"ALERT"))
    bench.outlet.news("policy", text_frame(b"policy"))
    bench.outlet.pong(b"\x8a\x00")
    bench.outlet.when_idle(lambda: pytest.fail("nobody is to feed a closing connection"))
    assert not bench.outlet.idle
    await wait_all_tasks_blocked()
    assert bytes(bench.pipe.wire) == GOODBYE


async def test_a_peer_that_closes_in_its_turn_ends_it_at_once(bench: Bench, autojump_clock: MockClock) -> None:
    bench.pipe.allow(10_000)
    start = trio.current_time()
    bench.outlet.finish(4200)
    await wait_all_tasks_blocked()
    assert not bench.pipe.half_closed
    bench.outlet.peer_closed()
    await wait_all_tasks_blocked()
    assert bench.pipe.half_closed
    bench.outlet.peer_gone()
    await wait_all_tasks_blocked()
    assert bench.pipe.aborted
    assert bench.dead == [Lost.FINISHED]
    assert trio.current_time() == start


@pytest.mark.parametrize(("reads", "seconds"), [(True, 3), (False, 2)])
async def test_a_silent_peer_is_given_its_time_and_no_more(
    bench: Bench, autojump_clock: MockClock, reads: bool, seconds: int
) -> None:
    start = trio.current_time()
    bench.pipe.allow(10_000 if reads else 3)
    bench.outlet.finish(4200)
    for second in range(1, 5):
        await trio.sleep_until(start + second - 0.1)
        assert bench.pipe.aborted == (second > seconds)
    assert bench.dead == [Lost.FINISHED]


async def test_last_words_are_said_without_waiting(nursery: trio.Nursery) -> None:
    bench = Bench(nursery)
    bench.pipe.allow(30)
    bench.outlet.chat(batch(PIT, 1, 5))
    bench.pipe.open_silently(1_000)
    bench.outlet.last_words(4200)
    assert bench.pipe.aborted
    assert bytes(bench.pipe.wire).endswith(GOODBYE)
    assert words(bytes(bench.pipe.wire)[: -len(GOODBYE)]) == [b"pit 1", b"pit 2"]


OFFERS: dict[str, Callable[[SocketOutlet], Any]] = {
    "chat": lambda outlet: outlet.chat(batch(PIT, 1, 1)),
    "page": lambda outlet: outlet.page(batch(PIT, 1, 1)),
    "control": lambda outlet: outlet.control(text_frame(b"x")),
    "alert": lambda outlet: outlet.alert(text_frame(b"x")),
    "news": lambda outlet: outlet.news("k", text_frame(b"x")),
    "pong": lambda outlet: outlet.pong(b"\x8a\x00"),
    "finish": lambda outlet: outlet.finish(4200),
    "last words": lambda outlet: outlet.last_words(4200),
    "check": lambda outlet: outlet.check_stuck(1e9),
}


@pytest.mark.parametrize("error", [ConnectionResetError, BrokenPipeError])
@pytest.mark.parametrize("offer", OFFERS)
async def test_a_broken_connection_never_raises_and_says_so_once(
    nursery: trio.Nursery, offer: str, error: type[OSError]
) -> None:
    bench = Bench(nursery)
    bench.pipe.broken = error()
    for name in (offer, *OFFERS):
        OFFERS[name](bench.outlet)
    await wait_all_tasks_blocked()
    assert bench.outlet.dead
    assert len(bench.dead) == 1
    assert bench.pipe.aborted


async def test_a_connection_that_breaks_while_something_waits_dies_in_the_flush(bench: Bench) -> None:
    bench.outlet.chat(batch(PIT, 1, 5))
    bench.outlet.when_idle(lambda: pytest.fail("it never became idle"))
    await wait_all_tasks_blocked()
    bench.pipe.broken = ConnectionResetError()
    await bench.take(1)
    assert bench.dead == [Lost.GONE]


class TestStuck:
    """Stuck: something is owed to the peer and its kernel acknowledges nothing for 60 s."""

    async def test_an_idle_connection_never_is(self, nursery: trio.Nursery) -> None:
        bench = Bench(nursery)
        bench.pipe.allow(1_000)
        bench.outlet.control(text_frame(b"x"))
        for now in range(0, 10_000, 5):
            bench.outlet.check_stuck(now)
        assert not bench.outlet.dead
        assert bench.pipe.asked <= 2, "cheap when idle"

    async def test_unsent_bytes_that_do_not_fall_for_60_s_are(self, nursery: trio.Nursery) -> None:
        bench = Bench(nursery)
        bench.pipe.allow(1_000)
        bench.outlet.check_stuck(0)
        bench.outlet.control(text_frame(b"x"))
        bench.pipe.in_kernel = 3
        for now in range(0, 60, 5):
            bench.outlet.check_stuck(now)
        assert not bench.outlet.dead
        bench.outlet.check_stuck(60)
        assert bench.dead == [Lost.STUCK]
        assert bench.pipe.reset, "what the kernel still holds is dropped"

    async def test_a_slow_reader_with_a_full_kernel_is_not(self, nursery: trio.Nursery) -> None:
        """It reads 1 byte in 30 s, and as much follows at once: the unsent bytes are always as many."""
        bench = Bench(nursery)
        bench.pipe.in_kernel = 16_384
        bench.pipe.allow(1)
        bench.outlet.chat(batch(PIT, 1, 9))
        for now in range(0, 3_000, 5):
            if now % 30 == 0:
                await bench.take(1)
            bench.outlet.check_stuck(now)
        assert not bench.outlet.dead

    async def test_a_slow_reader_that_drains_what_the_kernel_has_is_not(self, nursery: trio.Nursery) -> None:
        bench = Bench(nursery)
        bench.pipe.allow(1_000)
        bench.outlet.control(text_frame(b"x" * 100))
        for left in range(100, 0, -1):
            bench.pipe.in_kernel = left
            bench.outlet.check_stuck((101 - left) * 50)
        assert not bench.outlet.dead

    async def test_where_unsent_bytes_cannot_be_known_a_full_socket_is_looked_at(self, nursery: trio.Nursery) -> None:
        bench = Bench(nursery)
        bench.pipe.in_kernel = None
        bench.pipe.allow(5)
        bench.outlet.chat(batch(PIT, 1, 9))
        for now in range(0, 70, 5):
            bench.outlet.check_stuck(now)
        assert bench.dead == [Lost.STUCK]
