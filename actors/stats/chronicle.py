"""What went wrong, and what came back: told to the feed as it happens, and kept for the snapshots."""

from collections import deque
from collections.abc import Callable
from typing import assert_never

from attrs import define, field, frozen

from actors.journal.log import Alarm
from actors.kernel import (
    CallbackFailed,
    ChildCrashed,
    ChildQuarantined,
    ChildRestarted,
    ChildStopped,
    SupervisionEvent,
)
from actors.stats.activity import Activity

KEPT = 50
TEXT_LIMIT = 300
"""Code points of an exception's text."""
ROOM = "room:"


@frozen
class Crash:
    """`room`: its name, or that of the service which crashed. `at`: Unix seconds."""

    at: float
    room: str
    exception: str


@define
class Chronicle:
    """Hears every SupervisionEvent of a house and every Alarm of its journal. Never raises, never waits."""

    _activity: Activity
    _wall: Callable[[], float]
    crashes: deque[Crash] = field(factory=lambda: deque(maxlen=KEPT), init=False)
    """The latest, oldest first."""
    quarantined: set[str] = field(factory=set, init=False)
    """Names of children (`room:main`) that are set apart now."""

    def supervised(self, event: SupervisionEvent) -> None:
        who, room = _bearer(event.name)
        match event:
            case ChildCrashed(cause=cause, restarts=restarts):
                said = _said(cause)
                self.crashes.append(Crash(self._wall(), room or event.name, said))
                data = {"child": event.name, "exception": said, "restarts": restarts}
                self._activity.note("fault", f"{who} crashed: {said}", room=room, data=data)
            case ChildRestarted(restarts=restarts):
                self.quarantined.discard(event.name)
                data = {"child": event.name, "restarts": restarts}
                self._activity.note("fault", f"{who} is back", room=room, data=data)
            case ChildQuarantined(seconds=seconds):
                self.quarantined.add(event.name)
                data = {"child": event.name, "seconds": round(seconds, 1)}
                text = f"{who} crashed too often and is set apart for {seconds:.0f} s"
                self._activity.note("fault", text, room=room, data=data)
            case ChildStopped(cause=None):
                self.quarantined.discard(event.name)
            case ChildStopped(cause=cause):
                self.quarantined.discard(event.name)
                data = {"child": event.name, "exception": _said(cause)}
                self._activity.note("fault", f"{who} has ended and does not come back", room=room, data=data)
            case CallbackFailed(callback=callback, error=error):
                data = {"child": event.name, "exception": _said(error)}
                self._activity.note("fault", f"{who}: {callback} failed: {_said(error)}", room=room, data=data)
            case _:
                assert_never(event)

    def alarm(self, alarm: Alarm) -> None:
        self._activity.note("fault", f"journal: {alarm.text}", room=alarm.room, data={"alarm": alarm.kind})


def _bearer(child: str) -> tuple[str, str | None]:
    """How it is called in a sentence, and the room if it is one."""
    if child.startswith(ROOM):
        room = child.removeprefix(ROOM)
        return f"room {room}", room
    return child, None


def _said(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {error}"[:TEXT_LIMIT]
