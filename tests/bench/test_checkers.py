"""A generator that sees no mistakes measures nothing: each lie of a server must make the run void."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from rich.console import Console

from bench import scrape
from bench.crew import Crew, Size, gather
from bench.ground import Ground
from bench.ledger import RunVoid
from bench.measure import measure
from bench.scenarios.fanout import Loop, fanout
from bench.scenarios.memory import memory
from bench.scenarios.start import start
from bench.server import NotStarted, Plan, started
from bench.swarm import Swarm

SILENT = ("deaf", "swallow")
"""Lies after which nothing more comes; only what is seen by that has to wait for it."""
STAND_IN = (sys.executable, str(Path(__file__).with_name("stand_in.py")))


@contextmanager
def crew_on_stand_in(fault: str, rooms: int = 1) -> Iterator[Crew]:
    path = os.pathsep.join((str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")))
    with mock.patch.dict(os.environ, STAND_IN_FAULT=fault, PYTHONPATH=path), started(Plan(command=STAND_IN)) as server:
        crew = gather(server, Size(6, rooms, posters=3, in_flight=16))
        if fault in SILENT:
            crew.posting.patience = 0.5
        try:
            yield crew
        finally:
            crew.close()


def saturated(crew: Crew) -> Callable[[], None]:
    return lambda: crew.posting.closed_loop(16, 0.3)


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        ("drop", "seq 13 came where 12 was due .lost"),
        ("repeat", "seq 12 came where 13 was due .repeated"),
        ("reorder", "seq 13 came where 12 was due .lost"),
        ("corrupt", "not what was posted|told different things"),
        ("foreign", "nobody here posted|told different things"),
        ("garbage", "not JSON"),
        ("deaf", "still waiting: .* 1 of 9 members|came where 12 was due"),
        ("die", "connections ended during the run"),
        ("swallow", "came where .* was due|messages that nobody received"),
    ],
)
def test_each_lie_of_a_server_makes_the_run_void(fault: str, verdict: str) -> None:
    with crew_on_stand_in(fault) as crew, pytest.raises(RunVoid, match=verdict):
        measure(crew, "lied to", saturated(crew))


def test_a_server_that_dies_while_a_post_is_due_makes_the_run_void(monkeypatch: pytest.MonkeyPatch) -> None:
    """The post went to a connection that had just been found gone: a KeyError, which ended all scenarios."""
    waits = Swarm.wait

    def stands_still(swarm: Swarm, until: float) -> None:
        waits(swarm, until)
        time.sleep(max(0.0, until - time.monotonic()))

    monkeypatch.setattr(Swarm, "wait", stands_still)
    with crew_on_stand_in("die") as crew, pytest.raises(RunVoid, match="connections ended during the run"):
        measure(crew, "lied to", lambda: crew.posting.open_loop(100, 0.4))


def test_a_message_in_another_room_than_it_was_posted_in_makes_the_run_void() -> None:
    """With several rooms the deliveries were compared to themselves."""
    with crew_on_stand_in("astray", rooms=3) as crew, pytest.raises(RunVoid, match=r"was posted in b\w+-"):
        measure(crew, "lied to", saturated(crew))


def test_an_honest_server_is_believed_and_every_delivery_counted() -> None:
    with crew_on_stand_in("") as crew:
        first = measure(crew, "closed", saturated(crew))
        second = measure(crew, "open", lambda: crew.posting.open_loop(50, 0.4))

    assert first.deliveries == first.posts * 9
    assert (second.posts, second.deliveries) == (20, 180)
    assert second.latency is not None
    assert 0 < second.latency.p50_ms <= second.latency.p99_ms <= second.latency.max_ms
    assert abs(first.frame_bytes - 200) <= 3


def stand_in_ground() -> Ground:
    return Ground(Console(quiet=True), Plan(command=STAND_IN))


def test_rounds_of_all_loops_are_interleaved_over_several_rooms() -> None:
    loops = [Loop(in_flight=8), Loop(in_flight=1)]
    result = fanout(stand_in_ground(), Size(6, rooms=3, in_flight=8), loops, 0.1, 2)

    assert [round_.label for round_ in result.rounds] == ["8 in flight", "one at a time"] * 2
    assert result.members == 6 + 8
    assert all(round_.deliveries for round_ in result.rounds)


def test_memory_access_is_what_the_histogram_gained() -> None:
    result = memory(stand_in_ground(), Size(4, posters=1), 4, 0.3)

    assert result.reads > 5
    assert result.observed == 0  # the stand-in's histogram never moves
    assert result.p99_ms is None


def test_a_start_is_timed_to_the_line_and_to_readiness() -> None:
    result = start(stand_in_ground(), None, 2)

    assert all(0 < line <= ready < 10 for line, ready in zip(result.line, result.ready, strict=True))


def test_a_server_that_does_not_start_is_quoted() -> None:
    command = (sys.executable, "-c", "import sys; sys.exit('no such journal')")
    with pytest.raises(NotStarted, match="no such journal"), started(Plan(command=command)):
        pass


def test_a_server_that_dies_before_it_is_ready_has_not_started() -> None:
    """Whatever was not a 503 counted as ready, and so did a connection that nobody took."""
    dies = "import sys; print('listening on http://127.0.0.1:1/', file=sys.stderr); sys.exit('out of memory')"
    with pytest.raises(NotStarted, match="out of memory"), started(Plan(command=(sys.executable, "-c", dies))):
        pass


EXPOSITION = """
h_seconds_bucket{le="0.001",op="a"} 10
h_seconds_bucket{op="b",le="0.001"} 80
h_seconds_bucket{op="b",le="0.1"} 99
h_seconds_bucket{le="0.1",op="a"} 0
h_seconds_bucket{le="+Inf"} 100
h_seconds_count 100
"""


def test_a_histogram_is_summed_over_labels_and_answers_with_upper_bounds() -> None:
    before = scrape.buckets('h_seconds_bucket{le="0.001"} 90\nh_seconds_bucket{le="+Inf"} 90', "h_seconds")
    after = scrape.buckets(EXPOSITION, "h_seconds")
    gained = scrape.between(before, after)

    assert scrape.at_most(after, 0.5) == 0.001
    assert scrape.at_most(after, 0.99) == 0.1
    assert scrape.observations(gained) == 10
    assert scrape.at_most(gained, 0.5) == 0.1
    assert scrape.at_most({}, 0.5) is None
