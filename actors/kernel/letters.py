"""Dead letters: mail that was accepted and will never be handled. Its senders are told, operators can count it."""

from __future__ import annotations

import enum
from collections import Counter, deque
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from attrs import frozen

from actors.kernel.asks import ActorCrashed, ActorGone, Quarantined, question_of

RECENT_LIMIT = 100  # enough for an operator to see a pattern, small enough to keep for ever

Attempt = Callable[[str, str, Callable[[], object]], None]
"""Calls the third argument and survives its exceptions; the first two say whose and which callback it was."""


class DeadReason(enum.Enum):
    """Why a letter died."""

    CRASHED = "crashed"  # its own turn raised
    QUARANTINED = "quarantined"  # it was queued when the actor was quarantined
    STOPPED = "stopped"  # it was queued when the actor ended


@runtime_checkable
class Letter(Protocol):
    """A message that wants to know that it died."""

    def undelivered(self, reason: DeadReason, retry_after_s: float) -> None:
        """Called once, synchronously, from the supervisor's task: may offer, may not wait.

        `retry_after_s` is the rest of the quarantine, 0 for other reasons. An exception here is reported and ignored.
        """


@frozen
class DeadLetter:
    """What operators see of a dead letter: never its content."""

    actor: str
    reason: DeadReason
    type_name: str


def kind_of(name: str) -> str:
    """The kind of an actor by its name: what stands before the first colon (`room:lobby` -> `room`)."""
    return name.partition(":")[0]


def obituary(name: str, reason: DeadReason, retry_after_s: float) -> ActorGone:
    """What a waiting asker hears when its question dies."""
    if reason is DeadReason.CRASHED:
        return ActorCrashed(name)
    if reason is DeadReason.QUARANTINED:
        return Quarantined(name, retry_after_s)
    return ActorGone(name)


class DeadLetters:
    """Counts for ever, remembers the last hundred, tells every sender."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self.by_reason: Counter[DeadReason] = Counter()
        self.by_kind: Counter[tuple[str, DeadReason]] = Counter()
        self.recent: deque[DeadLetter] = deque(maxlen=RECENT_LIMIT)

    def bury(self, actor: str, reason: DeadReason, message: object, retry_after_s: float = 0.0) -> None:
        """Count the letter, refuse the question in it, tell the letter itself. Never raises."""
        self.by_reason[reason] += 1
        self.by_kind[kind_of(actor), reason] += 1
        self.recent.append(DeadLetter(actor, reason, type(message).__name__))
        question = question_of(message)
        if question is not None:
            question.refuse(obituary(actor, reason, retry_after_s))
        if isinstance(message, Letter):
            letter = message
            self._attempt(actor, "undelivered", lambda: letter.undelivered(reason, retry_after_s))
