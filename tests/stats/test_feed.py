"""The feed: nobody who writes waits, whoever watches and whatever the place that keeps it does."""

from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from actors.stats.activity import Activity, Event, Silent
from actors.stats.feed import BATCH, STARTED, STOPPED, TEXT_LIMIT, Feed


class Shelf:
    """A place that keeps the feed. `trouble`: what it does instead."""

    def __init__(self) -> None:
        self.kept: list[int] = []
        self.sizes: list[int] = []
        self.trouble: str = ""

    async def __call__(self, events: Sequence[Event]) -> bool:
        self.sizes.append(len(events))
        match self.trouble:
            case "refuses":
                return False
            case "raises":
                raise OSError("the disk is full")
            case "hangs":
                await trio.sleep_forever()
        self.kept += [event.n for event in events]
        return True


def feed_of(shelf: Shelf | None = None, **how: int) -> Feed:
    return Feed(lambda: 7.5, shelf, **how)


def test_events_are_numbered_and_the_last_thousand_stay() -> None:
    feed = feed_of()
    for n in range(1, 1_501):
        feed.note("act", f"{n}", room="main" if n == 1_500 else None)
    replay = feed.replay()
    assert [event.n for event in replay] == list(range(501, 1_501))
    assert [event.n for event in feed.replay(3)] == [1_498, 1_499, 1_500]
    assert [event.n for event in feed.since(1_498)] == [1_499, 1_500]
    assert feed.since(1_500) == feed.since(9_999) == []
    assert feed.since(0)[0].n == 501
    assert replay[-1].shown() == {"n": 1_500, "at": 7.5, "kind": "act", "text": "1500", "room": "main"}


def test_it_goes_on_from_what_an_earlier_process_told() -> None:
    shelf = [Event(41, 1.0, "act", "a"), Event(42, 2.0, "server", STOPPED)]
    feed = feed_of()
    feed.restore(shelf)
    feed.note("act", "c")
    assert [(event.n, event.text) for event in feed.since(41)] == [(42, STOPPED), (43, STARTED), (44, "c")]


def test_no_number_is_given_twice_after_a_kill() -> None:
    """What was told within the last second before a kill is on no disk. Its numbers went to other events, and whoever
    had heard the first ones did not hear the second."""
    killed = feed_of()
    killed.restore([])
    for text in "abcde":
        killed.note("act", text)
    heard, written = killed.last, killed.replay()[:-2]
    feed = feed_of()
    feed.restore(written)
    feed.note("fault", "f")
    assert [event.text for event in feed.since(heard)] == [f"{STARTED}: the last one had not stopped in order", "f"]
    assert feed.since(written[-2].n)[0] == written[-1]
    feed.note("act", "g")
    assert [event.text for event in feed.since(feed.last - 1)] == ["g"]


def test_the_last_that_is_told_is_the_stop() -> None:
    first, second = feed_of(), feed_of()
    first.restore([])
    first.part()
    second.restore(first.replay())
    assert [event.n for event in second.replay()] == [1, 2, 3]


def test_what_is_too_long_is_cut_and_silence_is_an_activity() -> None:
    silent: Activity = Silent()
    silent.note("act", "nobody hears")
    feed: Feed = feed_of()
    feed.note("report", "x" * 5_000, data={"seq": 3})
    assert len(feed.replay()[0].text) == TEXT_LIMIT
    assert feed.replay()[0].shown()["data"] == {"seq": 3}


async def test_watchers_of_any_pace_hear_everything_in_order(autojump_clock: MockClock) -> None:
    feed = feed_of()
    heard: dict[float, list[int]] = {0.0: [], 0.7: [], 30.0: []}

    async def watch(pace: float) -> None:
        last = 0
        while True:
            for event in feed.since(last):
                heard[pace].append(event.n)
                last = event.n
                await trio.sleep(pace and 0.01)
            await trio.sleep(pace)
            if feed.last == last:
                await feed.wait()

    async with trio.open_nursery() as nursery:
        for pace in heard:
            nursery.start_soon(watch, pace)
        for _ in range(50):
            before = trio.current_time()
            for _ in range(10):
                feed.note("act", "x")
            assert trio.current_time() == before
            await trio.sleep(1)
        await trio.sleep(120)
        nursery.cancel_scope.cancel()
    assert set(map(tuple, heard.values())) == {tuple(range(1, 501))}


async def test_a_watcher_that_never_comes_back_costs_nothing(autojump_clock: MockClock) -> None:
    feed = feed_of()
    with trio.move_on_after(1):
        await feed.wait()
    for _ in range(10_000):
        feed.note("act", "x")
    assert len(feed.replay()) == 1_000


async def test_what_happens_is_kept_in_batches_once_a_second(autojump_clock: MockClock) -> None:
    shelf = Shelf()
    feed = feed_of(shelf)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.keep_writing)
        for _ in range(1_200):
            feed.note("act", "x")
        assert shelf.sizes == []
        await trio.sleep(1.5)
        assert shelf.sizes == [BATCH, BATCH, 200]
        await trio.sleep(100)
        assert len(shelf.sizes) == 3
        nursery.cancel_scope.cancel()
    assert shelf.kept == list(range(1, 1_201))
    assert feed.pending == 0


@pytest.mark.parametrize("trouble", ["refuses", "raises"])
async def test_what_is_not_taken_comes_again_within_the_bound(autojump_clock: MockClock, trouble: str) -> None:
    shelf = Shelf()
    shelf.trouble = trouble
    feed = feed_of(shelf, pending_limit=100)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.keep_writing)
        for _ in range(130):
            feed.note("act", "x")
        await trio.sleep(10.5)
        assert (feed.pending, feed.dropped, feed.refused) == (100, 30, 10)
        assert ("disk is full" in feed.last_refusal) == (trouble == "raises")
        shelf.trouble = ""
        await trio.sleep(2)
        nursery.cancel_scope.cancel()
    assert shelf.kept == list(range(31, 131))


async def test_a_place_that_hangs_holds_up_nobody_and_loses_nothing_that_fits(autojump_clock: MockClock) -> None:
    shelf = Shelf()
    shelf.trouble = "hangs"
    feed = feed_of(shelf)
    feed.note("act", "x")
    with trio.move_on_after(60):
        await feed.keep_writing()
    feed.note("act", "y")
    shelf.trouble = ""
    assert await feed.write_out()
    assert shelf.kept == [1, 2]
