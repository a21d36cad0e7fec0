"""The supervision tree: what stands on what. Started top to bottom, stopped bottom to top, a deadline for each storey.

    stats        losing it loses a window of numbers, nothing else
    journal      above the rooms, because they owe it their words
    people       before the rooms, because it re-admits their members
    alerts       before the rooms, because it does without them
    rooms        one child a room, each with its own budget
    directory    makes and finds rooms
    admin        carries out orders

The gateway stands on all of them, and is started and stopped by gateway/app.py."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from math import inf
from typing import Never

import trio
from attrs import astuple, define, field, frozen

from actors.admin.actor import AdminMessage
from actors.alerts.actor import Alerts, AlertTools
from actors.alerts.board import AlertBoard
from actors.alerts.messages import AlertsMessage, PutOut
from actors.alerts.vocabulary import Alert
from actors.alerts.voice import AlertVoice, NoVoice
from actors.clock import Clock, SystemClock
from actors.events import AlertNotice
from actors.journal.log import LogFailed, RoomLog, RoomRecord
from actors.journal.writer import WriterOnLoop
from actors.kernel import (
    ActorGone,
    Budget,
    Child,
    ChildCrashed,
    ChildRestarted,
    MailboxFull,
    Ref,
    SupervisionEvent,
    Supervisor,
)
from actors.names import HOUSE, Cid, MemberId, RoomName, skeleton, with_suffix
from actors.people.precedence import Precedence
from actors.people.registry import BUDGET as PEOPLE_BUDGET
from actors.people.registry import People, PeopleMessage
from actors.people.standing import Standing
from actors.people.visits import Visits
from actors.room.book import TAIL_LIMIT
from actors.room.directory import Directory, DirectoryMessage, Listing, RoomRules
from actors.room.messages import Moderate, RoomMessage
from actors.room.orders import Unasked
from actors.room.pages import Pages
from actors.room.presence import Presence
from actors.room.tools import RoomTools
from actors.room.voice import Voice
from actors.stats.actor import Stats
from actors.stats.board import Board
from actors.stats.chronicle import Chronicle
from actors.stats.feed import Feed
from actors.stats.sources import Outside, Sources
from actors.tally import RoomTally, Tally

PEOPLE_MAILBOX = 16_384
"""More than may arrive or go in one tick: a cut cable takes ten thousand with it."""
DIRECTORY_MAILBOX = 8_192
ALERTS_MAILBOX = 16_384


@frozen
class Deadlines:
    """How long each storey may take to be left in order."""

    stats_s: float = 0.4
    journal_s: float = 8.0
    people_s: float = 1.0
    alerts_s: float = 2.0
    rooms_s: float = 6.0
    directory_s: float = 1.0
    admin_s: float = 1.5

    def within(self, seconds: float) -> "Deadlines":
        """All shortened alike, where together they would take longer; none at all when the time is over already."""
        part = min(1.0, max(0.0, seconds) / sum(astuple(self)))
        return Deadlines(*(part * each for each in astuple(self)))


@define
class House:
    """Everything behind the gateway. `journal` is the child that `log` speaks to; both come from the caller, so that a
    test can put a log in memory under the same rooms.

    Use it as a context: `async with house.open(): ...` starts every storey and stops them in reverse, each within its
    deadline; what is still running then is cut."""

    log: RoomLog
    journal: Child[Never] | None
    voice: Voice
    rules: RoomRules = RoomRules()
    budget: Budget = Budget()
    tail: int = TAIL_LIMIT
    keep_s: float = inf
    grace_s: float = 20.0
    connections_per_member: int = 4
    clock: Clock = field(factory=SystemClock)
    below: Callable[[int], int] = random.SystemRandom().randrange
    events: Callable[[SupervisionEvent], None] = lambda event: None
    deadlines: Deadlines = Deadlines()
    alert_board: AlertBoard = field(factory=lambda: AlertBoard(SystemClock(), new_writer=WriterOnLoop))
    alert_voice: AlertVoice = field(factory=NoVoice)
    standing: Standing = field(factory=Standing, kw_only=True)
    """Read by rooms and doors, written by the admin alone."""

    tally: Tally = field(init=False, factory=Tally)
    room_tallies: dict[RoomName, RoomTally] = field(init=False, factory=dict)
    refs: dict[RoomName, Ref[RoomMessage]] = field(init=False, factory=dict)
    """The rooms that are up. To be read, not written."""
    visits: Visits = field(init=False)
    """Who is connected. Written by the connections, whatever is up or down."""
    precedence: Precedence = field(init=False, factory=Precedence)
    room_restarts: int = field(init=False, default=0)
    stats_every_s: float = field(default=1.0, kw_only=True)
    outside: Outside = field(init=False, factory=Outside)
    """What the stats cannot count by themselves; set by who wires the house."""
    board: Board = field(init=False)
    feed: Feed = field(init=False)
    chronicle: Chronicle = field(init=False)
    admin: "Callable[[House], Child[AdminMessage]] | None" = field(default=None, kw_only=True)
    """Makes the admin actor once everything under it stands; None: nobody gives orders."""
    floors: Supervisor = field(init=False)
    rooms: Supervisor = field(init=False)
    people: Ref[PeopleMessage] = field(init=False)
    alerts: Ref[AlertsMessage] = field(init=False)
    directory: Ref[DirectoryMessage] = field(init=False)
    orders: Ref[AdminMessage] = field(init=False)

    _fault: Exception | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        def wall() -> float:
            return self.clock.now().wall

        self.visits = Visits(grace_s=self.grace_s, most=self.connections_per_member, attendance=self.tally.people)
        self.board = Board(self.room_tallies, wall)
        self.feed = Feed(wall)
        self.chronicle = Chronicle(self.feed, wall)
        self.floors = Supervisor(events=self._floor_event)
        self.rooms = Supervisor(events=self._room_event)

    def _floor_event(self, event: SupervisionEvent) -> None:
        if isinstance(event, ChildCrashed) and self._fault is None:
            self._fault = event.cause
        self.chronicle.supervised(event)
        self.events(event)

    def _room_event(self, event: SupervisionEvent) -> None:
        if isinstance(event, ChildRestarted):
            self.room_restarts += 1
        self.chronicle.supervised(event)
        self.events(event)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[list[RoomRecord]]:
        """Yields the rooms that the log knows, once it can be read. Raises what the journal could not start with
        (JournalUnusable), or LogFailed, or AlertsUnusable."""
        async with trio.open_nursery() as nursery:
            try:
                await nursery.start(_undisturbed, self.floors)
                await nursery.start(_undisturbed, self.rooms)
                self._furnish()
                yield await self._stand()
            finally:
                with trio.CancelScope(shield=True):
                    await self._leave()
            nursery.cancel_scope.cancel()

    async def _stand(self) -> list[RoomRecord]:
        await self.alert_board.open()
        try:
            return await self.log.rooms()
        except LogFailed as failure:
            raise self._fault or failure from None

    def _furnish(self) -> None:
        sources = Sources(
            self.tally,
            self.room_tallies,
            self.refs,
            self.chronicle,
            self._listing,
            self.outside,
            lambda: {"people": self.people, "directory": self.directory},
        )
        began = self.clock.now().mono
        build_stats = partial(Stats, sources, self.board, self.feed, self.clock, began, self.stats_every_s)
        self.floors.start(Child("stats", build_stats))
        if self.journal is not None:
            self.floors.start(self.journal)
        build_people = partial(People, self.refs, self.visits)
        self.people = self.floors.start(Child("people", build_people, capacity=PEOPLE_MAILBOX, budget=PEOPLE_BUDGET))
        alert_tools = AlertTools(
            people=lambda: self.people,
            voice=self.alert_voice,
            clock=self.clock,
            below=self.below,
            zones=self.alert_board.zones,
            notice=self._notice,
            activity=self.feed,
            precedence=self.precedence,
        )
        build_alerts = partial(Alerts, self.alert_board, alert_tools)
        self.alerts = self.floors.start(Child("alerts", build_alerts, capacity=ALERTS_MAILBOX))
        tools = RoomTools(
            log=self.log,
            voice=self.voice,
            pages=Pages(self.log, self.voice),
            tally=self.tally,
            tallies=self.room_tallies,
            clock=self.clock,
            presence=self._presence,
            seated=self.visits.seated,
            tail=self.tail,
            keep_s=self.keep_s,
            standing=self.standing,
            precedence=self.precedence,
            put_out=self._put_out,
        )
        build_directory = partial(
            Directory, self.rooms, tools, self.rules, budget=self.budget, below=self.below, refs=self.refs
        )
        self.directory = self.floors.start(Child("directory", build_directory, capacity=DIRECTORY_MAILBOX))

        if self.admin is not None:
            self.orders = self.floors.start(self.admin(self))

    def _notice(self, alert: Alert) -> None:
        """For whoever reads the history later: that the alert went out in the rooms it was for, as far as they are up.
        A room that cannot take it now does without."""
        words = alert.draft.info[alert.draft.language]
        body = AlertNotice(alert.id, alert.rev, words.headline, words.text, alert.draft.status.value)
        for room, ref in list(self.refs.items()):
            if alert.draft.all or room in alert.rooms:
                with suppress(ActorGone, MailboxFull):
                    ref.urge(Moderate(Unasked(), HOUSE, Cid(f"{alert.id}.{alert.rev}"), body))

    def _put_out(self, room: RoomName, members: tuple[MemberId, ...]) -> None:
        """Behind the joins that are on their way, if there is room."""
        order = PutOut(members, room)
        with suppress(ActorGone, MailboxFull):
            if not self.alerts.offer(order):
                self.alerts.urge(order)

    async def _listing(self) -> tuple[RoomRecord, ...]:
        return await self.directory.ask(Listing, urgent=True)

    def _presence(self) -> Presence:
        return Presence(f"{self.below(1 << 32):08x}", skeleton, with_suffix)

    async def _leave(self) -> None:
        """From the top down. A storey that overstays its deadline is cut; the ones below still get theirs."""
        deadlines = self.deadlines
        with trio.move_on_after(deadlines.admin_s):
            await self.floors.stop_and_wait("admin")
        with trio.move_on_after(deadlines.directory_s):
            await self.floors.stop_and_wait("directory")
        with trio.move_on_after(deadlines.rooms_s):
            await self.rooms.shutdown()
        with trio.move_on_after(deadlines.alerts_s):
            await self.floors.stop_and_wait("alerts")
        with trio.move_on_after(deadlines.people_s):
            await self.floors.stop_and_wait("people")
        with trio.move_on_after(deadlines.journal_s):
            if self.journal is not None:
                await self.floors.stop_and_wait(self.journal.name)
        with trio.move_on_after(deadlines.stats_s):
            await self.floors.shutdown()


async def _undisturbed(storey: Supervisor, *, task_status: trio.TaskStatus[None]) -> None:
    """A house that is cancelled is left in order all the same: whoever opened it sees to that, and to the deadlines."""
    with trio.CancelScope(shield=True):
        await storey.run(task_status=task_status)
