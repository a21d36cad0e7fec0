"""A room's body: turns what the book decides into drafts for the log, answers for people, and news for the fan-out.

A message's way through here: Post -> judged by the book -> a draft in the log -> (committed) -> the author's ok,
straight from the log; and the log's news -> folded -> fanned out. No room waits for the disk: it is two turns."""

from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import assert_never

import trio

from actors.events import (
    Cleared,
    Deleted,
    Edited,
    Entry,
    Erased,
    Hidden,
    Message,
    Policy,
    PolicyChanged,
    Restored,
    Uncleared,
)
from actors.journal.log import Draft, EpochChanged, Following, Outcome, Stored
from actors.kernel import DeadReason, Inbox, Quarantined
from actors.names import HOUSE, Cid, MemberId, RoomName
from actors.people.outlet import Outlet, Seat
from actors.refusals import Reason, Refused
from actors.room.book import Book, Judgement
from actors.room.fanout import CHUNK, Fanout
from actors.room.houseview import Doorkeeper
from actors.room.looks import census, joined, look
from actors.room.messages import (
    Census,
    Delete,
    Done,
    Edit,
    Erase,
    FellBehind,
    History,
    Join,
    Lapsed,
    Leave,
    Members,
    Moderate,
    Post,
    React,
    RecordChanged,
    Remove,
    Removed,
    Renamed,
    Reply,
    Request,
    RoomMessage,
    RulesChanged,
    SeatLost,
    SetPolicy,
    Typing,
)
from actors.room.naming import Naming
from actors.room.news import News
from actors.room.pages import EpochOver
from actors.room.patience import Patient
from actors.room.reading import Reading
from actors.room.readmission import Readmission
from actors.room.resume import plan_join
from actors.room.settled import Settled, say_something_new
from actors.room.tools import PostReply, RoomTools
from actors.tally import RoomTally

MODERATION = (Edit, Delete, SetPolicy, Moderate, Erase, Remove)
"""What counts as moderation in a room's budget of time."""
SETTLE_SECONDS = 2.0
"""For rules out of the settings to be committed, before a room opens without them."""


