"""The composition root: a house, a gateway on top of it, and the order in which both begin and end."""

import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

import msgspec
import trio
from attrs import define, field, frozen

from actors.alerts.board import AlertBoard
from actors.clock import SystemClock
from actors.house import House
from actors.journal.actor import Journal
from actors.journal.desk import Desk
from actors.journal.log import Alarm, JournalUnusable, LogFailed, RoomRecord
from actors.kernel import Child, ChildStopped, SupervisionEvent
from actors.names import make_member_id
from actors.room.directory import Listing
from gateway import plan, voice
from gateway.admin.ops import RECORD_PART, Ops, opened
from gateway.admin.reach import Reach, stop_this_process
from gateway.alerts import WireAlerts
from gateway.auth import MemberTokens, load_or_create_keys
from gateway.barrier import Barrier, Tasks
from gateway.closed_chat import ClosedDesk, closed, make_room
from gateway.connection import Connection, Counts, Reception
from gateway.figures import (
    feed_stats,
    gateway_figures,
    house_figures,
    journal_figures,
    ops_figures,
    size_of,
    socket_figures,
)
from gateway.http import Request, Response
from gateway.listener import Address, Door, Listener, Route
from gateway.log import EventLog
from gateway.metrics import CONTENT_TYPE, Metrics
from gateway.protocol import server
from gateway.protocol.codec import client_decoder
from gateway.protocol.codes import CloseCode
from gateway.protocol.kinds import Count, Token
from gateway.pulse import Pulse
from gateway.session import Session, hello
from gateway.settings import Settings
from gateway.wheel import Wheel
from gateway.wire.contract import Wire
from gateway.wire.portable import Portable

SUBPROTOCOL = "bandstand.v1"
ADMIN_SUBPROTOCOL = "bandstand.admin.v1"
REPLAY_PAGE = 200
DRAIN_SPREAD_MS = 5_000
"""Clients are told to come back over this time, or 1 ms each if they are more."""
SETTLE_SECONDS = 2.0
"""For drafts under way at a drain, so that their authors hear ok before bye; and again for orders."""
SETTLE_PART = 1 / 8
"""Of drain_s at most, so that of the half for telling people half is left to tell them."""
DOOR_SECONDS = 1.0
"""For those who have connected and not yet said what they want: browsers do so on suspicion."""

log = EventLog("gateway.app")


@frozen
class Serving:
    """What a running server can be asked."""

    addresses: tuple[Address, ...]
    recovered: tuple[RoomRecord, ...]
    """The rooms that the log had, with their heads."""
    rooms: tuple[RoomRecord, ...]
    """Those and the listed ones, by name."""
    house: House
    desk: Desk
    listener: Listener
    setup: str | None
    """The one-time code for the first operator; None: there is one."""


@define
class Health:
    """What is wrong now, by check; told at /readyz."""

    trouble: dict[str, str] = field(factory=dict)
    also: Callable[[Alarm], None] = lambda alarm: None
    """Hears of the journal's alarms."""

    def alarm(self, alarm: Alarm) -> None:
        match alarm.kind:
            case "failed" | "disk_low":
                self.trouble["journal"] = alarm.text
            case "recovered" | "disk_ok":
                self.trouble.pop("journal", None)
        tell = log.info if alarm.kind in ("recovered", "disk_ok") else log.error
        tell("journal", kind=alarm.kind, text=alarm.text, room=alarm.room)
        self.also(alarm)

    def admin_alarm(self, text: str) -> None:
        """What is wrong with the operators' record; empty: nothing any more."""
        self._recording("admin", text, "what operators do is recorded again")

    def alerts_alarm(self, text: str) -> None:
        """What is wrong with the alerts' record; empty: nothing any more."""
        self._recording("alerts", text, "alerts are recorded again")

    def _recording(self, check: str, wrong: str, well: str) -> None:
        if wrong:
            self.trouble[check] = wrong
            log.error(check, text=wrong)
        else:
            self.trouble.pop(check, None)
            log.info(check, text=well)


