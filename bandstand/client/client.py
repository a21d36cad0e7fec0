"""The client of a Bandstand server, for trio. See docs/client.md."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Literal

import trio

from actors.names import room_name
from bandstand.address import parse_address
from bandstand.client.comeback import Backoff
from bandstand.client.connection import Credentials
from bandstand.client.errors import SessionOver
from bandstand.client.events import Alert, ConnectionState, Event, Position, State
from bandstand.client.membership import Membership
from bandstand.client.room import Room
from bandstand.client.session import Session
from bandstand.socket import Dial, dialler
from gateway.protocol.client import AlertReceipt
from gateway.protocol.kinds import AlertName, Note, Seq


class Client:
    """Made by `connect`. Comes back by itself after every loss until it is left or sent away."""

    def __init__(self, session: Session, scope: trio.CancelScope) -> None:
        self._session = session
        self._scope = scope

    @property
    def state(self) -> ConnectionState:
        return self._session.state

    @property
    def online(self) -> bool:
        return self._session.state.state is State.ONLINE

    @property
    def member(self) -> str:
        """Our id; empty before the first connection."""
        return self._session.ready.member if self._session.ready else ""

    @property
    def nickname(self) -> str:
        return self._session.ready.nickname if self._session.ready else ""

    @property
    def token(self) -> str:
        """Gives the same identity when it is presented later; renewed at every connection. A secret."""
        return self._session.ready.token if self._session.ready else ""

    @property
    def waiting(self) -> int:
        """Messages said and not yet known to be stored."""
        return self._session.waiting

    async def join(
        self,
        room: str,
        *,
        tail: int = 50,
        since: Position | None = None,
        presence: bool = True,
        listen: bool = True,
    ) -> Room:
        """`room`: a name or a code. `tail`: how many of the newest entries to be told (0..200) when `since` is not
        given or its epoch is over. listen=False: no events are kept for this room, for programs that only speak.

        In a room already: the same room again. Raises Refused, BadName."""
        membership = Membership(room_name(room), max(0, min(tail, 200)), presence, listen, since)
        return Room(self._session, await self._session.enter(membership))

    @property
    def alerts(self) -> Mapping[str, Alert]:
        """Those in force that concern us, by id, oldest first."""
        return self._session.alerts.held

    async def receipt(
        self, alert: Alert, state: Literal["received", "seen", "acknowledged", "help"], note: str = ""
    ) -> None:
        """How far the alert has come with the person here. Returns when the server has taken it, over any number of
        connections; may be said again. Raises Refused when the alert was not for us, SessionOver."""
        name, rev, said = AlertName(alert.id), Seq(alert.rev), Note(note)
        await self._session.confirm(lambda number: AlertReceipt(number, name, rev, state, said))

    def events(self) -> "Events":
        """Everything from all rooms and about the connection itself, in the order of arrival. Never ends by itself:
        raises SessionOver when the session does."""
        return Events(self._session)

    async def aclose(self) -> None:
        """Says goodbye to the server (code 1000); everything still waiting hears SessionOver."""
        self._session.end(SessionOver(1000, "left"))
        self._scope.cancel()
        await trio.lowlevel.checkpoint()


class Events:
    def __init__(self, session: Session) -> None:
        self._session = session

    def __aiter__(self) -> "Events":
        return self

    async def __anext__(self) -> Event:
        return await self._session.inbox.next_of_all()


@asynccontextmanager
async def connect(
    url: str,
    *,
    nickname: str | None = None,
    token: str | None = None,
    patient: bool = False,
    ssl_context: ssl.SSLContext | None = None,
    dial: Dial | None = None,
    backoff: Backoff | None = None,
) -> AsyncIterator[Client]:
    """Connected when the body starts, and kept so until it ends.

    `patient`: keep trying when even the first connection does not come about, instead of raising CannotConnect. Raises
    BadAddress, and what the server says to us at the door: Refused or SessionOver. The time limit is the caller's."""
    session = Session(
        parse_address(url),
        dial or dialler(ssl_context),
        Credentials(nickname, token),
        backoff or Backoff(),
        patient=patient,
    )
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run)
            nursery.start_soon(session.alerts.keep_time)
            client = Client(session, nursery.cancel_scope)
            try:
                await session.until(lambda: session.ready is not None)
                yield client
            finally:
                session.end(SessionOver(1000, "left"))
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # The nursery wraps what the body raised; nobody who uses a client should have to know that there is one.
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from group.exceptions[0].__cause__
        raise
