"""The admin actor: one order after the other, as they were given, and what has become due in between.

A turn only takes an order in; a worker of the same actor carries it out, since that waits for rooms and for the disk.
Alerts have a worker of their own: no order that takes its time keeps one waiting. Questions never come here
(actors/admin/reads.py), so no look waits behind an act."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Protocol

import trio
from attrs import define, field, frozen

from actors.admin.deeds import Deed, Phase
from actors.admin.executor import ALERT, Executor
from actors.admin.orders import Answer, Denied, Order
from actors.admin.recording_refusals import MINUTE_S
from actors.admin.store import StoreFailed
from actors.journal.log import LogFailed
from actors.kernel import Actor, DeadReason, Inbox

RETRY_S = 5.0
"""Until what was due and failed is tried again."""
LOOK_S = 3_600.0
"""The loop's clock and the wall clock part company: look at the wall again after so long."""
GOODBYE_S = 0.3
"""For what is still to be recorded at the end."""


class OrderReply(Protocol):
    """Never blocks, never raises."""

    def answer(self, value: Answer) -> None: ...


@frozen
class Carry:
    """An order. Answered exactly once."""

    reply: OrderReply = field(eq=False)
    order: Order

    def refuse(self, code: str, message: str, retry_after_ms: int) -> None:
        self.reply.answer(Denied(code, message, retry_after_ms))

    def undelivered(self, reason: DeadReason, retry_after_s: float) -> None:
        self.reply.answer(stumbled(reason is DeadReason.CRASHED, retry_after_s))


def stumbled(crashed: bool, retry_after_s: float) -> Denied:
    code = "internal" if crashed else "unavailable"
    said = "this order went wrong here; give it again with the same cid" if crashed else "not now; try again"
    return Denied(code, said, max(100, round(retry_after_s * 1000)))


AdminMessage = Carry


@define(eq=False)
class _Line:
    """Orders that wait for one worker."""

    waiting: deque[Carry] = field(factory=deque)
    current: Carry | None = None
    news: trio.Event = field(factory=trio.Event)

    def put(self, carry: Carry) -> None:
        self.waiting.append(carry)
        self.news.set()

    @property
    def left(self) -> list[Carry]:
        return [*([self.current] if self.current else []), *self.waiting]


@define
class _Due:
    when: float
    deed: Deed


class Admin(Actor[AdminMessage]):
    """`build` makes the executor for this instance: what it remembers (layers, waiting second persons) is read from
    the ledger anew, so a crash loses no act."""

    def __init__(self, build: Callable[[Callable[[Deed], None]], Executor]) -> None:
        self._executor = build(self._note_due)
        self._acts, self._alerts = _Line(), _Line()
        self._due: dict[str, _Due] = {}

    def handle(self, message: AdminMessage) -> None:
        line = self._alerts if message.order.name.startswith(ALERT) else self._acts
        line.put(message)

    def stopped(self, cause: BaseException | None) -> None:
        for carry in (*self._alerts.left, *self._acts.left):
            carry.reply.answer(stumbled(isinstance(cause, Exception), 1.0))

    async def run(self, inbox: Inbox[AdminMessage]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._work)
            nursery.start_soon(self._work_on_alerts)
            nursery.start_soon(self._executor.owed.pay)
            nursery.start_soon(self._record_counted)
            await super().run(inbox)
            while self._acts.left or self._alerts.left:  # noqa: ASYNC110 - once, at the end
                await trio.sleep(0.01)
            ends = trio.current_time() + GOODBYE_S
            with trio.CancelScope(deadline=ends):
                await self._executor.owed.settle()
            nursery.cancel_scope.cancel()
        with trio.CancelScope(deadline=ends), suppress(StoreFailed):
            await self._executor.record_counted(inf)

    # -- working -------------------------------------------------------------------------------------------------------

    async def _work_on_alerts(self) -> None:
        while True:
            self._alerts.news = trio.Event()
            await self._empty(self._alerts)
            await self._alerts.news.wait()

    async def _load(self) -> None:
        """Not in `started`: while the disk will not answer, alerts still go out, and acts hear so."""
        while True:
            try:
                await self._executor.hands.rooms.look_at_zones()
                await self._executor.load()
            except (StoreFailed, LogFailed) as wrong:
                while self._acts.waiting:
                    self._acts.waiting.popleft().refuse("unavailable", f"not now: {wrong}", round(RETRY_S * 1000))
                await trio.sleep(RETRY_S)
            else:
                return

    async def _record_counted(self) -> None:
        while True:
            await trio.sleep(MINUTE_S)
            with suppress(StoreFailed):
                await self._executor.record_counted(self._executor.hands.world.now())

    async def _work(self) -> None:
        await self._load()
        while True:
            self._acts.news = trio.Event()
            await self._empty(self._acts)
            with suppress(StoreFailed, LogFailed):  # what is due stays due
                await self._do_due()
            next_s = min((due.when for due in self._due.values()), default=None)
            now = self._executor.hands.world.now()
            with trio.move_on_after(LOOK_S if next_s is None else min(LOOK_S, max(0.05, next_s - now))):
                await self._acts.news.wait()

    async def _empty(self, line: _Line) -> None:
        while line.waiting:
            line.current = line.waiting.popleft()
            line.current.reply.answer(await self._carried_out(line.current.order))
            line.current = None

    async def _carried_out(self, order: Order) -> Answer:
        try:
            return await self._executor.carry_out(order)
        except StoreFailed as wrong:
            return Denied("unavailable", str(wrong), round(wrong.retry_after_s * 1000))
        except LogFailed as failure:
            return Denied("unavailable", str(failure), failure.retry_after_ms)

    # -- what becomes due ----------------------------------------------------------------------------------------------

    def _note_due(self, deed: Deed) -> None:
        times = [when for when in (deed.lift_at, deed.undo_until) if when is not None]
        if times:
            self._due[deed.act] = _Due(min(times), deed)
            self._acts.news.set()

    async def _do_due(self) -> None:
        now = self._executor.hands.world.now()
        for act, due in list(self._due.items()):
            if self._acts.waiting:
                return  # orders of people go first
            if due.when > now:
                continue
            due.when = now + RETRY_S  # unless it works out
            if await self._done(act, now):
                del self._due[act]

    async def _done(self, act: str, now: float) -> bool:
        if not self._executor.owed.nothing:
            return False  # perhaps its own outcome: it cannot be taken back before that is on record
        deed = await self._executor.deeds.get(act)
        if deed is None or deed.phase in (Phase.FINAL, Phase.UNDONE):
            return True
        if deed.phase is not Phase.OPEN:
            return False
        if deed.lift_at is not None and deed.lift_at <= now:
            return not isinstance(await self._executor.undoing.lift(deed), Denied)
        return await self._settle(deed)

    async def _settle(self, deed: Deed) -> bool:
        """What was hidden is erased. False: not now."""
        from actors.admin.erasing import erased

        if not await erased(self._executor.hands, deed):
            return False
        await self._executor.undoing.settle(deed)
        return True
