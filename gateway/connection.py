"""One client: what its wire pushes goes through its session into the house; what the house answers goes to its outlet.

Owns no task. Where something has to wait - a full mailbox, a look at the roster, a client that is too fast - the wire
is paused and a task of the gateway's nursery waits in its place, for seconds at most."""

from contextlib import suppress
from typing import assert_never

import trio

from actors.alerts.messages import Came, Gone
from actors.journal.log import LogFailed
from actors.kernel import ActorGone
from actors.names import MemberId, Nickname, RoomName
from actors.people.registry import Arrived, Departed
from actors.room.messages import FellBehind, SeatLost
from gateway import voice
from gateway.alerts import listed, take_receipt
from gateway.protocol import server
from gateway.protocol.codes import CloseCode
from gateway.protocol.kinds import RequestId
from gateway.reception import Counts, Reception, Times
from gateway.requests import Errands
from gateway.session import Beat, Confirm, Entering, Goodbye, Nothing, Route, Say, State, TurnedAway
from gateway.wire.contract import Lost, Wire

__all__ = ["Connection", "Counts", "Reception", "Times"]

LOOK_SECONDS = 10.0
"""Between two looks at most: a stuck line is found by watching it move."""
GUEST = Nickname("Guest")


class Connection(Errands):
    """Sink to its wire, Visit to people/."""

    __slots__ = (
        "_asked_at",
        "_heard_at",
        "_nobody_until",
        "_patience_s",
        "since",
    )

    def __init__(self, wire: Wire, reception: Reception) -> None:
        self._wire = wire
        self._reception = reception
        self._session = reception.new_session()
        self.outlet = wire.outlet
        self.member = MemberId("")
        self.nickname = Nickname("")
        self.seats = {}
        self.since = trio.current_time()
        self._heard_at = self.since
        self._asked_at = -1.0
        """When the last heartbeat was sent."""
        times = reception.times
        self._patience_s = times.heartbeat_s * (1 + times.jitter * reception.spread())
        self._departed = False
        reception.counts.open += 1
        reception.inside.add(self)
        # Spread, so that a thousand silent strangers do not time out in one tick.
        self._nobody_until = wire.arrival.since + times.authenticate_s * (1 + 0.1 * abs(reception.spread()))
        reception.wheel.add(self, min(self._nobody_until, self.since + self._patience_s))
        self.outlet.control(reception.hello())

    # -- Sink ----------------------------------------------------------------------------------------------------------

    def heard(self) -> None:
        self._heard_at = trio.current_time()

    def text(self, message: str) -> None:
        action = self._session.text(message, trio.current_time(), self._reception.wall())
        match action:
            case Route(frame):
                self._route(frame)
            case Confirm(frame):
                house, nursery = self._reception.house, self._reception.nursery
                take_receipt(house.alerts, frame, self.member, self.outlet, nursery)
            case Say(frame):
                self._say(frame)
            case Beat(rtt_s, _, answer):
                if rtt_s is not None:
                    self._reception.counts.rtt.observe(rtt_s)
                if answer is not None:
                    self._say(answer)
            case Entering():
                self._enter(action)
            case TurnedAway(frame):
                self._wire.arrival.failed(trio.current_time())
                self._say(frame)
            case Goodbye():
                self._goodbye(action)
            case Nothing():
                pass
            case _:
                assert_never(action)
        if action.pause_s > 0:
            self._wire.pause()
            self._reception.nursery.start_soon(self._read_on_later, action.pause_s)

    def _goodbye(self, goodbye: Goodbye) -> None:
        if goodbye.failure:
            self._wire.arrival.failed(trio.current_time())
        if goodbye.last is not None:
            self._say(goodbye.last)
        self.part(goodbye.code, goodbye.retry_after_ms)

    def behind(self, room: RoomName, first_dropped: int) -> None:
        seat = self.seats.get(room)
        if seat is not None:
            seat.rewind(first_dropped)
            ref = self._reception.house.refs.get(room)
            if ref is not None:
                with suppress(ActorGone):
                    self._urge(ref, FellBehind(seat))

    def lost(self, cause: Lost) -> None:
        self._departed = True
        self._reception.inside.discard(self)
        counts = self._reception.counts
        counts.open -= 1
        counts.closed[cause.value] = counts.closed.get(cause.value, 0) + 1
        for seat in self.seats.values():
            seat.level = False
            self._pass_on(seat.room, SeatLost(seat))
        if self.member:
            counts.authenticated -= 1
            self._tell(self._reception.house.people, Departed(self))
            self._tell(self._reception.house.alerts, Gone(self.member))

    @property
    def remote(self) -> str:
        return self._wire.remote

    # -- Visit ---------------------------------------------------------------------------------------------------------

    def fall_silent(self) -> None:
        self._wire.pause()

    def part(self, code: int, retry_after_ms: int | None = None) -> None:
        self._session.close()
        self.outlet.finish(code, retry_after_ms)
        self._wire.resume()

    # -- Watched: gateway/wheel.py -------------------------------------------------------------------------------------

    def look(self, now: float) -> float | None:
        """Signs of life, on the loop's clock (docs/protocol.md, heartbeats)."""
        if self._departed:
            return None
        times, session = self._reception.times, self._session
        if session.state is State.HELLO:
            if now < self._nobody_until:
                return self._nobody_until
            self._wire.arrival.failed(trio.current_time())
            self.part(CloseCode.AUTH_TIMEOUT)
            return None
        self._wire.check_stuck(now)
        alive_at = max(self._heard_at, self._wire.progressed_at)
        if self._asked_at > self._heard_at and now - alive_at >= times.dead_s:
            self.part(CloseCode.HEARTBEAT_LOST)
            return None
        if now - self._heard_at >= self._patience_s and self._asked_at <= self._heard_at:
            self._asked_at = now
            self.outlet.control(voice.framed(session.heartbeat(now, self._reception.wall())))
        return min(now + min(LOOK_SECONDS, times.dead_s / 4), max(now, self._heard_at + self._patience_s))

    # -- entering ------------------------------------------------------------------------------------------------------

    def _enter(self, entering: Entering) -> None:
        if entering.nickname is not None:
            self._entered(entering, entering.nickname)
            return
        self._wire.pause()
        self._reception.nursery.start_soon(self._look_up, entering)

    async def _look_up(self, entering: Entering) -> None:
        """Who comes back without saying what they are called is called what they were."""
        try:
            row = await self._reception.house.log.roster(entering.member)
            nickname = row.nickname if row is not None else GUEST
        except LogFailed:
            nickname = GUEST
        if not self._departed:
            self._entered(entering, nickname)
        self._wire.resume()

    def _entered(self, entering: Entering, nickname: Nickname) -> None:
        standing, arrival = self._reception.house.standing, self._wire.arrival
        refused = standing.may_come_in(entering.member, arrival.remote, self._reception.wall())
        if refused is not None:
            self._say(voice.error(entering.re, refused))
            self.part(CloseCode.BANNED)
            return
        self._session.entered(nickname)
        self.member, self.nickname = entering.member, nickname
        self._wire.arrival.authenticated()
        self._reception.counts.authenticated += 1
        self._reception.house.log.seen(self.member, nickname)
        house = self._reception.house
        self._tell(house.people, Arrived(self))
        token = self._reception.issue_token(self.member)
        alerts, told = listed(house.alert_board.active_for(self.member))
        self._say(server.Ready(RequestId(entering.re), self.member, nickname, token, alerts))
        self._tell(house.alerts, Came(self.member, nickname, self.outlet, told))

    async def _read_on_later(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self._wire.resume()
