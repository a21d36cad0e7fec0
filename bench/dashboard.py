"""The operators' page as the server sees it: one connection that watches what the page watches, and reads all of it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from bench.ledger import RunVoid
from bench.load import wait_quietly
from bench.operator import Desk, Errand, errand
from bench.swarm import Swarm
from bench.wire import Address, BadWire

TOPICS = ("stats", "rooms", "alerts", "activity")
"""What /ops subscribes to when it opens; a room's own topic only while somebody looks into that room."""
STEADY = TOPICS[:3]
"""Those with a snapshot every second, whatever happens."""
SETTLE_S = 1.0
"""The sign-in, the first snapshots and the feed's past are over by then."""

Seen = Counter[str]
"""Snapshots by topic, counted as they come."""


@contextmanager
def dashboard(swarm: Swarm, address: Address, secret: str) -> Iterator[Seen]:
    """Signed in and quiet when the block begins, gone when it ends. Raises RunVoid if it was cut off meanwhile."""
    desk, seen, leaving = Desk(address), Seen(), [False]
    errand(swarm, partial(_open, desk, secret))
    following = Errand(partial(_follow, desk, seen, leaving))
    try:
        wait_quietly(swarm, SETTLE_S)
        yield seen
    finally:
        leaving[0] = True
        desk.close()
        following.join()
    following.check()


def _open(desk: Desk, secret: str) -> None:
    desk.open(secret)
    for topic in TOPICS:
        desk.watch(topic)


def _follow(desk: Desk, seen: Seen, leaving: list[bool]) -> None:
    try:
        while True:
            frame = desk.hear()
            if frame["type"] == "snapshot":
                seen[str(frame["topic"])] += 1
    except (BadWire, OSError):
        if not leaving[0]:
            raise


def check_fed(before: Mapping[str, int], after: Mapping[str, int], seconds: float) -> int:
    """How many snapshots came. Raises RunVoid unless each steady topic came at least every other second (each second is
    what an unhurried server does): a page that is shown nothing costs nothing."""
    least = int(seconds / 2)
    for topic in STEADY:
        came = after.get(topic, 0) - before.get(topic, 0)
        if came < least:
            raise RunVoid(f"the dashboard was shown {topic} {came} times in {seconds:.1f} s; {least} are the least")
    return sum(after.values()) - sum(before.values())
