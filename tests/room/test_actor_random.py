"""Rooms under everything at once, many times: slow phones, dead phones, phones that come back, edits, deletions, and a
room that stumbles at any point. Every phone checks every line it hears (tests/room/hall.py); at the end all is well."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio._core._run as scheduler
from attrs import define, field
from trio.testing import MockClock

from actors.events import Policy, PolicyChanged
from actors.journal.log import Stored
from actors.names import RoomName
from actors.refusals import Reason, Refused
from tests.room.fakes import MemoryLog
from tests.room.hall import MAIN, Answer, Hall, Phone, open_hall

OTHER = RoomName("other")
POINTS = [
    "handle",
    "handle Join",
    "handle Post",
    "handle FellBehind",
    "handle SeatLost",
    "handle Leave",
    "handle Lapsed",
    "fold, before",
    "fold, after",
    "voice.entry",
    "voice.caught_up",
    "voice.behind",
    "voice.gap",
    "voice.diff",
    "voice.reactions",
    "outlet.chat",
    "outlet.page",
    "outlet.news",
    "outlet.behind",
    "outlet.when_idle",
    "log.open",
    "log.read",
    "log.react",
    "started, first",
    "started, last",
    "stopped, first",
    "stopped, last",
]
GONE_SOON = {Reason.INTERNAL, Reason.UNAVAILABLE, Reason.BUSY}


@define(eq=False)
class Words:
    """One thing somebody wants to say, and says again under the same cid until it is answered for good."""

    author: str
    room: RoomName
    cid: str
    text: str
    answers: list[Answer] = field(factory=list)

    def say(self, phone: Phone) -> None:
        self.answers.append(phone.post(self.text, self.room, cid=self.cid))

    @property
    def values(self) -> list[object]:
        return [answer.values[0] for answer in self.answers if answer.given]

    @property
    def unsettled(self) -> bool:
        return all(isinstance(v, Refused) and v.reason in GONE_SOON for v in self.values)


class Play:
    def __init__(self, seed: int, hall: Hall) -> None:
        self.dice = random.Random(seed)
        self.hall = hall
        self.phones: list[Phone] = []
        self.homes: dict[str, RoomName] = {}
        self.words: list[Words] = []
        self.joins: list[tuple[Phone, Answer]] = []
        self.rules = 0

    async def run(self, steps: int) -> None:
        for n in range(10):
            phone = self.hall.phone(f"m_{n}")
            self.homes[phone.member] = OTHER if n % 5 == 4 else MAIN
            self.phones.append(phone)
            self.join(phone)
        actions = [getattr(self, name) for name in dir(type(self)) if name.startswith("do_")]
        weights = [WEIGHTS.get(action.__name__, 2) for action in actions]
        for _ in range(steps):
            await trio.sleep(self.dice.choice([0.0, 0.001, 0.01, 0.1, 0.3]))
            self.dice.choices(actions, weights)[0]()
        await self.settle()
        await self.check()

    def room_of(self, phone: Phone) -> RoomName:
        return self.homes[phone.member]

    def join(self, phone: Phone) -> None:
        how = {"tail": self.dice.choice([0, 3, 50]), "most": self.dice.choice([5, 1_000, 1_000])}
        self.joins.append((phone, phone.rejoin(self.room_of(phone), **how)))

    def someone(self, here: bool = True) -> Phone | None:
        phones = [p for p in self.phones if not p.departed and (not here or self.room_of(p) in p.seats)]
        return self.dice.choice(phones) if phones else None

    # What happens

    def do_post(self) -> None:
        for _ in range(self.dice.choice([1, 1, 2, 9])):
            if phone := self.someone():
                words = Words(
                    phone.member, self.room_of(phone), f"w{len(self.words)}", "x" * self.dice.randrange(1, 60)
                )
                self.words.append(words)
                words.say(phone)

    def do_say_again(self) -> None:
        """A phone that did not hear an answer asks again, whether it was answered meanwhile or not."""
        if self.words and (phone := self.someone()):
            mine = [w for w in self.words if w.author == phone.member]
            if mine:
                self.dice.choice(mine[-3:]).say(phone)

    def do_edit(self) -> None:
        if phone := self.someone():
            phone.edit(self.dice.randrange(1, self.hall.head(self.room_of(phone)) + 2), "new", self.room_of(phone))

    def do_delete(self) -> None:
        if phone := self.someone():
            phone.delete(self.dice.randrange(1, self.hall.head(self.room_of(phone)) + 2), self.room_of(phone))

    def do_react(self) -> None:
        if phone := self.someone():
            room = self.room_of(phone)
            phone.react(self.dice.randrange(1, self.hall.head(room) + 2), "+", self.dice.random() < 0.7, room)

    def do_change_pace(self) -> None:
        if phone := self.someone(here=False):
            phone.outlet.bound_frames = self.dice.choice([4, 10, 512])
            phone.outlet.at_pace(self.dice.choice([None, None, 0, 100, 3_000]))

    def do_break_connection(self) -> None:
        if phone := self.someone(here=False):
            phone.go()

    def do_come_back(self) -> None:
        for at, phone in enumerate(self.phones):
            if phone.departed and self.dice.random() < 0.5:
                self.phones[at] = phone.come_back()
                self.join(self.phones[at])

    def is_joining(self, phone: Phone) -> bool:
        return any(who is phone and not answer.given for who, answer in self.joins)

    def do_join_again(self) -> None:
        if (phone := self.someone()) and not self.is_joining(phone):
            self.join(phone)

    def do_leave_and_join(self) -> None:
        if (phone := self.someone()) and not self.is_joining(phone):
            phone.leave(self.room_of(phone))
            self.join(phone)

    def do_stumble(self) -> None:
        self.hall.faults.arm(self.dice.choice(POINTS), self.dice.choice([1, 1, 2, 5, 9]))

    def do_trim(self) -> None:
        shelf = self.hall.log.shelves.get(MAIN)
        if shelf:
            shelf.oldest = max(shelf.oldest, shelf.head - self.dice.choice([0, 10, 60]))

    def do_order(self) -> None:
        ref = self.hall.house.refs.get(MAIN)
        if ref:
            self.rules += 1
            rules = {"max_members": 1_000 + self.rules, "history": self.dice.choice([20, 1_000])}
            self.hall.nursery.start_soon(lambda: self.hall.set_policy(cid=f"rules-{self.rules}", **rules))

    # How it ends

    async def settle(self) -> None:
        self.hall.faults.disarm()
        for phone in self.phones:
            phone.outlet.at_pace(None)
        await trio.sleep(100)  # quarantines end
        for at, phone in enumerate(self.phones):
            if phone.departed:
                self.phones[at] = phone.come_back()
        for phone in self.phones:
            while self.room_of(phone) not in phone.seats:
                self.join(phone)
                await self.joins[-1][1].wait()
        for words in self.words:
            phone = next(phone for phone in self.phones if phone.member == words.author)
            for _ in range(9):
                if not words.unsettled:
                    break
                words.say(phone)
                await words.answers[-1].wait()
        await trio.sleep(30)  # graces end

    async def check(self) -> None:
        hall, log = self.hall, self.hall.log
        for room in (MAIN, OTHER):
            await hall.all_level([phone for phone in self.phones if self.room_of(phone) == room], room)
            here = sorted(phone.nickname for phone in self.phones if self.room_of(phone) == room)
            assert sorted(await self.phones[0 if room == MAIN else 4].members(room)) == here, room
            assert (await hall.census(room)).seats == len(here)
        unanswered = [a for phone in hall.phones for a in phone.answers if not a.given]
        assert not unanswered, "every request is answered"
        written = Counter((e.author, e.cid) for shelf in log.shelves.values() for e in shelf.written)
        assert set(written.values()) <= {1}, "nothing is written twice"
        for words in self.words:
            stored = [value for value in words.values if isinstance(value, Stored)]
            assert len({(value.epoch, value.seq) for value in stored}) <= 1
            assert sum(not value.dup for value in stored) <= 1
            for value in stored:
                assert log.ever[value.epoch, value.seq] == (words.author, words.cid), "ok is for what is committed"
        assert set(hall.crashes) <= {"room:main"}, "only that room restarts"
        orders = [e for e in log.shelves[MAIN].written if isinstance(e.body, PolicyChanged)]
        wanted = orders[-1].body.policy if orders else Policy()
        assert (await hall.census()).policy == wanted, "the rules stand"


WEIGHTS = {"do_post": 12, "do_come_back": 4, "do_stumble": 3, "do_change_pace": 4, "do_trim": 1, "do_order": 1}


async def play(seed: int, steps: int = 120) -> Hall:
    dice = random.Random(-seed)
    log = MemoryLog(lambda: dice.choice([0.0, 0.001, 0.02]), lambda: dice.choice([0.0, 0.001, 0.05]))
    log.fill(MAIN, dice.choice([0, 30, 100]))
    async with open_hall(log=log, tail=8) as hall:
        await Play(seed, hall).run(steps)
    return hall


def run_seeded(scene: Callable[[int], Awaitable[object]], seed: int) -> None:
    """The same seed, the same schedule: trio's own dice too, as pytest-trio seeds them for hypothesis."""
    was = scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True
    scheduler._r.seed(seed)
    try:
        trio.run(scene, seed, clock=MockClock(autojump_threshold=0))
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = was


@pytest.mark.parametrize("seed", range(50))
def test_every_phone_hears_all_of_the_log_once_and_in_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.room.pages.PAGE_ENTRIES", 16)
    monkeypatch.setattr("actors.room.fanout.PAGE_BYTES", 400)
    monkeypatch.setattr("actors.room.fanout.CHUNK", 3)
    run_seeded(play, seed)