class App:
    """`alerts_only`: no chat journal, rooms cannot be joined. `routes`: further GETs on the same port (the page's
    assets). `events`: supervision, besides the log."""

    def __init__(
        self,
        settings: Settings,
        *,
        routes: Mapping[str, Route] | None = None,
        events: Callable[[SupervisionEvent], None] = lambda event: None,
        alerts_only: bool = False,
        version: str = "unknown",
        stop: Callable[[], None] = stop_this_process,
    ) -> None:
        self._settings = settings
        self._events = events
        self._alerts_only = alerts_only
        self._version = version
        self._stop = stop
        self._clock = SystemClock()
        self._barrier = Barrier()
        self._wheel = Wheel(self._barrier)
        self._pulse = Pulse()
        self._counts = Counts()
        self._health = Health()
        self._metrics = Metrics()
        self._standing = False
        self._routes = {
            **(routes or {}),
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics_page,
        }

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Serving]:
        """Serving while inside; leaving drains: nobody new, everybody told when to come back, all that was accepted
        committed. Raises KeyFileError, JournalUnusable, LogFailed, OSError (the port)."""
        settings = self._settings
        tls = plan.tls_context(settings)
        settings.journal.path.parent.mkdir(parents=True, exist_ok=True)
        await self._make_room()
        keys = load_or_create_keys(settings.key_path, self._clock.now().wall)
        desk = ClosedDesk(self._clock) if self._alerts_only else Desk(self._clock, self._health.alarm)
        house = self._house(desk)
        tokens = MemberTokens(keys, settings.auth.token_keep, house.standing.revoked)
        reach = Reach(self._stop)
        async with (
            opened(settings, house, reach, self._health.admin_alarm, self._barrier, self._version) as ops,
            house.open() as recovered,
            trio.open_nursery() as nursery,
        ):
            self._standing = True
            desk.spares = house.standing.marked
            tasks = Tasks(nursery, self._barrier)
            tasks.keep_up(self._wheel.turn)
            tasks.keep_up(self._pulse.beat)
            reach.reception = reception = self._reception(house, tokens, tasks, ops)
            portable = Portable(bye=voice.bye, limits=plan.wire_limits(settings))
            listener = self._listener(reception, ops, portable)
            self._name_figures(reception, desk, listener, portable)
            ops_figures(self._metrics, ops.open_lobby, self._counts)
            await nursery.start(listener.run)
            listing = await house.directory.ask(Listing)
            addresses = await listener.listen(settings.host, settings.port, tls)
            code = await ops.sign_in.offer_setup()
            try:
                yield Serving(tuple(addresses), tuple(recovered), listing, house, desk, listener, code)
            finally:
                with trio.CancelScope(shield=True):
                    await self._drain(reception, desk, listener, ops)
                nursery.cancel_scope.cancel()

    async def _make_room(self) -> None:
        """Or go on without the chat."""
        journal, alerts = self._settings.journal, plan.alerts_path(self._settings)
        if self._alerts_only or journal.durability == "memory":
            return
        ballasted = [path for path in (journal.path, alerts) if path is not None]
        trouble = await trio.to_thread.run_sync(make_room, journal.path, ballasted)
        if trouble:
            self._alerts_only = True
            self._health.alarm(Alarm("failed", trouble))

    def _house(self, desk: Desk) -> House:
        settings = self._settings
        setup, rules = plan.journal_setup(settings), plan.room_rules(settings)
        path = plan.alerts_path(settings)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)

        def finish_s() -> float:
            return house.deadlines.journal_s

        house = House(
            log=desk,
            journal=None if self._alerts_only else Child("journal", lambda: Journal(desk, setup, finish_s)),
            voice=voice.WireVoice(),
            rules=closed(rules) if self._alerts_only else rules,
            alert_board=AlertBoard(self._clock, path, settings.alerts.audience, self._health.alerts_alarm),
            alert_voice=WireAlerts(),
            budget=plan.restart_budget(settings),
            tail=settings.rooms.tail,
            keep_s=settings.journal.keep,
            grace_s=settings.rooms.leave_grace_s,
            connections_per_member=settings.limits.connections_per_member,
            clock=self._clock,
            events=self._supervised,
        )
        return house

    def _supervised(self, event: SupervisionEvent) -> None:
        cause = getattr(event, "cause", None) or getattr(event, "error", None)
        expected = isinstance(cause, JournalUnusable | LogFailed)
        # Where the house does not come to stand, whoever started it is told why; once, and not by its inside.
        quiet = not self._standing if expected else cause is None and isinstance(event, ChildStopped)
        tell = log.debug if quiet else log.warning
        tell("supervision", None if expected else cause, what=repr(event))
        self._events(event)

    # -- wiring --------------------------------------------------------------------------------------------------------

    def _reception(self, house: House, tokens: MemberTokens, tasks: Tasks, ops: Ops) -> Reception:
        settings, limits = self._settings, plan.session_limits(self._settings)
        decode = client_decoder(limits.text_code_points, limits.frame_bytes)
        times = plan.times(settings)
        retention = server.Retention(settings.journal.keep, Count(settings.limits.replay_entries), Count(REPLAY_PAGE))
        beats = server.HeartbeatTimes(Count(round(times.heartbeat_s * 1000)), Count(round(times.dead_s * 1000)))
        dice = secrets.SystemRandom()

        def wall() -> float:
            return self._clock.now().wall

        return Reception(
            house=house,
            tasks=tasks,
            wheel=self._wheel,
            counts=self._counts,
            times=times,
            new_session=partial(
                Session,
                limits,
                decode,
                tokens.verify,
                lambda now: make_member_id(now, os.urandom(10)),
                plan.reserved(settings),
            ),
            hello=lambda: voice.framed(hello(limits, settings.node, wall(), beats, retention)),
            issue_token=lambda member: Token(tokens.issue(member, wall())),
            wall=wall,
            spread=lambda: dice.uniform(-1, 1),
            reported=ops.reported,
            replay_entries=settings.limits.replay_entries,
        )

    def _listener(self, reception: Reception, ops: Ops, portable: Portable) -> Listener:
        settings = self._settings

        def attach(wire: Wire) -> Connection:
            return Connection(wire, reception)

        return Listener(
            serve=portable.serve,
            doors={
                "/ws": Door(SUBPROTOCOL, attach, plan.origins(settings)),
                "/admin/ws": Door(ADMIN_SUBPROTOCOL, ops.open_door(reception), plan.admin_origins(settings), kept=True),
            },
            routes=self._routes,
            allowed_hosts=plan.hosts(settings),
            trusted_proxies=plan.proxies(settings),
            limits=plan.listener_limits(settings),
            barrier=self._barrier,
        )

    def _name_figures(self, reception: Reception, desk: Desk, listener: Listener, portable: Portable) -> None:
        house, size = reception.house, partial(size_of, self._settings.journal.path)
        feed_stats(house.outside, desk, self._pulse, size)
        self._health.also = house.chronicle.alarm
        house_figures(self._metrics, house)
        journal_figures(self._metrics, desk, size)
        gateway_figures(self._metrics, self._counts, self._pulse, reception.inside, self._version)
        socket_figures(self._metrics, listener, portable)

    # -- the end -------------------------------------------------------------------------------------------------------

    async def _drain(self, reception: Reception, desk: Desk, listener: Listener, ops: Ops) -> None:
        """Half of drain_s at most; the house, which is left after this, has what remains, but for a little at the very
        end."""
        began, whole_s = trio.current_time(), self._settings.drain_s
        self._health.trouble["draining"] = "the server is stopping"
        listener.stop_accepting()
        settle_s = min(SETTLE_SECONDS, SETTLE_PART * whole_s)
        visits = tuple(reception.inside)
        with trio.move_on_after(settle_s):
            await self._hear_out(visits, desk)
        # Said however long that took: told later is better than cut off, after which all would come back at once.
        for visit, retry_after_ms in zip(visits, _spread(len(visits)), strict=True):
            visit.part(CloseCode.DRAINING, retry_after_ms)
        with trio.move_on_after(settle_s):
            await ops.hear_out()
        operators = ops.part_all(CloseCode.DRAINING)
        with trio.move_on_at(began + whole_s / 2):
            while reception.inside or operators:  # noqa: ASYNC110 - once in a life
                await trio.sleep(0.01)
            with trio.move_on_after(DOOR_SECONDS):
                await listener.emptied()
        listener.cut_all()
        spent_s = trio.current_time() - began
        house = reception.house
        house.deadlines = house.deadlines.within(whole_s * (1 - RECORD_PART) - spent_s)

    async def _hear_out(self, visits: Sequence[Connection], desk: Desk) -> None:
        """Nobody says more; what was said is committed and answered. The caller's scope says how long."""
        for visit in visits:
            visit.fall_silent()
        while desk.counters.in_flight:  # noqa: ASYNC110 - once in a life
            await trio.sleep(0.01)

    # -- routes --------------------------------------------------------------------------------------------------------

    async def _healthz(self, _request: Request) -> Response:
        return Response(body=b"ok\n")

    async def _readyz(self, _request: Request) -> Response:
        trouble = self._health.trouble
        body = msgspec.json.encode({"ready": not trouble, "failing": trouble})
        return Response(503 if trouble else 200, body, "application/json")

    async def _metrics_page(self, _request: Request) -> Response:
        return Response(body=self._metrics.page(), content_type=CONTENT_TYPE)


def _spread(count: int) -> list[int]:
    """Milliseconds after which each of so many may come back: evenly spread, in no order that favours anybody."""
    span = max(DRAIN_SPREAD_MS, count)
    return [500 + span * place // max(count, 1) for place in secrets.SystemRandom().sample(range(count), count)]
