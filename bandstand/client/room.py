"""A room, as a program holds it. See docs/client.md."""

from collections.abc import Callable

import trio

from actors.names import Cid, RoomName, cid, emoji, message_text
from bandstand.client.events import (
    Card,
    HistoryPage,
    MembersPage,
    Policy,
    Position,
    RoomEvent,
    Stored,
)
from bandstand.client.membership import Membership, card_of, entry_of
from bandstand.client.names import uuid7
from bandstand.client.session import Session
from gateway.protocol import client, server
from gateway.protocol.kinds import Note, PageNumber, PageSize, Seq

TYPING_SECONDS = 3.0
"""Between two notices; what shows them lets them fade after about twice that."""


class Room:
    """`async for event in room` gives its events until it is left. Made by `Client.join`.

    All methods wait for the connection where there is none, and survive its loss. They raise Refused when the server
    says no, SessionOver when it will not have us back, and ValueError for what can never be sent."""

    def __init__(self, session: Session, membership: Membership) -> None:
        self._session = session
        self._membership = membership
        self._typed_at = float("-inf")

    @property
    def name(self) -> str:
        return self._membership.name

    @property
    def code(self) -> str:
        """What people type to get in; empty where the room has none."""
        return self._membership.code

    @property
    def title(self) -> str:
        return self._membership.title or self._membership.name

    @property
    def nickname(self) -> str:
        """Ours, in this room: with a suffix when somebody here is called the same."""
        return self._membership.nickname

    @property
    def policy(self) -> Policy:
        return self._membership.policy

    @property
    def pinned(self) -> int | None:
        """seq of the message that is shown above the others."""
        return self._membership.pinned

    @property
    def online(self) -> int:
        """People here, as last told."""
        return self._membership.online

    @property
    def position(self) -> Position | None:
        """How far this client has read (not: how far the program has taken events). For `join(since=...)` later."""
        return self._membership.since

    def __aiter__(self) -> "Room":
        return self

    async def __anext__(self) -> RoomEvent:
        event = await self._session.inbox.next(self.name)
        if event is None:
            raise StopAsyncIteration
        return event

    async def send(self, text: str, reply_to: int | None = None, *, cid: str | None = None) -> Stored:
        """Returns once the server has it on disk, however many connections that takes; it is stored once.

        A cancelled send may or may not be stored: give the same `cid` again to find out without saying it twice."""
        body, name = message_text(text), _cid(cid)
        anchor = None if reply_to is None else Seq(reply_to)
        return await self._post(name, lambda number: client.Send(number, self._name, name, body, anchor))

    async def edit(self, seq: int, text: str, *, cid: str | None = None) -> Stored:
        body, name = message_text(text), _cid(cid)
        return await self._post(name, lambda number: client.Edit(number, self._name, name, Seq(seq), body))

    async def delete(self, seq: int, *, cid: str | None = None) -> Stored:
        """The words are erased everywhere; the place stays."""
        name = _cid(cid)
        return await self._post(name, lambda number: client.Delete(number, self._name, name, Seq(seq)))

    async def _post(self, cid: Cid, ask: Callable[..., client.ClientFrame]) -> Stored:
        return await self._session.post(self._membership, cid, ask)

    async def react(self, seq: int, picture: str, *, on: bool = True) -> None:
        parsed = emoji(picture)
        await self._session.question(
            self._membership, lambda number: client.React(number, self._name, Seq(seq), parsed, on), server.Ok
        )

    def typing(self) -> None:
        """Call it at every key: it is told at most every 3 s, and only while we are online."""
        now = trio.current_time()
        if self._membership.joined and now - self._typed_at >= TYPING_SECONDS:
            self._typed_at = now
            self._session.tell(client.Typing(self._name))

    async def history(self, *, before: int | None = None, after: int | None = None, limit: int = 50) -> HistoryPage:
        """Older entries, ascending: the newest before `before`, or the first after `after`, or simply the newest."""
        if before is not None and after is not None:
            raise ValueError("give before or after, not both")
        ok = await self._session.question(
            self._membership,
            lambda number: client.History(
                number,
                self._name,
                None if before is None else Seq(before),
                None if after is None else Seq(after),
                PageSize(max(1, min(limit, 200))),
            ),
            server.OkHistory,
        )
        items = tuple(entry_of(frame, ok.reactions.get(str(frame.seq))) for frame in ok.items)
        return HistoryPage(items, ok.more, ok.oldest, ok.head)

    async def members(self, page: int = 1) -> MembersPage:
        ok = await self._session.question(
            self._membership, lambda number: client.Members(number, self._name, PageNumber(page)), server.OkMembers
        )
        return MembersPage(tuple(map(card_of, ok.members)), ok.page, ok.pages, ok.online)

    async def everybody(self, at_most: int = 1_000) -> list[Card]:
        """All who are here, page by page."""
        found: list[Card] = []
        number = 1
        while True:
            page = await self.members(number)
            found.extend(page.members)
            if number >= page.pages or len(found) >= at_most or not page.members:
                return found[:at_most]
            number += 1

    async def report(self, seq: int, why: str = "") -> None:
        """To the organisers: somebody should look at this message."""
        await self._session.question(
            self._membership, lambda number: client.Report(number, self._name, Seq(seq), Note(why)), server.Ok
        )

    async def leave(self) -> None:
        """Iteration ends at once; what was not sent yet raises Refused("not_joined") where it was sent."""
        await self._session.leave(self._membership)

    @property
    def _name(self) -> RoomName:
        return RoomName(self._membership.name)


def _cid(given: str | None) -> Cid:
    return Cid(uuid7()) if given is None else cid(given)
