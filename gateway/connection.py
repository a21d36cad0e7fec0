"""One client: what its wire pushes goes through its session into the house; what the house answers goes to its outlet.

Owns no task. Where something has to wait - a full mailbox, a look at the roster, a client that is too fast - the wire
is paused and a task of the gateway's nursery waits in its place, for seconds at most."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar, assert_never

import trio
from attrs import define, field, frozen

from actors.house import House
from actors.journal.log import LogFailed
from actors.kernel import ActorGone, MailboxFull, Quarantined, Ref
from actors.names import Epoch, MemberId, Nickname, RoomName
from actors.people.outlet import Outlet, Seat
from actors.people.registry import Arrived, Departed
from actors.refusals import Reason, Refused
from actors.room import messages as say
from actors.room.directory import Enter
from actors.room.messages import FellBehind, Joined, Position, RoomMessage, SeatLost
from actors.room.pages import PAGE_BYTES
from actors.tally import Histogram
from gateway import voice
from gateway.answers import Answer, HistoryAnswer, JoinAnswer, SendAnswer
from gateway.protocol import client, server
from gateway.protocol.codes import CloseCode
from gateway.protocol.frames import RoomRequest, ServerFrame
from gateway.protocol.kinds import RequestId, Token
from gateway.session import Beat, Entering, Goodbye, Nothing, Route, Say, Session, State, TurnedAway
from gateway.wheel import Wheel
from gateway.wire.contract import Lost, Wire

M = TypeVar("M")
Asked = say.Join | say.Leave | say.Post | say.Edit | say.Delete | say.React | say.History | say.Members
"""What a room answers."""

PATIENCE_SECONDS = 2.0
"""A full mailbox is waited for; then the sender hears `busy`."""
LOOK_SECONDS = 10.0
"""Between two looks at most: a stuck line is found by watching it move."""
GUEST = Nickname("Guest")


@frozen
class Times:
    """Signs of life, in seconds. `jitter`: the part by which a heartbeat may come earlier or later."""

    heartbeat_s: float = 25.0
    jitter: float = 0.1
    dead_s: float = 60.0
    authenticate_s: float = 15.0


@define
class Counts:
    """Of all connections, for the metrics."""

    open: int = 0
    authenticated: int = 0
    closed: dict[str, int] = field(factory=dict)
    rtt: Histogram = field(factory=Histogram)
    bytes_sent: int = 0
    overflows: int = 0


@frozen
class Reception:
    """What every connection of this server shares. `nursery` takes the waiting that a connection must not do itself."""

    house: House
    nursery: trio.Nursery
    wheel: Wheel
    counts: Counts
    times: Times
    new_session: Callable[[], Session]
    hello: Callable[[], bytes]
    """The first frame, framed."""
    issue_token: Callable[[MemberId], Token]
    wall: Callable[[], float]
    spread: Callable[[], float]
    """-1.0 to 1.0, evenly."""
    inside: "set[Connection]" = field(factory=set)  # all, strangers included


class Connection:
    """Sink to its wire, Visit to people/."""

    __slots__ = (
        "_asked_at",
        "_departed",
        "_heard_at",
        "_nobody_until",
        "_patience_s",
        "_reception",
        "_session",
        "_wire",
        "member",
        "nickname",
        "outlet",
        "seats",
        "since",
    )

    def __init__(self, wire: Wire, reception: Reception) -> None:
        self._wire = wire
        self._reception = reception
        self._session = reception.new_session()
        self.outlet: Outlet = wire.outlet
        self.member = MemberId("")
        self.nickname = Nickname("")
        self.seats: dict[RoomName, Seat] = {}
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

    def _urge(self, ref: Ref[RoomMessage], order: RoomMessage) -> None:
        try:
            ref.urge(order)
        except MailboxFull:
            self._tell(ref, order)  # late is better than never; the next fan-out finds the seat as well

    def _goodbye(self, goodbye: Goodbye) -> None:
        if goodbye.failure:
            self._wire.arrival.failed(trio.current_time())
        if goodbye.last is not None:
            self._say(goodbye.last)
        self.part(goodbye.code, goodbye.retry_after_ms)

    def _say(self, frame: ServerFrame) -> None:
        self.outlet.control(voice.framed(frame))

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
        self._session.entered(nickname)
        self.member, self.nickname = entering.member, nickname
        self._wire.arrival.authenticated()
        self._reception.counts.authenticated += 1
        self._reception.house.log.seen(self.member, nickname)
        self._tell(self._reception.house.people, Arrived(self))
        token = self._reception.issue_token(self.member)
        self._say(server.Ready(RequestId(entering.re), self.member, nickname, token, ()))

    # -- requests ------------------------------------------------------------------------------------------------------

    def _route(self, frame: RoomRequest) -> None:
        match frame:
            case client.Join():
                self._join(frame)
            case client.Leave(id, room):
                self._leave(id, room)
            case client.Send(id, room, cid, text, reply_to):
                nickname = self._called(room)
                self._deliver(room, say.Post(SendAnswer(self, id), self.member, nickname, cid, text, reply_to))
            case client.Edit(id, room, cid, target, text):
                self._deliver(room, say.Edit(SendAnswer(self, id), self.member, cid, target, text))
            case client.Delete(id, room, cid, target):
                self._deliver(room, say.Delete(SendAnswer(self, id), self.member, cid, target))
            case client.React(id, room, target, emoji, on):
                self._deliver(room, say.React(Answer(self, id), self.member, target, emoji, on))
            case client.Typing(room):
                self._pass_on(room, say.Typing(self.member, self._called(room)))
            case client.History(id, room, before, after, limit):
                self._deliver(room, say.History(HistoryAnswer(self, id, room), before, after, limit))
            case client.Members(id, room, page):
                self._deliver(room, say.Members(Answer(self, id), page))
            case _:
                assert_never(frame)

    def _called(self, room: RoomName) -> Nickname:
        seat = self.seats.get(room)
        return self.nickname if seat is None else seat.nickname

    def _join(self, frame: client.Join) -> None:
        since = None if frame.since is None else Position(frame.since.epoch, frame.since.seq)
        seat = Seat(frame.room, self.member, self.nickname, self.outlet, Epoch(""))
        answer = JoinAnswer(self, frame.id, frame.room, seat)
        join = say.Join(answer, seat, since, frame.tail, frame.max, frame.presence)
        self._give(self._reception.house.directory, Enter(frame.room, join), join)

    def joined(self, asked: RoomName, seat: Seat, value: voice.Answer | Refused) -> None:
        """Who joins a room again begins anew there; the earlier seat is given up. Whoever has gone meanwhile has a seat
        that nobody else will give up."""
        if not isinstance(value, Joined):
            if asked not in self.seats:
                self._session.left(asked)
            return
        self._session.joined(asked, seat.room)
        self.outlet.forget(seat.room)  # an earlier seat's rest must not rewind this one
        earlier, self.seats[seat.room] = self.seats.get(seat.room), seat
        if earlier is not None:
            earlier.level = False
            self._pass_on(seat.room, SeatLost(earlier))
        if self._departed:
            self._pass_on(seat.room, SeatLost(seat))

    def _leave(self, id: int, room: RoomName) -> None:
        seat = self.seats.get(room)
        if seat is None:
            self._say(voice.error(id, Refused(Reason.NOT_JOINED)))
            return
        self._deliver(room, say.Leave(Answer(self, id), seat))
        self._session.left(room)
        del self.seats[room]

    def refund_send(self) -> None:
        self._session.refund_send()

    # -- into the house ------------------------------------------------------------------------------------------------

    def _deliver(self, name: RoomName, request: Asked) -> None:
        ref = self._reception.house.refs.get(name)
        if name not in self.seats:
            request.reply.answer(Refused(Reason.NOT_JOINED))
        elif ref is None:
            request.reply.answer(Refused(Reason.UNAVAILABLE, "this room is just opening; try again", 500))
        else:
            self._give(ref, request, request)

    def _give(self, ref: Ref[M], message: M, request: Asked) -> None:
        """Into the mailbox, or in line for it with the wire paused; `request` hears it when that is not possible."""
        try:
            if ref.offer(message):
                return
        except ActorGone as gone:
            self._turned_down(request, gone)
            return
        self._wire.pause()
        self._reception.nursery.start_soon(self._stand_in_line, ref, message, request)

    async def _stand_in_line(self, ref: Ref[M], message: M, request: Asked) -> None:
        try:
            with trio.fail_after(PATIENCE_SECONDS):
                await ref.send(message)
        except trio.TooSlowError:
            request.reply.answer(Refused(Reason.BUSY, "many people are writing here; try again", 1_000))
        except ActorGone as gone:
            self._turned_down(request, gone)
        finally:
            self._wire.resume()

    def _turned_down(self, request: Asked, gone: ActorGone) -> None:
        """In quarantine old messages can still be read: the log does not need the room."""
        if isinstance(request, say.History):
            self._reception.nursery.start_soon(self._read_log, request)
            return
        said, wait_s = "this room is just closing; try again", 0.5
        if isinstance(gone, Quarantined):
            said, wait_s = "this room is closed for a moment after a fault", gone.retry_after_s
        request.reply.answer(Refused(Reason.UNAVAILABLE, said, round(wait_s * 1000)))

    async def _read_log(self, ask: say.History) -> None:
        reply = ask.reply
        assert isinstance(reply, HistoryAnswer)
        before = None if ask.after is not None else ask.before
        try:
            page = await self._reception.house.log.read(
                reply.room, after=ask.after, before=before, limit=ask.limit, max_bytes=PAGE_BYTES
            )
        except LogFailed as failure:
            reply.answer(Refused(Reason.UNAVAILABLE, str(failure), failure.retry_after_ms))
        else:
            reply.answer(page)

    def _pass_on(self, name: RoomName, fact: RoomMessage) -> None:
        """What nobody answers."""
        ref = self._reception.house.refs.get(name)
        if ref is not None:
            self._tell(ref, fact)

    def _tell(self, ref: Ref[M], fact: M) -> None:
        with suppress(ActorGone):
            if not ref.offer(fact):
                self._reception.nursery.start_soon(send_if_there, ref, fact)

    async def _read_on_later(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self._wire.resume()


async def send_if_there(ref: Ref[M], fact: M) -> None:
    with suppress(ActorGone):
        await ref.send(fact)
