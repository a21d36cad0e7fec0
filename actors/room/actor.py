"""A room's body: turns what the book decides into drafts for the log, answers for people, and news for the fan-out.

A message's way through here: Post -> judged by the book -> a draft in the log -> (committed) -> the author's ok,
straight from the log; and the log's news -> folded -> fanned out. No room waits for the disk: it is two turns."""

from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import assert_never

import trio
from attrs import evolve

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
from actors.journal.log import Draft, EpochChanged, Following, Opening, Outcome, Stored
from actors.kernel import Actor, Inbox
from actors.names import HOUSE, Cid, MemberId, Nickname, RoomName
from actors.people.outlet import Outlet, Seat
from actors.people.registry import Seated
from actors.refusals import Reason, Refused
from actors.room.book import Book, Judgement
from actors.room.fanout import CHUNK, Fanout
from actors.room.houseview import Doorkeeper
from actors.room.looks import census, look
from actors.room.messages import (
    Census,
    Counts,
    Delete,
    Done,
    Edit,
    Erase,
    FellBehind,
    History,
    Join,
    Joined,
    Lapsed,
    Leave,
    Members,
    Moderate,
    Position,
    Post,
    React,
    RecordChanged,
    Remove,
    Removed,
    Reply,
    RoomCensus,
    RoomMessage,
    RulesChanged,
    SeatLost,
    SetPolicy,
    Typing,
)
from actors.room.news import News
from actors.room.pages import EpochOver
from actors.room.reading import Reading
from actors.room.resume import plan, plan_join
from actors.room.tools import PostReply, RoomTools, Verdict
from actors.tally import RoomTally

MODERATION = (Edit, Delete, SetPolicy, Moderate, Erase, Remove)
"""What counts as moderation in a room's budget of time."""
SETTINGS = "settings-"
"""How the cids of rules begin that come from the settings. No client can use HOUSE's cids."""
SETTLE_SECONDS = 2.0
"""For rules out of the settings to be committed, before a room opens without them."""


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
        self._seats: dict[Outlet, Seat] = {}
        """By connection: each has one seat at most."""
        self._news = News(name, tools.voice, self._presence, self._seats.values())

    # Life

    async def started(self) -> None:
        opening, self._following = await self._log.open(self.name, self._tools.tail, self._wake)
        self._book = Book.open(opening, tail_limit=self._tools.tail)
        self._door = Doorkeeper(self.name, self._tools, self._book, self._presence, opening.record)
        self._readmit(await self._tools.seated(self.name))
        await self._apply_settings(opening)
        self._counts.look = partial(look, self._door, self._fanout)

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

    async def _apply_settings(self, opening: Opening) -> None:
        """When the settings say something new. What operators have ordered since they last did stands, whatever
        restarts. Nobody is judged before they hold; but no room waits long for a disk that refuses them."""
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
        verdict = Verdict()
        self._append(HOUSE, cid, Judgement(PolicyChanged(wanted), None), verdict)
        with trio.move_on_after(SETTLE_SECONDS):
            seq = await verdict.seq()
            while self._book.head < seq and not self._epoch_over:
                await self._moved.wait()
                self._fold_news()

    async def run(self, inbox: Inbox[RoomMessage]) -> None:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._reading = Reading(self.name, self._tools, self._book, self._news, nursery)
            self._keep_rules()
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
            entries = self._fold_news()
            if entries:
                await self._tell(entries)

    def _fold_news(self) -> Sequence[Entry]:
        assert self._following is not None
        self._moved = trio.Event()
        entries = self._following.take()
        for entry in entries:
            self._fold(entry)
        return entries

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
                self._tools.pages.changed(self.name, entry)
                if not isinstance(entry.body, Edited):
                    self._news.reactions.pop(target, None)
            case Restored() | Cleared() | Uncleared() | Erased():
                self._tools.pages.changed(self.name, entry)
            case PolicyChanged() if self._fanout.rules:
                self._rules_changed()
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
            case SetPolicy(reply, policy, cid, author):
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

    def _rules_changed(self) -> None:
        self._news.rules(self._keep_rules())

    def _keep_rules(self) -> bytes:
        """The frame; kept for those who catch up, as the entries that they are told do not say what the house adds."""
        told = self._door.rules()
        frame = self._tools.voice.rules(self.name, told)
        self._fanout.rules = frame if told != self._door.own_rules() else b""
        return frame

    def _joined(self, mode: str, seat: Seat) -> Joined:
        book = self._book
        return Joined(
            self.name,
            book.epoch,
            book.head,
            book.oldest,
            mode,
            self._door.rules(),
            Counts(self._presence.online),
            seat.nickname,
            book.code,
            book.title,
            book.pinned,
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
            await trio.lowlevel.checkpoint()

    def _census(self) -> RoomCensus:
        rules = self._door.own_rules()
        return census(self.name, self._book, self._presence, self._fanout, len(self._seats), rules)
