"""A child's berth: what stays in place while instances come and go. Synchronous throughout, so each step is atomic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import trio

from actors.kernel.actor import Inbox
from actors.kernel.asks import ActorCrashed, ActorGone
from actors.kernel.child import Child, ChildStatus, CrashLedger, Restart, State
from actors.kernel.letters import DeadLetters, DeadReason
from actors.kernel.ref import Mailbox

M_co = TypeVar("M_co", covariant=True)  # nobody posts through a berth, so any child's is a Berth[object]


class Berth(Generic[M_co]):
    """Mailbox, record and state of one child, from `start` to the very end."""

    def __init__(self, child: Child[M_co], letters: DeadLetters, predecessor: trio.Event | None) -> None:
        self.child = child
        self.predecessor = predecessor  # set when the last bearer of the name is gone: a name never has two instances
        self.ledger = CrashLedger(child.budget)
        self.scope = trio.CancelScope()
        self.closing = trio.Event()
        self.gone = trio.Event()
        self.restarts = 0
        self.last_crash: str | None = None
        self._mailbox: Mailbox[M_co] = Mailbox(child.name, child.capacity, child.control_capacity)
        self._letters = letters
        self._inbox: Inbox[M_co] | None = None
        self._state = State.STARTING
        self._since = trio.current_time()
        self.ref = self._mailbox.ref

    @property
    def status(self) -> ChildStatus:
        return ChildStatus(self._state, self.restarts, self.last_crash, self._since)

    def become(self, state: State) -> None:
        self._state = state
        self._since = trio.current_time()

    def close(self) -> None:
        """Order it to stop: no more data mail, what is queued is still handled."""
        self._mailbox.close_data()
        self.closing.set()

    def retire(self) -> bool:
        """Close both lanes if no mail is in them or in a pump's hands. False: some is, or it is not at rest."""
        at_rest = self._state is State.QUARANTINED or self._mailbox.idle
        if self.closing.is_set() or self._mailbox.has_orders or not at_rest:
            return False
        self._mailbox.close()
        self.closing.set()
        return True

    def cut(self) -> None:
        """Time is up: stop without draining."""
        self.close()
        self.scope.cancel()

    def goes_on(self, cause: Exception | None) -> bool:
        """Whether another instance follows the one that ended with `cause`."""
        if cause is None:
            return self.child.restart is Restart.ALWAYS and not self.closing.is_set()
        return self.child.restart is not Restart.NEVER

    def open_inbox(self) -> Inbox[M_co]:
        self._inbox = self._mailbox.inbox()
        return self._inbox

    def crashed(self, cause: Exception) -> None:
        """Note what crashed the instance, and lay it to rest."""
        self.last_crash = f"{type(cause).__name__}: {cause}"
        self.lay_to_rest(ActorCrashed)

    def lay_to_rest(self, refusal: Callable[[str], ActorGone]) -> None:
        """The instance is over: its poison message and the questions it had heard die with it, queued mail does not."""
        inbox, self._inbox = self._inbox, None
        if inbox is None:
            return  # not even built, or done before
        if inbox.current is not None:
            self._letters.bury(self.child.name, DeadReason.CRASHED, inbox.current)
        for question in inbox.unanswered():
            question.refuse(refusal(self.child.name))

    def quarantine(self, seconds: float) -> None:
        """Refuse data mail for `seconds` and bury what is queued; orders are kept for the next instance."""
        self.become(State.QUARANTINED)
        self._mailbox.suspend(seconds)
        for message in self._mailbox.take_data():
            self._letters.bury(self.child.name, DeadReason.QUARANTINED, message, seconds)

    def release(self) -> None:
        """The quarantine is over; mail may queue again while the next instance starts."""
        self._mailbox.resume()
        self.become(State.RESTARTING)

    def end(self) -> None:
        """The very end: nothing is accepted, what is queued is buried, every waiting question hears ActorGone."""
        self._mailbox.close()
        self.closing.set()
        self.lay_to_rest(ActorGone)
        for take in (self._mailbox.take_control, self._mailbox.take_data):
            for message in take():
                self._letters.bury(self.child.name, DeadReason.STOPPED, message)
        self._mailbox.dispose()
        self.become(State.STOPPED)
        self.gone.set()
