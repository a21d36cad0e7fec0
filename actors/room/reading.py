"""What a room answers from its log: pages of history, and counts of reactions. What the tail in memory has is answered
in the turn; questions to the disk run in tasks of their own (lookups.py)."""

from functools import partial
from time import perf_counter

import trio

from actors.journal.log import Page
from actors.names import RoomName
from actors.room.book import Book
from actors.room.lookups import Lookups, Reacting
from actors.room.messages import Done, History, React
from actors.room.news import News
from actors.room.pages import PAGE_BYTES, fitting
from actors.room.tools import RoomTools

READS = 32
REACTIONS = 256
"""Some hundred may come in one pass of the loop; they wait for one commit together."""


class Reading:
    def __init__(self, name: RoomName, tools: RoomTools, book: Book, news: News, nursery: trio.Nursery) -> None:
        self._name = name
        self._tools = tools
        self._book = book
        self._news = news
        self._reads = Lookups(nursery, READS, "many people are reading old messages here; try again")
        self._reactions = Lookups(nursery, REACTIONS, "many people are reacting here; try again")
        self._reacting: dict[int, Reacting] = {}

    def react(self, react: React) -> None:
        self._reactions.start(react.reply, partial(self._react, react))

    def history(self, ask: History) -> None:
        self._book.fade(self._tools.clock.now().wall - self._tools.keep_s)
        started = perf_counter()
        recent = self._book.recent(ask.before, ask.after, ask.limit)
        self._tools.tally.history_access.observe(perf_counter() - started)
        if recent is None:
            self._reads.start(ask.reply, partial(self._old_history, ask))
            return
        book = self._book
        recent = tuple(fitting(recent, PAGE_BYTES, newest=ask.after is None, reactions=book.reactions))
        if ask.after is None:
            more = bool(recent) and recent[0].seq > book.oldest
        else:
            more = bool(recent) and recent[-1].seq < book.head
        reactions = {entry.seq: counts for entry in recent if (counts := book.reactions.get(entry.seq))}
        ask.reply.answer(Page(book.epoch, recent, more, book.oldest, book.head, reactions))

    async def _old_history(self, ask: History) -> Page:
        before = None if ask.after is not None else (ask.before or self._book.head + 1)
        page = await self._tools.log.read(
            self._name, after=ask.after, before=before, limit=ask.limit, max_bytes=PAGE_BYTES
        )
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
            counts = await self._tools.log.react(self._name, target, react.author, react.emoji, react.on)
            while reacting.now == 1 and reacting.ever > seen:
                seen = reacting.ever
                page = await self._tools.log.read(
                    self._name, after=target - 1, before=None, limit=1, max_bytes=PAGE_BYTES
                )
                counts = page.reactions.get(target, {})
        finally:
            reacting.now -= 1
            if not reacting.now:
                del self._reacting[target]
        self._book.react(target, counts)
        self._news.reacted(target, counts)
        return Done()
