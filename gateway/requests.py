"""A connection's errands into the house: each request finds its room, and waits in line for it where it must.

Whatever waits does so in a task of its own, with the wire paused, for seconds at most."""

from contextlib import suppress
from typing import TypeVar, assert_never

import trio
from attrs import define

from actors.alerts import messages as alerts
from actors.journal.log import LogFailed
from actors.kernel import ActorGone, MailboxFull, Quarantined, Ref
from actors.names import Epoch, MemberId, Nickname, RoomName
from actors.people.outlet import Seat
from actors.refusals import Reason, Refused
from actors.room import messages as say
from actors.room.messages import Done, Joined, Position, Renamed, RoomMessage, SeatLost
from actors.room.pages import PAGE_BYTES
from actors.room.table import Enter
from gateway import voice
from gateway.alerts import listed
from gateway.answers import Answer, HistoryAnswer, JoinAnswer, SendAnswer
from gateway.living import Living
from gateway.protocol import client, server
from gateway.protocol.frames import RoomRequest, ServerFrame
from gateway.protocol.server import Alerts
from gateway.reception import Reception, Reported
from gateway.session import Session

M = TypeVar("M")
Asked = say.Join | say.Leave | say.Post | say.Edit | say.Delete | say.React | say.History | say.Members
"""What a room answers."""

PATIENCE_SECONDS = 2.0
"""A full mailbox is waited for; then the sender hears `busy`."""


