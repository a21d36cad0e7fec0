"""The real command, with a room that falls over whatever says CRASH: `python -m tests.e2e.faulty serve`."""

from typing import Any

from actors.room.actor import Room
from actors.room.messages import Post, RoomMessage
from bandstand.cli import main

CRASH = "fall over"
ORDERED = "a test has ordered this"


class Ordered(Exception):
    """The fault that a test put there."""


def fall_over(turn: Any) -> Any:
    def handle(room: Room, message: RoomMessage) -> None:
        if isinstance(message, Post) and message.text == CRASH:
            raise Ordered(ORDERED)
        turn(room, message)

    return handle


if __name__ == "__main__":
    Room.handle = fall_over(Room.handle)  # type: ignore[method-assign]
    main(prog_name="bandstand")
