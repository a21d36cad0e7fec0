"""The stats actor: once a second it reads what the owners have counted, and publishes what came of it.

Nobody sends it anything and nobody waits for it. When it crashes the numbers of a window are lost and the snapshots
grow old until it is back; what was counted is with the owners, what happened is in the feed."""

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Never

import trio

from actors.clock import Clock
from actors.journal.log import LogFailed, RoomRecord
from actors.kernel import Actor, ActorGone, Inbox, MailboxFull
from actors.names import RoomName
from actors.stats.activity import Activity
from actors.stats.board import ROOM, Board, Snapshot
from actors.stats.feed import GOODBYE_SECONDS, Feed
from actors.stats.house import HouseNumbers
from actors.stats.rooms import Line, Minute, RoomNumbers, row
from actors.stats.sources import Sources

CHUNK = 64
"""Rooms looked at between two checkpoints: about a millisecond."""
LISTING_SECONDS = 5.0
"""And one tick: between two looks at which rooms there are; a room that has come up is asked for at once."""
LISTING_PATIENCE_S = 3.0
MINUTE_TICKS = 60
MINUTES_TOLD = 50
"""Rooms that are told of by name each minute, the busiest; the others come together, or a festival of small rooms would
leave nothing else in the feed."""
NAMED = 20