class Room(Patient[RoomMessage]):
    """One instance of a room's life. `policy`: what the settings say of a listed room, or None."""

    def __init__(self, name: RoomName, tools: RoomTools, *, policy: Policy | None = None) -> None:
        self.name = name
        self._tools = tools
        self._log = tools.log
        self._clock = tools.clock
        self._settled_policy = policy
        self._counts = tools.tallies.setdefault(name, RoomTally())
        self._fanout = Fanout(name, tools.voice, tools.pages, tools.tally, self._counts, tools.precedence)
        self._presence = tools.presence()
        self._moved = trio.Event()
        self._following: Following | None = None
        self._epoch_over = False
        self._trimmed = 0
        self._settled: Settled | None = None
        self._missed: dict[type[RoomMessage], RecordChanged | RulesChanged] = {}
        """What was said of the room before it was open: the last of each kind, which says it all."""
        self._seats: dict[Outlet, Seat] = {}
        """By connection: each has one seat at most."""
        self._naming = Naming(name, self._presence, self._seats, tools.seated)
        self._news = News(name, tools.voice, self._presence, self._seats.values(), tools.precedence)

    # Life

    async def open(self) -> None:
        opening, self._following = await self._log.open(self.name, self._tools.tail, self._wake)
        self._book = Book.open(opening, tail_limit=self._tools.tail)
        self._door = Doorkeeper(self.name, self._tools, self._book, self._presence, opening.record)
        wanted = self._settled_policy
        if wanted is not None and say_something_new(wanted, opening):
            self._settled = Settled(wanted, self._book, self._append_ours)
            await self._settle(self._settled)

    def _wake(self) -> None:
        self._moved.set()

    async def _settle(self, settled: Settled) -> None:
        """Nobody is judged before the rules of the settings hold; but no room waits long for a disk that refuses
        them."""
        with trio.move_on_after(SETTLE_SECONDS):
            seq = await settled.seq()
            while self._book.head < seq and not self._epoch_over:
                await self._moved.wait()
                self._fold_news()

    def turn_away(self, message: RoomMessage, retry_after_s: float) -> None:
        """Who leaves has left: the room asks who is there when it is open. A deletion's Remove is in the record."""
        match message:
            case Leave(reply, seat):
                seat.outlet.forget(self.name)
                reply.answer(Done())
            case Census(asks):
                asks.refuse(Quarantined(f"room:{self.name}", retry_after_s))
            case Request():
                message.undelivered(DeadReason.QUARANTINED, retry_after_s)
            case RecordChanged() | RulesChanged():
                self._missed[type(message)] = message
            case _:
                pass

    async def run(self, inbox: Inbox[RoomMessage]) -> None:
        if not await self.opened(inbox):
            return
        self._readmit()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._reading = Reading(self.name, self._tools, self._book, self._news, nursery)
            self._keep_rules()
            self._fanout.attach(self._book, nursery)
            for seat in self._seats.values():
                self._fanout.admit(seat)
            nursery.start_soon(self._follow_log)
            if self._settled is not None:
                nursery.start_soon(self._settled.try_again)
            nursery.start_soon(self._news.tell, self._clock, lambda: self._book.policy)
            await super().run(inbox)
            nursery.cancel_scope.cancel()

    def _readmit(self) -> None:
        """In one step with the end of turning mail away: from here on, whoever leaves or goes is heard in a turn."""
        for fact in self._missed.values():
            self._turn(fact)
        readmission = Readmission(self._door.record, self._book, self._naming, self._tools)
        self._seats.update(readmission.readmit(self._tools.seated(self.name)))
        self._counts.look = partial(look, self._door, self._fanout)

    def stopped(self, cause: BaseException | None) -> None:
        self._counts.look = None
        self._fanout.close()
        self._tools.pages.forget(self.name)
        if self._following is not None:
            self._following.stop()

    async def _follow_log(self) -> None:
        """Everything that was committed since the last pass is folded, then fanned out; the next gathers meanwhile."""
        assert self._following is not None
        while True:
            await self._moved.wait()
            if self._epoch_over:
                raise EpochOver(f"{self.name} is no longer in epoch {self._book.epoch}")
            entries = self._fold_news()
            if entries:
                await self._tell(entries)

    def _fold_news(self) -> Sequence[Entry]:
        assert self._following is not None
        self._moved = trio.Event()
        entries = self._following.take()
        for entry in entries:
            self._fold(entry)
        self._forget_what_is_too_old(self._following.oldest)
        return entries

    def _forget_what_is_too_old(self, oldest: int) -> None:
        """Memory does not outlive retention: neither the tail, nor a frame, nor a page."""
        oldest = min(oldest, self._book.head + 1)
        if oldest > self._trimmed:
            self._trimmed = oldest
            self._book.trimmed(oldest)
            self._tools.pages.trimmed(self.name, oldest)
            self._fanout.forget_what_changed()

    async def _tell(self, entries: Sequence[Entry]) -> None:
        counts = self._counts
        counts.committed += sum(isinstance(entry.body, Message) for entry in entries)
        before = counts.delivered
        await self._fanout.broadcast(entries)
        age_s = max(0.0, self._clock.now().wall - entries[0].ts)
        for delivery in (counts.delivery, self._tools.tally.delivery):
            delivery.observe(age_s, counts.delivered - before)

    def _fold(self, entry: Entry) -> None:
        self._book.fold(entry)
        match entry.body:
            case Edited(target=target) | Deleted(target=target) | Hidden(target=target):
                self._reworded(entry)
                if not isinstance(entry.body, Edited):
                    self._news.forget(target)
            case Restored() | Cleared() | Uncleared() | Erased():
                self._reworded(entry)
            case PolicyChanged() if self._fanout.rules:
                self._rules_changed()
            case _:
                pass

    def _reworded(self, entry: Entry) -> None:
        self._tools.pages.changed(self.name, entry)
        self._fanout.forget_what_changed()

    # Turns

    def handle(self, message: RoomMessage) -> None:
        started = perf_counter()
        self._turn(message)
        if isinstance(message, Post):
            self._counts.post_s += perf_counter() - started
        elif isinstance(message, MODERATION):
            self._counts.moderation_s += perf_counter() - started

    def _turn(self, message: RoomMessage) -> None:  # noqa: PLR0912, PLR0915
        match message:
            case Post():
                self._post(message)
            case Join():
                self._join(message)
            case Leave(reply, seat):
                self._leave(seat)
                reply.answer(Done())
            case Edit(reply, author, cid, target, text):
                now = self._clock.now()
                view = self._door.view(author, text, now)
                self._append(author, cid, self._book.edit(author, target, text, now, view), reply)
            case Delete(reply, author, cid, target):
                self._append(author, cid, self._book.delete(author, target, self._clock.now()), reply)
            case React():
                self._reading.react(message)
            case History():
                self._reading.history(message)
            case Members(reply, page):
                reply.answer(self._presence.page(page))
            case Typing(author, nickname):
                if author not in self._door.removed:
                    self._news.typing(author, nickname)
            case SeatLost(seat):
                self._seat_lost(seat)
            case FellBehind(seat):
                self._fanout.fell_behind(seat)
            case Lapsed(member):
                self._presence.lapse(member)
                self._news.people_changed()
            case Renamed(member, nickname):
                self._naming.rename(member, nickname)
                self._news.people_changed()
            case SetPolicy(reply, policy, cid, author):
                reply = reply if self._settled is None else self._settled.overheard(reply)
                self._append(author, cid, self._book.set_policy(policy, author, self._clock.now()), reply)
            case Moderate(reply, author, cid, body):
                self._append(author, cid, self._book.moderate(body), reply)
            case Erase(reply, upto, cid, author):
                self._append(author, cid, self._book.moderate(Erased(upto)), reply)
            case Remove():
                self._remove(message)
            case RulesChanged():
                self._rules_changed()
            case RecordChanged(record):
                self._door.record = record
                self._book.code, self._book.title = record.code, record.title
                self._rules_changed()
            case Census(asks):
                asks.answer(
                    census(
                        self.name, self._book, self._presence, self._fanout, len(self._seats), self._door.own_rules()
                    )
                )
            case _:
                assert_never(message)

    def _post(self, post: Post) -> None:
        now = self._clock.now()
        self._tools.tally.messages_received += 1
        self._counts.posts += 1
        view = self._door.view(post.author, post.text, now)
        judgement = self._book.post(post.author, post.nickname, post.text, post.reply_to, now, view)
        reply = PostReply(post, now, judgement.refusal is None, self._book, self._tools.tally)
        self._append(post.author, post.cid, judgement, reply)

    def _append(self, author: MemberId, cid: Cid, judgement: Judgement, reply: Reply[Stored]) -> None:
        def heard(outcome: Outcome) -> None:
            self._counts.answered()
            if isinstance(outcome, EpochChanged):
                self._epoch_over = True
                self._wake()
                outcome = Refused(Reason.UNAVAILABLE, "the room has just begun anew; send it again", 200)
            reply.answer(outcome)

        draft = Draft(self.name, self._book.epoch, author, cid, judgement.body, heard, judgement.refusal)
        self._log.append(draft)
        self._counts.handed_in()

    def _append_ours(self, cid: Cid, body: PolicyChanged, reply: Reply[Stored]) -> None:
        self._append(HOUSE, cid, Judgement(body, None), reply)

    def _join(self, join: Join) -> None:
        book, seat, now = self._book, join.seat, self._clock.now()
        book.fade(now.wall - self._tools.keep_s)
        refusal = self._door.no_entry(seat.member, now)
        if refusal is not None:
            join.reply.answer(refusal)
            return
        self._door.removed.discard(seat.member)
        start = plan_join(join, self._book, self._tools.tally)
        gap = start.gap
        told = None if gap is None else self._tools.voice.gap(self.name, gap.start, gap.end, gap.why)
        self._naming.come(seat)
        seat.epoch, seat.cursor, seat.target, seat.presence = book.epoch, start.cursor, start.target, join.presence
        earlier = self._seats.get(seat.outlet)
        if earlier is not None:
            self._seat_lost(earlier)
        self._seats[seat.outlet] = seat
        self._fanout.admit(seat)
        self._tools.tally.resumes[start.mode] += 1
        self._tools.tally.catch_ups["join"] += 1
        self._counts.joins += 1
        self._news.people_changed()
        # Last, so that a turn that fails has changed nothing for the client; what is fed comes in a later one.
        seat.outlet.forget(self.name)
        join.reply.answer(joined(self._door, start.mode, seat.nickname))
        if told is not None:
            seat.outlet.control(told)

    def _rules_changed(self) -> None:
        self._news.rules(self._keep_rules())

    def _keep_rules(self) -> bytes:
        """The frame; kept for those who catch up, as the entries that they are told do not say what the house adds."""
        told = self._door.rules()
        frame = self._tools.voice.rules(self.name, told)
        self._fanout.rules = frame if told != self._door.own_rules() else b""
        return frame

    def _seat_lost(self, seat: Seat) -> bool:
        """True: it was the member's last one here."""
        if self._seats.get(seat.outlet) is not seat:
            return False  # given up before: by a join on the same connection, or with an earlier instance
        del self._seats[seat.outlet]
        self._fanout.dismiss(seat)
        return self._presence.leave_seat(seat.member)

    def _leave(self, seat: Seat) -> None:
        """At once, unless the member is here with another connection."""
        if self._seat_lost(seat):
            self._presence.leave_now(seat.member)
            self._news.people_changed()
        seat.outlet.forget(self.name)

    # Orders

    def _remove(self, order: Remove) -> None:
        seats = [seat for seat in self._seats.values() if order.member in (None, seat.member)]
        for seat in seats:
            seat.removed = True
            self._seat_lost(seat)
            seat.outlet.forget(self.name)
        gone = self._presence.everybody() if order.member is None else (order.member,)
        for member in gone:
            self._presence.leave_now(member)
        self._door.removed.update(gone)
        self._tools.put_out(self.name, gone)
        if gone:
            self._news.people_changed()
        told = self._tools.voice.removed(self.name, order.reason, order.until, order.to)
        self._nursery.start_soon(self._tell_removed, [seat.outlet for seat in seats], told)
        order.reply.answer(Removed(len(seats)))

    async def _tell_removed(self, outlets: Sequence[Outlet], told: bytes) -> None:
        for start in range(0, len(outlets), CHUNK):
            for outlet in outlets[start : start + CHUNK]:
                if outlet not in self._seats:  # not back already
                    outlet.control(told)
            await self._tools.precedence.give_way()
