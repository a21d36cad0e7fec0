"""A whole house on fakes, and phones that check every line they hear. A phone does what gateway/connection.py does."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trio
from attrs import define, field

import actors.room.directory
from actors.clock import Now
from actors.events import Policy
from actors.house import House
from actors.journal.log import Page, Stored
from actors.kernel import ActorGone, Budget, ChildCrashed, ChildQuarantined, ChildRestarted, Ref, SupervisionEvent
from actors.names import Below, Cid, Epoch, MemberId, Nickname, RoomName
from actors.people.outlet import Seat
from actors.refusals import Reason, Refused
from actors.room import messages as say
from actors.room.actor import Room
from actors.room.directory import Enter, RoomRules
from actors.room.messages import FellBehind, Joined, Position, RoomCensus, RoomMessage, SeatLost
from tests.room.fakes import NOON, FakeOutlet, LineVoice, MemoryLog, words

MAIN = RoomName("main")
DICE = random.Random(1).randrange


class LoopClock:
    def now(self) -> Now:
        mono = trio.current_time()
        return Now(NOON + mono, mono)


class Boom(Exception):
    """The fault that a test put there."""


class Faults:
    """Where a room can stumble. `arm(point, n)`: the n-th time from now that this point is passed, it raises."""

    def __init__(self) -> None:
        self.passed: Counter[str] = Counter()
        self.raised: list[str] = []
        self._armed: dict[str, int] = {}

    def arm(self, point: str, times: int = 1) -> None:
        self._armed[point] = self.passed[point] + times

    def disarm(self) -> None:
        self._armed.clear()

    def at(self, point: str) -> None:
        self.passed[point] += 1
        if self._armed.get(point) == self.passed[point]:
            del self._armed[point]
            self.raised.append(point)
            raise Boom(point)


def shaky_room(faults: Faults, only: RoomName) -> type[Room]:
    """A room that passes by the faults on its own ways; rooms of other names do not."""

    class ShakyRoom(Room):
        def _at(self, point: str) -> None:
            if self.name == only:
                faults.at(point)

        async def started(self) -> None:
            self._at("started, first")
            await super().started()
            self._at("started, last")

        def stopped(self, cause: BaseException | None) -> None:
            self._at("stopped, first")
            super().stopped(cause)
            self._at("stopped, last")

        def handle(self, message: RoomMessage) -> None:
            self._at("handle")
            self._at(f"handle {type(message).__name__}")
            super().handle(message)

        def _fold(self, entry: Any) -> None:
            self._at("fold, before")
            super()._fold(entry)
            self._at("fold, after")

    return ShakyRoom


@define(eq=False, repr=False)
class Answer:
    """A reply that checks that it is given once. `also`: what the connection does with it."""

    also: Callable[[Any], None] = lambda value: None
    values: list[Any] = field(factory=list)
    at: float = 0.0
    _given: trio.Event = field(factory=trio.Event)

    def answer(self, value: Any) -> None:
        self.values.append(value)
        if len(self.values) > 1:
            return
        self.at = trio.current_time()
        self._given.set()
        self.also(value)

    @property
    def given(self) -> bool:
        return bool(self.values)

    async def wait(self, seconds: float = 3_600) -> Any:
        with trio.fail_after(seconds):
            await self._given.wait()
        return self.values[0]


@define
class Place:
    """What a phone knows of one room. Every line is checked against what came before."""

    epoch: Epoch | None = None
    seen: int = 0
    due: bool = False
    """`caught_up` has to come."""
    target: int = 0
    here: bool = False
    told: list[tuple[str, ...]] = field(factory=list)
    """Everything but entries."""
    got: list[int] = field(factory=list)
    entries: list[tuple[int, str, str]] = field(factory=list)
    """(seq, kind, text)"""

    def count(self, kind: str) -> int:
        return sum(line[0] == kind for line in self.told)


class Phone:
    """One connection of one member. Implements people's Visit."""

    def __init__(self, hall: "Hall", member: str, nickname: str = "", places: dict[str, Place] | None = None) -> None:
        self.hall = hall
        self.member = MemberId(member)
        self.nickname = Nickname(nickname or member.removeprefix("m_"))
        self.guessed = False
        self.seats: dict[RoomName, Seat] = {}
        self.places: dict[str, Place] = {} if places is None else places
        self.outlet = FakeOutlet(hall.nursery, self._hear, self._behind, self._lost, self._at, pace=None)
        self.outlet_faults = True
        self.parted: list[int] = []
        self.lines: list[list[str]] = []
        self.alerts: list[bytes] = []
        self.departed = False
        self.cids = 0
        self.answers: list[Answer] = []
        hall.phones.append(self)
        hall.house.visits.arrive(self)

    def _at(self, point: str) -> None:
        if self.outlet_faults and MAIN in self.seats and not self.outlet.dead:
            self.hall.faults.at(point)

    # Visit

    def fall_silent(self) -> None:
        pass

    def part(self, code: int, retry_after_ms: int | None = None) -> None:
        self.parted.append(code)
        self.outlet.finish(code)

    # The connection

    def _behind(self, room: RoomName, first: int) -> None:
        seat = self.seats.get(room)
        if seat is not None:
            seat.rewind(first)
            ref = self.hall.house.refs.get(room)
            if ref is not None:
                with suppress(ActorGone):
                    ref.urge(FellBehind(seat))

    def _lost(self) -> None:
        self.departed = True
        for seat in self.seats.values():
            seat.level = False
            self._pass_on(seat.room, SeatLost(seat))
        self.hall.house.visits.depart(self)

    def _pass_on(self, room: RoomName, fact: RoomMessage) -> None:
        ref = self.hall.house.refs.get(room)
        if ref is not None:
            self._tell(ref, fact)

    def _tell(self, ref: Ref[Any], fact: object) -> None:
        with suppress(ActorGone):
            if not ref.offer(fact):
                self.hall.nursery.start_soon(_send, ref, fact)

    def _give(self, room: str, request: say.Request[Any]) -> Answer:
        answer = request.reply
        assert isinstance(answer, Answer)
        self.answers.append(answer)
        ref: Ref[Any] | None = self.hall.house.refs.get(RoomName(room))
        try:
            if isinstance(request, say.Join):
                if not self.hall.house.directory.offer(Enter(room, request)):
                    answer.answer(Refused(Reason.BUSY))
            elif ref is None or not ref.offer(request):
                answer.answer(Refused(Reason.BUSY))
        except ActorGone as gone:
            answer.answer(Refused(Reason.UNAVAILABLE, str(gone)))
        return answer

    # What people do

    def join(
        self,
        room: str = MAIN,
        *,
        since: Position | None = None,
        tail: int = 50,
        most: int = 1_000,
        presence: bool = True,
    ) -> Answer:
        seat = Seat(RoomName(room), self.member, self.nickname, self.outlet, Epoch(""), guessed=self.guessed)

        def joined(value: Joined | Refused) -> None:
            if isinstance(value, Refused):
                return
            self.seats[seat.room] = seat
            if self.departed:
                self._pass_on(seat.room, SeatLost(seat))
            held = since.seq if since is not None and since.epoch == value.epoch else "-"
            start = seat.cursor if value.mode == "fresh" else held
            self.outlet.control(f"ok|{seat.room}|{value.mode}|{value.epoch}|{value.head}|{start}\n".encode())

        return self._give(room, say.Join(Answer(joined), seat, since, tail, most, presence))

    def rejoin(self, room: str = MAIN, **how: Any) -> Answer:
        """With what this phone has seen."""
        place = self.places.get(room)
        since = None if place is None or place.epoch is None else Position(place.epoch, place.seen)
        return self.join(room, since=since, **how)

    def leave(self, room: str = MAIN) -> Answer:
        seat = self.seats[RoomName(room)]
        place = self.places.get(room)

        def left(value: say.Done | Refused) -> None:
            if isinstance(value, say.Done) and self.seats.get(seat.room) is seat:
                del self.seats[seat.room]
                if place:
                    place.here = False

        return self._give(room, say.Leave(Answer(left), seat))

    def post(self, text: str = "hi", room: str = MAIN, *, cid: str = "", reply_to: int | None = None) -> Answer:
        name = self.seats[RoomName(room)].nickname if RoomName(room) in self.seats else self.nickname
        return self._give(room, say.Post(Answer(), self.member, name, self._cid(cid), text, reply_to))

    def edit(self, target: int, text: str, room: str = MAIN, *, cid: str = "") -> Answer:
        return self._give(room, say.Edit(Answer(), self.member, self._cid(cid), target, text))

    def delete(self, target: int, room: str = MAIN, *, cid: str = "") -> Answer:
        return self._give(room, say.Delete(Answer(), self.member, self._cid(cid), target))

    def react(self, target: int, emoji: str = "+", on: bool = True, room: str = MAIN) -> Answer:
        return self._give(room, say.React(Answer(), self.member, target, emoji, on))

    def history(self, before: int | None = None, after: int | None = None, limit: int = 50, room: str = MAIN) -> Answer:
        return self._give(room, say.History(Answer(), before, after, limit))

    def type(self, room: str = MAIN) -> None:
        seat = self.seats[RoomName(room)]
        self._pass_on(seat.room, say.Typing(self.member, seat.nickname))

    async def members(self, room: str = MAIN) -> list[str]:
        page = await self._give(room, say.Members(Answer(), 1)).wait()
        return [card.nickname for card in page.members]

    def _cid(self, cid: str) -> Cid:
        self.hall.cids += 1
        return Cid(cid or f"{self.member}-{self.hall.cids}")

    def go(self) -> None:
        """The connection breaks."""
        self.outlet.die()

    def come_back(self) -> "Phone":
        """A new connection of the same person, who has kept what they have seen."""
        places = {name: Place(place.epoch, place.seen) for name, place in self.places.items()}
        return Phone(self.hall, self.member, self.nickname, places)

    # What the phone hears

    def place(self, room: str = MAIN) -> Place:
        return self.places.setdefault(room, Place())

    def _hear(self, frame: bytes) -> None:
        """Never raises: it may be called from within a room."""
        if frame.startswith((b"alert ", b"over ")):
            self.alerts.append(frame)
            return
        for line in frame.splitlines(keepends=True):
            try:
                self._check(words(line))
            except AssertionError as wrong:
                self.hall.wrong.append(wrong)

    def _check(self, line: list[str]) -> None:
        kind, room = line[0], line[1]
        self.lines.append(line)
        place = self.place(room)
        if kind == "entry":
            self._entry(place, line)
            return
        place.told.append((kind, *line[2:]))
        if kind == "ok":
            _, epoch, head, start = line[2:]
            place.here, place.due, place.target = True, True, int(head)
            if start != "-":
                place.seen = int(start)
            place.epoch = Epoch(epoch)
        elif not place.here:
            pass  # on its way when we left
        elif kind == "gap":
            self._gap(place, int(line[2]), int(line[3]), line[4])
        elif kind == "behind":
            assert int(line[2]) == place.seen + 1, (self.member, line, place.seen)
            place.due, place.target = True, place.seen
        elif kind == "caught_up":
            assert place.due, (self.member, "caught_up without reason", line)
            assert int(line[2]) == place.seen, (self.member, line, place.seen)
            assert place.seen >= place.target
            place.due = False

    def _entry(self, place: Place, line: list[str]) -> None:
        _, room, epoch, seq, author, cid, kind, text = line
        if not place.here:
            return
        assert epoch == place.epoch, (self.member, line, place)
        assert int(seq) == place.seen + 1, (self.member, room, f"{seq} after {place.seen}", place.told[-5:])
        committed = self.hall.committed
        if committed is not None:
            assert committed.get((Epoch(epoch), int(seq))) == (author, cid), "told of what was never committed"
        place.seen += 1
        place.got.append(place.seen)
        place.entries.append((place.seen, kind, text))

    def _gap(self, place: Place, start: int, end: int, why: str) -> None:
        if why == "epoch":
            assert start == 1
            shelf = self.hall.log.shelves[RoomName(self._room_of(place))]
            place.epoch, place.due, place.target = shelf.epoch, True, end
        else:
            assert start == place.seen + 1, (self.member, start, end, why, place.seen)
            assert end >= start
        place.seen = end

    def _room_of(self, place: Place) -> str:
        return next(name for name, other in self.places.items() if other is place)


