"""The operators' side over a real house with its journal in memory, without sockets. In virtual time the wall clock
goes with the loop's."""

import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import trio
from attrs import define, evolve, field

from actors.admin.commands import TABLE, read_args, without_secrets
from actors.admin.deeds import Deeds
from actors.admin.orders import Answer, Denied, Giver, Order, Outcome
from actors.admin.roles import Role
from actors.alerts.board import AlertBoard
from actors.clock import Clock, Now
from actors.house import House
from actors.journal.actor import Journal
from actors.journal.desk import Desk
from actors.journal.log import Durability
from actors.journal.store import Setup
from actors.journal.writer import WriterOnLoop
from actors.kernel import Child
from actors.names import Cid, Epoch, MemberId, Nickname, RoomName, member_of
from actors.people.outlet import Seat, Visit
from actors.people.registry import Arrived
from actors.room.directory import Enter, Listed, Listing, RoomRules
from actors.room.messages import History, Join, Post
from gateway.admin.ops import Ops, opened
from gateway.alerts import WireAlerts
from gateway.settings import Admin, Settings
from gateway.settings import Journal as JournalSettings
from tests.room.fakes import NOON, FakeOutlet, LineVoice, words
from tests.room.hall import Answer as Heard
from tests.room.hall import LoopClock

ROOMS = ("main-stage", "quiet-room")


@define(eq=False)
class Person:
    """A member's one connection. Implements Visit."""

    member: MemberId
    nickname: Nickname
    outlet: Any
    remote: str = "10.0.0.7"
    seats: dict[RoomName, Seat] = field(factory=dict)
    parted: list[int] = field(factory=list)
    heard: list[list[str]] = field(factory=list)

    def fall_silent(self) -> None: ...

    def part(self, code: int, retry_after_ms: int | None = None) -> None:
        self.parted.append(code)

    def told(self, kind: str) -> list[list[str]]:
        return [line for line in self.heard if line[0] == kind]


@define
class Doorway:
    """actors.admin.world.Gateway."""

    people: list[Person] = field(factory=list)
    notes: list[str] = field(factory=list)
    drained: int = 0

    def token_for(self, member: MemberId) -> str:
        return f"token of {member}"

    def addresses(self, member: MemberId) -> tuple[str, ...]:
        return tuple(each.remote for each in self.people if each.member == member)

    def behind(self, addresses: Iterable[str]) -> int:
        wanted = set(addresses)
        return sum(each.remote in wanted for each in self.people)

    def part(self, member: MemberId, code: int) -> int:
        parted = [each for each in self.people if each.member == member]
        for each in parted:
            each.part(code)
        return len(parted)

    def look_at_the_door(self) -> int:
        return 0

    def note(self, visits: Iterable[Visit], text: str) -> int:
        self.notes.append(text)
        return len(list(visits))

    def drain(self) -> None:
        self.drained += 1


