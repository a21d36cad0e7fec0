"""Where someone who joins begins, and how someone too slow goes on. Pure arithmetic over positions.

Nothing is ever skipped silently: what is not sent is named by a gap, in the numbers of the room's present epoch."""

from typing import Literal

from attrs import frozen

from actors.events import Policy
from actors.names import Epoch
from actors.room.book import Book
from actors.room.messages import Join, Position
from actors.tally import Tally

Mode = Literal["fresh", "resumed", "gap"]
Why = Literal["trimmed", "epoch", "too_many"]

PATIENCE_S = 10.0
FLOOR = 10
PAGE_S = 3.0
OWED_S = 1.0
PAGE_MIN_BYTES = 2 * 1024
PAGE_MAX_BYTES = 64 * 1024


@frozen
class Gap:
    """The entries start..end of the present epoch are not sent.

    `trimmed`: the log no longer has them. `too_many`: at least the newest of them can still be paged. `epoch`: what the
    client holds is of an epoch that is over; start is 1, and end is 0 when all of the present epoch is sent."""

    start: int
    end: int
    why: Why


@frozen
class Plan:
    """Send the gap, then everything after `cursor`; `caught_up` is due at `target` (at once when cursor == target).

    `beyond_head`: the client says that it has seen more of this very epoch than the room has, and is to be served anew
    (`plan_join`). The rest of the plan only says gap."""

    mode: Mode
    cursor: int
    target: int
    gap: Gap | None = None
    beyond_head: bool = False


def plan(since: Position | None, tail: int, at_most: int, epoch: Epoch, head: int, oldest: int, policy: Policy) -> Plan:
    """`tail`: how many of the newest entries someone gets who has no position in this epoch. `at_most` (the client's)
    and `policy.history` (the room's) both bound what is replayed. `oldest`: the first seq the log can still read."""
    bound = max(0, min(at_most, policy.history))
    if since is None or since.epoch != epoch:
        cursor = _newest(min(tail, bound), head, oldest)
        if since is None:
            return Plan("fresh", cursor, head)
        return Plan("gap", cursor, head, Gap(1, cursor, "epoch"))
    if since.seq > head:
        return Plan("gap", head, head, beyond_head=True)
    seen = max(0, since.seq)
    cursor = max(seen, _newest(bound, head, oldest))
    if cursor == seen:
        return Plan("resumed", cursor, head)
    return Plan("gap", cursor, head, Gap(seen + 1, cursor, "too_many" if cursor >= oldest else "trimmed"))


def plan_join(join: Join, book: Book, tally: Tally) -> Plan:
    start = plan(join.since, join.tail, join.max, book.epoch, book.head, book.oldest, book.policy)
    if not start.beyond_head:
        return start
    # Whoever says they have seen more than was ever committed is served anew; a room does not begin a new epoch on
    # the word of one phone (docs/decisions/0007-rooms.md).
    tally.beyond_head += 1
    foreign = Position(Epoch(""), 0)
    return plan(foreign, join.tail, join.max, book.epoch, book.head, book.oldest, book.policy)


def hasten(
    cursor: int,
    head: int,
    bytes_per_s: float | None,
    mean_entry_bytes: float,
    patience_s: float = PATIENCE_S,
    floor: int = FLOOR,
) -> int:
    """The cursor from which a seat that is too slow goes on, so that the rest is sent within `patience_s` at the
    measured rate: never back, never past the newest `floor` entries. If it moves, the caller owes a gap (too_many).
    Unchanged while the rate is unknown."""
    if bytes_per_s is None:
        return cursor
    fits = int(bytes_per_s * patience_s / max(1.0, mean_entry_bytes))
    return max(cursor, head - max(fits, floor))


def page_budget(bytes_per_s: float | None) -> int:
    """Bytes for one page: what leaves in about 3 s, 2 KiB to 64 KiB; 64 KiB while the rate is unknown."""
    if bytes_per_s is None:
        return PAGE_MAX_BYTES
    return int(min(max(bytes_per_s * PAGE_S, PAGE_MIN_BYTES), PAGE_MAX_BYTES))


def allowance(before: int, owed: int, bytes_per_s: float | None) -> int:
    """Bytes that the kernel may hold of a slow line when the next page is due: what leaves in about 1 s. A kernel takes
    far more (16 KiB of 2 KiB pages, seen on loopback), and all of that is old by the time it is read. While nobody
    knows how fast the line is it begins small and doubles each time that all has arrived (as RFC 5681, section 3.1,
    does), so that whoever only came out of a tunnel is not slow for long."""
    if bytes_per_s is not None:
        return max(PAGE_MIN_BYTES, int(bytes_per_s * OWED_S))
    return min(2 * before, PAGE_MAX_BYTES) if owed == 0 else before


def _newest(count: int, head: int, oldest: int) -> int:
    """The cursor before the newest `count` entries that can still be read."""
    return max(head - max(0, count), min(oldest - 1, head))