async def _send(ref: Ref[Any], fact: object) -> None:
    with suppress(ActorGone):
        await ref.send(fact)


@define(eq=False, repr=False)
class Hall:
    log: MemoryLog
    voice: LineVoice
    house: House
    faults: Faults
    nursery: trio.Nursery
    events: list[SupervisionEvent]
    phones: list[Phone] = field(factory=list)
    committed: Mapping[tuple[Epoch, int], tuple[MemberId, Cid]] | None = None
    """What the log ever wrote, where it can be asked."""
    wrong: list[AssertionError] = field(factory=list)
    """What phones heard and should not have."""
    cids: int = 0

    def phone(self, member: str = "m_ana", nickname: str = "") -> Phone:
        return Phone(self, member, nickname)

    async def crowd(self, count: int, room: str = MAIN, **how: Any) -> list[Phone]:
        phones = [self.phone(f"m_{n}") for n in range(count)]
        for answer in [phone.join(room, **how) for phone in phones]:
            assert isinstance(await answer.wait(), Joined)
        return phones

    async def guest(self, member: str = "m_ana", room: str = MAIN, **how: Any) -> Phone:
        """A phone that is in the room and up to date."""
        phone = self.phone(member)
        assert isinstance(await phone.join(room, **how).wait(), Joined)
        await self.quiet()
        return phone

    async def quiet(self, seconds: float = 0.5) -> None:
        await trio.sleep(seconds)

    async def census(self, room: str = MAIN) -> RoomCensus:
        with trio.fail_after(60):
            return await self.house.refs[RoomName(room)].ask(say.Census)

    async def set_policy(self, room: str = MAIN, *, cid: str = "", **rules: Any) -> Any:
        self.cids += 1
        answer = Answer()
        order = say.SetPolicy(answer, Policy(**rules), Cid(cid or f"order-{self.cids}"), MemberId("m_operator"))
        self.house.refs[RoomName(room)].urge(order)
        return await answer.wait()

    def happened(self, kind: type) -> list[str]:
        return [event.name for event in self.events if isinstance(event, kind)]

    @property
    def crashes(self) -> list[str]:
        return self.happened(ChildCrashed)

    @property
    def restarts(self) -> list[str]:
        return self.happened(ChildRestarted)

    @property
    def quarantines(self) -> list[str]:
        return self.happened(ChildQuarantined)

    def head(self, room: str = MAIN) -> int:
        return self.log.shelves[RoomName(room)].head

    def is_level(self, phone: Phone, room: str = MAIN) -> bool:
        seat = phone.seats.get(RoomName(room))
        place = phone.place(room)
        return seat is not None and seat.level and place.seen == self.head(room) and not place.due

    async def all_level(self, phones: list[Phone], room: str = MAIN, within: float = 120.0) -> None:
        with trio.move_on_after(within):
            while not all(self.is_level(phone, room) for phone in phones):  # noqa: ASYNC110
                await trio.sleep(0.05)
            return
        late = [p.member for p in phones if not self.is_level(p, room)]
        pytest.fail(f"not level at {self.head(room)}: {late}")


