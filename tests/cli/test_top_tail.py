"""`bandstand top` and `bandstand tail` over a real socket: what they show, their JSON, what they do not obey."""

import time
from typing import Any

import pytest

from bandstand.cli.tail import line
from tests.cli.fake_admin import CUT, FakeAdmin
from tests.cli.terminal import HOSTILE, OBEYED, rows, run

STATS = {
    "at": 1.0, "uptime_s": 3661.0, "people": {"online": 1204, "peak": 1500, "unique": 2000},
    "rooms": {"up": 3, "known": 4, "quarantined": 1}, "lag_p99_ms": 1.5, "lockdown": 3, "alerts_active": 1,
    "rates": {"1s": {"messages": 12, "deliveries": 14400}, "1m": {"p50_ms": 4.2, "p99_ms": None}},
    "slow_members": 2, "journal": {"commit_p99_ms": 3.0},
}  # fmt: skip
ROOM = {
    "room": "main-stage", "title": f"[bold]{HOSTILE}", "online": 800, "messages_per_s": 9.5, "deliveries_per_s": 7600.0,
    "p99_ms": 12.0, "behind": 1, "state": "up", "frozen": True, "slow_s": 8.0, "closed": False,
}  # fmt: skip


def house() -> FakeAdmin:
    fake = FakeAdmin()
    fake.snapshots = {"stats": [{"unknown": True}, STATS], "rooms": [{"rooms": [ROOM]}]}
    return fake


def test_once_shows_the_figures_and_the_rooms() -> None:
    result = run(house(), "top", "--once")
    assert result.exit_code == 0, result.output
    first, second, head, room = result.stdout.splitlines()
    assert first.split("   ") == [
        "people 1,204 (most 1,500)", "msg/s 12", "deliveries/s 14,400", "p50 4.2 ms", "p99 -", "lag 1.5 ms",
    ]  # fmt: skip
    assert "lockdown 3 slow, no links" in second
    assert "alerts 1" in second
    assert "1 quarantined" in second
    assert head.split() == ["room", "title", "people", "msg/s", "deliv/s", "p99", "behind", "state"]
    assert room.startswith("main-stage")


def test_a_title_is_neither_obeyed_nor_read_as_markup() -> None:
    shown = run(house(), "top", "--once").stdout
    assert OBEYED.search(shown) is None
    assert "[bold]Eve\\x1b[2J" in shown


def test_once_as_json_is_the_two_snapshots() -> None:
    stats, rooms = rows(run(house(), "top", "--once", "--json"))
    assert (stats["topic"], stats["people"], stats["age_ms"]) == ("stats", STATS["people"], 20)
    assert (rooms["topic"], rooms["rooms"]) == ("rooms", [ROOM])


def test_no_figures_is_exit_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bandstand.cli.top.FIRST_SECONDS", 0.2)
    assert run(FakeAdmin(), "top", "--once").exit_code == 1


# tail


def event(n: int, ago: float = 0.0, **more: Any) -> dict[str, Any]:
    return {"n": n, "at": time.time() - ago, "kind": "act", "text": f"event {n}", **more}


def feed(*frames: Any) -> FakeAdmin:
    fake = FakeAdmin()
    fake.snapshots["activity"] = [frame if frame is CUT else {"events": frame} for frame in frames]
    return fake


def numbers(fake: FakeAdmin, *words: str) -> list[int]:
    result = run(fake, "tail", "--json", "--no-follow", *words)
    assert result.exit_code == 0, result.output
    return [each["n"] for each in rows(result)]


def test_the_last_ones_are_shown_in_order_over_a_lost_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bandstand.cli.tail.QUIET_SECONDS", 3.0)  # coming back is no quiet, even on a slow machine
    assert numbers(feed([event(1), event(2)], CUT, [event(3), event(4)]), "-n", "3") == [2, 3, 4]


def test_json_is_the_event_as_it_came() -> None:
    one = event(1, room="main-stage", operator="ana", act="act_1")
    assert rows(run(feed([one]), "tail", "--json", "--no-follow")) == [one]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--room", "main-stage"), [1]),
        (("--operator", "ana"), [2]),
        (("--member", "m_1"), [3]),
        (("--kind", "fault", "--kind", "report"), [3, 4]),
    ],
)
def test_filters_narrow_it(words: tuple[str, ...], found: list[int]) -> None:
    told = [
        event(1, room="main-stage"),
        event(2, operator="ana"),
        event(3, member="m_1", kind="fault"),
        event(4, kind="report"),
    ]
    assert numbers(feed(told), *words) == found


def test_since_goes_back_further_than_the_replay() -> None:
    kept = [event(n, ago=60 * (1000.5 - n)) for n in range(1, 500)]
    fake = feed(kept[400:])

    def page(frame: Any) -> dict[str, Any]:
        older = [each for each in kept if each["n"] < frame.args["before"]][-200:]
        return {"detail": {"items": list(reversed(older)), "more": True}}

    fake.answers["activity.page"] = page
    assert numbers(fake, "--since", "15h") == list(range(101, 500))


def test_since_says_where_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bandstand.cli.tail.PAGES_MOST", 1)
    kept = [event(n, ago=1000.0 - n) for n in range(1, 500)]
    fake = feed(kept[400:])
    fake.answers["activity.page"] = lambda frame: {"detail": {"items": kept[200:400]}}
    result = run(fake, "tail", "--no-follow", "--since", "15m")
    assert len(result.stdout.splitlines()) == 299
    assert "-- this goes back 200 events only; there are earlier ones" in result.stderr


def test_a_line_is_one_line_and_obeys_nobody() -> None:
    told = line(event(1, text=HOSTILE, operator=HOSTILE, room=HOSTILE, act=HOSTILE, kind=HOSTILE))
    assert OBEYED.search(told) is None
    assert "\n" not in told
