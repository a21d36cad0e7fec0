"""A program that listens, for the tests of the client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from bandstand.client import Client, Message, SessionOver, connect
from tests.client.fake_server import FakeHouse


@asynccontextmanager
async def at(house: FakeHouse, **more: Any) -> AsyncIterator[Client]:
    try:
        async with trio.open_nursery() as nursery:
            async with connect("http://fake/", nickname="Ana", dial=house.dialler(nursery), **more) as client:
                yield client
            nursery.cancel_scope.cancel()
    except ExceptionGroup as group:
        raise group.exceptions[0] from group


async def listen(source: Any, into: list[Any]) -> None:
    try:
        async for event in source:
            into.append(event)
    except SessionOver:
        pass


async def listen_on(room: Any) -> None:
    async for _ in room:
        pass


def seqs(events: list[Any]) -> list[int]:
    return [event.seq for event in events if isinstance(event, Message)]
