"""Outcomes that the disk is slow to take. What was done is answered as done, and no alert waits for its record: it
follows when it can."""

from collections import deque
from collections.abc import Awaitable, Callable

import trio
from attrs import define, field

from actors.admin.store_run import StoreFailed

RECORD_S = 0.2
"""For all that an alert has on record before it goes out, and again for what comes afterwards."""
ACT_RECORD_S = 3.0
"""For the outcome of another act; a file that another process holds is waited for 2 s."""
OWED_MOST = 1_000

Job = Callable[[], Awaitable[object]]


@define(eq=False)
class Owing:
    """`what`: whose record it is. `trouble`: why it was not taken the first time; "" while that is not known, or it
    was. `over`: it is on record, or given up."""

    what: str
    job: Job
    tried: trio.Event = field(init=False, factory=trio.Event)
    over: trio.Event = field(init=False, factory=trio.Event)
    trouble: str = field(init=False, default="")


@define(eq=False)
class Owed:
    """`paid`: told when the last of what was late has been recorded. `lost`: told of what was given up, because too
    much waits."""

    paid: Callable[[], None] = lambda: None
    lost: Callable[[str], None] = lambda what: None
    _waiting: deque[Owing] = field(init=False, factory=deque)
    _news: trio.Event = field(init=False, factory=trio.Event)
    _hurry: trio.Event = field(init=False, factory=trio.Event)
    _late: bool = field(init=False, default=False)

    @property
    def nothing(self) -> bool:
        return not self._waiting

    async def keep(self, what: str, job: Job, seconds: float) -> str:
        """In the order of the calls. Why it is not on record after so many seconds; it will be. "": it is."""
        owing = Owing(what, job)
        self._waiting.append(owing)
        while len(self._waiting) > OWED_MOST:
            given_up = self._waiting.popleft()
            given_up.over.set()
            self.lost(given_up.what)
        self._news.set()
        with trio.move_on_after(seconds):
            await owing.tried.wait()
            if not owing.trouble:
                return ""
        self._late = True
        return owing.trouble or "the disk takes too long"

    async def settle(self) -> None:
        """What waits to be tried again is tried now. Until nothing is owed: the caller's scope says how long."""
        self._hurry.set()
        while self._waiting:
            await self._waiting[-1].over.wait()

    async def pay(self) -> None:
        """A task: for as long as there are orders."""
        while True:
            self._news = trio.Event()
            while self._waiting:
                await self._pay_first()
            if self._late:
                self._late = False
                self.paid()
            await self._news.wait()

    async def _pay_first(self) -> None:
        owing = self._waiting[0]
        try:
            await owing.job()
        except StoreFailed as wrong:
            owing.trouble = str(wrong)
            owing.tried.set()
            self._hurry = trio.Event()
            with trio.move_on_after(wrong.retry_after_s):
                await self._hurry.wait()
        else:
            owing.trouble = ""
            owing.tried.set()
            owing.over.set()
            if self._waiting and self._waiting[0] is owing:
                self._waiting.popleft()
