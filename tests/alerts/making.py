"""Alerts to try things with, and connections that say what came to them."""

from collections.abc import Callable
from typing import Any

from attrs import define, field

from actors.alerts.drafts import draft_of
from actors.alerts.roster import Target
from actors.alerts.vocabulary import Draft
from actors.clock import Now
from actors.names import MemberId, Nickname, RoomName, make_member_id
from actors.people.outlet import Batch, Seat
from actors.refusals import Refused

MAIN, TENT = RoomName("main-stage"), RoomName("tent")
ARGS: dict[str, Any] = {
    "status": "actual",
    "severity": "extreme",
    "urgency": "immediate",
    "certainty": "observed",
    "response": "evacuate",
    "headline": "Leave by the north gate",
    "text": "Walk, do not run.",
    "rooms": ["main-stage"],
    "expires_s": 600,
    "ack": "required",
}


def draft(**changes: Any) -> Draft:
    made = draft_of({name: value for name, value in {**ARGS, **changes}.items() if value is not None})
    assert isinstance(made, Draft), made
    return made


def member(number: int) -> MemberId:
    return make_member_id(1_790_000_000.0, number.to_bytes(10, "big"))


def target(number: int, *rooms: RoomName) -> Target:
    return Target(member(number), f"n{number}", rooms or (MAIN,))


def at(seconds: float) -> Now:
    return Now(1_790_000_000.0 + seconds, seconds)


@define(eq=False)
class Line:
    """An outlet: takes frames at once, or holds them while `stuck`."""

    got: list[bytes] = field(factory=list)
    held: list[tuple[bytes, Callable[[], None] | None]] = field(factory=list)
    stuck: bool = False
    waiting: list[Callable[[], None]] = field(factory=list)

    def alert(self, frame: bytes, on_written: Callable[[], None] | None = None) -> None:
        if self.stuck:
            self.held.append((frame, on_written))
            return
        self.got.append(frame)
        if on_written is not None:
            on_written()

    def loosen(self) -> None:
        self.stuck = False
        held, self.held = self.held, []
        for frame, on_written in held:
            self.alert(frame, on_written)
        while self.waiting:
            self.waiting.pop(0)()

    def when_idle(self, call: Callable[[], None]) -> None:
        if self.stuck:
            self.waiting.append(call)
        else:
            call()

    def control(self, frame: bytes) -> None:
        raise AssertionError("alerts have a lane of their own")

    def chat(self, batch: Batch) -> bool:
        raise AssertionError("alerts do not go through rooms")

    def page(self, batch: Batch) -> None: ...

    def look(self) -> int:
        return 0

    def news(self, key: str, frame: bytes) -> None: ...

    def forget(self, room: RoomName) -> None: ...

    def finish(self, code: int, retry_after_ms: int | None = None) -> None: ...

    idle = True
    bytes_per_s = None


@define(eq=False)
class Phone:
    """A visit."""

    member: MemberId
    nickname: Nickname
    outlet: Line = field(factory=Line)
    seats: dict[RoomName, Seat] = field(factory=dict)

    def sit(self, room: RoomName) -> None:
        self.seats[room] = Seat(room, self.member, self.nickname, self.outlet, "")  # type: ignore[arg-type]

    def fall_silent(self) -> None: ...

    def part(self, code: int, retry_after_ms: int | None = None) -> None: ...

    @property
    def frames(self) -> list[str]:
        return [frame.decode() for frame in self.outlet.got]


@define(eq=False)
class Reply:
    said: list[Refused | None] = field(factory=list)

    def answer(self, value: Refused | None) -> None:
        self.said.append(value)
