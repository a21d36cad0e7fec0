"""A journal full of messages, for `python -m bench start --journal FILE`:

    python tests/bench/fill_journal.py FILE [MESSAGES [ROOMS]]

It writes through the journal's own store, since a million messages through sockets would take a quarter of an hour. The
bench itself never imports this."""

import sys
import time
from pathlib import Path

from actors.clock import Now
from actors.events import Message
from actors.journal.log import Alarm, Draft, Durability, Outcome
from actors.journal.store import Setup, Store
from actors.journal.work import Work
from actors.names import Cid, MemberId, Nickname, RoomCode, RoomName

BATCH = 2_000
AUTHORS = 5_000
TEXT = "the quick brown fox jumps over the lazy dog while the band plays on, again and again"


def now() -> Now:
    return Now(time.time(), time.monotonic())


def complain(alarm: Alarm) -> None:
    raise RuntimeError(alarm.text)


def answered(_outcome: Outcome) -> None:
    pass


def fill(path: Path, messages: int, rooms: int = 100) -> None:
    """`path` must not exist yet. The journal is closed cleanly, as a server that was stopped leaves it."""
    if path.exists():
        raise FileExistsError(path)
    store = Store(Setup(path, Durability.POWER, keep_s=72 * 3600.0, min_free_bytes=0), complain)
    store.open(now())
    try:
        records = [
            store.create(RoomName(f"room-{k}"), RoomCode(f"blue-{_letters(k)}-10"), f"Room {k}", now())
            for k in range(rooms)
        ]
        for start in range(0, messages, BATCH):
            drafts = []
            for k in range(start, min(start + BATCH, messages)):
                record, author = records[k % rooms], MemberId(f"m_{k % AUTHORS:026d}")
                body = Message(Nickname(f"Guest {k % AUTHORS}"), f"{k}: {TEXT}")
                drafts.append(Draft(record.name, record.epoch, author, Cid(f"fill-{k}"), body, answered))
            committed = store.commit(Work(now(), drafts))
            if committed.rows != len(drafts):
                raise RuntimeError(f"{committed.rows} of {len(drafts)} were stored: {committed.outcomes[0]}")
    finally:
        store.close()


def _letters(k: int) -> str:
    return "".join(chr(ord("a") + k // 26**place % 26) for place in range(4))


if __name__ == "__main__":
    target, *numbers = sys.argv[1:]
    fill(Path(target), *([int(number) for number in numbers] or [1_000_000]))
