"""One operator's connection: what its wire pushes goes through its session to the admin; what comes back goes to its
outlet. Owns no task: where something has to wait, a task of the gateway waits in its place."""

from collections.abc import Callable
from typing import Protocol, assert_never

import trio
from attrs import define, evolve, field, frozen

from actors.admin.catalogue import table
from actors.admin.orders import Answer, Denied, Giver, Order
from actors.admin.signin import Signed, SignIn
from gateway.admin.answers import OrderReply, answered, catalogue, framed, result_of
from gateway.admin.session import AdminSession, Beat, Give, Goodbye, Knock, Look, Nothing, Say, State, error
from gateway.admin.watches import ROOM, TOPICS, WATCHED_MOST, Watches
from gateway.barrier import Tasks
from gateway.living import Living
from gateway.protocol import admin
from gateway.protocol.codes import CloseCode
from gateway.protocol.kinds import RequestId
from gateway.reception import Times
from gateway.wheel import Wheel
from gateway.wire.contract import Arrival, Lost, Wire

AT_ONCE = 8
"""Orders and questions of one connection under way."""
LOOK_SECONDS = 1.0
"""Between two looks at most. Operators are few."""
FAILURES = 5
"""Refused sign-ins of one connection, then 4401."""
NOT_FITTING = ("unauthorized", "setup", "rate")
"""Codes of sign-ins that were refused for what was shown; others (`busy`, `unavailable`) say nothing about it."""


class Office(Protocol):
    """Where orders go."""

    def order(self, reply: OrderReply, order: Order) -> None:
        """Answered exactly once, in the order given."""
        ...

    async def read(self, order: Order) -> Answer: ...


@define
class CommandCounts:
    """For the metrics: how often each command ended how."""

    ended: dict[tuple[str, ...], float] = field(factory=dict)
    closed: dict[str, int] = field(factory=dict)
    """Connections, by why they ended."""

    def count(self, command: str, result: str) -> None:
        self.ended[command, result] = self.ended.get((command, result), 0) + 1


@frozen
class Lobby:
    """What every operator's connection of this server shares."""

    tasks: Tasks
    wheel: Wheel
    times: Times
    sign_in: SignIn
    office: Office
    watches: Watches
    new_session: Callable[[], AdminSession]
    hello: Callable[[bool], admin.Hello]
    wall: Callable[[], float]
    spread: Callable[[], float]
    second: frozenset[str]
    """Commands for which a second person is demanded."""
    secure: Callable[[Arrival], bool]
    """Whether a password may travel over a connection that came in like this."""
    inside: "set[AdminConnection]" = field(factory=set)
    counts: CommandCounts = field(factory=CommandCounts)


