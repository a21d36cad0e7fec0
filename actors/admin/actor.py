"""The admin actor: one order after the other, as they were given, and what has become due in between.

A turn only takes an order in; a worker of the same actor carries it out, since that waits for rooms and for the disk.
Questions never come here (actors/admin/reads.py), so no look waits behind an act."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import trio
from attrs import define, field, frozen

from actors.admin.deeds import Deed, Phase
from actors.admin.executor import Executor, load
from actors.admin.executor_house import erase
from actors.admin.orders import Answer, Denied, Order
from actors.admin.store import StoreFailed
from actors.admin.undo import from_row
from actors.admin.world import Mark
from actors.journal.log import LogFailed
from actors.kernel import Actor, DeadReason, Inbox
from actors.names import MemberId, RoomName

RETRY_S = 5.0
"""Until what was due and failed is tried again."""
LOOK_S = 3_600.0
"""The loop's clock and the wall clock part company: look at the wall again after so long."""


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


@define(order=False)
class _Due:
    when: float
    deed: Deed


class Admin(Actor[AdminMessage]):
    """`build` makes the executor for this instance: what it remembers (layers, waiting second persons) is read from
    the ledger anew, so a crash loses no act."""

    def __init__(self, build: Callable[[Callable[[Deed], None]], Executor]) -> None:
        self._executor = build(self._note_due)
        self._waiting: deque[Carry] = deque()
        self._current: Carry | None = None
        self._news = trio.Event()
        self._due: dict[str, _Due] = {}

    async def started(self) -> None:
        deeds = await self._executor.deeds.unfinished()
        await self._executor.hands.rooms.look_at_zones()
        load(self._executor, deeds)
        for deed in deeds:
            if deed.phase is Phase.OPEN:
                self._note_due(deed)
            await self._take_up(deed)

    async def _take_up(self, deed: Deed) -> None:
        """What a crash interrupted: registers are written once more, which is the same as once."""
        if deed.phase is not Phase.BEGUN or not deed.repeat or not deed.changes:
            return
        values = {change.key: change.after for change in from_row(deed.changes)}
        mark = Mark(deed.act, deed.operator, deed.reason, deed.at)
        if not isinstance(await self._executor.hands.registers.write(values, mark), Denied):
            await self._executor.finish_late(deed)

    def handle(self, message: AdminMessage) -> None:
        self._waiting.append(message)
        self._news.set()

    def stopped(self, cause: BaseException | None) -> None:
        crashed = isinstance(cause, Exception)
        for carry in ([self._current] if self._current else []) + list(self._waiting):
            carry.reply.answer(stumbled(crashed, 1.0))

    async def run(self, inbox: Inbox[AdminMessage]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._work)
            await super().run(inbox)
            while self._waiting or self._current:  # noqa: ASYNC110 - once, at the end
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    # -- working -------------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            if self._waiting:
                self._current = self._waiting.popleft()
                self._current.reply.answer(await self._carried_out(self._current.order))
                self._current = None
                continue
            self._news = trio.Event()
            next_s = min((due.when for due in self._due.values()), default=None)
            now = self._executor.hands.world.now()
            with trio.move_on_after(LOOK_S if next_s is None else min(LOOK_S, max(0.0, next_s - now))):
                await self._news.wait()
            with suppress(StoreFailed, LogFailed):  # what is due stays due
                await self._do_due()

    async def _carried_out(self, order: Order) -> Answer:
        try:
            return await self._executor.carry_out(order)
        except StoreFailed as wrong:
            return Denied("unavailable", str(wrong), round(wrong.retry_after_s * 1000))
        except LogFailed as failure:
            return Denied("unavailable", str(failure), failure.retry_after_ms)

    def _note_due(self, deed: Deed) -> None:
        times = [when for when in (deed.lift_at, deed.undo_until) if when is not None]
        if times:
            self._due[deed.act] = _Due(min(times), deed)
            self._news.set()

    async def _do_due(self) -> None:
        now = self._executor.hands.world.now()
        for act, due in list(self._due.items()):
            if due.when > now:
                continue
            deed = await self._executor.deeds.get(act)
            if deed is None or deed.phase is not Phase.OPEN:
                del self._due[act]
            elif deed.lift_at is not None and deed.lift_at <= now:
                if isinstance(await self._executor.lift(deed), Denied):
                    due.when = now + RETRY_S
                else:
                    del self._due[act]
            elif await self._settle(deed):
                del self._due[act]
            else:
                due.when = now + RETRY_S
            if self._waiting:
                return  # orders of people go first

    async def _settle(self, deed: Deed) -> bool:
        """What was hidden is erased. False: not now."""
        hands = self._executor.hands
        for change in from_row(deed.changes):
            done: object = None
            _, _, rest = change.scope.partition(":")
            if change.name == "cleared" and change.after:
                done = await erase(hands, RoomName(rest), change.after, f"{deed.act}.erase")
            elif change.name == "deleted" and change.after:
                done = await hands.purge(RoomName(rest))
            elif deed.name == "member.erase":
                done = await hands.erase_message(MemberId(str(deed.raw["member"])), rest, f"{deed.act}.erase")
            if isinstance(done, Denied) and done.code not in ("not_found", "unknown_room", "bad_anchor"):
                return False
        await self._executor.settle(deed)
        return True
