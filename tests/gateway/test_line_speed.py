"""How fast a line is believed to be."""

import pytest

from gateway.line_speed import LineSpeed


def test_a_reader_whose_window_opens_in_bursts_is_known_for_what_it_reads() -> None:
    """A phone that read 1 kB/s, 16 KiB at a time, was believed to be sixteen times as fast right after a burst; the
    page that it was given then took more than a minute."""
    speed, arrived, believed = LineSpeed(0.0, 0), 0, []
    for quarter in range(1, 4 * 240):
        second = quarter / 4
        if second % 16 == 3:
            arrived += 16_000
        speed.look(second, arrived, owed=4_000)
        believed.append((second, speed.bytes_per_s))
    assert max(rate or 0 for _, rate in believed) < 6_000
    assert all(rate == pytest.approx(1_000, rel=0.4) for second, rate in believed if second > 60)


def test_nothing_is_believed_before_something_has_arrived_for_a_while() -> None:
    speed = LineSpeed(0.0, 10_000)
    speed.look(9.9, 40_000, owed=10)
    assert speed.bytes_per_s is None
    speed = LineSpeed(0.0, 10_000)
    speed.look(30.0, 10_511, owed=10)
    assert speed.bytes_per_s is None
    speed.look(30.0, 10_600, owed=10)
    assert speed.bytes_per_s == pytest.approx(20)


def test_a_line_that_is_good_again_is_known_at_once() -> None:
    speed = LineSpeed(0.0, 0)
    for second in range(120):
        speed.look(second, second * 1_000, owed=10)
    assert speed.bytes_per_s == pytest.approx(1_000, rel=0.05)
    speed.look(119.2, 119_000 + 2**20, owed=0)
    assert speed.bytes_per_s is not None
    assert speed.bytes_per_s > 15_000


def test_time_in_which_nothing_was_owed_does_not_count() -> None:
    speed = LineSpeed(0.0, 0)
    speed.look(10.0, 10_000, owed=10)
    speed.look(40.0, 11_000, owed=0)
    assert speed.bytes_per_s == pytest.approx(1_000)


@pytest.mark.parametrize("owed", [10, None])
def test_what_was_known_an_hour_ago_is_of_another_line(owed: int | None) -> None:
    speed = LineSpeed(0.0, 0)
    speed.look(10.0, 10_000, owed=10)
    speed.look(3_610.0, 11_000, owed=owed)
    assert speed.bytes_per_s is None


def test_a_page_that_takes_minutes_measures_the_slowest_of_lines() -> None:
    """A page of 64 KiB at 1 kB/s took 65 s; that was thrown away as too long ago, and the next page was as large."""
    speed = LineSpeed(0.0, 0)
    speed.look(65.0, 65_000, owed=500, waited=True)
    assert speed.bytes_per_s == pytest.approx(1_000)


def test_where_nobody_can_know_what_is_owed_what_has_left_is_what_has_arrived() -> None:
    speed = LineSpeed(0.0, 0)
    speed.look(10.0, 10_000, owed=None)
    assert speed.bytes_per_s == pytest.approx(1_000)
