"""Addresses. A Ref is given to anyone; the Mailbox behind it stays with the supervisor and survives every instance."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import trio

from actors.kernel.actor import Inbox, Tray
from actors.kernel.asks import ActorGone, Asks, MailboxFull, Quarantined, Question

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)
T = TypeVar("T")


class Ref(Generic[M_contra]):
    """The address of an actor; valid across its restarts. A Ref[A | B] serves wherever a Ref[A] is wanted.

    Accepted means queued, not handled: mail that dies in the mailbox tells its sender by `Letter.undelivered` and by
    its question. Each lane keeps the order in which mail was accepted. All methods raise ActorGone once the actor is
    stopping or gone; those of the data lane raise Quarantined meanwhile.
    """

    __slots__ = ("_control", "_put", "_refusal", "_send", "_tray", "_waiting", "capacity", "name")

    def __init__(
        self,
        name: str,
        control: trio.MemorySendChannel[M_contra],
        data: trio.MemorySendChannel[M_contra],
        tray: Tray[M_contra],
        capacity: int,
    ) -> None:
        self.name = name
        self.capacity = capacity
        self._control = control
        self._send = data
        self._put = data.send_nowait  # bound once, for the hot path
        self._tray = tray
        self._refusal: Callable[[], ActorGone] | None = None  # set while the data lane accepts nothing
        self._waiting: set[Question] = set()

    def __repr__(self) -> str:
        return f"<Ref {self.name}>"

    @property
    def depth(self) -> int:
        """Mail in the data lane."""
        return self._send.statistics().current_buffer_used

    @property
    def waiting(self) -> int:
        """Data mail that was accepted and has not had its turn, wherever it is."""
        return self._send.statistics().current_buffer_used + len(self._tray.data)

    @property
    def taken(self) -> int:
        """Data mail whose turn has begun, or that died waiting, ever. With `waiting` it is all that was accepted: so
        who looks now and then knows how long the oldest mail has waited at least, and nobody stamps any."""
        return self._tray.taken

    @property
    def closed(self) -> bool:
        """True from the order to stop on, for ever. A quarantined actor is not closed."""
        return isinstance(self._refusal, _Gone)

    def offer(self, message: M_contra) -> bool:
        """Now, or False when the lane is full: pause your source and wait in line with `send`. For edges."""
        if self._refusal is not None:
            raise self._refusal()
        try:
            self._put(message)
        except trio.WouldBlock:
            return False
        return True

    def tell(self, message: M_contra) -> None:
        """Now, or MailboxFull. From actor to actor."""
        if not self.offer(message):
            raise MailboxFull(self.name)

    async def send(self, message: M_contra) -> None:
        """Wait for room; those who wait are served first come, first served, and before any later offer. For edges.

        Cancelled means not accepted. Who waits while the actor begins to stop hears ActorGone.
        """
        if self._refusal is not None:
            raise self._refusal()
        try:
            await self._send.send(message)
        except trio.ClosedResourceError:
            raise ActorGone(self.name) from None

    def urge(self, message: M_contra) -> None:
        """The control lane: ahead of all data mail, now or MailboxFull. For orders and acknowledgements.

        Works in quarantine (kept for the next instance) and while the actor drains its data lane to stop.
        """
        try:
            self._control.send_nowait(message)
        except trio.WouldBlock:
            raise MailboxFull(self.name) from None
        except trio.ClosedResourceError:
            raise ActorGone(self.name) from None
        self._tray.orders += 1

    async def ask(self, make: Callable[[Asks[T]], M_contra], *, urgent: bool = False) -> T:
        """Send the message made around a fresh Asks, by `send` or `urge`, and wait for the answer.

        The timeout is the caller's cancel scope. Never hangs on a dead actor: ActorCrashed when the message or the
        instance that heard it dies in a crash, Quarantined when the mail dies so, ActorGone at the very end. A question
        that was passed on to another actor still dies with the one that was asked.

            total = await counter.ask(HowMany)
            page: Page = await room.ask(lambda asks: Read(since, asks))  # a lambda needs the annotation
        """
        asks: Asks[T] = Asks()
        message = make(asks)
        self._waiting.add(asks)
        try:
            if urgent:
                self.urge(message)
            else:
                await self.send(message)
            return await asks.wait()
        finally:
            self._waiting.discard(asks)


class _Gone:
    """Makes the refusal of an actor that is stopping or gone."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self) -> ActorGone:
        return ActorGone(self._name)


class Mailbox(Generic[M]):
    """Both lanes of one child, opened once. Only the supervisor holds it."""

    def __init__(self, name: str, capacity: int, control_capacity: int) -> None:
        self._control_in, self._control_out = trio.open_memory_channel[M](control_capacity)
        self._data_in, self._data_out = trio.open_memory_channel[M](capacity)
        self._tray: Tray[M] = Tray()
        self.ref: Ref[M] = Ref(name, self._control_in, self._data_in, self._tray, capacity)

    def inbox(self) -> Inbox[M]:
        """The receiving side for a new instance, on clones: closing it hurts neither the lanes nor the mail."""
        return Inbox(self._control_out.clone(), self._data_out.clone(), self._tray)

    @property
    def idle(self) -> bool:
        """No data mail in the lane or in a pump's hands: the pump is parked, which it does only on an empty lane."""
        return self._data_out.statistics().tasks_waiting_receive > 0

    @property
    def has_orders(self) -> bool:
        """Control mail waits."""
        return self._tray.orders > 0

    def suspend(self, seconds: float) -> None:
        """The data lane refuses with Quarantined and the time that is left; the control lane stays open."""
        until = trio.current_time() + seconds
        name = self.ref.name
        self.ref._refusal = lambda: Quarantined(name, max(0.0, until - trio.current_time()))

    def resume(self) -> None:
        """The data lane accepts again."""
        self.ref._refusal = None

    def close_data(self) -> None:
        """No more data mail; senders in line hear ActorGone; what was accepted stays."""
        self.ref._refusal = _Gone(self.ref.name)
        self._data_in.close()

    def close(self) -> None:
        """Neither lane accepts any more."""
        self.close_data()
        self._control_in.close()

    def take_data(self) -> Iterator[M]:
        """Empty the data lane. Mail of senders in line is accepted meanwhile, so it is among it."""
        for message in _drain(self._data_out, self._tray.data):
            self._tray.taken += 1
            yield message

    def take_control(self) -> Iterator[M]:
        """Empty the control lane."""
        return _drain(self._control_out, self._tray.control)

    def dispose(self) -> None:
        """The very end: close the receiving side too, and refuse every question still waiting."""
        self._control_out.close()
        self._data_out.close()
        for question in tuple(self.ref._waiting):
            question.refuse(ActorGone(self.ref.name))


def _drain(lane: trio.MemoryReceiveChannel[M], taken: deque[M]) -> Iterator[M]:
    while taken:
        yield taken.popleft()
    while True:
        try:
            message = lane.receive_nowait()
        except (trio.WouldBlock, trio.EndOfChannel):
            return
        yield message