class AdminConnection(Living):
    """Sink to its wire."""

    _session: AdminSession

    def __init__(self, wire: Wire, lobby: Lobby) -> None:
        self._lobby = lobby
        self._session = lobby.new_session()
        self._signed: Signed | None = None
        self._failures = 0
        self.outlet = wire.outlet
        self.under_way = 0
        first_look = self._come_to_life(wire, lobby.spread(), lobby.spread())
        lobby.inside.add(self)
        lobby.wheel.add(self, min(first_look, self._heard_at + LOOK_SECONDS))
        self.say(lobby.hello(lobby.sign_in.needs_setup))

    # -- Sink ----------------------------------------------------------------------------------------------------------

    def text(self, message: str) -> None:
        action = self._session.text(message, trio.current_time())
        match action:
            case Knock(frame):
                self._wait_for(self._sign_in, frame)
            case Give(frame):
                self._give(frame)
            case Look(frame):
                self._look(frame)
            case Say(frame):
                self.say(frame)
            case Beat(frame):
                if frame.id is not None:
                    self.say(admin.Ok(frame.id))
            case Goodbye(code, last, retry_after_ms):
                self.say(last)
                self.part(code, retry_after_ms)
            case Nothing():
                pass
            case _:
                assert_never(action)
        if action.pause_s > 0:
            self._wait_for(trio.sleep, action.pause_s)

    def behind(self, room: str, first_dropped: int) -> None:
        """There is no chat on this channel."""

    def lost(self, cause: Lost) -> None:
        self._departed = True
        self._lobby.inside.discard(self)
        closed = self._lobby.counts.closed
        closed[cause.value] = closed.get(cause.value, 0) + 1
        self._lobby.watches.gone(self.outlet)
        signed = self._signed
        if signed is not None and not any(each.is_of(signed.session) for each in self._lobby.inside):
            self._lobby.sign_in.forget(signed.session)

    @property
    def is_signed_in(self) -> bool:
        return self._signed is not None

    def is_of(self, session: str) -> bool:
        return self._signed is not None and self._signed.session == session

    def say(self, frame: admin.AdminServerFrame) -> None:
        self.outlet.control(framed(frame))

    # -- Living --------------------------------------------------------------------------------------------------------

    def look(self, now: float) -> float | None:
        """Also whether the session still holds, so that who only watches does not watch on without one."""
        if not self._departed and self._signed is not None and self._giver() is None:
            return None
        again = super().look(now)
        return None if again is None else min(again, now + LOOK_SECONDS)

    @property
    def _times(self) -> Times:
        return self._lobby.times

    @property
    def _tasks(self) -> Tasks:
        return self._lobby.tasks

    @property
    def _is_nobody(self) -> bool:
        return self._session.state in (State.HELLO, State.SIGNING_IN)

    def _ask(self, now: float) -> None:
        self.say(admin.HeartbeatFrame(self._lobby.wall()))

    # -- signing in ----------------------------------------------------------------------------------------------------

    async def _sign_in(self, frame: admin.Auth) -> None:
        signed = await self._knock(frame)
        if not self._departed:
            self._signed_in(frame.id, signed)

    async def _knock(self, frame: admin.Auth) -> Signed | Denied:
        sign_in, remote = self._lobby.sign_in, self._wire.remote
        secure = self._lobby.secure(self._wire.arrival)
        if frame.token is not None:
            return await sign_in.token(frame.token, remote, secure=secure)
        assert frame.operator is not None
        assert frame.password is not None
        if frame.setup is not None:
            return await sign_in.setup(frame.setup, frame.operator, frame.password, remote, secure=secure)
        return await sign_in.password(frame.operator, frame.password, remote, secure=secure)

    def _signed_in(self, re: RequestId, signed: Signed | Denied) -> None:
        if isinstance(signed, Denied):
            self._session.not_signed_in()
            self.say(error(re, signed))
            if signed.code in NOT_FITTING:
                self._failures += 1
                barred = self._wire.arrival.failed(trio.current_time())
                if barred or self._failures >= FAILURES:
                    self.part(CloseCode.TOKEN)
            return
        self._signed = signed
        self._session.signed_in()
        self._wire.arrival.authenticated()
        cards = catalogue(signed.role, self._lobby.second)
        self.say(admin.Ready(re, signed.operator, signed.role.word, signed.session, signed.token, cards))

    def _giver(self) -> Giver | None:
        """Who this is, as of now; None: no longer anybody, and told so."""
        assert self._signed is not None
        role = self._lobby.sign_in.still(self._signed.session)
        if role is None:
            self.part(CloseCode.TOKEN)
            return None
        self._signed = evolve(self._signed, role=role)
        return Giver(self._signed.operator, role, self._wire.remote, self._signed.session)

    # -- orders and questions ------------------------------------------------------------------------------------------

    def _give(self, frame: admin.Command) -> None:
        by = self._giver()
        if by is None:
            return
        if self.under_way >= AT_ONCE:
            self.say(error(frame.id, Denied("busy", f"at most {AT_ONCE} commands at a time", 500)))
            return
        spec = table().get(frame.name)
        if spec is None:
            self.say(error(frame.id, Denied("unknown_command", f"there is no command {frame.name!r}")))
            return
        order = order_of(frame, by, self._lobby.wall())
        self.under_way += 1
        if spec.reads:
            self._soon(self._read, frame.id, order)
        else:
            self._lobby.office.order(OrderReply(self, frame.id, frame.name), order)

    async def _read(self, re: int, order: Order) -> None:
        try:
            self.answer(re, order.name, await self._lobby.office.read(order))
        finally:
            self.under_way -= 1

    def answer(self, re: int, name: str, value: Answer) -> None:
        self._lobby.counts.count(name, result_of(value))
        self.outlet.control(answered(re, value))

    def _look(self, frame: admin.Watch | admin.Unwatch) -> None:
        watches = self._lobby.watches
        if self._giver() is None:
            return
        if frame.topic not in TOPICS and not frame.topic.startswith(ROOM):
            self.say(error(frame.id, Denied("not_found", f"there is no topic {frame.topic!r}")))
        elif isinstance(frame, admin.Unwatch):
            watches.remove(frame.topic, self.outlet)
            self.say(admin.Ok(frame.id))
        elif watches.count(self.outlet) >= WATCHED_MOST:
            self.say(error(frame.id, Denied("full", f"at most {WATCHED_MOST} topics at a time")))
        else:
            self.say(admin.Ok(frame.id))
            watches.add(frame.topic, self.outlet, frame.since)


def order_of(frame: admin.Command, by: Giver, wall: float) -> Order:
    """With its arguments as they came: the admin reads them, so that what it refuses is on record too."""
    from actors.admin.commands import read_args, without_secrets

    spec = table()[frame.name]
    return Order(
        name=frame.name,
        args=read_args(spec, frame.args, wall),
        raw=without_secrets(frame.args),
        by=by,
        reason=frame.reason,
        cid=frame.cid or "",
        dry_run=frame.dry_run,
        ttl_s=frame.ttl_s,
        expect_rev=frame.expect_rev,
        confirm_of=frame.confirm_of,
        confirm=frame.confirm,
        break_glass=frame.break_glass,
    )
