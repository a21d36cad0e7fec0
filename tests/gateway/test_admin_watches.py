"""What operators watch: framed once for all, never piling up, the feed without holes or repeats."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import trio
from attrs import define, field
from trio.testing import MockClock

from actors.stats.activity import Event
from gateway.admin.watches import Watches
from gateway.protocol.codec import SERVER_FRAME_BYTES
from gateway.wire.framing import frame_end


def payload(frame: bytes) -> Any:
    size = frame[1]
    start = 2 if size < 126 else 4 if size == 126 else 10
    assert frame_end(frame, 0) == len(frame)
    return json.loads(frame[start:])


@define(eq=False)
class Line:
    """An outlet whose line may be busy: then news replace each other and nothing is taken from the feed."""

    idle: bool = True
    sent: list[bytes] = field(factory=list)
    waiting: dict[str, bytes] = field(factory=dict)

    def control(self, frame: bytes) -> None:
        self.sent.append(frame)

    def news(self, key: str, frame: bytes) -> None:
        if self.idle:
            self.sent.append(frame)
        else:
            self.waiting[key] = frame

    def events(self) -> list[int]:
        found = [payload(frame) for frame in self.sent]
        return [event["n"] for frame in found if frame["topic"] == "activity" for event in frame["events"]]


class Board:
    def __init__(self) -> None:
        self.looks = 0
        self.body: dict[str, Any] = {"at": 100.0}

    def snapshot(self, topic: str) -> Mapping[str, Any] | None:
        self.looks += 1
        return self.body if topic in ("stats", "rooms") else None


class Feed:
    def __init__(self, events: int = 0) -> None:
        self.kept = [Event(n, 1.0, "act", f"event {n}") for n in range(1, events + 1)]

    @property
    def last(self) -> int:
        return self.kept[-1].n if self.kept else 0

    def since(self, n: int) -> Sequence[Event]:
        return [event for event in self.kept if event.n > n]


def watching(board: Board, feed: Feed) -> Watches:
    return Watches(board, feed, lambda: 100.25)


async def test_a_snapshot_is_framed_once_for_all_who_watch_it(autojump_clock: MockClock) -> None:
    board, lines = Board(), [Line() for _ in range(50)]
    watches = watching(board, Feed())
    for line in lines:
        watches.add("stats", line, None)  # type: ignore[arg-type]
    first = board.looks
    with trio.move_on_after(3.5):
        await watches.run()
    assert board.looks == first + 3
    assert {len(line.sent) for line in lines} == {4}
    assert len({id(line.sent[-1]) for line in lines}) == 1
    assert payload(lines[0].sent[-1])["age_ms"] == 250


async def test_a_slow_operator_gets_the_latest_snapshot_and_no_others(autojump_clock: MockClock) -> None:
    board, line = Board(), Line(idle=False)
    watches = watching(board, Feed())
    watches.add("stats", line, None)  # type: ignore[arg-type]
    with trio.move_on_after(10.5):
        await watches.run()
    assert line.sent == []
    assert list(line.waiting) == ["stats"]


async def test_the_feed_goes_on_where_a_watcher_stands_without_holes_or_repeats(autojump_clock: MockClock) -> None:
    feed, line = Feed(5), Line()
    watches = watching(Board(), feed)
    watches.add("activity", line, None)  # type: ignore[arg-type]
    line.idle = False
    feed.kept += [Event(n, 1.0, "act", "more") for n in range(6, 9)]
    with trio.move_on_after(2.5):
        await watches.run()
    assert line.events() == [1, 2, 3, 4, 5]
    line.idle = True
    with trio.move_on_after(2.5):
        await watches.run()
    assert line.events() == list(range(1, 9))


async def test_since_leaves_out_what_the_watcher_has() -> None:
    line = Line()
    watching(Board(), Feed(9)).add("activity", line, 6)  # type: ignore[arg-type]
    assert line.events() == [7, 8, 9]


async def test_since_of_another_feed_is_no_reason_to_be_silent() -> None:
    """Behind a database that was put back or begun anew, a dashboard that had seen event 5,000 saw no news any more."""
    line = Line()
    watching(Board(), Feed(3)).add("activity", line, 5_000)  # type: ignore[arg-type]
    assert line.events() == [1, 2, 3]


async def test_a_thousand_events_come_in_frames_that_fit() -> None:
    feed, line = Feed(), Line()
    feed.kept = [Event(n, 1.0, "act", "x" * 300) for n in range(1, 1_001)]
    watching(Board(), feed).add("activity", line, None)  # type: ignore[arg-type]
    assert line.events() == list(range(1, 1_001))
    assert len(line.sent) > 1
    assert all(len(frame) <= SERVER_FRAME_BYTES for frame in line.sent)


async def test_a_snapshot_that_is_too_long_is_cut_and_says_so() -> None:
    board, line = Board(), Line()
    board.body = {"at": 100.0, "rooms": [{"room": f"room-{n}", "title": "x" * 60} for n in range(2_000)]}
    watching(board, Feed()).add("rooms", line, None)  # type: ignore[arg-type]
    frame = line.sent[0]
    assert len(frame) <= SERVER_FRAME_BYTES
    shown = payload(frame)
    assert len(shown["rooms"]) + shown["more"] == 2_000


async def test_of_a_room_with_long_messages_the_newest_are_shown() -> None:
    board, line = Board(), Line()
    board.body = {"at": 100.0, "messages": [{"seq": n, "text": "x" * 2_000} for n in range(50)]}
    watching(board, Feed()).add("rooms", line, None)  # type: ignore[arg-type]
    seqs = [message["seq"] for message in payload(line.sent[0])["messages"]]
    assert seqs == list(range(50 - len(seqs), 50))
    assert 25 < len(seqs) < 50


async def test_who_has_gone_is_watched_by_nobody(autojump_clock: MockClock) -> None:
    board, line = Board(), Line()
    watches = watching(board, Feed())
    watches.add("stats", line, None)  # type: ignore[arg-type]
    watches.add("room:gone", line, None)  # type: ignore[arg-type]
    assert watches.count(line) == 2  # type: ignore[arg-type]
    assert payload(line.sent[-1])["unknown"] is True
    watches.gone(line)  # type: ignore[arg-type]
    looks = board.looks
    with trio.move_on_after(2.5):
        await watches.run()
    assert board.looks == looks


def rows(count: int, **more: dict[str, Any]) -> list[dict[str, Any]]:
    """Of rooms by name, each with its number as its people; `more`: what is otherwise with a room."""
    quiet = {"title": "x" * 60, "state": "up", "behind": 0}
    return [
        {"room": name, "online": n, **quiet, **more.get(name, {})}
        for n, name in ((n, f"room_{n:04}") for n in range(count))
    ]


def cut(body: dict[str, Any], topic: str = "rooms") -> Any:
    board, line = Board(), Line()
    board.body = {"at": 100.0, **body}
    watching(board, Feed()).add(topic, line, None)  # type: ignore[arg-type]
    assert len(line.sent[0]) <= SERVER_FRAME_BYTES
    return payload(line.sent[0])


async def test_of_too_many_rooms_those_in_trouble_and_the_busiest_are_kept() -> None:
    """The cut went by name, so that the main stage of a large house was not on its operators' page."""
    broken, slow = {"state": "quarantined"}, {"behind": 7}
    shown = cut({"rooms": rows(2_000, room_0002=broken, room_0001=slow)})
    names = [row["room"] for row in shown["rooms"]]
    assert names[:4] == ["room_0002", "room_0001", "room_1999", "room_1998"]
    busiest = [row["online"] for row in shown["rooms"][2:]]
    assert busiest == list(range(1_999, 1_999 - len(busiest), -1))
    assert len(names) + shown["more"] == 2_000


async def test_rooms_that_fit_stay_in_their_order() -> None:
    shown = cut({"rooms": rows(100)})
    assert [row["online"] for row in shown["rooms"]] == list(range(100))
    assert "more" not in shown


async def test_of_too_many_alerts_those_in_force_are_kept() -> None:
    alerts = [{"id": f"A{n:03}", "state": "active" if n == 29 else "expired", "text": "x" * 4_000} for n in range(30)]
    shown = cut({"alerts": alerts})
    assert [alert["id"] for alert in shown["alerts"]][:2] == ["A029", "A000"]
    assert len(shown["alerts"]) + shown["more"] == 30


async def test_the_heaviest_list_is_cut_not_the_one_with_the_most_in_it() -> None:
    """Fifty names and forty long messages: the names were cut to none, and the frame was too large all the same."""
    messages = [{"seq": n, "text": "x" * 2_000} for n in range(40)]
    members = [{"member": f"m_{n}", "nickname": "Ana"} for n in range(50)]
    shown = cut({"row": {}, "messages": messages, "members": members})
    assert len(shown["members"]) == 50
    assert [message["seq"] for message in shown["messages"]][-1] == 39
