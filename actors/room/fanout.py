"""A room's broadcasting: what the log has committed goes to every level member in fair chunks; whoever is not up to
date is fed from the log, page by page, as fast as their own line takes it.

A seat is *level* (offered live batches) or *behind* (fed). It changes over only here: behind when its outlet refused,
level when its cursor equals the head, in one turn without a checkpoint between the look and the change. A batch is
offered only to a seat whose cursor stands exactly before it, so nothing can be told twice or with a hole."""

from collections import deque
from collections.abc import Iterator, Sequence
from time import perf_counter

import trio

from actors.events import Entry
from actors.journal.log import LogFailed
from actors.names import RoomName
from actors.people.outlet import Batch, Seat
from actors.people.precedence import Precedence
from actors.room.book import Book
from actors.room.pages import PAGE_BYTES, Framed, Pages
from actors.room.resume import PAGE_MIN_BYTES, allowance, hasten, page_budget
from actors.room.voice import Voice
from actors.tally import RoomTally, Tally

LOG_PAUSE_SECONDS = 1.0
"""Until a page that the log could not give is asked for again."""
REST_SECONDS = 0.25
"""Until a slow line that still owes its last page is looked at again."""
CHUNK = 256
"""Members served between two checkpoints (performance.md: 256 sends are about 2.5 ms)."""
FEEDERS = 4
"""Tasks at most that feed the members who are behind; each serves one page to one member a turn."""


