"""What outlives a connection: who we are, the rooms we are in, what we have said and not yet know to be stored.

One task runs it: connect, serve until the connection ends, wait as the close code says, again. A connection's own
worker asks to join every room that is not joined, and sends each room's next letter as soon as its join is answered."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import trio

from actors.names import RoomName
from bandstand.address import Address
from bandstand.client.alerts import Alerts
from bandstand.client.comeback import Backoff
from bandstand.client.connection import Ask, Bearings, Connection, Credentials, open_connection
from bandstand.client.errors import BandstandError, CannotConnect, Refused, SessionOver
from bandstand.client.events import ConnectionState, State, Stored
from bandstand.client.inbox import Inbox
from bandstand.client.intake import Intake
from bandstand.client.membership import Membership
from bandstand.client.rooms import Rooms
from bandstand.outbox import Letter, Outbox
from bandstand.socket import Dial, SocketClosed
from gateway.protocol import client, server
from gateway.protocol.codes import CloseCode, Verdict, verdict
from gateway.protocol.frames import ClientFrame, OkFrame
from gateway.protocol.kinds import Positions, Seq

RETRY_SECONDS = 1.0
"""Where the server gives no time of its own."""
STUMBLES = 5
"""Tries of one request that the server answers with `internal`."""
PATIENT = frozenset({"rate", "slow_mode", "busy", "unavailable", "draining", "internal"})
"""Refusals where only time stands in the way. A frozen or full room is told to the person instead."""
TURNED_AWAY = {"unauthorized": CloseCode.TOKEN, "banned": CloseCode.BANNED}
"""Refusals at the door that are a close code's meaning too."""
POSITIONS = 8
"""The most that a heartbeat carries."""

O = TypeVar("O", bound=OkFrame)  # noqa: E741


