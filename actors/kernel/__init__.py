"""The actor kernel: mailboxes, turns, supervision. It knows no word of chat.

An actor is one mailbox, one task, and state nobody else can see. It reads its mail in turns that never wait:

    class Counter(Actor[Add | HowMany]):
        def __init__(self) -> None:
            self._sum = 0

        def handle(self, message: Add | HowMany) -> None:
            match message:
                case Add(number):
                    self._sum += number
                case HowMany(asks):                     # a question owns its reply: HowMany(asks: Asks[int])
                    asks.answer(self._sum)
                case _:
                    assert_never(message)

A supervisor runs it, and gives out its address, which stays good when the actor crashes and is built anew:

    supervisor = Supervisor(events=log_and_alarm)
    counter = supervisor.start(Child("counter", Counter))
    nursery.start_soon(supervisor.run)

    counter.tell(Add(1))                                # actor to actor: now, or MailboxFull
    if not counter.offer(Add(1)):                       # at an edge: now, or False ...
        await counter.send(Add(1))                      # ... then wait in line
    with trio.fail_after(2):
        total = await counter.ask(HowMany)              # the timeout is yours; a dead actor never keeps you waiting

Two lanes: `urge` and `ask(..., urgent=True)` go ahead of all that `tell`, `offer` and `send` have queued. Each lane
keeps its order. Accepted means queued; a message is handled at most once.

When a turn raises, that message dies and its sender is told (`Letter.undelivered`, or its question is refused); all
other mail waits for the next instance. Too many crashes and the child is quarantined: data mail is refused with
`Quarantined` and a time, orders are kept, siblings never notice. At the very end everyone who waits hears `ActorGone`.
"""

from actors.kernel.actor import Actor, Inbox
from actors.kernel.asks import ActorCrashed, ActorGone, Asks, MailboxFull, Quarantined
from actors.kernel.child import (
    Budget,
    CallbackFailed,
    Child,
    ChildCrashed,
    ChildQuarantined,
    ChildRestarted,
    ChildStatus,
    ChildStopped,
    Restart,
    State,
    SupervisionEvent,
)
from actors.kernel.letters import DeadLetter, DeadLetters, DeadReason, Letter
from actors.kernel.ref import Ref
from actors.kernel.supervisor import DuplicateChild, Supervisor

__all__ = [
    "Actor",
    "ActorCrashed",
    "ActorGone",
    "Asks",
    "Budget",
    "CallbackFailed",
    "Child",
    "ChildCrashed",
    "ChildQuarantined",
    "ChildRestarted",
    "ChildStatus",
    "ChildStopped",
    "DeadLetter",
    "DeadLetters",
    "DeadReason",
    "DuplicateChild",
    "Inbox",
    "Letter",
    "MailboxFull",
    "Quarantined",
    "Ref",
    "Restart",
    "State",
    "SupervisionEvent",
    "Supervisor",
]