class Fanout:
    def __init__(
        self, room: RoomName, voice: Voice, pages: Pages, tally: Tally, counts: RoomTally, precedence: Precedence
    ) -> None:
        self._room = room
        self._voice = voice
        self._pages = pages
        self._tally = tally
        self._counts = counts
        self._precedence = precedence
        self._level: dict[Seat, None] = {}
        self._behind: dict[Seat, None] = {}
        self._hungry: deque[Seat] = deque()
        """Behind, and their outlet is ready for a page."""
        self._feeders = 0
        self._stalled: list[Seat] = []
        """Behind, and the log could not give their page just now."""
        self._resting: list[Seat] = []
        """Slow, and their kernel has enough to send for now."""
        self._frames: dict[int, tuple[Entry, bytes]] = {}
        """Frames of the tail in memory, made when first needed, beside the very entry that they show."""
        self._mean_frame = 256.0
        self.rules = b""
        """What the house adds to the room's rules, for whoever has caught up with the log; empty: nothing."""

    def attach(self, book: Book, nursery: trio.Nursery) -> None:
        self._book = book
        self._nursery = nursery

    def close(self) -> None:
        """The instance is over: whatever an outlet calls back later finds nobody here."""
        self._level.clear()
        self._behind.clear()
        self._hungry.clear()
        self._stalled.clear()
        self._resting.clear()

    @property
    def level(self) -> int:
        return len(self._level)

    @property
    def behind(self) -> int:
        return len(self._behind)

    @property
    def slow(self) -> int:
        """Of those behind: because their line did not take it."""
        return sum(seat.hurried for seat in self._behind)

    # Broadcasting

    def frame(self, entry: Entry) -> bytes:
        kept = self._frames.get(entry.seq)
        if kept is not None and kept[0] is entry:
            return kept[1]
        frame = self._voice.entry(self._room, entry)
        self._frames[entry.seq] = entry, frame
        return frame

    def forget_what_changed(self) -> None:
        """What shows an entry as it is no longer, or one that the tail has not any more, is not kept: words that were
        deleted or veiled, or are too old, least of all."""
        if self._frames:
            tail = {entry.seq: entry for entry in self._book.tail}
            self._frames = {seq: kept for seq, kept in self._frames.items() if tail.get(seq) is kept[0]}

    def _faces(self, entries: Sequence[Entry]) -> Iterator[Entry]:
        """As they read by now: what was committed together with its own deletion is not shown to anybody."""
        return map(self._book.face, entries)

    async def broadcast(self, entries: Sequence[Entry]) -> None:
        """Offer consecutive entries, already folded, to all level seats: one blob of at most 64 KiB at a time."""
        started = perf_counter()
        batches = self._batches([(entry.seq, self.frame(entry)) for entry in self._faces(entries)])
        oldest_kept = self._book.head - len(self._book.tail)
        for seq in [seq for seq in self._frames if seq <= oldest_kept]:
            del self._frames[seq]
        seats = list(self._level)
        for start in range(0, len(seats), CHUNK):
            self._serve_and_count(seats[start : start + CHUNK], batches)
            await self._precedence.give_way()
        self._tally.fanout.observe(perf_counter() - started)

    def _serve_and_count(self, seats: list[Seat], batches: list[Batch]) -> None:
        """Nothing else runs meanwhile, so what the house's numbers grow by is this room's."""
        tally, counts = self._tally, self._counts
        started, delivered, size = perf_counter(), tally.messages_delivered, tally.deliveries_bytes
        self._serve(seats, batches)
        counts.fanout_s += perf_counter() - started
        counts.delivered += tally.messages_delivered - delivered
        counts.delivered_bytes += tally.deliveries_bytes - size

    def _serve(self, seats: list[Seat], batches: list[Batch]) -> None:
        """The hot loop of the house: what one pass costs for each delivery is paid a thousand times a message."""
        missed: list[Seat] = []
        for batch in batches:
            before, last, missed_before = batch.first - 1, batch.last, len(missed)
            for seat in seats:
                if seat.cursor == before and seat.level and seat.outlet.chat(batch):
                    seat.cursor = last
                else:
                    missed.append(seat)
            served = len(seats) - (len(missed) - missed_before)
            self._tally.messages_delivered += served * batch.frames
            self._tally.deliveries_bytes += served * len(batch.blob)
        for seat in missed:
            if not seat.level and seat in self._level:
                self.fell_behind(seat)

    def _batches(self, framed: Sequence[Framed]) -> list[Batch]:
        batches: list[Batch] = []
        frames: list[bytes] = []
        size = 0
        for seq, frame in framed:
            if frames and size + len(frame) > PAGE_BYTES:
                batches.append(Batch(self._room, seq - len(frames), seq - 1, b"".join(frames), len(frames)))
                frames, size = [], 0
            frames.append(frame)
            size += len(frame)
            self._mean_frame += (len(frame) - self._mean_frame) / 64
        if frames:
            last = framed[-1][0]
            batches.append(Batch(self._room, last - len(frames) + 1, last, b"".join(frames), len(frames)))
        return batches

    # Members who are behind

    def admit(self, seat: Seat) -> None:
        """Start to serve a seat from its cursor: everyone starts behind."""
        seat.level = False
        self._behind[seat] = None
        self._ready(seat)

    def dismiss(self, seat: Seat) -> None:
        seat.level = False
        self._level.pop(seat, None)
        self._behind.pop(seat, None)

    def fell_behind(self, seat: Seat) -> None:
        """The outlet was over its bound and has rewound the seat: say so once, and feed it when its line is free."""
        fed_already = seat in self._behind
        if not seat.rewound or not (fed_already or seat in self._level):
            return
        seat.outlet.control(self._voice.behind(self._room, seat.cursor + 1))
        self._level.pop(seat, None)
        seat.rewound = False
        seat.hurried = True
        seat.allowance = PAGE_MIN_BYTES
        seat.target = self._book.head
        self._tally.catch_ups["slow"] += 1
        if not fed_already:
            self.admit(seat)

    def _ready(self, seat: Seat) -> None:
        seat.outlet.when_idle(lambda: self._feed_soon(seat))

    def _feed_soon(self, seat: Seat) -> None:
        """Called back by outlets, also while this instance is going down and takes no more tasks."""
        if seat not in self._behind or self._nursery.cancel_scope.cancel_called:
            return
        self._hungry.append(seat)
        if self._feeders < FEEDERS:
            self._feeders += 1
            self._nursery.start_soon(self._feeder)

    async def _feeder(self) -> None:
        try:
            while self._hungry:
                await self._precedence.give_way()
                if self._hungry:
                    await self._feed(self._hungry.popleft())
        finally:
            self._feeders -= 1

    async def _feed(self, seat: Seat) -> None:
        """One page. No one else runs between the last await and the end: the turn in which a seat becomes level."""
        if seat not in self._behind:
            return
        if not seat.outlet.idle:  # another room's page went first
            self._ready(seat)
            return
        self.fell_behind(seat)
        if seat.hurried and self._owes_enough(seat):
            self._rest(seat)
            return
        self._hasten(seat)
        cursor = seat.cursor
        framed = await self._page(seat)
        if seat not in self._behind:
            return
        if framed is None:
            self._stall(seat)
            return
        if seat.cursor != cursor:  # the outlet has rewound the seat
            self._ready(seat)
            return
        self._offer_page(seat, framed)
        if seat.cursor >= self._book.head:
            del self._behind[seat]
            self._level[seat] = None
            seat.level = True
            seat.hurried = False
        else:
            self._ready(seat)

    def _stall(self, seat: Seat) -> None:
        if not self._stalled:
            self._nursery.start_soon(self._try_again)
        self._stalled.append(seat)

    async def _try_again(self) -> None:
        """Meanwhile nobody asks the log, and whoever can be fed from memory is."""
        await trio.sleep(LOG_PAUSE_SECONDS)
        stalled, self._stalled = self._stalled, []
        for seat in stalled:
            self._ready(seat)

    def _owes_enough(self, seat: Seat) -> bool:
        owed = seat.outlet.look()
        seat.allowance = allowance(seat.allowance, owed, seat.outlet.bytes_per_s)
        return owed > seat.allowance

    def _rest(self, seat: Seat) -> None:
        if not self._resting:
            self._nursery.start_soon(self._go_on)
        self._resting.append(seat)

    async def _go_on(self) -> None:
        await trio.sleep(REST_SECONDS)
        resting, self._resting = self._resting, []
        for seat in resting:
            self._ready(seat)

    def _hasten(self, seat: Seat) -> None:
        """A reader so slow that what it missed would take minutes is taken ahead, with a gap that it may page."""
        if seat.hurried:
            cursor = hasten(seat.cursor, self._book.head, seat.outlet.bytes_per_s, self._mean_frame)
            self._skip_to(seat, cursor, "too_many")

    def _skip_to(self, seat: Seat, cursor: int, why: str) -> None:
        """Nothing of this room waits in the outlet of a seat that is about to be fed, so the control lane is in order;
        and unlike chat it is never dropped."""
        if cursor > seat.cursor:
            seat.outlet.control(self._voice.gap(self._room, seat.cursor + 1, cursor, why))
            seat.cursor = cursor

    async def _page(self, seat: Seat) -> Sequence[Framed] | None:
        """What follows the seat's cursor: from memory where the tail has it. Empty: nothing that could still be read.
        None: the log cannot say just now."""
        tail, head = self._book.tail, self._book.head
        if seat.cursor >= head:
            return ()
        if tail and tail[0].seq <= seat.cursor + 1:
            first = len(tail) - (head - seat.cursor)
            return [(tail[i].seq, self.frame(tail[i])) for i in range(first, len(tail))]
        if self._stalled:
            return None
        try:
            return await self._pages.after(self._room, self._book.epoch, seat.cursor)
        except LogFailed:
            return None

    def _offer_page(self, seat: Seat, framed: Sequence[Framed]) -> None:
        head = self._book.head
        # Retention may have passed the seat by. The log may be ahead of the book: what is not folded is not offered.
        self._skip_to(seat, min(framed[0][0] - 1, head) if framed else head, "trimmed")
        budget = page_budget(seat.outlet.bytes_per_s)
        if seat.hurried and seat.outlet.bytes_per_s is None:
            budget = seat.allowance  # known to be slow, not how slow
        frames: list[bytes] = []
        taken = 0
        for seq, frame in framed:
            if seq > head or (frames and taken + len(frame) > budget):
                break
            frames.append(frame)
            taken += len(frame)
        cursor = seat.cursor + len(frames)
        self._tally.replayed += len(frames)
        caught_up = seat.target is not None and cursor >= seat.target
        if caught_up:
            frames.append(self._voice.caught_up(self._room, cursor))
            if self._book.reactions:
                frames.append(self._voice.reactions(self._room, self._book.reactions))
            if self.rules:
                frames.append(self.rules)
        if frames:
            seat.outlet.page(Batch(self._room, seat.cursor + 1, cursor, b"".join(frames), len(frames)))
        # Last, so that a fault above leaves the seat where its client is.
        seat.cursor = cursor
        if caught_up:
            seat.target = None
