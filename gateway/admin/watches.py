"""What operators watch: the newest snapshot of each topic once a second, framed once for all who watch it.

Nothing piles up: a snapshot replaces one that has not left yet, and the activity feed goes on for a watcher only when
its line is free, from where it stands."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import trio
from attrs import define, field

from actors.people.outlet import Outlet
from actors.stats.activity import Event
from gateway.admin.answers import framed
from gateway.barrier import Barrier
from gateway.protocol import admin
from gateway.protocol.codec import SERVER_FRAME_BYTES
from gateway.protocol.kinds import Count

EVERY_S = 1.0
ACTIVITY = "activity"
TOPICS = ("stats", "rooms", "alerts", ACTIVITY)
ROOM = "room:"
WATCHED_MOST = 16
"""Topics of one connection."""
FRAME_ROOM = SERVER_FRAME_BYTES - 1_024


class Board(Protocol):
    def snapshot(self, topic: str) -> Mapping[str, Any] | None: ...


class Events(Protocol):
    """The activity feed."""

    @property
    def last(self) -> int: ...

    def since(self, n: int) -> Sequence[Event]: ...


@define(eq=False)
class _Watcher:
    outlet: Outlet
    topic: str
    at: int = 0
    """The last event sent."""
    begun: bool = False


@define(eq=False)
class Watches:
    """`wall`: Unix seconds, for the age of a snapshot. `barrier`: one that fails keeps no other back."""

    _board: Board
    _events: Events
    _wall: Callable[[], float]
    _barrier: Barrier = field(factory=Barrier)
    _by_topic: dict[str, dict[Outlet, _Watcher]] = field(init=False, factory=dict)

    def __len__(self) -> int:
        """Topics watched, each as often as there are connections that watch it."""
        return sum(map(len, self._by_topic.values()))

    def add(self, topic: str, outlet: Outlet, since: int | None) -> None:
        # What this feed has not come to yet was seen in another one: a database put back, or begun anew.
        began = since if since is not None and since <= self._events.last else 0
        watcher = _Watcher(outlet, topic, began)
        self._by_topic.setdefault(topic, {})[outlet] = watcher
        self._show(topic, {outlet: watcher})

    def remove(self, topic: str, outlet: Outlet) -> None:
        watchers = self._by_topic.get(topic, {})
        watchers.pop(outlet, None)
        if not watchers:
            self._by_topic.pop(topic, None)

    def count(self, outlet: Outlet) -> int:
        return sum(outlet in watchers for watchers in self._by_topic.values())

    def gone(self, outlet: Outlet) -> None:
        for topic in list(self._by_topic):
            self.remove(topic, outlet)

    async def run(self) -> None:
        """For ever."""
        while True:
            await trio.sleep(EVERY_S)
            for topic, watchers in list(self._by_topic.items()):
                with self._barrier.around("snapshot_failed"):
                    self._show(topic, watchers)
                await trio.lowlevel.checkpoint()

    def _show(self, topic: str, watchers: Mapping[Outlet, _Watcher]) -> None:
        if topic == ACTIVITY:
            for watcher in watchers.values():
                self._go_on(watcher)
            return
        frame = self._snapshot(topic)
        for outlet in watchers:
            outlet.news(topic, frame)

    def _snapshot(self, topic: str) -> bytes:
        body = self._board.snapshot(topic)
        if body is None:
            return framed(admin.Snapshot(topic, Count(0), {"unknown": True}))
        age_ms = max(0, round((self._wall() - float(body.get("at", self._wall()))) * 1000))
        frame = framed(admin.Snapshot(topic, Count(age_ms), dict(body)))
        return frame if len(frame) <= SERVER_FRAME_BYTES else framed(admin.Snapshot(topic, Count(age_ms), _cut(body)))

    def _go_on(self, watcher: _Watcher) -> None:
        """While the line is not free nothing is added to it: the feed itself holds what is to come."""
        if watcher.begun and not watcher.outlet.idle:
            return
        for events in pages([event.shown() for event in self._events.since(watcher.at)]):
            watcher.outlet.control(framed(admin.Snapshot(ACTIVITY, Count(0), {"events": events})))
            watcher.at = int(str(events[-1]["n"]))
        watcher.begun = True


def pages(items: "list[Mapping[str, Any]]") -> "Iterator[list[Mapping[str, Any]]]":
    """Lists that each fit a frame."""
    page: list[Mapping[str, Any]] = []
    size = 0
    for item in items:
        weight = len(msgspec.json.encode(item)) + 1
        if page and size + weight > FRAME_ROOM:
            yield page
            page, size = [], 0
        page.append(item)
        size += weight
    if page:
        yield page


def _cut(body: Mapping[str, Any]) -> dict[str, Any]:
    """The heaviest list shortened until the frame fits: what is missing can be asked for by a command."""
    lists = [name for name, value in body.items() if isinstance(value, list | tuple)]
    if not lists:
        return {"too_big": True}
    heaviest = max(lists, key=lambda name: _weight(body[name]))
    rest = {name: value for name, value in body.items() if name != heaviest}
    room = FRAME_ROOM - _weight(rest)
    kept: list[Any] = []
    for item in _first(heaviest, body[heaviest]):
        room -= _weight(item) + 1
        if room < 0:
            break
        kept.append(item)
    if heaviest == "messages":
        kept.reverse()  # Begun with the newest, shown with it last.
    return {**rest, heaviest: kept, "more": body.get("more", 0) + len(body[heaviest]) - len(kept)}


def _weight(value: object) -> int:
    return len(msgspec.json.encode(value))


def _first(name: str, items: Sequence[Any]) -> Iterable[Any]:
    """In the order in which they may least be missing."""
    match name:
        case "rooms":
            return sorted(items, key=_trouble_then_people)
        case "alerts":
            return sorted(items, key=_over)
        case "messages":
            return items[::-1]
    return items


def _trouble_then_people(row: Mapping[str, Any]) -> tuple[bool, bool, int]:
    return row.get("state") != "quarantined", not row.get("behind"), -row.get("online", 0)


def _over(alert: Mapping[str, Any]) -> bool:
    return bool(alert.get("state") != "active")
