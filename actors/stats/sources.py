"""Where the numbers come from: the integers that owners bump, and a few questions that only whoever wires the house can
answer. All of it is read once a second, on the loop; none of it waits."""

import os
import resource
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from attrs import define, field

from actors.journal.log import RoomRecord
from actors.kernel import Ref
from actors.names import RoomName
from actors.room.messages import RoomMessage
from actors.stats.chronicle import Chronicle
from actors.tally import Histogram, RoomTally, Tally


def resident_bytes() -> int:
    """What the process holds now; where the system does not say, the most that it ever held."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@define
class Outside:
    """What the wiring knows; every field has an answer until it is set. `lag`: how late timers fire. `commits`: how
    long commits take. `journal_queue`: drafts without an answer. `lockdown`: the house's level, 5 = normal."""

    lag: Histogram = field(factory=Histogram)
    commits: Histogram = field(factory=Histogram)
    journal_queue: Callable[[], int] = lambda: 0
    journal_bytes: Callable[[], int] = lambda: 0
    lockdown: Callable[[], int] = lambda: 5
    alerts_active: Callable[[], int] = lambda: 0
    memory_bytes: Callable[[], int] = resident_bytes
    cpu_s: Callable[[], float] = time.process_time


class Mailbox(Protocol):
    """Of an address, what is read here."""

    @property
    def waiting(self) -> int: ...

    @property
    def taken(self) -> int: ...


@define
class Sources:
    """`listing`: every room that exists, up or not. `services`: further mailboxes to look at, by name."""

    tally: Tally
    tallies: dict[RoomName, RoomTally]
    refs: Mapping[RoomName, Ref[RoomMessage]]
    chronicle: Chronicle
    listing: Callable[[], Awaitable[Sequence[RoomRecord]]]
    outside: Outside
    services: Callable[[], Mapping[str, Mailbox]] = dict
