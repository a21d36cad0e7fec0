"""Who posts what, when: closed loops keep so many posts in flight, open loops keep a schedule."""

import os
from collections import deque
from collections.abc import Callable
from time import monotonic, time

from attrs import Factory, define

from bench.ledger import RunVoid
from bench.peer import Peer
from bench.swarm import Swarm

Tick = Callable[[float], None]
"""Called now and then with the share that is done."""


def nothing(_share: float) -> None:
    pass


class CidMaker:
    """26 characters that read as a ULID: milliseconds and 80 bits, of which the last are a counter, for speed."""

    def __init__(self) -> None:
        self._head = f"0{int(time() * 1000):012X}{os.urandom(3).hex().upper()}"[:18]
        self._next = 0

    def __call__(self) -> str:
        self._next += 1
        return f"{self._head}{self._next:08X}"


@define(eq=False)
class Posting:
    """The posters of a swarm, in turn. No poster speaks more often than `per_poster` times a second."""

    swarm: Swarm
    posters: "deque[Peer]"
    text: str
    per_poster: float
    new_cid: CidMaker = Factory(CidMaker)
    ready_at: dict[int, float] = Factory(dict)
    latest: float = 0.0
    """By how much the worst post missed its schedule, seconds."""
    patience: float = 15.0
    """For a drain in which nothing moves."""

    def post(self, timed_from: float, now: float) -> bool:
        """One post by the next poster in turn; False if that one has to be silent a little longer."""
        poster = self.posters[0]
        if self.ready_at.get(poster.fd, 0.0) > now:
            return False
        self.posters.rotate(-1)
        self.ready_at[poster.fd] = now + 1 / self.per_poster
        poster.post(self.new_cid(), self.text, timed_from)
        return True

    def send(self) -> None:
        """Hand what was posted to the sockets."""
        for poster in self.posters:
            if poster.outgoing:
                self.swarm.flush(self.swarm.lines[poster.fd])

    def closed_loop(self, in_flight: int, seconds: float, tick: Tick = nothing) -> None:
        """Keep this many posts in flight. A post has landed when it is answered and every member has it."""
        ledger, swarm = self.swarm.ledger, self.swarm
        began = now = monotonic()
        while now < began + seconds:
            free = in_flight - ledger.in_flight
            posted = False
            while free > 0 and self.post(now, now):
                free, posted = free - 1, True
            if posted:
                self.send()
            swarm.pump(0.02)
            self._check()
            now = monotonic()
            tick((now - began) / seconds)

    def open_loop(self, rate: float, seconds: float, tick: Tick = nothing) -> None:
        """One post every 1/rate seconds, whatever the server does; its clock starts when it was due."""
        began = now = monotonic()
        k, count = 0, max(1, round(rate * seconds))
        while k < count:
            due = began + k / rate
            if due > now:
                self.swarm.wait(min(due, now + 0.1))
                self._check()
            posted = False
            now = monotonic()
            while k < count and began + k / rate <= now and self.post(began + k / rate, now):
                self.latest = max(self.latest, now - began - k / rate)
                k, posted = k + 1, True
            if posted:
                self.send()
            elif due <= now:
                self.swarm.pump(0.001)  # every poster is at its limit
            self._check()
            tick(k / count)

    def drain(self) -> None:
        """Until every post is answered and everywhere. Raises RunVoid when nothing moves any more."""
        swarm, ledger = self.swarm, self.swarm.ledger
        moved, seen = monotonic(), ledger.in_flight
        while ledger.in_flight:
            swarm.pump(0.02)
            self._check()
            now = monotonic()
            if ledger.in_flight != seen:
                moved, seen = now, ledger.in_flight
            elif now - moved > self.patience:
                raise RunVoid(self._missing())

    def _check(self) -> None:
        if self.swarm.closed_early:
            lost = self.swarm.closed_early
            raise RunVoid(f"{len(lost)} connections ended during the run: {lost[0]}")

    def _missing(self) -> str:
        ledger = self.swarm.ledger
        behind = [
            f"{room.room}: {room.members - room.members_at.get(len(room.raw), 0)} of {room.members} members"
            for room in self.swarm.rooms.values()
            if room.low < len(room.raw)
        ]
        return (
            f"{ledger.posted - ledger.refused} posts, {ledger.acknowledged} answered, {ledger.completed} received by "
            f"everybody; still waiting: {'; '.join(behind[:3]) or 'messages that nobody received'}"
        )


def fit_text(frame_bytes: int, overhead: int) -> str:
    """A text that makes a delivered frame of `frame_bytes`, as far as there is room for one."""
    words = "the quick brown fox jumps over the lazy dog while the band plays on "
    size = max(4, frame_bytes - overhead)
    return (words * (size // len(words) + 1))[:size].rstrip().ljust(size, ".")


def wait_quietly(swarm: Swarm, seconds: float, tick: Tick = nothing) -> None:
    """Answer heartbeats and nothing else."""
    began = now = monotonic()
    while now < began + seconds:
        swarm.pump(min(0.2, began + seconds - now))
        if swarm.closed_early:
            raise RunVoid(f"{len(swarm.closed_early)} connections ended while idle: {swarm.closed_early[0]}")
        now = monotonic()
        tick((now - began) / seconds)
