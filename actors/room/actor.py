"""A room's body: turns what the book decides into drafts for the log, answers for people, and news for the fan-out.

A message's way through here: Post -> judged by the book -> a draft in the log -> (committed) -> the author's ok,
straight from the log; and the log's news -> folded -> fanned out. No room waits for the disk: it is two turns."""

from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import assert_never

import trio
from attrs import evolve

from actors.events import Deleted, Edited, Entry, Policy, PolicyChanged
from actors.journal.log import Draft, EpochChanged, Following, Opening, Outcome, Page, Stored
from actors.kernel import Actor, Inbox
from actors.names import HOUSE, Cid, Epoch, MemberId, Nickname, RoomName
from actors.people.outlet import Outlet, Seat
from actors.people.registry import Seated
from actors.refusals import Reason, Refused
from actors.room.book import Book, Judgement
from actors.room.fanout import Fanout
from actors.room.lookups import Lookups, Reacting
from actors.room.messages import (
    Census,
    Counts,
    Delete,
    Done,
    Edit,
    FellBehind,
    History,
    Join,
    Joined,
    Lapsed,
    Leave,
    Members,
    Position,
    Post,
    React,
    Reply,
    RoomCensus,
    RoomMessage,
    SeatLost,
    SetPolicy,
    Typing,
)
from actors.room.news import News
from actors.room.pages import PAGE_BYTES, EpochOver, fitting
from actors.room.resume import Plan, plan
from actors.room.tools import PostReply, RoomTools, Unheard
from actors.tally import RoomLook, RoomTally

MODERATION = (Edit, Delete, SetPolicy)
"""What counts as moderation in a room's budget of time."""
SETTINGS = "settings-"
"""How the cids of rules begin that come from the settings. No client can use HOUSE's cids."""