class Stats(Actor[Never]):
    def __init__(self, sources: Sources, board: Board, feed: Feed, clock: Clock, began: float, every_s: float) -> None:
        """`began`: when the house did, on the loop's clock."""
        self._sources = sources
        self._board = board
        self._feed = feed
        self._clock = clock
        self._house = HouseNumbers(sources, began)
        self._rooms: dict[RoomName, RoomNumbers] = {}
        self._services: dict[str, Line] = {}
        self._records: Mapping[RoomName, RoomRecord] = {}
        self._asleep: dict[RoomName, tuple[RoomRecord, Snapshot]] = {}
        self._stale = trio.Event()
        """Something has come up that the listing does not have."""
        self._every_s = every_s
        self._ticks = 0

    async def run(self, inbox: Inbox[Never]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._sample_each_second)
            nursery.start_soon(self._list_rooms)
            nursery.start_soon(self._feed.keep_writing)
            await super().run(inbox)
            nursery.cancel_scope.cancel()
        self._feed.part()
        with trio.move_on_after(GOODBYE_SECONDS):
            await self._feed.write_out()

    async def _sample_each_second(self) -> None:
        """On the second, so that a late one does not make all later ones late; those that were missed are left out."""
        due = trio.current_time()
        while True:
            await self._sample()
            due = max(due + self._every_s, trio.current_time() - self._every_s)
            await trio.sleep_until(due)

    async def _sample(self) -> None:
        sources, now = self._sources, self._clock.now()
        self._meet_rooms()
        self._house.sample(now.mono)
        slow = await self._publish_rooms(now.wall, now.mono)
        for name, mailbox in sources.services().items():
            self._services.setdefault(name, Line()).look(mailbox, now.mono)
        counts = {
            "up": len(sources.refs),
            "known": len(self._records.keys() | sources.refs.keys()),
            "quarantined": sum(name.startswith(ROOM) for name in sources.chronicle.quarantined),
        }
        lines = [*self._services.items(), *((name, numbers.line) for name, numbers in self._rooms.items())]
        self._board.publish("stats", self._house.snapshot(now.wall, counts, slow, lines))
        self._ticks += 1
        if self._ticks % MINUTE_TICKS == 0:
            tell_minutes(self._feed, [numbers.told(name) for name, numbers in self._rooms.items()])

    # Rooms

    def _meet_rooms(self) -> None:
        """Rooms come up and go to rest without a word to anybody; here it is seen."""
        up, tallies = self._sources.refs, self._sources.tallies
        gone = [name for name in self._rooms if name not in up]
        tell_minutes(self._feed, [self._rooms.pop(name).told(name) for name in gone])
        for name in [name for name in tallies if name not in up]:
            del tallies[name]
        opened, retired = self._board.seen_up(up.keys())
        fresh = frozenset(opened)
        for name in up:
            if name not in self._rooms and name in tallies:
                self._rooms[name] = RoomNumbers(tallies[name], fresh=name in fresh)
                if name not in self._records:
                    self._stale.set()
        tell_rooms(self._feed, "opened", opened)
        tell_rooms(self._feed, "at rest", retired)

    async def _publish_rooms(self, wall: float, mono: float) -> int:
        """Returns how many members are slow."""
        quarantined, perf = self._sources.chronicle.quarantined, perf_counter()
        awake: list[tuple[int, RoomName, Snapshot]] = []
        slow = 0
        for count, (name, numbers) in enumerate(list(self._rooms.items()), 1):
            ref, tally = self._sources.refs.get(name), self._sources.tallies.get(name)
            if ref is None or tally is None:
                continue  # it went to rest just now
            numbers.sample(mono, perf)
            numbers.line.look(ref, mono)
            look = tally.look(0, 0) if tally.look else None
            slow += look.slow if look else 0
            record = self._records.get(name)
            if record is not None:
                shown = row(record, numbers, look, ROOM + name in quarantined)
                awake.append((-look.online if look else 0, name, shown))
            if count % CHUNK == 0:
                await trio.lowlevel.checkpoint()
        awake.sort(key=lambda each: each[:2])
        rows = {name: shown for _, name, shown in awake}
        rows.update((name, self._at_rest(record)) for name, record in self._records.items() if name not in rows)
        self._board.publish_rooms(wall, rows)
        return slow

    def _at_rest(self, record: RoomRecord) -> Snapshot:
        """Made once for each record: thousands of rooms sleep, and nothing changes in them."""
        kept = self._asleep.get(record.name)
        if kept is None or kept[0] is not record:
            kept = self._asleep[record.name] = record, row(record, None, None, False)
        return kept[1]

    async def _list_rooms(self) -> None:
        while True:
            self._stale = trio.Event()
            try:
                with trio.fail_after(LISTING_PATIENCE_S):
                    listing = await self._sources.listing()
            except (ActorGone, MailboxFull, LogFailed, trio.TooSlowError):
                pass  # the last one stands; the directory has other things to do
            else:
                self._records = {record.name: record for record in listing}
                self._asleep = {name: kept for name, kept in self._asleep.items() if name in self._records}
            await trio.sleep(self._every_s)
            with trio.move_on_after(LISTING_SECONDS * self._every_s):
                await self._stale.wait()


def tell_minutes(activity: Activity, minutes: Sequence[Minute]) -> None:
    """Only rooms where something happened."""
    busy = sorted((m for m in minutes if m.messages or m.joins), key=lambda m: (-m.messages, -m.joins, m.room))
    for minute in busy[:MINUTES_TOLD]:
        text = f"{minute.room}: {minute.messages} messages, {minute.joins} joins in a minute"
        data = {"messages": minute.messages, "joins": minute.joins}
        activity.note("minute", text, room=minute.room, data=data)
    rest = busy[MINUTES_TOLD:]
    if rest:
        messages, joins = sum(m.messages for m in rest), sum(m.joins for m in rest)
        text = f"{len(rest)} more rooms: {messages} messages, {joins} joins in a minute"
        activity.note("minute", text, data={"rooms": len(rest), "messages": messages, "joins": joins})


def tell_rooms(activity: Activity, what: str, names: Sequence[str]) -> None:
    for name in names[:NAMED]:
        activity.note("room", f"room {name} {what}", room=name, data={"what": what})
    if len(names) > NAMED:
        activity.note(
            "room", f"{len(names) - NAMED} more rooms {what}", data={"what": what, "rooms": len(names) - NAMED}
        )