@asynccontextmanager
async def open_hall(
    *,
    shaky: RoomName | None = MAIN,
    rules: RoomRules | None = None,
    tail: int = 100,
    budget: Budget | None = None,
    log: MemoryLog | None = None,
    grace_s: float = 20.0,
    most: int = 4,
    below: Below = DICE,
    stats_every_s: float = 3_600.0,
) -> AsyncIterator[Hall]:
    """`stats_every_s`: tests live through hours, and most do not look at what is counted meanwhile."""
    log = log or MemoryLog()
    voice, faults, events = LineVoice(), Faults(), list[SupervisionEvent]()
    patch = pytest.MonkeyPatch()
    if shaky is not None:
        patch.setattr(actors.room.directory, "Room", shaky_room(faults, shaky))
        voice.on_call = log.on_call = lambda point, room: faults.at(point) if room == shaky else None
    house = House(
        log,
        None,
        voice,
        rules or RoomRules(creations_per_member_h=10_000, creations_per_min=10_000),
        budget=budget or Budget(),
        tail=tail,
        grace_s=grace_s,
        connections_per_member=most,
        clock=LoopClock(),
        events=events.append,
        below=below,
        stats_every_s=stats_every_s,
    )
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(log.run)
            async with house.open():
                hall = Hall(log, voice, house, faults, nursery, events, committed=log.ever)
                yield hall
                for phone in hall.phones:
                    phone.outlet_faults = False
                faults.disarm()
                twice = [answer.values for phone in hall.phones for answer in phone.answers if len(answer.values) > 1]
                assert not twice, "nobody is answered twice"
                if hall.wrong:
                    raise hall.wrong[0]
            nursery.cancel_scope.cancel()
    finally:
        patch.undo()


__all__ = [
    "MAIN",
    "Answer",
    "Boom",
    "Faults",
    "Hall",
    "LoopClock",
    "Page",
    "Phone",
    "Place",
    "Position",
    "Stored",
    "open_hall",
]