class Room(Actor[RoomMessage]):
    """One instance of a room's life. `policy`: what the settings say of a listed room, or None."""

    def __init__(self, name: RoomName, tools: RoomTools, *, policy: Policy | None = None) -> None:
        self.name = name
        self._tools = tools
        self._log = tools.log
        self._clock = tools.clock
        self._settled_policy = policy
        self._counts = tools.tallies.setdefault(name, RoomTally())
        self._fanout = Fanout(name, tools.voice, tools.pages, tools.tally, self._counts)
        self._presence = tools.presence()
        self._moved = trio.Event()
        self._following: Following | None = None
        self._epoch_over = False
        self._reacting: dict[int, Reacting] = {}
        self._seats: dict[Outlet, Seat] = {}
        """By connection: each has one seat at most."""
        self._news = News(name, tools.voice, self._presence, self._seats.values())

    # Life

    async def started(self) -> None:
        opening, self._following = await self._log.open(self.name, self._tools.tail, self._wake)
        self._book = Book.open(opening, tail_limit=self._tools.tail)
        self._readmit(await self._tools.seated(self.name))
        self._apply_settings(opening)
        self._counts.look = self._look

    def _wake(self) -> None:
        self._moved.set()

    def _readmit(self, seated: Seated) -> None:
        """Members of an earlier instance go on where their cursors stand. A seat of an older epoch starts anew."""
        for seat in seated.seats:
            self._presence.enter(seat.member, seat.nickname)
            self._seats[seat.outlet] = seat
            self._tools.tally.catch_ups["restart"] += 1
            if seat.epoch != self._book.epoch:
                self._begin_anew(seat)
        for member, nickname in seated.graced:
            self._presence.enter(member, Nickname(nickname))
            self._presence.leave_seat(member)
        self._presence.settle()

    def _begin_anew(self, seat: Seat) -> None:
        book = self._book
        anew = plan(Position(seat.epoch, 0), self._tools.tail, book.policy.history, book.epoch, book.head, book.oldest,
                    book.policy)  # fmt: skip
        assert anew.gap is not None
        gap = self._tools.voice.gap(self.name, anew.gap.start, anew.gap.end, anew.gap.why)
        seat.outlet.forget(self.name)
        seat.outlet.control(gap)
        seat.epoch, seat.cursor, seat.target = book.epoch, anew.cursor, anew.target

    def _apply_settings(self, opening: Opening) -> None:
        """When the settings say something new. What operators have ordered since they last did stands, whatever
        restarts."""
        wanted = self._settled_policy
        rules = {entry.seq: entry for entry in (*opening.rules, *opening.tail)}
        applied = [
            evolve(entry.body.policy, rev=0)
            for _, entry in sorted(rules.items())
            if isinstance(entry.body, PolicyChanged) and entry.author == HOUSE and entry.cid.startswith(SETTINGS)
        ]
        if wanted is None or applied[-1:] == [evolve(wanted, rev=0)]:
            return
        cid = Cid(f"{SETTINGS}{self.name}-{self._book.epoch}-{self._book.head}")
        self._append(HOUSE, cid, Judgement(PolicyChanged(wanted), None), Unheard())

    async def run(self, inbox: Inbox[RoomMessage]) -> None:
        async with trio.open_nursery() as nursery:
            self._lookups = Lookups(nursery)
            self._fanout.attach(self._book, nursery)
            for seat in self._seats.values():
                self._fanout.admit(seat)
            nursery.start_soon(self._follow_log)
            nursery.start_soon(self._news.tell, self._clock, lambda: self._book.policy)
            await super().run(inbox)
            nursery.cancel_scope.cancel()

    def stopped(self, cause: BaseException | None) -> None:
        self._counts.look = None
        self._fanout.close()
        if self._following is not None:
            self._following.stop()

    async def _follow_log(self) -> None:
        """Everything that was committed since the last pass is folded, then fanned out; the next gathers meanwhile."""
        assert self._following is not None
        while True:
            await self._moved.wait()
            if self._epoch_over:
                raise EpochOver(f"{self.name} is no longer in epoch {self._book.epoch}")
            self._moved = trio.Event()
            entries = self._following.take()
            if entries:
                for entry in entries:
                    self._fold(entry)
                await self._tell(entries)

    async def _tell(self, entries: Sequence[Entry]) -> None:
        counts = self._counts
        counts.committed += len(entries)
        before = counts.delivered
        await self._fanout.broadcast(entries)
        age_s = max(0.0, self._clock.now().wall - entries[0].ts)
        for delivery in (counts.delivery, self._tools.tally.delivery):
            delivery.observe(age_s, counts.delivered - before)

    def _fold(self, entry: Entry) -> None:
        self._book.fold(entry)
        match entry.body:
            case Edited(target=target) | Deleted(target=target):
                self._tools.pages.changed(self.name, entry)
                if isinstance(entry.body, Deleted):
                    self._news.reactions.pop(target, None)
            case _:
                pass

    # Turns

    def handle(self, message: RoomMessage) -> None:
        started = perf_counter()
        self._turn(message)
        if isinstance(message, Post):
            self._counts.post_s += perf_counter() - started
        elif isinstance(message, MODERATION):
            self._counts.moderation_s += perf_counter() - started

    def _turn(self, message: RoomMessage) -> None:  # noqa: PLR0912
        match message:
            case Post():
                self._post(message)
            case Join():
                self._join(message)
            case Leave(reply, seat):
                self._leave(seat)
                reply.answer(Done())
            case Edit(reply, author, cid, target, text):
                self._append(author, cid, self._book.edit(author, target, text, self._clock.now()), reply)
            case Delete(reply, author, cid, target):
                self._append(author, cid, self._book.delete(author, target, self._clock.now()), reply)
            case React():
                self._lookups.start(message.reply, partial(self._react, message))
            case History():
                self._history(message)
            case Members(reply, page):
                reply.answer(self._presence.page(page))
            case Typing(author, nickname):
                self._news.typing(author, nickname)
            case SeatLost(seat):
                self._seat_lost(seat)
            case FellBehind(seat):
                self._fanout.fell_behind(seat)
            case Lapsed(member):
                self._presence.lapse(member)
                self._news.people_changed()
            case SetPolicy(reply, policy, cid, author):
                self._append(author, cid, self._book.set_policy(policy, author, self._clock.now()), reply)
            case Census(asks):
                asks.answer(self._census())
            case _:
                assert_never(message)

    def _post(self, post: Post) -> None:
        now = self._clock.now()
        self._tools.tally.messages_received += 1
        self._counts.posts += 1
        judgement = self._book.post(post.author, post.nickname, post.text, post.reply_to, now)
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

    def _join(self, join: Join) -> None:
        book, seat, now = self._book, join.seat, self._clock.now()
        book.fade(now.wall - self._tools.keep_s)
        limit = book.policy.at(now.wall).max_members
        if self._presence.online >= limit and not self._presence.knows(seat.member):
            join.reply.answer(Refused(Reason.FULL, f"this room holds {limit} people and is full", 10_000))
            return
        start = self._plan(join)
        gap = start.gap
        told = None if gap is None else self._tools.voice.gap(self.name, gap.start, gap.end, gap.why)
        seat.nickname = self._presence.enter(seat.member, seat.nickname).nickname
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
        join.reply.answer(self._joined(start.mode, seat))
        if told is not None:
            seat.outlet.control(told)

    def _plan(self, join: Join) -> Plan:
        book = self._book
        start = plan(join.since, join.tail, join.max, book.epoch, book.head, book.oldest, book.policy)
        if not start.beyond_head:
            return start
        # Whoever says they have seen more than was ever committed is served anew; a room does not begin a new epoch on
        # the word of one phone (docs/decisions/0007-rooms.md).
        self._tools.tally.beyond_head += 1
        foreign = Position(Epoch(""), 0)
        return plan(foreign, join.tail, join.max, book.epoch, book.head, book.oldest, book.policy)

    def _joined(self, mode: str, seat: Seat) -> Joined:
        book = self._book
        return Joined(
            self.name,
            book.epoch,
            book.head,
            book.oldest,
            mode,
            book.policy.at(self._clock.now().wall),
            Counts(self._presence.online),
            seat.nickname,
            book.code,
            book.title,
        )

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

    def _census(self) -> RoomCensus:
        book, fanout = self._book, self._fanout
        return RoomCensus(
            self.name,
            book.epoch,
            book.head,
            book.oldest,
            self._presence.online,
            len(self._seats),
            fanout.level,
            fanout.behind,
            len(book.tail),
            book.policy.at(self._clock.now().wall),
        )

    def _look(self, entries: int, members: int) -> RoomLook:
        book, fanout = self._book, self._fanout
        tail = tuple(book.tail)[-entries:] if entries else ()
        cards = self._presence.page(1).members[:members] if members else ()
        return RoomLook(
            self._presence.online,
            fanout.behind,
            fanout.slow,
            book.policy.at(self._clock.now().wall),
            tail,
            tuple((card.member, card.nickname) for card in cards),
        )

    # Reading

    def _history(self, ask: History) -> None:
        self._book.fade(self._clock.now().wall - self._tools.keep_s)
        started = perf_counter()
        recent = self._book.recent(ask.before, ask.after, ask.limit)
        self._tools.tally.history_access.observe(perf_counter() - started)
        if recent is None:
            self._lookups.start(ask.reply, partial(self._old_history, ask))
            return
        book = self._book
        recent = tuple(fitting(recent, PAGE_BYTES, newest=ask.after is None))
        if ask.after is None:
            more = bool(recent) and recent[0].seq > book.oldest
        else:
            more = bool(recent) and recent[-1].seq < book.head
        reactions = {entry.seq: counts for entry in recent if (counts := book.reactions.get(entry.seq))}
        ask.reply.answer(Page(book.epoch, recent, more, book.oldest, book.head, reactions))

    async def _old_history(self, ask: History) -> Page:
        before = None if ask.after is not None else (ask.before or self._book.head + 1)
        page = await self._log.read(self.name, after=ask.after, before=before, limit=ask.limit, max_bytes=PAGE_BYTES)
        self._book.trimmed(page.oldest)
        return page

    async def _react(self, react: React) -> Done:
        """Where several were under way for one message, their answers may come in another order than they were counted
        in: the last one to come looks again."""
        target, seen = react.target, 1
        reacting = self._reacting.setdefault(target, Reacting())
        reacting.now += 1
        reacting.ever += 1
        try:
            counts = await self._log.react(self.name, target, react.author, react.emoji, react.on)
            while reacting.now == 1 and reacting.ever > seen:
                seen = reacting.ever
                page = await self._log.read(self.name, after=target - 1, before=None, limit=1, max_bytes=PAGE_BYTES)
                counts = page.reactions.get(target, {})
        finally:
            reacting.now -= 1
            if not reacting.now:
                del self._reacting[target]
        self._book.react(target, counts)
        self._news.reacted(target, counts)
        return Done()
