"""The checkers of what is read from the server itself: its ledger of an alert, its dashboards, its profile."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from attrs import evolve

from bench.dashboard import check_fed
from bench.latency import Quantiles
from bench.ledger import RunVoid
from bench.measure import Round
from bench.operator import Json
from bench.report import alert_verdicts, stats_verdict, watch_verdict
from bench.sampled import MARKS, Counts, Sampler, make_file, read_file
from bench.scenarios.alert import Alarm, AlertRun, written_at
from bench.scenarios.stats import SampledRound, StatsRun, check_scraped
from bench.scenarios.watch import Pair, WatchRun, Window
from bench.targets import Verdict

# The ledger of an alert


def row(nickname: str, at: float, state: str = "written", joined_after: bool = False) -> Json:
    return {"nickname": nickname, "at": at, "state": state, "joined_after": joined_after}


def test_the_ledger_tells_when_the_alert_was_written_to_each() -> None:
    assert written_at([row("a", 10.25), row("b", 10.5)], 2) == [10.25, 10.5]


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([row("a", 1.0)], "1 members as written, of 2"),
        ([row("a", 1.0), row("a", 1.0)], "1 members as written, of 2"),
        ([row("a", 1.0), row("b", 1.0), row("c", 1.0)], "3 members as written, of 2"),
        ([row("a", 1.0), row("b", 2.0, "received")], "b as received: when it was written is lost"),
        ([row("a", 1.0), row("b", 2.0, joined_after=True)], "when it was written is lost"),
    ],
)
def test_a_ledger_that_does_not_tell_makes_the_run_void(rows: list[Json], verdict: str) -> None:
    with pytest.raises(RunVoid, match=verdict):
        written_at(rows, 2)


ROUND = Round("", 10.0, 1, 0, 1, 1, 0.0, 0.0, 0.0, None, None, None, 0.0, 0)


def alarm(label: str, written_ms: float, received_ms: float, server: float = 9.7, refused: int = 0) -> Alarm:
    """`server`: seconds of its CPU in the ten that the round took."""

    def all_at(ms: float) -> Quantiles:
        return Quantiles(0, 0, 0, ms, 1)

    around = evolve(ROUND, label=label, posts=200, refused=refused, server_cpu_s=server)
    return Alarm(around, 1, 0, 0, all_at(written_ms), all_at(received_ms))


def test_the_promise_is_of_written_and_received_stands_beside_it() -> None:
    times = [(250, 550), (900, 700), (100, 250), (650, 800), (290, 310), (650, 999)]
    run = AlertRun(tuple(alarm("flood" if k % 2 else "idle", *ms) for k, ms in enumerate(times)), {})
    quiet, flooded = alert_verdicts(run, flooded=True)

    assert (quiet.met, quiet.measured, quiet.note) == (True, 250, "worst 290 ms; last received 310 ms")
    assert (flooded.met, flooded.measured) == (False, 650)
    assert flooded.note == "worst 900 ms; last received 800 ms; server at 97 % (least 97 %), 600 posts"


def through(*alarms: Alarm) -> Verdict:
    return alert_verdicts(AlertRun((alarm("idle", 200, 200), *alarms), {}), flooded=True)[1]


def test_a_flood_that_did_not_saturate_the_server_is_no_measurement() -> None:
    """An alert was called quick "through a flood" that kept the generator busy and the server at half its core."""
    enough = through(*(alarm("flood", 300, 300, server=cpu) for cpu in (8.4, 8.6, 9.9)))
    assert enough.measured == 300, "the median of the rounds counts, of the flood as of the alert"

    lame = through(*(alarm("flood", 300, 300, server=cpu) for cpu in (8.4, 8.3, 9.9)))
    assert lame.measured is None
    assert lame.note == "no flood: server at 84 % (least 83 %), 600 posts; 85 % is the least"


def test_a_flood_of_which_posts_were_refused_is_no_measurement() -> None:
    verdict = through(alarm("flood", 300, 300), alarm("flood", 300, 300, refused=7))

    assert verdict.measured is None
    assert verdict.note == "no flood: 7 posts were refused, 400 were not"


def test_fewer_posts_in_flight_than_the_promise_speaks_of_are_not_judged_by_it() -> None:
    run = AlertRun((alarm("idle", 200, 200), alarm("1 in flight", 900, 900)), {})

    assert [verdict.target.name for verdict in alert_verdicts(run, flooded=False)] == ["alert"]


# Dashboards


def test_a_dashboard_that_was_shown_nothing_makes_the_run_void() -> None:
    before = {"stats": 1, "rooms": 1, "alerts": 1, "activity": 9}

    assert check_fed(before, {"stats": 11, "rooms": 10, "alerts": 6, "activity": 9}, 10.0) == 24
    with pytest.raises(RunVoid, match=r"shown rooms 4 times in 10\.0 s; 5 are the least"):
        check_fed(before, {"stats": 11, "rooms": 5, "alerts": 11, "activity": 99}, 10.0)
    with pytest.raises(RunVoid, match="shown alerts 0 times"):
        check_fed({}, {"stats": 10, "rooms": 10}, 10.0)


def watched(*cpu_s: tuple[float, float], samples: int = 1_000, theirs: tuple[int, int] = (2, 6)) -> WatchRun:
    """Pairs of windows by their CPU; each has so many samples, and so many of them without and with a dashboard are of
    the operators' code."""

    def window(seconds: float, marked: int) -> Window:
        return Window(evolve(ROUND, server_cpu_s=seconds), counts(samples, 1, 0, marked - 1, 0))

    pairs = [Pair(window(without, theirs[0]), window(with_it, theirs[1]), 30) for without, with_it in cpu_s]
    return WatchRun(5_000, 100, 20.0, tuple(pairs), {})


