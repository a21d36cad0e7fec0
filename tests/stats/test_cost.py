"""What the numbers cost the loop that serves people. Generous bounds here; the figures are told at the end."""

from collections.abc import Callable
from time import perf_counter, process_time

import trio

from actors.events import Policy
from actors.journal.log import RoomRecord
from actors.names import Epoch, RoomCode, RoomName
from actors.people.outlet import Batch, Seat
from actors.people.precedence import Precedence
from actors.room.fanout import CHUNK, Fanout
from actors.stats.actor import Stats
from actors.stats.board import Board
from actors.stats.chronicle import Chronicle
from actors.stats.feed import Feed
from actors.stats.sources import Outside, Sources
from actors.tally import RoomLook, RoomTally, Tally
from tests.room.hall import LoopClock

ROOMS, MEMBERS = 100, 5_000
TICKS = 30


class Letters:
    waiting = 3
    taken = 0


def busy_house() -> tuple[Stats, Sources, Board]:
    names = [RoomName(f"room-{n:03}") for n in range(ROOMS)]
    look = RoomLook(MEMBERS // ROOMS, 2, 1, Policy())
    tallies = {name: RoomTally(look=lambda entries, members: look) for name in names}
    refs = {name: Letters() for name in names}
    records = [RoomRecord(name, RoomCode(f"blue-stage-{n}"), "A title", Epoch("e"), 0, 1, 0.0)
               for n, name in enumerate(names)]  # fmt: skip
    feed = Feed(lambda: 0.0)

    async def listing() -> list[RoomRecord]:
        return records

    sources = Sources(Tally(), tallies, refs, Chronicle(feed, lambda: 0.0), listing, Outside())  # type: ignore[arg-type]
    board = Board(tallies, lambda: 0.0)
    stats = Stats(sources, board, feed, LoopClock(), 0.0, 1.0)
    stats._records = {record.name: record for record in records}
    return stats, sources, board


async def test_a_second_of_numbers_costs_less_than_a_hundredth_of_it(figures: Callable[[str], None]) -> None:
    stats, sources, board = busy_house()
    spent = []
    for tick in range(TICKS):
        for tally in sources.tallies.values():
            tally.posts += 10
            tally.committed += 10
            tally.delivered += 500
            tally.delivery.observe(0.003 * (1 + tick % 5), 500)
            sources.tally.delivery.observe(0.003, 500)
        began = process_time()
        await stats._sample()
        spent.append(process_time() - began)
    rows = board.snapshot("rooms")
    assert rows is not None
    assert len(rows["rooms"]) == ROOMS  # type: ignore[arg-type]
    median = sorted(spent)[TICKS // 2]
    figures(f"{ROOMS} rooms, {MEMBERS} members: {median * 1000:.2f} ms a second, {median:.2%} of a core")
    assert median < 0.03, "on a machine that has much else to do; the figure itself is under 0.01"


class Line:
    """Takes everything."""

    def chat(self, batch: Batch) -> bool:
        return True


async def test_counting_a_room_costs_nothing_per_delivery(figures: Callable[[str], None]) -> None:
    tally, counts = Tally(), RoomTally()
    fanout = Fanout(RoomName("r"), None, None, tally, counts, Precedence())  # type: ignore[arg-type]
    seats = [Seat(RoomName("r"), f"m_{n}", "n", Line(), Epoch("e"), level=True) for n in range(CHUNK)]  # type: ignore[arg-type]
    batches = [Batch(RoomName("r"), 1, 1, b"x" * 200, 1)]

    def passes(serve: Callable[[list[Seat], list[Batch]], None]) -> float:
        began = perf_counter()
        for _ in range(400):
            for seat in seats:
                seat.cursor = 0
            serve(seats, batches)
        return (perf_counter() - began) / 400

    pairs = [(passes(fanout._serve), passes(fanout._serve_and_count)) for _ in range(25)]
    plain, counted = (min(each) for each in zip(*pairs, strict=True))
    each_ns = (counted - plain) / CHUNK * 1e9
    figures(f"counting costs {(counted - plain) * 1e6:.2f} us a chunk of {CHUNK}: {each_ns:.1f} ns a delivery")
    assert counts.delivered == 25 * 400 * CHUNK
    assert tally.messages_delivered == 2 * counts.delivered
    assert counts.delivered_bytes == 200 * counts.delivered
    await trio.lowlevel.checkpoint()