class Session:
    def __init__(
        self, address: Address, dial: Dial, credentials: Credentials, backoff: Backoff, *, patient: bool
    ) -> None:
        self._address = address
        self._dial = dial
        self._credentials = credentials
        self._backoff = backoff
        self._patient = patient
        self._connection: Connection | None = None
        self._rooms = Rooms()
        self._outbox = Outbox()
        self._settled: dict[Letter, Callable[[Stored | BandstandError], None]] = {}
        self._stirred = trio.Event()
        self.inbox = Inbox()
        self.alerts = Alerts(self.inbox.put_urgent)
        self._intake = Intake(self._rooms, self.inbox, self.alerts, self._echo, self.drop)
        self.over: BandstandError | None = None
        self.hello: server.Hello | None = None
        self.ready: server.Ready | None = None
        self.state = ConnectionState(State.CONNECTING, time.time())

    # The life of the session

    async def run(self) -> None:
        """Until the session is over: then `over` says why."""
        while self.over is None:
            self._tell(State.CONNECTING, keep=self.state.state is State.OFFLINE)
            try:
                connection = await open_connection(self._address, self._dial, self._credentials)
                closed = await self._serve(connection)
            except SocketClosed as failed:
                closed = failed
            except Refused as refused:
                if not refused.retry or (self.ready is None and not self._patient):
                    self.end(self._turned_away(refused))
                    return
                closed = SocketClosed(1006, refused.message, refused.retry_after_ms)
            if not self._comes_back(closed):
                return
            wait = self._backoff.seconds(closed.code, closed.retry_after_ms)
            self._tell(State.OFFLINE, closed.reason, wait, keep=self.state.state is not State.ONLINE)
            await trio.sleep(wait)

    def _turned_away(self, refused: Refused) -> BandstandError:
        """Who comes back hears what a close would have said: only a token that is not good makes somebody new."""
        code = TURNED_AWAY.get(refused.code)
        return refused if self.ready is None or code is None else SessionOver(code, refused.message)

    def _comes_back(self, closed: SocketClosed) -> bool:
        if verdict(closed.code) in (Verdict.STAYS_AWAY, Verdict.GIVES_UP):
            self.end(SessionOver(closed.code, closed.reason))
        elif self.ready is None and not self._patient:
            self.end(CannotConnect(closed.reason or f"the connection was closed with code {closed.code}"))
        return self.over is None

    def end(self, why: BandstandError) -> None:
        """Nothing comes back from here; everyone who waits for something hears `why`."""
        if self.over is None:
            self.over = why
            self._tell(State.OVER, str(why))
            for letter in list(self._outbox):
                self._settle(letter, why)
            self.inbox.over(why)

    def _tell(self, state: State, why: str = "", retry_s: float | None = None, *, keep: bool = False) -> None:
        since = self.state.since if keep else time.time()
        self.state = ConnectionState(state, since, why, retry_s)
        self.inbox.put_state(self.state)
        self.stir()

    async def _serve(self, connection: Connection) -> SocketClosed:
        born = trio.current_time()
        self.hello, self.ready, self._connection = connection.hello, connection.ready, connection
        self._credentials = Credentials(connection.ready.nickname, connection.ready.token)
        self._tell(State.ONLINE)
        self.alerts.clock.heard(connection.hello.now)
        self.alerts.ready(connection.ready.alerts)
        self._listed()
        closed: SocketClosed | None = None
        try:
            closed = await connection.run(Bearings(self._intake.push, self._park, self._work, self.inbox.stir))
        finally:
            self._connection = None
            self._backoff.lasted(trio.current_time() - born)
            self._outbox.connection_lost()
            self._rooms.connection_lost()
            self.stir()
            await connection.aclose(leave=closed is None)
        return closed

    def stir(self) -> None:
        self._stirred.set()
        self._stirred = trio.Event()
        self.inbox.stir()

    async def until(self, ready: Callable[[], bool]) -> None:
        """Raises what the session ended with."""
        while not ready():
            if self.over is not None:
                raise self.over
            await self._stirred.wait()
        await trio.lowlevel.checkpoint()

    # What comes in

    async def _park(self, answers_due: Callable[[], bool]) -> None:
        if self.inbox.full:
            while not self.inbox.relieved and not answers_due():
                await self.inbox.change()

    def _echo(self, t: float) -> None:
        if self._connection is not None:
            newest = [each for each in self._rooms if each.joined and each.since is not None][-POSITIONS:]
            at = {RoomName(each.name): Seq(each.since.seq) for each in newest if each.since is not None}
            self._connection.tell(client.Heartbeat(t=t, at=Positions(at)))

    # What goes out

    async def _work(self) -> None:
        connection = self._connection
        assert connection is not None
        try:
            while True:
                stirred, now = self._stirred, trio.current_time()
                for room in self._rooms.parting:
                    await connection.ask(partial(client.Leave, room=RoomName(room)), lambda answer: None)
                    self._rooms.parted(room)
                    self.stir()
                for membership in self._rooms:
                    if membership.wants_in and membership.retry_at <= now:
                        membership.asking = True
                        await connection.ask(membership.question, partial(self._join_answered, membership))
                joined = [each.name for each in self._rooms if each.joined]
                for room in joined:
                    letter = self._outbox.next(room, now)
                    if letter is not None:
                        await connection.ask(letter.ask, partial(self._letter_answered, letter))
                with trio.move_on_at(self._next_work(joined)):
                    await stirred.wait()
        except SocketClosed:
            return  # The reader hears of it too, with the code.

    def _next_work(self, joined: list[str]) -> float:
        times = [each.retry_at for each in self._rooms if each.wants_in]
        due = self._outbox.due(joined)
        return min([*times, *([] if due is None else [due])], default=float("inf"))

    def _join_answered(self, membership: Membership, answer: OkFrame | Refused) -> None:
        membership.asking = False
        if isinstance(answer, server.OkJoin):
            if self._rooms.welcome(membership, answer):
                self.alerts.listed(answer.alerts)
                if membership.listens:
                    self.inbox.open(membership.name)
        elif isinstance(answer, Refused) and not membership.left:
            self._join_refused(membership, answer)
        self._listed()
        self.stir()

    def _listed(self) -> None:
        if self._connection is not None and self._rooms.all_joined:
            self.alerts.all_listed()

    def _join_refused(self, membership: Membership, refused: Refused) -> None:
        coming_back = bool(membership.name) and refused.retry
        if refused.code in PATIENT or coming_back:
            membership.retry_at = trio.current_time() + _wait(refused)
            return
        self.drop(membership, refused)

    def drop(self, membership: Membership, why: Refused | None) -> None:
        """We are not in this room any more, because we left it or because the server does not let us back in."""
        if membership.left:
            return  # and its name may be another membership's by now
        self._rooms.remove(membership, tell=why is None)
        membership.refused = why
        self.inbox.close(membership.name, why)
        for letter in [each for each in self._outbox if each.room == membership.name]:
            self._settle(letter, why or Refused("not_joined", "the room was left before this was sent"))
        self._listed()
        self.stir()

    def _letter_answered(self, letter: Letter, answer: OkFrame | Refused) -> None:
        if isinstance(answer, server.OkSend):
            self._settle(letter, Stored(answer.seq, answer.epoch, answer.ts, answer.dup))
        elif isinstance(answer, Refused):
            stumbled = answer.code == "internal" and letter.tries >= STUMBLES
            if answer.retry and answer.code in PATIENT and not stumbled:
                self._outbox.postpone(letter, trio.current_time() + _wait(answer))
            else:
                self._settle(letter, answer)
        self.stir()

    def _settle(self, letter: Letter, value: Stored | BandstandError) -> None:
        self._outbox.settle(letter)
        settled = self._settled.pop(letter, None)
        if settled is not None:
            settled(value)
        self.stir()

    # What the program asks for

    @property
    def waiting(self) -> int:
        return len(self._outbox)

    async def enter(self, membership: Membership) -> Membership:
        """In the room once this returns; if we were there already, the membership that there was."""
        while True:
            known = self._rooms.find(membership.asked) or membership
            if known is membership:
                self._rooms.add(membership)
                self.stir()
            await self._settled_in(known, ours=known is membership)
            if known.refused is not None:
                raise known.refused
            if not known.left:
                return known.twin or known
            if known is membership:
                raise Refused("not_joined", "this room was left")
            # Whoever asked first has given up: then it is for us to ask.

    async def _settled_in(self, membership: Membership, *, ours: bool) -> None:
        settled = False
        try:
            await self.until(lambda: bool(membership.name) or membership.left)
            settled = True
        finally:
            if ours and not settled:
                self.drop(membership, None)

    async def post(self, membership: Membership, cid: str, ask: Ask) -> Stored:
        """Waits until it is stored, over any number of connections. Cancelled: not sent again, but maybe stored."""
        await self.until(lambda: not self._outbox.full)
        answers: list[Stored | BandstandError] = []
        if membership.left:
            raise membership.refused or Refused("not_joined", "this room was left")
        letter = Letter(membership.name, cid, ask)
        self._settled[letter] = answers.append
        self._outbox.add(letter)
        self.stir()
        try:
            await self.until(lambda: bool(answers))
        finally:
            self._settled.pop(letter, None)
            self._outbox.settle(letter)
        if isinstance(answers[0], BandstandError):
            raise answers[0]
        return answers[0]

    async def question(self, membership: Membership, ask: Ask, wanted: type[O]) -> O:
        """For what may be asked twice: asked again after a reconnect, and when only time stands in the way."""
        for stumble in range(STUMBLES):
            answer = await self._answer(membership, ask)
            if isinstance(answer, wanted):
                return answer
            if not isinstance(answer, Refused):
                raise Refused("internal", "the server answered something else")
            if not answer.retry or answer.code not in PATIENT or stumble == STUMBLES - 1:
                raise answer
            await trio.sleep(_wait(answer))
        raise AssertionError("unreachable")

    async def _answer(self, membership: Membership, ask: Ask) -> OkFrame | Refused:
        while True:
            await self.until(lambda: membership.joined or membership.left)
            if membership.left:
                raise membership.refused or Refused("not_joined", "this room was left")
            answer = await self._asked(ask)
            if answer is not None:
                return answer

    async def _asked(self, ask: Ask) -> OkFrame | Refused | None:
        """None: the connection was lost before it was answered, or there is none."""
        connection, answers = self._connection, list[OkFrame | Refused]()
        if connection is None:
            return None

        def answered(value: OkFrame | Refused) -> None:
            answers.append(value)
            self.stir()

        with suppress(SocketClosed):
            await connection.ask(ask, answered)
            await self.until(lambda: bool(answers) or self._connection is not connection)
        return answers[0] if answers else None

    async def confirm(self, ask: Ask) -> None:
        """A receipt: asked again over any number of connections, until it is taken or refused for good."""
        while True:
            await self.until(lambda: self._connection is not None)
            answer = await self._asked(ask)
            if isinstance(answer, Refused):
                if not answer.retry:
                    raise answer
                await trio.sleep(_wait(answer))
            elif answer is not None:
                return

    async def leave(self, membership: Membership) -> None:
        """Returns when the goodbye is on the line, or not needed any more."""
        self.drop(membership, None)
        while membership.name in self._rooms.parting and self.over is None:
            await self._stirred.wait()
        await trio.lowlevel.checkpoint()

    def tell(self, frame: ClientFrame) -> None:
        if self._connection is not None:
            self._connection.tell(frame)


def _wait(refused: Refused) -> float:
    return RETRY_SECONDS if refused.retry_after_ms is None else max(0.05, refused.retry_after_ms / 1000)