def test_a_dashboard_costs_the_median_of_what_the_pairs_say() -> None:
    verdict = watch_verdict(watched((1.0, 1.1), (1.0, 1.5), (1.2, 1.22)))

    assert verdict.measured == pytest.approx(1.0)
    assert verdict.note == "0.20 to 5.00 in 3 pairs"


def test_where_all_cpu_is_too_noisy_the_samples_of_the_operators_code_are_judged() -> None:
    verdict = watch_verdict(watched((1.0, 0.8), (1.0, 1.0), (1.0, 1.2)))

    assert verdict.measured == pytest.approx(10 * (0.006 - 0.002)), "of a core, of which the server has 10 %"
    assert verdict.note.startswith("in the operators' own code, of 6,000 samples; all CPU is too noisy: -2.00 to 2.00")


def test_pairs_that_differ_and_few_samples_say_nothing() -> None:
    verdict = watch_verdict(watched((1.0, 0.88), (1.0, 1.0), (1.0, 1.12), samples=300))

    assert (verdict.measured, verdict.met) == (None, False)
    assert verdict.note == "too noisy: -1.20 to 1.20 in 3 pairs, and only 1,800 samples"


# The profile


def stack(*files: str, leaf: Callable[[FrameType], None]) -> None:
    """`leaf` gets the innermost of frames of these files, outermost first."""
    call: Callable[[], object] = lambda: leaf(sys._getframe(1))  # noqa: E731
    for file in reversed(files):
        space = {"inner": call}
        exec(compile("def call():\n    inner()\n", file, "exec"), space)
        call = space["call"]
    call()


def test_a_sample_is_charged_to_the_innermost_mark_on_its_stack() -> None:
    cells = memoryview(bytearray(8 * (len(MARKS) + 1))).cast("q")
    sampler = Sampler(cells)
    for files in [
        ("/x/actors/room/actor.py", "/x/gateway/outlet.py"),
        ("/x/actors/stats/actor.py",),
        ("/x/actors/stats/actor.py", "/lib/statistics.py"),
        ("/x/gateway/app.py", "/x/gateway/metrics.py", "/lib/prometheus_client/exposition.py"),
        ("/x/gateway/admin/watches.py", "/x/actors/stats/board.py"),
    ]:
        stack(*files, leaf=lambda frame: sampler.take(0, frame))
    sampler.take(0, None)

    assert cells.tolist() == [6, 3, 1, 0, 0]


def counts(total: int, *marked: int) -> Counts:
    return Counts(total, dict(zip(MARKS, marked, strict=True)))


def test_shares_are_of_all_samples_of_all_rounds() -> None:
    first = counts(1_100, 6, 1, 0, 0).since(counts(100, 2, 1, 0, 0))

    assert first == counts(1_000, 4, 0, 0, 0)
    assert (first + counts(1_000, 0, 1, 2, 3)).percent == 0.5
    assert counts(0, 0, 0, 0, 0).percent is None


def test_a_share_of_few_samples_is_no_measurement() -> None:
    def verdict(*rounds: Counts) -> Verdict:
        return stats_verdict(StatsRun(tuple(SampledRound(ROUND, each, 1, 1) for each in rounds), 1.0, {}))

    assert verdict(counts(1_000, 3, 0, 0, 0), counts(1_000, 0, 7, 0, 0)).measured == 0.5
    assert verdict(counts(1_999, 0, 0, 0, 0)).measured is None


def test_a_profile_without_a_scrape_in_it_makes_the_run_void() -> None:
    """`stats --seconds 4` with a scrape each 5 s gave a share of the statistics in which /metrics had no part."""
    check_scraped(1, 5.0, 10.0)
    check_scraped(3, 1.0, 7.0)
    for scrapes, every_s, seconds in ((0, 5.0, 4.0), (0, 5.0, 10.0), (2, 1.0, 7.0)):
        with pytest.raises(RunVoid, match=f"scraped {scrapes} times in"):
            check_scraped(scrapes, every_s, seconds)


def test_a_command_runs_under_the_profiler_and_its_samples_are_seen_from_outside(tmp_path: Path) -> None:
    file = tmp_path / "counts"
    make_file(file)
    command = [sys.executable, "-m", "bench.sampled", str(file), "schema"]  # half a second of CPU
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    assert "asyncapi" in done.stdout
    assert read_file(file).total > 0
