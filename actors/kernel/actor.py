"""An actor: one mailbox, one task, state nobody else can see."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

import trio
from attrs import Factory, define

from actors.kernel.asks import Question, question_of

M = TypeVar("M")

TURNS_PER_CHECKPOINT = 64  # bounds what one flooded actor adds to everybody's latency; a checkpoint costs about a turn


@define
class Tray(Generic[M]):
    """Mail taken out of the lanes whose turn has not begun. Outlives the instance, so a crash or cancel loses none."""

    control: deque[M] = Factory(deque)
    data: deque[M] = Factory(deque)
    taken: int = 0  # data mail that has left the line for good: its turn began, or it was buried
    orders: int = 0  # control mail accepted and not begun, wherever it is: in the lane, in a waking pump, in the tray


class Inbox(Generic[M]):
    """The receiving side of an actor's two lanes, for one instance.

    `current` is the message whose turn is running. It stays set when the turn raises: that is the poison message, and
    no further turn begins on this instance. An actor that takes mail itself should hand it to `turn`, so that the
    kernel knows the poison message and the questions that were heard.
    """

    def __init__(
        self, control: trio.MemoryReceiveChannel[M], data: trio.MemoryReceiveChannel[M], tray: Tray[M] | None = None
    ) -> None:
        self.control = control
        self.data = data
        self.current: M | None = None
        self._tray: Tray[M] = Tray() if tray is None else tray
        self._unanswered: list[Question] = []
        self._prune_at = 64

    def turn(self, handle: Callable[[M], None], message: M) -> None:
        """One turn of `handle`. Keeps track of the poison message and of questions put off to a later turn."""
        self.current = message
        handle(message)
        self.current = None
        question = question_of(message)
        if question is not None and not question.settled:
            self._put_off(question)

    def unanswered(self) -> list[Question]:
        """Questions heard by this instance and not settled; they die with it."""
        return [question for question in self._unanswered if not question.settled]

    def close(self) -> None:
        """The instance takes no more mail. What is queued stays queued."""
        self.control.close()
        self.data.close()

    def _put_off(self, question: Question) -> None:
        self._unanswered.append(question)
        if len(self._unanswered) > self._prune_at:
            self._unanswered = self.unanswered()
            self._prune_at = 64 + 2 * len(self._unanswered)  # amortised: constant cost per question

    async def pump_control(self, handle: Callable[[M], None]) -> None:
        """Turns for control mail, in order, until the lane is closed and drained."""
        taken = self._tray.control
        while await _wait_for_mail(self.control, taken):
            for _ in range(TURNS_PER_CHECKPOINT):
                if self.current is not None or not _has_mail(self.control, taken):
                    break
                self._tray.orders -= 1
                self.turn(handle, taken.popleft())
            else:
                await trio.lowlevel.checkpoint()
            if self.current is not None:
                return  # the other pump's turn raised; the nursery is closing, the mail stays in the tray

    async def pump_data(self, handle: Callable[[M], None]) -> None:
        """Turns for data mail, in order, each begun only when no control mail waits; until closed and both drained.

        Needs `pump_control` beside it, in the same nursery: control mail is only ever handled there, or two orders
        could overtake each other.
        """
        taken = self._tray.data
        while await _wait_for_mail(self.data, taken):
            for _ in range(TURNS_PER_CHECKPOINT):
                await self._let_orders_pass()
                if self.current is not None or not _has_mail(self.data, taken):
                    break
                self._tray.taken += 1
                self.turn(handle, taken.popleft())
            else:
                await trio.lowlevel.checkpoint()
            if self.current is not None:
                return
        while self._tray.orders > 0 or self.control.statistics().current_buffer_used > 0:
            await trio.lowlevel.checkpoint()

    async def _let_orders_pass(self) -> None:
        # Counted, because a waking pump holds mail that the lane no longer shows; and an int costs nothing per turn.
        while self._tray.orders > 0:
            await trio.lowlevel.checkpoint()


async def _wait_for_mail(lane: trio.MemoryReceiveChannel[M], taken: deque[M]) -> bool:
    """Wait until `taken` has mail. False: the lane is closed and empty."""
    if taken:
        await trio.lowlevel.checkpoint()
        return True
    try:
        taken.append(await lane.receive())
    except trio.EndOfChannel:
        return False
    return True


def _has_mail(lane: trio.MemoryReceiveChannel[M], taken: deque[M]) -> bool:
    """Move one message from the lane to `taken` if `taken` is empty and there is one."""
    if taken:
        return True
    try:
        taken.append(lane.receive_nowait())
    except (trio.WouldBlock, trio.EndOfChannel):
        return False
    return True


class Actor(Generic[M]):
    """Subclass it: state in `__init__` or `started`, behaviour in `handle`. A fresh instance is built after a crash.

    Per instance: `started` once, then `run`, then `stopped` exactly once, also when `started` raised.
    """

    async def started(self) -> None:
        """Load what is needed. Mail is queueing already. An exception is a crash; no message is lost by it."""

    def handle(self, message: M) -> None:
        """One turn: synchronous, so atomic. An exception is a crash, and `message` goes to the dead letters."""
        raise NotImplementedError

    def stopped(self, cause: BaseException | None) -> None:
        """Goodbye: may offer and answer, may not wait. The last chance to answer questions that were put off.

        `cause` is None after an ordered stop, trio.Cancelled when time was up, else what crashed the instance. An
        exception here is reported and never masks the cause.
        """

    async def run(self, inbox: Inbox[M]) -> None:
        """Turns until the data lane is closed and both lanes are drained.

        Every message is handled at most once, each lane in its order; control mail that was sent before a data turn
        begins is handled before it. At most 64 turns go by between checkpoints. Override it to own I/O:

            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                await super().run(inbox)
                nursery.cancel_scope.cancel()

        To return before the lanes are closed ends the actor (Restart.ALWAYS: begins a new instance).
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(inbox.pump_control, self.handle)
            await inbox.pump_data(self.handle)
            nursery.cancel_scope.cancel()
