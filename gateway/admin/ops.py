"""The operators' side of a running server: its store, who may sign in, the admin actor's tools, the door /admin/ws."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from secrets import token_urlsafe

import trio
from attrs import define, field

from actors.admin.actor import Admin, AdminMessage, Carry
from actors.admin.alert_rows import AlertRows
from actors.admin.approval import Approvals
from actors.admin.catalogue import planners
from actors.admin.deeds import Deed, Deeds
from actors.admin.executor import Executor
from actors.admin.orders import Answer, Order
from actors.admin.plans import Hands
from actors.admin.registers import Registers
from actors.admin.registers_people import (
    AddressRegisters,
    HelpRegisters,
    HouseRegisters,
    MemberRegisters,
    ReportRegisters,
)
from actors.admin.registers_rooms import MessageRegisters, RoomHand, RoomRegisters
from actors.admin.signin import SignIn
from actors.admin.store import AdminStore, StoreFailed
from actors.admin.world import Gateway, World
from actors.events import Message, Tombstone
from actors.house import House
from actors.journal.log import LogFailed
from actors.kernel import ActorGone, Child
from actors.names import Epoch, RoomName
from actors.refusals import Reason, Refused
from actors.stats.activity import Event
from gateway import plan
from gateway.admin.answers import OrderReply
from gateway.admin.connection import AdminConnection, Lobby
from gateway.admin.session import FEATURES, AdminSession
from gateway.admin.watches import Watches
from gateway.barrier import Barrier, Tasks
from gateway.protocol import admin
from gateway.protocol.admin_codec import admin_decoder
from gateway.reception import Reception, Reported
from gateway.settings import Settings
from gateway.wire.contract import Wire

ORDERS_WAITING = 256
DRAIN_RETRY_MS = 1_000
RECORD_PART = 0.05
"""Of drain_s, for what is still to be recorded at the end, and for letting go of the file."""


@define(eq=False)
class Ops:
    """Opened with `opened`, before the house; then `furnish` gives the house its admin actor, and `door` makes
    connections once the gateway stands."""

    settings: Settings
    store: AdminStore
    sign_in: SignIn
    wall: Callable[[], float]
    version: str = "unknown"
    _hands: Hands | None = field(init=False, default=None)
    _house: House | None = field(init=False, default=None)
    lobby: Lobby | None = field(init=False, default=None)

    def furnish(self, house: House, gateway: Gateway) -> Child[AdminMessage]:
        """The admin actor. Its tools outlive its instances."""
        world = World(
            clock=house.clock,
            event=self.settings.event,
            log=house.log,
            rooms=house.refs,
            directory=house.directory,
            people=house.people,
            alerts=house.alerts,
            standing=house.standing,
            activity=house.feed,
            board=house.board,
            zones=house.alert_board.zones,
            gateway=gateway,
            second=frozenset(self.settings.admin.second_person) | {"house.wipe"},
            version=self.version,
        )
        save = partial(self.store.standing.save, house.standing)
        hand = RoomHand(world)
        registers = Registers(
            {
                "room": RoomRegisters(hand),
                "message": MessageRegisters(hand),
                "member": MemberRegisters(world, save),
                "address": AddressRegisters(world, save),
                "house": HouseRegisters(world, save),
                "report": ReportRegisters(self.store),
                "help": HelpRegisters(world),
            }
        )
        rows = AlertRows(house.alert_board, house.alert_board.zones, self.wall)
        house.board.also("alerts", rows.snapshot)
        house.outside.alerts_active = rows.active
        house.outside.lockdown = lambda: house.standing.lockdown
        self._house = house
        self._hands = hands = Hands(world, registers, hand, Deeds(self.store), self.sign_in)

        def executor(due: Callable[[Deed], None]) -> Executor:
            return Executor(hands, hands.deeds, planners, Approvals(lambda: f"p_{token_urlsafe(9)}"), due=due)

        return Child("admin", lambda: Admin(executor), capacity=ORDERS_WAITING)

    # -- the gateway's side --------------------------------------------------------------------------------------------

    def open_door(self, reception: Reception) -> Callable[[Wire], AdminConnection]:
        """Once in a server's life; the watches are one of the reception's tasks."""
        house = reception.house
        watches = Watches(house.board, house.feed, self.wall, reception.tasks.barrier)
        settings = self.settings
        decode = admin_decoder(settings.limits.message_bytes)
        self.lobby = lobby = Lobby(
            tasks=reception.tasks,
            wheel=reception.wheel,
            times=reception.times,
            sign_in=self.sign_in,
            office=self,
            watches=watches,
            new_session=lambda: AdminSession(decode),
            hello=lambda setup: admin.Hello(1, settings.node, settings.event, self.wall(), setup, FEATURES),
            wall=self.wall,
            spread=reception.spread,
            second=frozenset(settings.admin.second_person) | {"house.wipe"},
            secure=lambda arrival: plan.is_secure(settings, arrival.remote, proxied=arrival.proxied),
        )
        reception.tasks.keep_up(watches.run)
        return lambda wire: AdminConnection(wire, lobby)

    @property
    def open_lobby(self) -> Lobby:
        assert self.lobby is not None
        return self.lobby

    async def hear_out(self) -> None:
        """Nobody orders more; what was ordered is carried out and answered. The caller's scope says how long."""
        inside = () if self.lobby is None else tuple(self.lobby.inside)
        for each in inside:
            each.fall_silent()
        while any(each.under_way for each in inside):  # noqa: ASYNC110 - once in a life
            await trio.sleep(0.01)

    def part_all(self, code: int) -> "set[AdminConnection]":
        """Everybody is told; the set empties as they go."""
        if self.lobby is None:
            return set()
        for each in tuple(self.lobby.inside):
            each.part(code, DRAIN_RETRY_MS)
        return self.lobby.inside

    # -- Office --------------------------------------------------------------------------------------------------------

    def order(self, reply: OrderReply, order: Order) -> None:
        assert self._house is not None
        carry = Carry(reply, order)
        try:
            if not self._house.orders.offer(carry):
                carry.refuse("busy", "many orders are under way; try again", 1_000)
        except ActorGone:
            carry.refuse("unavailable", "orders are not taken just now; try again", 1_000)

    async def read(self, order: Order) -> Answer:
        from actors.admin.reads import read

        assert self._hands is not None
        return await read(self._hands, order)

    # -- what flows into the store ----------------------------------------------------------------------------------

    async def keep_events(self, events: Sequence[Event]) -> bool:
        await self.store.activity.append(events)
        return True

    async def reported(self, report: Reported) -> Refused | None:
        """None: it is kept, and operators have been told; once, however often it is said."""
        assert self._house is not None
        try:
            epoch = await self._epoch_of(report.room, report.seq)
            if epoch is None:
                return Refused(Reason.BAD_ANCHOR)
            kept = await self.store.reports.add(self.wall(), report.room, epoch, report.seq, report.member, report.why)
        except StoreFailed as wrong:
            return Refused(Reason.UNAVAILABLE, "reports cannot be kept now", round(wrong.retry_after_s * 1000))
        except LogFailed as failure:
            return Refused(Reason.UNAVAILABLE, str(failure), failure.retry_after_ms)
        if kept == "full":
            return Refused(Reason.FULL, "too many reports are open; tell somebody of the staff")
        if kept != "known":
            data = {"seq": report.seq, "why": report.why}
            text = f"{report.nickname} reports message {report.seq}"
            self._house.feed.note("report", text, room=report.room, member=report.member, data=data)
        return None

    async def _epoch_of(self, room: RoomName, seq: int) -> Epoch | None:
        """Of the message under that number; a room that was made anew has other ones. None: there is none."""
        assert self._house is not None
        try:
            page = await self._house.log.read(room, after=seq - 1, before=None, limit=1, max_bytes=1)
        except KeyError:  # the room was purged meanwhile
            return None
        found = page.entries[0] if page.entries else None
        is_it = found is not None and found.seq == seq and isinstance(found.body, Message | Tombstone)
        return page.epoch if is_it else None


