"""Reactions: counted beside the messages, outside their chain. Inside the writer's transaction."""

import sqlite3
from collections.abc import Mapping

from actors.journal import pages
from actors.journal.batch import DISK_LOW
from actors.journal.log import LogFailed
from actors.journal.pages import Room
from actors.journal.work import Reaction
from actors.names import RoomName

MAX_EMOJI = 20


def react(
    db: sqlite3.Connection, rooms: Mapping[RoomName, Room], reaction: Reaction, disk_low: bool
) -> dict[str, int] | KeyError | LogFailed:
    """The message's counts afterwards, or why there are none."""
    room = rooms.get(reaction.room)
    if room is None or not pages.is_message(db, room, reaction.seq):
        return KeyError(f"{reaction.room} has no message {reaction.seq}")
    if disk_low and reaction.on:
        return LogFailed(DISK_LOW.message, DISK_LOW.retry_after_ms or 0)
    key = (room.epoch_id, reaction.seq, reaction.emoji, reaction.member)
    counts = _counts(db, room, reaction.seq)
    if not reaction.on:
        db.execute("DELETE FROM reactions WHERE epoch = ? AND seq = ? AND emoji = ? AND member = ?", key)
    elif reaction.emoji in counts or len(counts) < MAX_EMOJI:
        db.execute("INSERT OR IGNORE INTO reactions VALUES (?, ?, ?, ?)", key)
    return _counts(db, room, reaction.seq)


def _counts(db: sqlite3.Connection, room: Room, seq: int) -> dict[str, int]:
    return pages.reactions_between(db, room.epoch_id, seq, seq).get(seq, {})