class Errands(Living):
    """The half of a Connection that speaks to rooms. No state but the connection's own."""

    __slots__ = ("_reception", "guessed", "member", "nickname", "seats")

    _reception: Reception
    _session: Session
    member: MemberId
    nickname: Nickname
    guessed: bool
    """What the member is called could not be looked up."""
    seats: dict[RoomName, Seat]

    def _say(self, frame: ServerFrame) -> None:
        self.outlet.control(voice.framed(frame))

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
            case client.Report():
                self._report(frame)
            case client.Members(id, room, page):
                self._deliver(room, say.Members(Answer(self, id), page))
            case _:
                assert_never(frame)

    def _report(self, frame: client.Report) -> None:
        if self._seat(frame.room) is None:
            self._say(voice.error(frame.id, Refused(Reason.NOT_JOINED)))
            return
        self._wait_for(self._keep_report, frame)

    async def _keep_report(self, frame: client.Report) -> None:
        report = Reported(frame.room, frame.seq, frame.why, self.member, self._called(frame.room))
        refused: Refused | None = Refused(Reason.BUSY, "reports take long just now; try again", 1_000)
        # In a task of its own: what is kept once the member heard `busy`, or is gone, has to be told all the same.
        hand_over, answer = trio.open_memory_channel[Refused | None](1)
        self._soon(self._pass_on_report, report, hand_over)
        with trio.move_on_after(PATIENCE_SECONDS):
            refused = await answer.receive()
        self._say(server.Ok(frame.id) if refused is None else voice.error(frame.id, refused))

    async def _pass_on_report(self, report: Reported, answer: trio.MemorySendChannel[Refused | None]) -> None:
        answer.send_nowait(await self._reception.reported(report))

    def _seat(self, room: RoomName) -> Seat | None:
        """Where we sit; None: not there, or no longer."""
        seat = self.seats.get(room)
        if seat is None or not seat.removed:
            return seat
        self._session.left(room)
        del self.seats[room]
        return None

    def _called(self, room: RoomName) -> Nickname:
        seat = self.seats.get(room)
        return self.nickname if seat is None else seat.nickname

    def _join(self, frame: client.Join) -> None:
        since = None if frame.since is None else Position(frame.since.epoch, frame.since.seq)
        seat = Seat(frame.room, self.member, self.nickname, self.outlet, Epoch(""), guessed=self.guessed)
        answer = JoinAnswer(self, frame.id, frame.room, seat)
        most = min(frame.max, self._reception.replay_entries)
        join = say.Join(answer, seat, since, frame.tail, most, frame.presence)
        self._give(self._reception.house.directory, Enter(frame.room, join), join)

    def joined(self, asked: RoomName, seat: Seat, value: voice.Answer | Refused) -> Alerts:
        """Who joins a room again begins anew there; the room has given the earlier seat up. Whoever has gone meanwhile
        has a seat that nobody else will give up. Returns the alerts that the answer lists."""
        if not isinstance(value, Joined):
            if asked not in self.seats:
                self._session.left(asked)
            return ()
        self._session.joined(asked, seat.room)
        self.seats[seat.room] = seat
        if seat.wanted != self.nickname and not self.guessed:
            self._pass_on(seat.room, Renamed(self.member, self.nickname))  # while the join was on its way
        if self._departed:
            self._pass_on(seat.room, SeatLost(seat))
            return ()
        house = self._reception.house
        sits = [room for room, each in self.seats.items() if not each.removed]
        shown, told = listed(house.alert_board.active_for(self.member, sits))
        self._tell(house.alerts, alerts.Joined(self.member, seat.nickname, seat.room, self.outlet, told))
        return shown

    def _leave(self, id: int, room: RoomName) -> None:
        seat = self._seat(room)
        if seat is None:
            self._say(voice.error(id, Refused(Reason.NOT_JOINED)))
            return
        self._session.left(room)
        self._deliver(room, say.Leave(LeaveAnswer(self, id, seat), seat))

    def left(self, seat: Seat, value: Done | Refused) -> None:
        """The seat is kept until the room has given it up: should the connection end before, it is missed there."""
        room = seat.room
        if self.seats.get(room) is not seat:
            return
        if isinstance(value, Refused):
            self._session.joined(room, room)
            return
        del self.seats[room]
        self._tell(self._reception.house.alerts, alerts.Left(self.member, room))

    def refund_send(self) -> None:
        self._session.refund_send()

    # -- into the house ------------------------------------------------------------------------------------------------

    def _deliver(self, name: RoomName, request: Asked) -> None:
        ref = self._reception.house.refs.get(name)
        if self._seat(name) is None:
            request.reply.answer(Refused(Reason.NOT_JOINED))
        elif ref is None:
            self._turned_down(request, ActorGone(name))
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
        self._wait_for(self._stand_in_line, ref, message, request)

    async def _stand_in_line(self, ref: Ref[M], message: M, request: Asked) -> None:
        try:
            with trio.fail_after(PATIENCE_SECONDS):
                await ref.send(message)
        except trio.TooSlowError:
            request.reply.answer(Refused(Reason.BUSY, "many people are writing here; try again", 1_000))
        except ActorGone as gone:
            self._turned_down(request, gone)

    def _turned_down(self, request: Asked, gone: ActorGone) -> None:
        """In quarantine old messages can still be read: the log does not need the room. Nor does who leaves: its next
        instance asks who is there."""
        if isinstance(request, say.History):
            self._soon(self._read_log, request)
            return
        if isinstance(request, say.Leave):
            self.outlet.forget(request.seat.room)
            request.reply.answer(Done())
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
        except KeyError:  # it was purged meanwhile
            reply.answer(Refused(Reason.UNKNOWN_ROOM, "there is no such room"))
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
                self._reception.tasks.start_soon(send_if_there, ref, fact)

    def _urge(self, ref: Ref[RoomMessage], order: RoomMessage) -> None:
        try:
            ref.urge(order)
        except MailboxFull:
            self._tell(ref, order)  # late is better than never; the next fan-out finds the seat as well


@define(eq=False)
class LeaveAnswer:
    errands: Errands
    id: int
    seat: Seat

    def answer(self, value: Done | Refused) -> None:
        self.errands.left(self.seat, value)
        self.errands.outlet.control(voice.answer(self.id, value))


async def send_if_there(ref: Ref[M], fact: M) -> None:
    with suppress(ActorGone):
        await ref.send(fact)
