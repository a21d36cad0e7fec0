"""One client: what its wire pushes goes through its session into the house; what the house answers goes to its outlet.

Owns no task. Where something has to wait - a full mailbox, a look at the roster, a client that is too fast - the wire
is paused and a task of the gateway waits in its place, for seconds at most."""

from contextlib import suppress
from typing import assert_never

import trio

from actors.alerts.messages import Came, Gone
from actors.journal.log import LogFailed
from actors.kernel import ActorGone
from actors.names import MemberId, Nickname, RoomName
from actors.room.messages import FellBehind, SeatLost
from gateway import voice
from gateway.alerts import listed, take_receipt
from gateway.barrier import Tasks
from gateway.protocol import server
from gateway.protocol.codes import CloseCode
from gateway.protocol.kinds import RequestId
from gateway.reception import Counts, Reception, Times
from gateway.requests import Errands
from gateway.session import Beat, Confirm, Entering, Goodbye, Nothing, Route, Say, State, TurnedAway
from gateway.wire.contract import Lost, Wire

__all__ = ["Connection", "Counts", "Reception", "Times"]

GUEST = Nickname("Guest")


class Connection(Errands):
    """Sink to its wire, Visit to people/."""

    __slots__ = ("since",)

    def __init__(self, wire: Wire, reception: Reception) -> None:
        self._reception = reception
        self._session = reception.new_session()
        self.outlet = wire.outlet
        self.member = MemberId("")
        self.nickname = Nickname("")
        self.guessed = False
        self.seats = {}
        first_look = self._come_to_life(wire, reception.spread(), reception.spread())
        self.since = self._heard_at
        reception.counts.open += 1
        reception.inside.add(self)
        reception.wheel.add(self, first_look)
        self.outlet.control(reception.hello())

    # -- Sink ----------------------------------------------------------------------------------------------------------

    def text(self, message: str) -> None:
        action = self._session.text(message, trio.current_time(), self._reception.wall)
        match action:
            case Route(frame):
                self._route(frame)
            case Confirm(frame):
                take_receipt(self._reception.house.alerts, frame, self.member, self.outlet, self._wait_for)
            case Say(frame):
                self._say(frame)
            case Beat(rtt_s, answer):
                if rtt_s is not None:
                    self._reception.counts.rtt.observe(rtt_s)
                if answer is not None:
                    self._say(answer)
            case Entering():
                self._enter(action)
            case TurnedAway(frame):
                self._turned_away(frame)
            case Goodbye():
                self._goodbye(action)
            case Nothing():
                pass
            case _:
                assert_never(action)
        if action.pause_s > 0:
            self._wait_for(trio.sleep, action.pause_s)

    def _turned_away(self, frame: server.ErrorFrame) -> None:
        self._say(frame)
        if self._wire.arrival.failed(trio.current_time()):
            self.part(CloseCode.TOKEN)

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
        self._reception.house.visits.depart(self)
        counts = self._reception.counts
        counts.open -= 1
        counts.closed[cause.value] = counts.closed.get(cause.value, 0) + 1
        for seat in self.seats.values():
            seat.level = False
            self._pass_on(seat.room, SeatLost(seat))
        if self.member:
            counts.authenticated -= 1
            self._tell(self._reception.house.alerts, Gone(self.member))

    def is_of(self, member: MemberId) -> bool:
        """Has shown that it is, and may be still on the way in."""
        return self._session.member == member

    @property
    def remote(self) -> str:
        return self._wire.remote

    # -- Living --------------------------------------------------------------------------------------------------------

    @property
    def _times(self) -> Times:
        return self._reception.times

    @property
    def _tasks(self) -> Tasks:
        return self._reception.tasks

    @property
    def _is_nobody(self) -> bool:
        return self._session.state is State.HELLO

    def _ask(self, now: float) -> None:
        self.outlet.control(voice.framed(self._session.heartbeat(now, self._reception.wall())))

    # -- entering ------------------------------------------------------------------------------------------------------

    def _enter(self, entering: Entering) -> None:
        if entering.nickname is not None:
            self._entered(entering, entering.nickname)
            return
        self._wait_for(self._look_up, entering)

    async def _look_up(self, entering: Entering) -> None:
        """Who comes back without saying what they are called is called what they were. Where that cannot be known now,
        nothing is written over it."""
        house = self._reception.house
        unknown = False
        try:
            row = await house.log.roster(entering.member)
            nickname = None if row is None else row.nickname
        except LogFailed:
            nickname, unknown = None, True
        if nickname is None:
            nickname = house.alert_board.roster.called(entering.member)
        if not self._departed and self._session.state is State.ENTERING:
            self._entered(entering, nickname or GUEST, is_a_guess=unknown and nickname is None)

    def _entered(self, entering: Entering, nickname: Nickname, *, is_a_guess: bool = False) -> None:
        standing, arrival = self._reception.house.standing, self._wire.arrival
        refused = standing.may_come_in(entering.member, arrival.remote, self._reception.wall())
        if refused is not None:
            self._say(voice.error(entering.re, refused))
            self.part(CloseCode.BANNED)
            return
        self._session.entered(nickname)
        self.member, self.nickname, self.guessed = entering.member, nickname, is_a_guess
        self._wire.arrival.authenticated()
        self._reception.counts.authenticated += 1
        house = self._reception.house
        if not is_a_guess:
            house.log.seen(self.member, nickname)
        for visit in house.visits.of(self.member) if entering.nickname is not None else ():
            visit.nickname = nickname  # or a join of an earlier connection would take the new name back
        house.visits.arrive(self)
        token = self._reception.issue_token(self.member)
        alerts, told = listed(house.alert_board.active_for(self.member))
        self._say(server.Ready(RequestId(entering.re), self.member, nickname, token, alerts))
        noted = Nickname("") if is_a_guess else nickname
        self._tell(house.alerts, Came(self.member, noted, self.outlet, told))
