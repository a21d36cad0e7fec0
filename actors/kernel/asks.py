"""A question's end, and the plainly named conditions that a sender can meet."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

import trio

T = TypeVar("T")


class ActorGone(Exception):
    """The actor has stopped or was retired, or the conversation with it is lost. Resolve the address once more."""

    def __init__(self, name: str, text: str = "is gone") -> None:
        super().__init__(f"{name} {text}")
        self.name = name


class ActorCrashed(ActorGone):
    """The actor crashed on this message, or after it heard the question and before it answered.

    The next instance may be up already; whether the work was done is unknown.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, "crashed before it answered")


class Quarantined(ActorGone):
    """The actor crashed too often and is left alone: nothing was done, come back in `retry_after_s` seconds."""

    def __init__(self, name: str, retry_after_s: float) -> None:
        super().__init__(name, f"is quarantined for {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


class MailboxFull(Exception):
    """The lane has no room now. The message was not accepted."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the mailbox of {name} is full")
        self.name = name


class Question(Protocol):
    """What the kernel needs to know of a question: whether it is still open, and how to turn it down."""

    @property
    def settled(self) -> bool: ...

    def refuse(self, error: Exception) -> bool: ...


class Asks(Generic[T]):
    """Where the answer to one question goes; travels in the message, by convention in a field named `asks`.

    Settled once, by whoever is first: an answer, a refusal, or the asker walking away. All later ones are ignored.
    Costs one trio.Event; there is no task behind it. May be answered in a later turn, and may be settled from any
    task of the same trio run, never from a thread.
    """

    __slots__ = ("_error", "_settled", "_value")
    _value: T

    def __init__(self) -> None:
        self._settled = trio.Event()
        self._error: Exception | None = None

    @property
    def settled(self) -> bool:
        """True when nobody waits for an answer any more: skip work that only serves this question."""
        return self._settled.is_set()

    def answer(self, value: T) -> bool:
        """Hand the value to the asker. False: settled before, the value is dropped."""
        if self._settled.is_set():
            return False
        self._value = value
        self._settled.set()
        return True

    def refuse(self, error: Exception) -> bool:
        """Raise `error` at the asker. Give each question an exception of its own: it collects a traceback."""
        if self._settled.is_set():
            return False
        self._error = error
        self._settled.set()
        return True

    async def wait(self) -> T:
        """The answer, or the refusal raised. For the one asker; `Ref.ask` calls it, and tests may."""
        try:
            await self._settled.wait()
        finally:
            self._settled.set()  # an asker that was cancelled is not there to hear
        if self._error is not None:
            raise self._error
        return self._value


def question_of(message: object) -> Question | None:
    """The question that a message carries in its field `asks`, if it carries one."""
    asks = getattr(message, "asks", None)
    return asks if isinstance(asks, Asks) else None