@define
class Office:
    house: House
    ops: Ops
    door: Doorway
    nursery: trio.Nursery

    async def give(
        self, name: str, args: dict[str, Any] | None = None, *, by: str = "ana", role: Role = Role.OWNER, **more: Any
    ) -> Answer:
        """An act or a question, to its end."""
        spec, raw = TABLE[name], args or {}
        more = {"reason": "why", "cid": str(uuid4()), **more}
        order = Order(
            name, read_args(spec, raw, self.house.clock.now().wall), without_secrets(raw), Giver(by, role), **more
        )
        if spec.reads:
            return await self.ops.read(order)
        heard = Heard()
        self.ops.order(heard, order)  # type: ignore[arg-type]
        found: Answer = await heard.wait(60)
        return found

    async def do(self, name: str, args: dict[str, Any] | None = None, **more: Any) -> Outcome:
        """What has to work."""
        found = await self.give(name, args, **more)
        assert isinstance(found, Outcome), found
        return found

    async def refused(self, name: str, args: dict[str, Any] | None = None, **more: Any) -> str:
        """What must not: the code."""
        found = await self.give(name, args, **more)
        assert isinstance(found, Denied), found
        return found.code

    async def room(self, room: str = ROOMS[0]) -> dict[str, Any]:
        return dict((await self.do("room.show", {"room": room})).detail)

    async def audit(self) -> list[tuple[str, str, str]]:
        """(operator, command, result), oldest first."""
        rows = await self.ops.store.audit.page(limit=1_000)
        return [(row.operator, row.command, row.result) for row in reversed(rows)]

    @property
    def deeds(self) -> Deeds:
        return Deeds(self.ops.store)

    async def come(self, number: int, *rooms: str) -> Person:
        person = Person(member_of(number.to_bytes(16, "big")), Nickname(f"Guest {number}"), None)
        person.outlet = FakeOutlet(self.nursery, lambda frame: person.heard.append(words(frame)))
        self.door.people.append(person)
        self.house.log.seen(person.member, person.nickname)
        await self.house.people.send(Arrived(person))
        for room in rooms:
            await self.join(person, room)
        return person

    async def join(self, person: Person, room: str, *, presence: bool = False) -> Any:
        heard = Heard()
        seat = Seat(RoomName(room), person.member, person.nickname, person.outlet, Epoch(""))
        await self.house.directory.send(Enter(room, Join(heard, seat, None, 0, 100, presence)))
        found = await heard.wait(60)
        if not hasattr(found, "reason"):
            person.seats[RoomName(room)] = seat
        return found

    async def post(self, person: Person, text: str, room: str = ROOMS[0]) -> Any:
        heard = Heard()
        cid = Cid(str(uuid4()))
        await self.house.refs[RoomName(room)].send(Post(heard, person.member, person.nickname, cid, text, None))
        return await heard.wait(60)

    async def texts(self, room: str = ROOMS[0]) -> list[str]:
        """What a member reads: the words of messages, tombstones by their class."""
        heard = Heard()
        await self.house.refs[RoomName(room)].send(History(heard, None, 0, 200))
        page = await heard.wait(60)
        bodies = [entry.body for entry in page.entries]
        return [getattr(body, "text", type(body).__name__) for body in bodies if type(body).__name__ in SHOWN]


SHOWN = {"Message", "Tombstone", "Notice"}


def settings_for(folder: Path | None = None, **admin: Any) -> Settings:
    """`folder` None: everything in memory."""
    settings = Settings(event="North Fields", admin=Admin(**admin))
    if folder is None:
        return evolve(settings, journal=JournalSettings(durability="memory"))
    return evolve(settings, journal=JournalSettings(path=folder / "bandstand.db"))


class Ahead:
    """A clock on the wall that can be put forward: a day of the loop's own time is a day of everybody's timers."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> Now:
        loop = trio.current_time()
        return Now(NOON + loop + self.seconds, loop)


@asynccontextmanager
async def open_office(folder: Path | None = None, clock: Clock | None = None, **admin: Any) -> AsyncIterator[Office]:
    settings = settings_for(folder, **admin)
    clock = clock or LoopClock()
    desk = Desk(clock, lambda alarm: None)
    path = None if folder is None else folder / "bandstand.db"
    durability = Durability.MEMORY if folder is None else Durability.PROCESS
    setup = Setup(path, durability, keep_s=1e6, min_free_bytes=0, keep_cids_s=1e6, ballast_bytes=0)
    board = AlertBoard(clock, None if folder is None else folder / "alerts.db", new_writer=WriterOnLoop)
    house = House(
        log=desk,
        journal=Child("journal", lambda: Journal(desk, setup)),
        voice=LineVoice(),
        rules=RoomRules(listed={RoomName(room): Listed() for room in ROOMS}),
        alert_board=board,
        alert_voice=WireAlerts(),
        clock=clock,
        below=random.Random(7).randrange,
    )
    door = Doorway()
    async with (
        opened(settings, house, door) as ops,
        house.open(),
        trio.open_nursery() as nursery,
    ):
        await house.directory.ask(Listing)
        ops.lobby = Standby(nursery)  # type: ignore[assignment]
        yield Office(house, ops, door, nursery)
        nursery.cancel_scope.cancel()


@define
class Standby:
    nursery: trio.Nursery