@asynccontextmanager
async def opened(
    settings: Settings,
    house: House,
    gateway: Gateway,
    alarm: Callable[[str], None] = lambda text: None,
    barrier: Barrier | None = None,
    version: str = "unknown",
) -> AsyncIterator[Ops]:
    """Its store open, the standing loaded, the feed going on where it stood. Raises what AdminStore.open raises."""
    path = plan.admin_path(settings)

    def wall() -> float:
        return house.clock.now().wall

    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    async with await AdminStore.open(path, settings.admin.key_path, alarm=alarm) as store:

        def notice(operator: str, address: str, text: str) -> None:
            house.feed.note("sign_in", f"{operator or 'somebody'}: {text}", operator=operator or None)

        ops = Ops(settings, store, SignIn(store, notice=notice), wall, version)
        house.admin = partial(ops.furnish, gateway=gateway)
        await store.standing.load(house.standing)
        house.feed.restore(await store.activity.last())
        house.feed.sink = ops.keep_events
        await ops.sign_in.refresh()
        try:
            async with trio.open_nursery() as nursery:
                tasks = Tasks(nursery, barrier or Barrier())
                tasks.keep_up(partial(store.keep, old=lambda: wall() - settings.admin.keep_activity))
                tasks.keep_up(ops.sign_in.keep)
                yield ops
                nursery.cancel_scope.cancel()
        finally:
            most_s = RECORD_PART * settings.drain_s
            with trio.move_on_after(most_s / 2, shield=True):
                await ops.sign_in.record_counted()
            await store.close(most_s / 2)
