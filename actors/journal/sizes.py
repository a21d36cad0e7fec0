"""How much of a log fits into one answer: one estimate, for pages from the disk and for what a room has in memory."""

from collections.abc import Mapping, Sequence

import msgspec

from actors.events import Entry
from actors.journal.codec import encode

ENVELOPE_BYTES = 160
"""What an entry costs beside its body, its author, cid and epoch: the room's name, numbers, names of fields."""

ANSWER_BYTES = 256
"""What the answer costs beside its entries."""

Counts = Mapping[str, int]


def framed_bytes(entry: Entry, counts: Counts | None = None) -> int:
    """What it costs at most when it is framed. The body as JSON, since quotes and control characters are escaped."""
    named = len(entry.author) + len(entry.cid) + len(entry.epoch)
    reactions = 0 if not counts else len(msgspec.json.encode(counts)) + 32
    return ENVELOPE_BYTES + named + len(encode(entry.body)) + reactions


def fitting(
    entries: Sequence[Entry], max_bytes: int, *, newest: bool, reactions: Mapping[int, Counts] | None = None
) -> Sequence[Entry]:
    """As many of them, from the newest or from the oldest on, as RoomLog.read gives: one at least. `reactions`: those
    that are listed with them, by seq."""
    left = max_bytes - ANSWER_BYTES
    for count, entry in enumerate(reversed(entries) if newest else entries):
        left -= framed_bytes(entry, None if reactions is None else reactions.get(entry.seq))
        if count and left < 0:
            return entries[-count:] if newest else entries[:count]
    return entries
