"""The way out, over a transport whose pace the test sets: in which order things leave, and what is dropped."""

import inspect

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.people.outlet import Batch, Outlet
from gateway.outlet import SocketOutlet
from gateway.wire.contract import Lost
from gateway.wire.framing import text_frame
from tests.gateway.outlet_bench import PIT, STAGE, Bench, batch, fill


@pytest.fixture(params=[True, False], ids=["socket", "stream"])
def direct(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def bench(nursery: trio.Nursery, direct: bool) -> Bench:
    return Bench(nursery, direct=direct)


def test_it_is_an_outlet() -> None:
    wanted = {name for name, value in vars(Outlet).items() if inspect.isfunction(value) or isinstance(value, property)}
    assert {name for name in wanted if not name.startswith("_")} <= set(dir(SocketOutlet))


async def test_a_batch_that_fits_leaves_at_once_and_makes_no_task(nursery: trio.Nursery) -> None:
    bench = Bench(nursery)
    bench.pipe.allow(10_000)
    tasks = len(nursery.child_tasks)
    assert bench.outlet.chat(batch(PIT, 1, 3))
    assert bench.words() == [b"pit 1", b"pit 2", b"pit 3"]
    assert bench.outlet.idle
    assert len(nursery.child_tasks) == tasks
    assert bench.outlet.bytes == len(bench.pipe.wire)


async def test_what_does_not_fit_leaves_later_in_order_and_then_the_task_is_gone(bench: Bench) -> None:
    await bench.take(30)
    for seq in range(1, 6):
        assert bench.outlet.chat(batch(PIT, seq, seq))
    assert not bench.outlet.idle
    await wait_all_tasks_blocked()
    assert len(bench.nursery.child_tasks) == 1
    await bench.take(10_000)
    assert bench.words() == [b"pit %d" % seq for seq in range(1, 6)]
    assert bench.outlet.idle
    assert not bench.nursery.child_tasks


async def test_an_alert_goes_in_after_the_frame_in_flight_of_a_blob(nursery: trio.Nursery) -> None:
    bench = Bench(nursery)
    bench.pipe.allow(50)  # into the third of 22 bytes each
    bench.outlet.chat(batch(PIT, 1, 10))
    bench.outlet.control(text_frame(b"answer"))
    bench.outlet.alert(text_frame(b"ALERT"))
    await bench.take(10_000)
    assert bench.words() == [b"pit 1", b"pit 2", b"pit 3", b"ALERT", b"answer", *(b"pit %d" % n for n in range(4, 11))]


async def test_what_an_alert_interrupts_goes_on_before_what_waited_behind_it(nursery: trio.Nursery) -> None:
    bench = Bench(nursery)
    bench.pipe.allow(30)
    bench.outlet.chat(batch(PIT, 1, 4))
    bench.outlet.chat(batch(PIT, 5, 6))
    bench.outlet.alert(text_frame(b"ALERT"))
    await bench.take(10_000)
    assert bench.words() == [b"pit 1", b"pit 2", b"ALERT", *(b"pit %d" % n for n in range(3, 7))]


async def test_an_alert_between_two_frames_goes_in_there(nursery: trio.Nursery) -> None:
    bench = Bench(nursery)
    bench.pipe.allow(44)
    bench.outlet.chat(batch(PIT, 1, 4))
    bench.outlet.alert(text_frame(b"ALERT"))
    await bench.take(10_000)
    assert bench.words() == [b"pit 1", b"pit 2", b"ALERT", b"pit 3", b"pit 4"]


async def test_the_lanes_leave_in_the_order_of_their_worth(bench: Bench) -> None:
    await bench.take(1)
    bench.outlet.news("policy", text_frame(b"first in line"))
    await wait_all_tasks_blocked()
    bench.outlet.news("presence", text_frame(b"old presence"))
    bench.outlet.chat(batch(PIT, 1, 1))
    bench.outlet.pong(b"\x8a\x00")
    bench.outlet.control(text_frame(b"answer"))
    bench.outlet.alert(text_frame(b"ALERT"))
    bench.outlet.news("presence", text_frame(b"new presence"))
    await bench.take(10_000)
    first = bench.words()[0]
    assert first == b"first in line"
    assert bench.words()[1:] == [b"ALERT", b"answer", b"", b"pit 1", b"new presence"]


async def test_one_pong_waits_at_most_and_it_is_the_latest(bench: Bench) -> None:
    bench.outlet.control(text_frame(b"busy"))
    for number in range(50):
        bench.outlet.pong(bytes((0x8A, 1, number)))
    await bench.take(10_000)
    assert bytes(bench.pipe.wire) == text_frame(b"busy") + bytes((0x8A, 1, 49))


async def test_news_keeps_so_many_keys_and_drops_the_oldest(bench: Bench) -> None:
    bench.outlet.control(text_frame(b"busy"))
    for key in "abcd":
        bench.outlet.news(key, text_frame(key.encode()))
    await bench.take(10_000)
    assert bench.words() == [b"busy", b"b", b"c", b"d"]


@pytest.mark.parametrize(("gone", "lowest"), [(0, 1), (1, 2), (22, 2), (23, 3), (43, 3), (44, 3), (45, 4)])
async def test_over_the_bound_the_lowest_seq_that_did_not_leave_is_reported(
    nursery: trio.Nursery, gone: int, lowest: int
) -> None:
    bench = Bench(nursery)
    bench.pipe.allow(gone)
    assert bench.outlet.chat(batch(PIT, 1, 10))
    assert bench.outlet.chat(batch(STAGE, 7, 12))
    assert not bench.outlet.chat(batch(PIT, 11, 20)), "20 frames is the bound"
    assert dict(bench.behind) == {PIT: lowest, STAGE: 7}
    assert len(bench.behind) == 2
    await bench.take(10_000)
    assert bench.words() == [b"pit %d" % seq for seq in range(1, lowest)]


async def test_the_bound_is_in_bytes_too(bench: Bench) -> None:
    assert bench.outlet.chat(batch(PIT, 1, 1, size=1_500))
    assert bench.outlet.chat(batch(PIT, 2, 2, size=100))
    assert not bench.outlet.chat(batch(STAGE, 1, 1, size=1_500))
    assert (STAGE, 1) in bench.behind


async def test_one_batch_larger_than_the_bound_is_taken_when_nothing_waits(bench: Bench) -> None:
    assert bench.outlet.chat(batch(PIT, 1, 30, size=200))
    await bench.take(100_000)
    assert len(bench.words()) == 30


async def test_an_alert_reaches_one_who_is_over_the_bound(nursery: trio.Nursery) -> None:
    bench = Bench(nursery)
    bench.pipe.allow(5)
    fill(bench, PIT)
    bench.outlet.alert(text_frame(b"ALERT"))
    await bench.take(10_000)
    assert bench.words() == [b"pit 1", b"ALERT"]


async def test_a_page_is_taken_over_the_bound_and_told_how_fast_it_left(
    bench: Bench, autojump_clock: MockClock
) -> None:
    assert bench.outlet.bytes_per_s is None
    bench.outlet.chat(batch(STAGE, 1, 20))
    page = batch(PIT, 1, 20, size=200)
    bench.outlet.page(page)
    await trio.sleep(20)
    await bench.take(100_000)
    assert bench.words()[-1] == b"pit 20"
    assert bench.outlet.bytes_per_s == pytest.approx(len(bench.pipe.wire) / 20)


async def test_a_page_that_left_at_once_says_nothing_of_the_line(nursery: trio.Nursery) -> None:
    """A phone at 1 kB/s was believed to take megabytes a second, because its first page went into the kernel's buffer:
    the next one was of 64 KiB and took a minute."""
    bench = Bench(nursery)
    bench.pipe.allow(10_000)
    bench.outlet.page(batch(PIT, 1, 20))
    assert bench.outlet.bytes_per_s is None


async def test_what_of_a_page_did_not_have_to_wait_is_not_measured(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    bench = Bench(nursery)
    page = batch(PIT, 1, 20, size=200)
    bench.pipe.allow(len(page.blob) - 1_000)
    bench.outlet.page(page)
    await trio.sleep(40)
    await bench.take(1_000)
    assert bench.outlet.bytes_per_s == pytest.approx(25)
    bench.pipe.allow(len(page.blob))
    bench.outlet.page(page)
    bench.pipe.in_kernel = len(page.blob)
    assert bench.outlet.look() == len(page.blob)
    assert bench.outlet.bytes_per_s == pytest.approx(25), "our kernel has taken it, and nobody has read it"


async def test_a_few_bytes_that_stood_still_measure_nothing(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    bench = Bench(nursery)
    bench.outlet.page(batch(PIT, 1, 1))
    await trio.sleep(40)
    await bench.take(10_000)
    assert bench.outlet.bytes_per_s is None


async def test_when_only_the_caught_up_of_a_page_was_dropped_the_seq_after_it_is_reported(
    nursery: trio.Nursery,
) -> None:
    bench = Bench(nursery)
    bench.pipe.allow(2 * 22)
    bench.outlet.page(batch(PIT, 5, 6, extra=b"caught up"))
    fill(bench)
    assert dict(bench.behind) == {PIT: 7, STAGE: 1}
    await bench.take(10_000)
    assert bench.words() == [b"pit 5", b"pit 6"]


async def test_a_page_without_entries_is_reported_as_the_seq_it_stands_before(nursery: trio.Nursery) -> None:
    """A gap frame goes before a page, as a batch of its own: first 40, last 39."""
    bench = Bench(nursery)
    bench.outlet.control(text_frame(b"busy"))
    bench.outlet.page(Batch(PIT, 40, 39, text_frame(b"gap"), 1))
    fill(bench)
    assert dict(bench.behind)[PIT] == 40


async def test_idle_calls_take_turns(bench: Bench) -> None:
    """Two rooms wait to feed the same slow member: one page at a time, not one each."""
    bench.outlet.control(text_frame(b"busy"))
    bench.outlet.when_idle(lambda: bench.outlet.page(batch(PIT, 1, 1)))
    bench.outlet.when_idle(lambda: bench.outlet.page(batch(STAGE, 1, 1)))
    await bench.take(6)
    assert bench.words() == [b"busy"]
    await bench.take(22)
    assert bench.words() == [b"busy", b"pit 1"]
    await bench.take(22)
    assert bench.words() == [b"busy", b"pit 1", b"stage 1"]
    called: list[int] = []
    bench.outlet.when_idle(lambda: called.append(1))
    assert called == [1], "at once when idle"


async def test_too_many_unread_answers_finish_the_connection(bench: Bench) -> None:
    for number in range(8):
        bench.outlet.control(text_frame(b"answer %d" % number))
    assert bench.outlet.code == 4100
    assert bench.outlet.cause is Lost.FINISHED
    await bench.take(10_000)
    assert bench.words()[-2] == b"bye 4100"


async def test_a_member_who_left_a_room_hears_no_more_of_it(nursery: trio.Nursery) -> None:
    bench = Bench(nursery)
    bench.pipe.allow(30)
    bench.outlet.chat(batch(PIT, 1, 5))
    bench.outlet.chat(batch(STAGE, 1, 2))
    bench.outlet.chat(batch(PIT, 6, 6))
    bench.outlet.forget(PIT)
    await bench.take(10_000)
    assert bench.words() == [b"pit 1", b"pit 2", b"stage 1", b"stage 2"]
    assert bench.behind == []
